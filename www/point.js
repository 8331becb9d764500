// @ts-check
// The value at a point of the heatmap: under the pointer, or at a mark that the arrow keys move.
import { fill, number, say, t } from './language.js';
import { valueAt } from './pkg/index.js';

/**
 * Of an arrow key at most, in parts of what the model saw; a map of fewer cells is walked cell by
 * cell.
 */
const FINEST = 28;
/** Where an arrow key leads: to the right, and down. */
export const ARROWS = /** @type {Record<string, [number, number]>} */ ({
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
});

/** A canvas as it is fitted into its box. @param {HTMLCanvasElement} canvas */
function fit(canvas) {
  const box = canvas.getBoundingClientRect();
  const scale = Math.min(box.width / canvas.width, box.height / canvas.height);
  return { scale, left: (box.width - canvas.width * scale) / 2, top: (box.height - canvas.height * scale) / 2, box };
}

/**
 * The place on a canvas, in its pixels, that a pointer is at.
 * @param {HTMLCanvasElement} canvas
 * @param {{ clientX: number, clientY: number }} pointer
 * @returns {[x: number, y: number]}
 */
export function pixelAt(canvas, { clientX, clientY }) {
  const { scale, left, top, box } = fit(canvas);
  return [(clientX - box.left - left) / scale, (clientY - box.top - top) / scale];
}

/**
 * @param {HTMLCanvasElement} canvas fitted into its box, in a positioned element
 * @param {object} page
 * @param {HTMLElement} page.value where the value is written
 * @param {HTMLElement} page.said where it is written for those who hear it: for the arrow keys
 *   alone, a pointer would never let them finish
 * @param {HTMLElement} page.mark
 * @param {() => { attribution: import('./pkg/index.js').Paintable, rendered:
 *   import('./pkg/index.js').Rendered } | undefined} page.shown
 * @param {() => boolean} page.taken the arrow keys have another use
 * @returns {() => void} to be called when another map has come under the point
 */
export function readPoints(canvas, { value, said, mark, shown, taken }) {
  /** @type {{ clientX: number, clientY: number } | undefined} */
  let pointed;
  /**
   * In parts of what the model saw, while the keys are used.
   * @type {[number, number] | undefined}
   */
  let keyed;

  /** @param {boolean} [aloud] */
  function show(aloud = false) {
    const map = shown();
    /** @type {[number, number] | undefined} */
    let at;
    if (keyed && map) {
      const { x, y, width, height } = map.rendered.place;
      const { scale, left, top } = fit(canvas);
      at = [x + keyed[0] * width, y + keyed[1] * height];
      mark.style.left = `${canvas.offsetLeft + left + at[0] * scale}px`;
      mark.style.top = `${canvas.offsetTop + top + at[1] * scale}px`;
    } else if (pointed) at = pixelAt(canvas, pointed);
    mark.hidden = !(keyed && map);
    const place = at && map && valueAt(map.attribution, map.rendered, at[0], at[1]);
    const text = () =>
      place
        ? fill(t.value, {
            value: number(place.value),
            row: place.row + 1,
            column: place.column + 1,
            rows: place.rows,
            columns: place.columns,
          })
        : '';
    say(value, text);
    if (aloud) say(said, text);
  }

  // Arrow keys reach an application, not a picture, where a screen reader runs.
  canvas.setAttribute('role', 'application');
  canvas.tabIndex = 0;
  const point = (/** @type {PointerEvent} */ { clientX, clientY }) => {
    pointed = { clientX, clientY };
    keyed = undefined;
    show();
  };
  canvas.addEventListener('pointermove', point);
  canvas.addEventListener('pointerdown', point);
  canvas.addEventListener('pointerleave', ({ pointerType }) => {
    if (pointerType !== 'mouse') return;
    pointed = undefined;
    show();
  });
  canvas.addEventListener('keydown', (event) => {
    const map = shown();
    const step = ARROWS[event.key];
    if (
      !map ||
      taken() ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      !(step || (event.key === 'Escape' && keyed))
    )
      return;
    event.preventDefault();
    if (!step) {
      keyed = undefined;
      say(said, () => '');
      return show();
    }
    const [rows = 1, columns = 1] = map.attribution.shape.slice(-2);
    const [across, down] = [Math.min(columns, FINEST), Math.min(rows, FINEST)];
    // The first key shows the mark, in the middle of a cell.
    const middle = (/** @type {number} */ n) => (Math.floor(n / 2) + 0.5) / n;
    const within = (/** @type {number} */ v, /** @type {number} */ n) => Math.min(Math.max(v, 0.5 / n), 1 - 0.5 / n);
    keyed = keyed
      ? [within(keyed[0] + step[0] / across, across), within(keyed[1] + step[1] / down, down)]
      : [middle(across), middle(down)];
    show(true);
  });
  canvas.addEventListener('blur', () => {
    keyed = undefined;
    say(said, () => '');
    show();
  });
  new ResizeObserver(() => keyed && show()).observe(canvas);
  return show;
}
