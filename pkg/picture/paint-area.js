// @ts-check
// The area that a learner paints over a photo, by pointer or keyboard.

/** Cells each way over the part of the photo that the model saw. */
export const GRID = 32;
const BRUSHES = [1, 3, 5, 7];
const ACCENT = '#00b3ff';

/** @typedef {{ x: number, y: number, width: number, height: number }} Box */

export class PaintArea {
  /** Row-major; 1 is painted. */
  cells = new Uint8Array(GRID * GRID);
  erasing = false;
  brush = 5;
  #canvas;
  /** In the canvas's pixels. @type {Box} */
  #box = { x: 0, y: 0, width: 1, height: 1 };
  #cursor = { column: GRID >> 1, row: GRID >> 1 };
  /** The cursor is shown to those who use keys. */
  #keys = false;
  #open = false;
  /** @type {{ column: number, row: number } | undefined} */
  #last;
  #onChange;

  /**
   * @param {HTMLCanvasElement} canvas lies over the photo
   * @param {(at: { row: number, column: number, painted: boolean } | undefined) => void} onChange
   *   after each change, with the place where the keyboard made it
   */
  constructor(canvas, onChange) {
    this.#canvas = canvas;
    this.#onChange = onChange;
    canvas.addEventListener('pointerdown', (event) => {
      if (!this.#open || event.button !== 0) return;
      event.preventDefault();
      canvas.focus({ preventScroll: true });
      canvas.setPointerCapture(event.pointerId);
      this.#keys = false;
      this.#last = undefined;
      this.#stroke(event);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (this.#open && canvas.hasPointerCapture(event.pointerId)) this.#stroke(event);
    });
    canvas.addEventListener('keydown', (event) => this.#key(event));
    canvas.addEventListener('blur', () => {
      this.#keys = false;
      this.draw();
    });
    canvas.addEventListener('focus', () => {
      this.#keys = canvas.matches(':focus-visible');
      this.draw();
    });
  }

  /** Whether it can be painted on. */
  get open() {
    return this.#open;
  }
  set open(open) {
    this.#open = open;
    this.draw();
  }

  get empty() {
    return !this.cells.includes(1);
  }

  clear() {
    this.cells.fill(0);
    this.draw();
    this.#onChange(undefined);
  }

  /**
   * @param {number} width of the canvas
   * @param {number} height
   * @param {Box} box where the model looked
   */
  place(width, height, box) {
    [this.#canvas.width, this.#canvas.height, this.#box] = [width, height, box];
    this.draw();
  }

  /** @param {PointerEvent} event */
  #stroke(event) {
    const { left, top, width, height } = this.#canvas.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * this.#canvas.width - this.#box.x;
    const y = ((event.clientY - top) / height) * this.#canvas.height - this.#box.y;
    const at = { column: (x / this.#box.width) * GRID, row: (y / this.#box.height) * GRID };
    const from = this.#last ?? at;
    const steps = Math.max(1, Math.ceil(Math.hypot(at.column - from.column, at.row - from.row)));
    for (let i = 0; i <= steps; i++) {
      const part = i / steps;
      this.#dab(from.column + (at.column - from.column) * part, from.row + (at.row - from.row) * part, !this.erasing);
    }
    this.#last = at;
    this.draw();
    this.#onChange(undefined);
  }

  /**
   * Paints the cells whose centres lie within the brush.
   * @param {number} column
   * @param {number} row
   * @param {boolean} on
   */
  #dab(column, row, on) {
    const radius = this.brush / 2;
    for (let r = Math.max(0, Math.floor(row - radius)); r < Math.min(GRID, row + radius); r++)
      for (let c = Math.max(0, Math.floor(column - radius)); c < Math.min(GRID, column + radius); c++)
        if (Math.hypot(c + 0.5 - column, r + 0.5 - row) <= radius) this.cells[r * GRID + c] = on ? 1 : 0;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (!this.#open || event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    const moves = /** @type {Record<string, [number, number]>} */ ({
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    });
    const move = moves[key];
    const isPaint = key === ' ' || key === 'Enter';
    const isErase = key === 'Delete' || key === 'Backspace';
    const size = key === '+' || key === '=' ? 1 : key === '-' ? -1 : 0;
    if (!move && !isPaint && !isErase && !size) return;
    event.preventDefault();
    this.#keys = true;
    if (size)
      this.brush = BRUSHES[Math.min(BRUSHES.length - 1, Math.max(0, BRUSHES.indexOf(this.brush) + size))] ?? this.brush;
    if (move) {
      const step = (this.brush + 1) >> 1;
      const clamp = (/** @type {number} */ v) => Math.min(GRID - 1, Math.max(0, v));
      this.#cursor = {
        column: clamp(this.#cursor.column + move[0] * step),
        row: clamp(this.#cursor.row + move[1] * step),
      };
    }
    // Shift paints on the way.
    const { column, row } = this.#cursor;
    if (isPaint || isErase || (move && event.shiftKey)) this.#dab(column + 0.5, row + 0.5, !isErase && !this.erasing);
    this.draw();
    this.#onChange({ row, column, painted: this.cells[row * GRID + column] === 1 });
  }

  draw() {
    const context = this.#canvas.getContext('2d');
    if (!context) return;
    const { width, height } = this.#canvas;
    const box = this.#box;
    context.clearRect(0, 0, width, height);
    const [cw, ch] = [box.width / GRID, box.height / GRID];
    const line = Math.max(width, height) / 300;
    if (this.#open) {
      context.fillStyle = 'rgb(0 0 0 / 45%)';
      context.beginPath();
      context.rect(0, 0, width, height);
      context.rect(box.x, box.y, box.width, box.height);
      context.fill('evenodd');
      context.fillStyle = `${ACCENT}80`;
      for (let i = 0; i < GRID * GRID; i++) {
        const [x, y] = [box.x + (i % GRID) * cw, box.y + Math.floor(i / GRID) * ch];
        if (this.cells[i]) context.fillRect(x, y, cw, ch);
      }
    }
    // Two colours, so that the edge is seen on any picture and any map.
    for (const [colour, wide] of /** @type {[string, number][]} */ ([
      ['#000', 2 * line],
      ['#fff', line],
    ])) {
      context.strokeStyle = colour;
      context.lineWidth = wide;
      context.stroke(this.#edge(box, cw, ch));
    }
    if (this.#open && this.#keys) {
      const { column, row } = this.#cursor;
      for (const [colour, wide] of /** @type {[string, number][]} */ ([
        ['#000', 3 * line],
        ['#ffd400', 1.5 * line],
      ])) {
        context.strokeStyle = colour;
        context.lineWidth = wide;
        context.beginPath();
        const [x, y] = [box.x + (column + 0.5) * cw, box.y + (row + 0.5) * ch];
        context.ellipse(x, y, (this.brush / 2) * cw, (this.brush / 2) * ch, 0, 0, 2 * Math.PI);
        context.stroke();
      }
    }
  }

  /** The painted area's edge. @param {Box} box @param {number} cw @param {number} ch */
  #edge(box, cw, ch) {
    const path = new Path2D();
    const at = (/** @type {number} */ c, /** @type {number} */ r) =>
      c >= 0 && r >= 0 && c < GRID && r < GRID ? (this.cells[r * GRID + c] ?? 0) : 0;
    for (let r = 0; r <= GRID; r++) {
      for (let c = 0; c <= GRID; c++) {
        const [x, y] = [box.x + c * cw, box.y + r * ch];
        if (at(c, r) !== at(c, r - 1)) {
          path.moveTo(x, y);
          path.lineTo(x + cw, y);
        }
        if (at(c, r) !== at(c - 1, r)) {
          path.moveTo(x, y);
          path.lineTo(x, y + ch);
        }
      }
    }
    return path;
  }
}
