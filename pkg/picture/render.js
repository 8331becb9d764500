// @ts-check
// From numbers to a picture: synchronous, on the main thread, without wasm. The numbers are read
// and never changed.

import { SightlineError } from '../util/errors.js';
import { quote } from '../util/quote.js';
import { methods } from '../wasm/registry.js';
import { COLORMAPS, table } from './colormaps.js';
import { cellContour, smoothContour } from './contours.js';
import { placeOf } from './crop.js';
import { isDrawable, sizeOf } from './image.js';

/** @typedef {import('../index.js').Attribution} Attribution */

const MAX_SIDE = 1280;
/**
 * A smooth heatmap is interpolated and coloured at up to this size and enlarged by the browser from
 * there: it has to fit one frame.
 */
const MAX_PAINTED = 896;
/**
 * Contours of coarse maps are drawn from values interpolated to this many along the longer side.
 */
const CONTOURED = 224;
const NOT_KEPT = [128, 128, 128];
/**
 * What was painted last for an attribution, so that a change of opacity only draws.
 * @type {WeakMap<Float32Array, { key: string, layer: OffscreenCanvas }>}
 */
const painted = new WeakMap();
/** @type {WeakMap<Float32Array, Map<string, Float32Array>>} */
const planes = new WeakMap();
/**
 * The largest value on a scale, by scale and percentile.
 * @type {WeakMap<Float32Array, Map<string, number>>}
 */
const tops = new WeakMap();
/**
 * A plane interpolated to the size that was painted last.
 * @type {WeakMap<Float32Array, { key: string, field: Float32Array }>}
 */
const fields = new WeakMap();
/**
 * A field's values above zero in ascending order, by whether they are magnitudes.
 * @type {WeakMap<Float32Array, Map<boolean, Float32Array>>}
 */
const ranks = new WeakMap();
/**
 * The lines drawn last, by whether their levels are below zero.
 * @type {WeakMap<Float32Array, Map<boolean, { key: string, path: Path2D }>>}
 */
const contoured = new WeakMap();

/**
 * The registry's entry of an attribution's method; undefined where it names none.
 * @param {{ method?: string }} attribution
 */
export const methodOf = ({ method }) => methods.find(({ id }) => id === method);

/**
 * The attribution as one plane [h, w]: channels are summed, or their largest magnitude is taken
 * where the method's registry entry says so.
 * @param {import('../index.js').Paintable} attribution
 * @param {'none' | 'sum' | 'max_abs'} [channels] as the registry says of the attribution's method
 *   where left out, and the sum where it names none
 * @returns {{ plane: Float32Array, h: number, w: number }}
 */
export function toPlane(attribution, channels = methodOf(attribution)?.channels ?? 'sum') {
  const { values, shape } = attribution;
  const [h = 1, w = 1] = shape.slice(-2);
  const count = shape.length === 3 ? (shape[0] ?? 1) : 1;
  if (values.length !== count * h * w)
    throw new SightlineError(
      'bad-option',
      `attribution: its ${values.length} values are not those of its shape, ${quote(shape.join(' x '))}; a buffer that was transferred elsewhere is empty: pass a copy`,
    );
  if (count === 1) return { plane: values, h, w };
  let known = planes.get(values);
  if (!known) planes.set(values, (known = new Map()));
  let plane = known.get(channels);
  if (!plane) {
    plane = new Float32Array(h * w);
    for (let i = 0; i < h * w; i++) {
      let sum = 0;
      for (let c = 0; c < count; c++) {
        const v = values[c * h * w + i] ?? 0;
        sum = channels === 'max_abs' ? Math.max(sum, Math.abs(v)) : sum + v;
      }
      plane[i] = sum;
    }
    known.set(channels, plane);
  }
  return { plane, h, w };
}

/**
 * The numbers at the ends of the colour scale. `percentile` cuts outliers off: the scale ends where
 * that share of the magnitudes ends.
 * @param {Float32Array} plane @param {import('../index.js').Scale} scale @param {number} percentile
 * @returns {[number, number]}
 */
function limits(plane, scale, percentile) {
  if (Array.isArray(scale)) {
    const [lo, hi] = scale;
    if (!(Number.isFinite(lo) && Number.isFinite(hi) && lo < hi))
      throw new SightlineError('bad-option', 'scale: [low, high] must be two numbers, with low below high');
    return [lo, hi];
  }
  if (scale !== 'positive' && scale !== 'symmetric')
    throw new SightlineError('bad-option', `scale must be positive, symmetric or [low, high]; got "${quote(scale)}"`);
  let known = tops.get(plane);
  if (!known) tops.set(plane, (known = new Map()));
  const key = `${scale} ${percentile}`;
  let top = known.get(key);
  if (top === undefined) {
    const sizes = plane.map((v) => (scale === 'positive' ? v : Math.abs(v))).filter((v) => v > 0 && v < Infinity);
    if (percentile < 100)
      top = sizes.sort()[Math.min(sizes.length - 1, Math.ceil((sizes.length * percentile) / 100) - 1)] ?? 0;
    else top = sizes.reduce((a, b) => Math.max(a, b), 0);
    known.set(key, top);
  }
  return scale === 'positive' ? [0, top] : [-top, top];
}

/**
 * The percentile at which the scale of an attribution ends unless told otherwise.
 * @param {{ space: string }} attribution
 */
const percentileOf = ({ space }) => (space === 'input' ? 99 : 100);

/** @param {number} percentile */
function checkPercentile(percentile) {
  if (!(percentile > 0 && percentile <= 100))
    throw new SightlineError('bad-option', 'percentile must be above 0 and at most 100');
}

/**
 * One scale for several maps: the widest of theirs. Their values must be comparable, as those of
 * one method on one model are.
 * @param {import('../index.js').Paintable[]} attributions
 * @param {{ scale?: 'positive' | 'symmetric', percentile?: number, channels?: 'none' | 'sum' |
 *   'max_abs' }} [options] as `renderHeatmap` takes them
 * @returns {[number, number]} the ends, for `scale` of `renderHeatmap`; [0, 1] or [-1, 1] where all
 *   maps are empty
 */
export function sharedScale(attributions, { scale = 'positive', percentile, channels } = {}) {
  if (percentile !== undefined) checkPercentile(percentile);
  const ends = attributions.map((a) => limits(toPlane(a, channels).plane, scale, percentile ?? percentileOf(a)));
  const top = Math.max(0, ...ends.map(([, hi]) => hi));
  if (top === 0) return scale === 'positive' ? [0, 1] : [-1, 1];
  return [scale === 'positive' ? 0 : -top, top];
}

/**
 * The number under a point of the canvas, as computed: that of the cell that the point lies in,
 * whatever was interpolated for painting.
 * @param {import('../index.js').Paintable} attribution
 * @param {import('../index.js').Rendered} rendered what `renderHeatmap` returned for it
 * @param {number} x in the canvas's pixels @param {number} y
 * @returns {import('../index.js').Place | null} null beside the heatmap
 */
export function valueAt(attribution, { place, channels }, x, y) {
  const { plane, h, w } = toPlane(attribution, channels);
  const column = Math.floor(((x - place.x) / place.width) * w);
  const row = Math.floor(((y - place.y) / place.height) * h);
  if (!(column >= 0 && column < w && row >= 0 && row < h)) return null;
  return { value: plane[row * w + column] ?? 0, row, column, rows: h, columns: w };
}

/**
 * @param {import('../index.js').RenderOptions} options
 * @param {number} lo
 * @param {number} hi
 * @returns {number[]}
 */
function levelsOf({ contours = 0 }, lo, hi) {
  if (Array.isArray(contours)) {
    if (!contours.every(Number.isFinite))
      throw new SightlineError('bad-option', 'contours: every level must be a number');
    return contours;
  }
  if (!(Number.isInteger(contours) && contours >= 0 && contours <= 20))
    throw new SightlineError('bad-option', 'contours must be a list of levels, or their number, from 0 to 20');
  const parts = Array.from({ length: contours }, (_, i) => (i + 1) / (contours + 1));
  // A scale with both signs has as many on each side of zero: a line at zero would follow the noise
  // of what is nearly zero.
  return lo < 0 && hi > 0
    ? [...parts.map((p) => lo * p).reverse(), ...parts.map((p) => hi * p)]
    : parts.map((p) => lo + (hi - lo) * p);
}

/**
 * Paints the photo and, over the part that the model saw, the attribution.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {CanvasImageSource | ImageData | null} image
 * @param {import('../index.js').Paintable} attribution
 * @param {import('../index.js').RenderOptions} [options]
 * @returns {import('../index.js').Rendered}
 */
export function renderHeatmap(canvas, image, attribution, options = {}) {
  const { alpha = 0.6, interpolation = 'smooth', threshold, only = false } = options;
  const channels = options.channels ?? methodOf(attribution)?.channels ?? 'sum';
  // A map with a middle has it at zero unless told otherwise.
  const scale = options.scale ?? (COLORMAPS[options.colormap ?? '']?.diverging ? 'symmetric' : 'positive');
  const colormap = options.colormap ?? (scale === 'symmetric' ? 'blue-white-red' : 'inferno');
  const percentile = options.percentile ?? percentileOf(attribution);
  const rgb = table(colormap);
  if (!(alpha >= 0 && alpha <= 1)) throw new SightlineError('bad-option', 'alpha must be from 0 to 1');
  checkPercentile(percentile);
  if (interpolation !== 'smooth' && interpolation !== 'cells')
    throw new SightlineError('bad-option', `interpolation must be smooth or cells; got "${quote(interpolation)}"`);
  if (threshold !== undefined && !(threshold > 0 && threshold <= 100))
    throw new SightlineError('bad-option', 'threshold must be above 0 and at most 100');
  if (only && (threshold === undefined || image === null))
    throw new SightlineError('bad-option', 'only needs a photo, and a threshold that says how much of it to show');
  const picture = image instanceof ImageData ? toCanvas(image) : image;
  if (picture !== null && !isDrawable(picture))
    throw new SightlineError(
      'bad-option',
      'image must be an ImageBitmap, an image or canvas element, ImageData or null',
    );

  const { plane, h, w } = toPlane(attribution, channels);
  const [lo, hi] = limits(plane, scale, percentile);
  const contours = levelsOf(options, lo, hi);
  const crop = attribution.crop;
  const full = picture
    ? sizeOf(picture)
    : crop
      ? { width: crop.photoWidth, height: crop.photoHeight }
      : { width: w, height: h };
  const shrink = Math.min(1, MAX_SIDE / Math.max(full.width, full.height));
  const grow = picture || crop ? shrink : Math.max(1, Math.floor(448 / Math.max(w, h)));
  const width = Math.max(1, Math.round(full.width * grow));
  const height = Math.max(1, Math.round(full.height * grow));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D | null} */ (canvas.getContext('2d'));
  if (!context)
    throw new SightlineError(
      'bad-option',
      'canvas: it has no 2d context; pass one that nothing else, such as WebGL, draws on',
    );
  context.clearRect(0, 0, width, height);
  if (picture) context.drawImage(picture, 0, 0, width, height);

  const place = placeOf(crop, width, height);
  const clipped = plane.reduce((n, v) => n + (v > hi || (lo < 0 && v < lo) ? 1 : 0), 0) / plane.length;
  /** @type {import('../index.js').Rendered} */
  const rendered = {
    lo,
    hi,
    colormap,
    percentile,
    clipped,
    channels,
    empty: !(hi > lo),
    place,
    threshold: null,
    contours: [],
  };
  // A map without anything to show is not stretched to full colour: the photo stays as it is.
  if (rendered.empty) return rendered;

  const smooth = interpolation === 'smooth';
  // Cells are painted one pixel each and enlarged without smoothing.
  const part = Math.min(1, MAX_PAINTED / Math.max(place.width, place.height));
  const [columns, rows] = smooth
    ? [Math.max(1, Math.round(place.width * part)), Math.max(1, Math.round(place.height * part))]
    : [w, h];
  const field = smooth ? fieldOf(plane, h, w, columns, rows) : plane;
  const signed = lo < 0;
  rendered.threshold = threshold === undefined ? null : { percent: threshold, ...keep(field, signed, threshold) };
  const key = JSON.stringify([columns, rows, colormap, lo, hi, interpolation, channels, threshold ?? null, only]);
  let entry = painted.get(attribution.values);
  if (entry?.key !== key) {
    const colours = only ? { inside: undefined, outside: word(NOT_KEPT) } : { inside: rgb, outside: 0 };
    entry = { key, layer: paint(field, columns, rows, colours, lo, hi, rendered.threshold?.cut ?? null, signed) };
    painted.set(attribution.values, entry);
  }
  context.imageSmoothingEnabled = smooth;
  context.globalAlpha = only ? 1 : alpha;
  context.drawImage(entry.layer, place.x, place.y, place.width, place.height);
  context.imageSmoothingEnabled = true;
  context.globalAlpha = 1;
  if (only) {
    context.fillStyle = `rgb(${NOT_KEPT.join(' ')})`;
    context.beginPath();
    context.rect(0, 0, width, height);
    context.rect(place.x, place.y, place.width, place.height);
    context.fill('evenodd');
  }
  rendered.contours = contours;
  for (const negative of [true, false]) {
    const levels = contours.filter((level) => level < 0 === negative);
    if (levels.length) drawContours(context, plane, h, w, levels, smooth, place, negative);
  }
  return rendered;
}

/**
 * The smallest value among the largest `percent` of the field, of which those at or below zero (for
 * magnitudes: at zero) are never kept, and the share of the field that it keeps: less where not as
 * many are above zero, more where equal values lie at the cut.
 * @param {Float32Array} field @param {boolean} magnitudes @param {number} percent
 */
function keep(field, magnitudes, percent) {
  let known = ranks.get(field);
  if (!known) ranks.set(field, (known = new Map()));
  let sorted = known.get(magnitudes);
  if (!sorted) known.set(magnitudes, (sorted = (magnitudes ? field.map(Math.abs) : field).filter((v) => v > 0).sort()));
  const count = Math.max(1, Math.round((field.length * percent) / 100));
  const cut = sorted[Math.max(0, sorted.length - count)] ?? Infinity;
  let first = Math.max(0, sorted.length - count);
  while (first > 0 && sorted[first - 1] === cut) first -= 1;
  return { cut, kept: (sorted.length - first) / field.length };
}

/**
 * The plane interpolated (bilinear between cell centres) to width x height.
 * @param {Float32Array} plane
 * @param {number} h
 * @param {number} w
 * @param {number} width
 * @param {number} height
 */
function fieldOf(plane, h, w, width, height) {
  const key = `${width} ${height}`;
  const known = fields.get(plane);
  if (known?.key === key) return known.field;
  const field = interpolate(plane, h, w, width, height);
  fields.set(plane, { key, field });
  return field;
}

/**
 * @param {Float32Array} plane
 * @param {number} h
 * @param {number} w
 * @param {number} width
 * @param {number} height
 */
function interpolate(plane, h, w, width, height) {
  const field = new Float32Array(width * height);
  const columns = axis(width, w);
  const rows = axis(height, h);
  for (let y = 0, at = 0; y < height; y++) {
    const above = /** @type {number} */ (rows.low[y]) * w;
    const below = /** @type {number} */ (rows.high[y]) * w;
    const down = /** @type {number} */ (rows.part[y]);
    for (let x = 0; x < width; x++, at++) {
      const left = /** @type {number} */ (columns.low[x]);
      const right = /** @type {number} */ (columns.high[x]);
      const across = /** @type {number} */ (columns.part[x]);
      const a = /** @type {number} */ (plane[above + left]);
      const c = /** @type {number} */ (plane[below + left]);
      const b = /** @type {number} */ (plane[above + right]);
      const d = /** @type {number} */ (plane[below + right]);
      const top = a + (b - a) * across;
      const bottom = c + (d - c) * across;
      field[at] = top + (bottom - top) * down;
    }
  }
  return field;
}

/**
 * A colour as the 32-bit word of an ImageData, whose bytes lie in the machine's order.
 * @param {ArrayLike<number>} rgb
 */
const word = (rgb) => new Uint32Array(new Uint8Array([...Array.from(rgb), 255]).buffer)[0] ?? 0;

/**
 * Colours a field; `inside` undefined leaves what is kept transparent.
 * @param {Float32Array} field @param {number} width @param {number} height
 * @param {{ inside: Uint8ClampedArray | undefined, outside: number }} colours
 * @param {number} lo
 * @param {number} hi
 * @param {number | null} cut what is below is not kept
 * @param {boolean} magnitudes whether the cut is one of magnitudes
 */
function paint(field, width, height, { inside, outside }, lo, hi, cut, magnitudes) {
  const pixels = new ImageData(width, height);
  const colours = new Uint32Array(256);
  if (inside) for (let i = 0; i < 256; i++) colours[i] = word(inside.subarray(i * 3, i * 3 + 3));
  const out = new Uint32Array(pixels.data.buffer);
  const gain = 255 / (hi - lo);
  for (let i = 0; i < out.length; i++) {
    const v = /** @type {number} */ (field[i]);
    const index = Math.round((v - lo) * gain);
    const kept = cut === null || (magnitudes && v < 0 ? -v : v) >= cut;
    out[i] = kept ? /** @type {number} */ (colours[index < 0 ? 0 : index > 255 ? 255 : index]) : outside;
  }
  return toCanvas(pixels);
}

/**
 * Light lines with a dark rim; at values below zero dark ones with a light rim. Seen on any colour.
 * @param {CanvasRenderingContext2D} context
 * @param {Float32Array} plane
 * @param {number} h
 * @param {number} w
 * @param {number[]} levels
 * @param {boolean} smooth
 * @param {import('../index.js').Rendered['place']} place
 * @param {boolean} negative
 */
function drawContours(context, plane, h, w, levels, smooth, place, negative) {
  const key = JSON.stringify([levels, smooth, place]);
  let known = contoured.get(plane);
  if (!known) contoured.set(plane, (known = new Map()));
  let entry = known.get(negative);
  if (entry?.key !== key) {
    const grow = smooth ? Math.max(1, CONTOURED / Math.max(h, w)) : 1;
    const [rows, columns] = [Math.round(h * grow), Math.round(w * grow)];
    const field = grow > 1 ? interpolate(plane, h, w, columns, rows) : plane;
    const path = new Path2D();
    const [sx, sy] = [place.width / columns, place.height / rows];
    for (const level of levels) {
      const lines = (smooth ? smoothContour : cellContour)(field, rows, columns, level);
      for (let i = 0; i + 3 < lines.length; i += 4) {
        path.moveTo(place.x + (lines[i] ?? 0) * sx, place.y + (lines[i + 1] ?? 0) * sy);
        path.lineTo(place.x + (lines[i + 2] ?? 0) * sx, place.y + (lines[i + 3] ?? 0) * sy);
      }
    }
    entry = { key, path };
    known.set(negative, entry);
  }
  const line = Math.max(1, context.canvas.width / 500);
  context.lineCap = 'round';
  for (const [width, light] of /** @type {[number, boolean][]} */ ([
    [2.4 * line, negative],
    [line, !negative],
  ])) {
    context.lineWidth = width;
    context.strokeStyle = light ? 'white' : 'rgb(20 20 24)';
    context.stroke(entry.path);
  }
  context.lineCap = 'butt';
}

/**
 * For each of `length` pixels the two cells that it lies between, and how far.
 * @param {number} length
 * @param {number} cells
 */
function axis(length, cells) {
  const [low, high, part] = [new Uint32Array(length), new Uint32Array(length), new Float64Array(length)];
  for (let i = 0; i < length; i++) {
    const at = ((i + 0.5) * cells) / length - 0.5;
    const cell = Math.min(cells - 1, Math.max(0, Math.floor(at)));
    low[i] = cell;
    high[i] = Math.min(cells - 1, cell + 1);
    part[i] = Math.min(1, Math.max(0, at - cell));
  }
  return { low, high, part };
}

/** @param {ImageData} pixels */
function toCanvas(pixels) {
  const canvas = new OffscreenCanvas(pixels.width, pixels.height);
  canvas.getContext('2d')?.putImageData(pixels, 0, 0);
  return canvas;
}

/**
 * Paints the colour scale, low values left.
 * @param {HTMLCanvasElement} canvas
 * @param {string} colormap
 */
export function renderColorbar(canvas, colormap) {
  const rgb = table(colormap);
  canvas.width = 256;
  canvas.height = 1;
  const pixels = new ImageData(256, 1);
  for (let i = 0; i < 256; i++) pixels.data.set([...rgb.subarray(i * 3, i * 3 + 3), 255], i * 4);
  canvas.getContext('2d')?.putImageData(pixels, 0, 0);
}
