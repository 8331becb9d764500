// @ts-check
// From numbers to a picture: synchronous, on the main thread, without wasm. The numbers are read and never changed.
import { COLORMAPS, table } from './colormaps.js';
import { SightlineError } from './errors.js';
import { isDrawable, sizeOf } from './image.js';

/** @typedef {import('./index.js').Attribution} Attribution */

const MAX_SIDE = 1280;
/** A smooth heatmap is interpolated and coloured at up to this size and enlarged by the browser from there: it has to fit one frame. */
const MAX_PAINTED = 896;
/** What was painted last for an attribution, so that a change of opacity only draws. @type {WeakMap<Float32Array, { key: string, layer: OffscreenCanvas }>} */
const painted = new WeakMap();
/** @type {WeakMap<Float32Array, Float32Array>} */
const planes = new WeakMap();
/** The largest value on a scale, by scale and percentile. @type {WeakMap<Float32Array, Map<string, number>>} */
const tops = new WeakMap();

/**
 * The attribution as one plane [h, w]: channels are summed, or their largest magnitude is taken where the method's registry entry says so.
 * @param {import('./index.js').Paintable} attribution @param {'none' | 'sum' | 'max_abs'} [channels]
 * @returns {{ plane: Float32Array, h: number, w: number }}
 */
export function toPlane({ values, shape }, channels = 'sum') {
  const [h = 1, w = 1] = shape.slice(-2);
  const count = shape.length === 3 ? (shape[0] ?? 1) : 1;
  if (count === 1) return { plane: values, h, w };
  let plane = planes.get(values);
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
    planes.set(values, plane);
  }
  return { plane, h, w };
}

/**
 * The numbers at the ends of the colour scale. `percentile` cuts outliers off: the scale ends where that share of the magnitudes ends.
 * @param {Float32Array} plane @param {import('./index.js').Scale} scale @param {number} percentile
 * @returns {[number, number]}
 */
function limits(plane, scale, percentile) {
  if (Array.isArray(scale)) {
    const [lo, hi] = scale;
    if (!(Number.isFinite(lo) && Number.isFinite(hi) && lo < hi))
      throw new SightlineError('bad-option', 'scale: [low, high] must be two numbers, low below high');
    return [lo, hi];
  }
  if (scale !== 'positive' && scale !== 'symmetric')
    throw new SightlineError('bad-option', `scale: "${scale}" is none of positive, symmetric, [low, high]`);
  let known = tops.get(plane);
  if (!known) tops.set(plane, (known = new Map()));
  const key = `${scale} ${percentile}`;
  let top = known.get(key);
  if (top === undefined) {
    const sizes = plane.map((v) => (scale === 'positive' ? Math.max(v, 0) : Math.abs(v))).filter((v) => v > 0);
    if (percentile < 100) top = sizes.sort()[Math.min(sizes.length - 1, Math.ceil((sizes.length * percentile) / 100) - 1)] ?? 0;
    else top = sizes.reduce((a, b) => Math.max(a, b), 0);
    known.set(key, top);
  }
  return scale === 'positive' ? [0, top] : [-top, top];
}

/**
 * Paints the photo and, over the part that the model saw, the attribution.
 * @param {HTMLCanvasElement | OffscreenCanvas} canvas
 * @param {CanvasImageSource | ImageData | null} image
 * @param {import('./index.js').Paintable} attribution
 * @param {import('./index.js').RenderOptions} [options]
 * @returns {import('./index.js').Rendered}
 */
export function renderHeatmap(canvas, image, attribution, options = {}) {
  const { alpha = 0.6, interpolation = 'smooth', channels = 'sum' } = options;
  // A map with a middle has it at zero unless told otherwise.
  const scale = options.scale ?? (COLORMAPS[options.colormap ?? '']?.diverging ? 'symmetric' : 'positive');
  const colormap = options.colormap ?? (scale === 'symmetric' ? 'blue-white-red' : 'inferno');
  const percentile = options.percentile ?? (attribution.space === 'input' ? 99 : 100);
  const rgb = table(colormap);
  if (!rgb) throw new SightlineError('bad-option', `colormap: "${colormap}" is none of ${Object.keys(COLORMAPS).join(', ')}`);
  if (!(alpha >= 0 && alpha <= 1)) throw new SightlineError('bad-option', 'alpha: it must be from 0 to 1');
  if (!(percentile > 0 && percentile <= 100)) throw new SightlineError('bad-option', 'percentile: it must be above 0 and at most 100');
  if (interpolation !== 'smooth' && interpolation !== 'cells')
    throw new SightlineError('bad-option', `interpolation: "${interpolation}" is neither smooth nor cells`);
  const picture = image instanceof ImageData ? toCanvas(image) : image;
  if (picture !== null && !isDrawable(picture))
    throw new SightlineError('bad-option', 'image: painting takes an ImageBitmap, an image or canvas element, ImageData or null');

  const { plane, h, w } = toPlane(attribution, channels);
  const [lo, hi] = limits(plane, scale, percentile);
  const crop = attribution.crop;
  const full = picture ? sizeOf(picture) : crop ? { width: crop.photoWidth, height: crop.photoHeight } : { width: w, height: h };
  const shrink = Math.min(1, MAX_SIDE / Math.max(full.width, full.height));
  const grow = picture || crop ? shrink : Math.max(1, Math.floor(448 / Math.max(w, h)));
  const width = Math.max(1, Math.round(full.width * grow));
  const height = Math.max(1, Math.round(full.height * grow));
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D | null} */ (canvas.getContext('2d'));
  if (!context) throw new SightlineError('bad-option', 'canvas: it has no 2d context');
  context.clearRect(0, 0, width, height);
  if (picture) context.drawImage(picture, 0, 0, width, height);

  const place = crop
    ? {
        x: (crop.x * width) / crop.photoWidth,
        y: (crop.y * height) / crop.photoHeight,
        width: (crop.width * width) / crop.photoWidth,
        height: (crop.height * height) / crop.photoHeight,
      }
    : { x: 0, y: 0, width, height };
  // A map without anything to show is not stretched to full colour: the photo stays as it is.
  if (hi > lo) {
    const smooth = interpolation === 'smooth';
    // Cells are painted one pixel each and enlarged without smoothing.
    const part = Math.min(1, MAX_PAINTED / Math.max(place.width, place.height));
    const size = smooth ? [Math.max(1, Math.round(place.width * part)), Math.max(1, Math.round(place.height * part))] : [w, h];
    const key = JSON.stringify([size, colormap, lo, hi, interpolation, channels]);
    let entry = painted.get(attribution.values);
    if (entry?.key !== key) {
      entry = { key, layer: paint(plane, h, w, size[0] ?? 1, size[1] ?? 1, rgb, lo, hi, smooth) };
      painted.set(attribution.values, entry);
    }
    context.globalAlpha = alpha;
    context.imageSmoothingEnabled = smooth;
    context.drawImage(entry.layer, place.x, place.y, place.width, place.height);
    context.imageSmoothingEnabled = true;
    context.globalAlpha = 1;
  }
  return { lo, hi, colormap, percentile, empty: !(hi > lo), place };
}

/**
 * Values are interpolated first (bilinear between cell centres) and coloured after.
 * @param {Float32Array} plane @param {number} h @param {number} w @param {number} width @param {number} height
 * @param {Uint8ClampedArray} rgb @param {number} lo @param {number} hi @param {boolean} smooth
 */
function paint(plane, h, w, width, height, rgb, lo, hi, smooth) {
  const pixels = new ImageData(width, height);
  // One 32-bit store a pixel; the bytes of a word lie in the machine's order, as those of the table do.
  const colours = new Uint32Array(256);
  const bytes = new Uint8Array(colours.buffer);
  for (let i = 0; i < 256; i++) bytes.set([rgb[i * 3] ?? 0, rgb[i * 3 + 1] ?? 0, rgb[i * 3 + 2] ?? 0, 255], i * 4);
  const out = new Uint32Array(pixels.data.buffer);
  const columns = axis(width, w, smooth);
  const rows = axis(height, h, smooth);
  const gain = 255 / (hi - lo);
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
      const index = Math.round((top + (bottom - top) * down - lo) * gain);
      out[at] = colours[index < 0 ? 0 : index > 255 ? 255 : index] ?? 0;
    }
  }
  return toCanvas(pixels);
}

/** For each of `length` pixels the two cells that it lies between, and how far. @param {number} length @param {number} cells @param {boolean} smooth */
function axis(length, cells, smooth) {
  const [low, high, part] = [new Uint32Array(length), new Uint32Array(length), new Float64Array(length)];
  for (let i = 0; i < length; i++) {
    const at = ((i + 0.5) * cells) / length - (smooth ? 0.5 : 0);
    const cell = Math.min(cells - 1, Math.max(0, Math.floor(at)));
    low[i] = cell;
    high[i] = Math.min(cells - 1, cell + 1);
    part[i] = smooth ? Math.min(1, Math.max(0, at - cell)) : 0;
  }
  return { low, high, part };
}

/** @param {ImageData} pixels */
function toCanvas(pixels) {
  const canvas = new OffscreenCanvas(pixels.width, pixels.height);
  canvas.getContext('2d')?.putImageData(pixels, 0, 0);
  return canvas;
}

/** Paints the colour scale, low values left. @param {HTMLCanvasElement} canvas @param {string} colormap */
export function renderColorbar(canvas, colormap) {
  const rgb = table(colormap);
  if (!rgb) throw new SightlineError('bad-option', `colormap: "${colormap}" is none of ${Object.keys(COLORMAPS).join(', ')}`);
  canvas.width = 256;
  canvas.height = 1;
  const pixels = new ImageData(256, 1);
  for (let i = 0; i < 256; i++) pixels.data.set([...rgb.subarray(i * 3, i * 3 + 3), 255], i * 4);
  canvas.getContext('2d')?.putImageData(pixels, 0, 0);
}
