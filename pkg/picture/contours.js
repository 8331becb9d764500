// @ts-check
// Lines of equal value.

/**
 * Which two of a square's edges (0 top, 1 right, 2 bottom, 3 left) a line joins, by the corners at
 * or above the level (1, 2, 4, 8 clockwise from the upper left).
 */
const JOINS = [
  [],
  [3, 0],
  [0, 1],
  [3, 1],
  [1, 2],
  [],
  [0, 2],
  [3, 2],
  [2, 3],
  [2, 0],
  [],
  [2, 1],
  [1, 3],
  [1, 0],
  [0, 3],
  [],
];

/**
 * Marching squares (Lorensen and Cline 1987, in the plane): the lines at which the values, linear
 * between the centres of their cells, pass `level`. A saddle is cut as its mean says. Lines end at
 * the outermost centres.
 * @param {Float32Array} values [h, w], row-major
 * @param {number} h
 * @param {number} w
 * @param {number} level
 * @returns {number[]} segments x1, y1, x2, y2 in cells, the first cell's centre at 0.5, 0.5
 */
export function smoothContour(values, h, w, level) {
  /** @type {number[]} */
  const lines = [];
  for (let y = 0; y + 1 < h; y++) {
    for (let x = 0; x + 1 < w; x++) {
      const at = y * w + x;
      const a = values[at] ?? 0;
      const b = values[at + 1] ?? 0;
      const c = values[at + w + 1] ?? 0;
      const d = values[at + w] ?? 0;
      const corners = (a >= level ? 1 : 0) | (b >= level ? 2 : 0) | (c >= level ? 4 : 0) | (d >= level ? 8 : 0);
      if (corners === 0 || corners === 15) continue;
      const edge = (/** @type {number} */ side) => {
        if (side === 0) lines.push(x + 0.5 + (level - a) / (b - a), y + 0.5);
        else if (side === 1) lines.push(x + 1.5, y + 0.5 + (level - b) / (c - b));
        else if (side === 2) lines.push(x + 0.5 + (level - d) / (c - d), y + 1.5);
        else lines.push(x + 0.5, y + 0.5 + (level - a) / (d - a));
      };
      let joins = JOINS[corners] ?? [];
      // The two corners on one diagonal: joined in the middle where the mean is at or above the
      // level, else each cut off.
      if (corners === 5 || corners === 10)
        joins = (corners === 5) === a + b + c + d >= 4 * level ? [0, 1, 2, 3] : [3, 0, 1, 2];
      joins.forEach(edge);
    }
  }
  return lines;
}

/**
 * The same for values shown as cells: the borders between cells at or above the level and those
 * below.
 * @param {Float32Array} values [h, w], row-major
 * @param {number} h
 * @param {number} w
 * @param {number} level
 */
export function cellContour(values, h, w, level) {
  /** @type {number[]} */
  const lines = [];
  const above = (/** @type {number} */ x, /** @type {number} */ y) => (values[y * w + x] ?? 0) >= level;
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      if (x + 1 < w && above(x, y) !== above(x + 1, y)) lines.push(x + 1, y, x + 1, y + 1);
      if (y + 1 < h && above(x, y) !== above(x, y + 1)) lines.push(x, y + 1, x + 1, y + 1);
    }
  }
  return lines;
}
