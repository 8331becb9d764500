// @ts-check
// How well an area that somebody painted agrees with a map: two numbers, and what chance would
// give.

import { toPlane } from '../picture/render.js';
import { SightlineError } from '../util/errors.js';

/**
 * Cells that differ by less than this share count as equally strong: where one of the map's cells
 * covers several, they differ by rounding alone.
 */
const TIE = 1e-6;

/**
 * Of `n` cells side by side, what share of each falls into each of `m` equal parts of the same
 * length.
 * @param {number} n @param {number} m @returns {{ from: number, to: number, share: number }[]}
 */
function shares(n, m) {
  const list = [];
  for (let from = 0, to = 0; from < n && to < m; ) {
    const [left, right] = [Math.max(from / n, to / m), Math.min((from + 1) / n, (to + 1) / m)];
    if (right > left) list.push({ from, to, share: (right - left) * n });
    // Compared in whole numbers: a rounding error must not skip a cell.
    const [a, b] = [(from + 1) * m, (to + 1) * n];
    if (a <= b) from += 1;
    if (b <= a) to += 1;
  }
  return list;
}

/**
 * The positive part of a map [h, w] on a grid of rows x columns that covers the same area. Each
 * cell's value is spread evenly over its area, so that the sum stays what it was.
 * @param {Float32Array} plane
 * @param {number} h
 * @param {number} w
 * @param {number} rows
 * @param {number} columns
 * @returns {Float64Array}
 */
function positiveOn(plane, h, w, rows, columns) {
  const out = new Float64Array(rows * columns);
  const across = shares(w, columns);
  for (const down of shares(h, rows)) {
    for (const { from, to, share } of across) {
      const value = plane[down.from * w + from] ?? 0;
      if (value > 0 && Number.isFinite(value))
        out[down.to * columns + to] = (out[down.to * columns + to] ?? 0) + value * share * down.share;
    }
  }
  return out;
}

/**
 * Compares a painted area with a map. Negative values count as nothing. The map is taken as
 * computed, each number spread evenly over its cell, whatever is interpolated for the eye.
 *
 * `share` is the part of the positive attribution that lies inside the painted area; painting at
 * random would catch `area` of it on average.
 * `iou` is the intersection over union of the painted area and the strongest `top` % of the area
 * that the model saw; cells as strong as the last of
 * those belong to them (`topArea` says how much that is), cells without positive attribution never
 * do.
 * @param {ArrayLike<number>} painted row-major, `rows * columns` long, over the part of the photo
 *   that the model saw; other than 0 is painted
 * @param {import('../index.js').Paintable} attribution
 * @param {{ rows: number, columns: number, top?: number, channels?: 'none' | 'sum' | 'max_abs' }}
 *   grid
 * @returns {{ area: number, share: number | null, iou: number | null, top: number, topArea: number
 *   }} shares from 0 to 1; null where no value of the map is positive
 */
export function overlap(painted, attribution, { rows, columns, top = 20, channels }) {
  const cells = rows * columns;
  if (!(Number.isInteger(rows) && Number.isInteger(columns) && rows > 0 && columns > 0 && painted.length === cells))
    throw new SightlineError('bad-option', 'painted must have rows * columns numbers');
  if (!(top > 0 && top <= 100)) throw new SightlineError('bad-option', 'top must be above 0 and at most 100');
  const { plane, h, w } = toPlane(attribution, channels);
  const map = positiveOn(plane, h, w, rows, columns);
  const last = map.slice().sort()[cells - Math.ceil((top / 100) * cells)] ?? 0;
  const [sum, strong] = [
    { all: 0, inside: 0 },
    { all: 0, both: 0 },
  ];
  let area = 0;
  for (let i = 0; i < cells; i++) {
    const value = map[i] ?? 0;
    const inside = painted[i] ? 1 : 0;
    const isTop = value > 0 && value >= last * (1 - TIE) ? 1 : 0;
    area += inside;
    sum.all += value;
    sum.inside += value * inside;
    strong.all += isTop;
    strong.both += isTop * inside;
  }
  const positive = sum.all > 0;
  return {
    area: area / cells,
    share: positive ? sum.inside / sum.all : null,
    iou: positive ? strong.both / (area + strong.all - strong.both) : null,
    top,
    topArea: strong.all / cells,
  };
}
