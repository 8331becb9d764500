// @ts-check

import { checkSize, PICTURE } from '../model/bounds.js';
import { requestBlob } from '../model/fetch.js';
import { throwIfAborted } from '../util/abort.js';
import { addressOf } from '../util/address.js';
import { SightlineError, wrap } from '../util/errors.js';
import { limits } from '../wasm/registry.js';
import { inputOf, Photo } from './photo.js';

/**
 * What the worker takes.
 * @typedef {{ kind: 'encoded', bytes: Uint8Array }
 *   | { kind: 'rgba', width: number, height: number, data: Uint8ClampedArray }
 *   | import('../engine/photos.js').PhotoInput
 *   | { kind: 'tensor', data: Float32Array, shape: number[] }} Input
 */

/**
 * @param {import('../index.js').ImageSource} image
 * @param {AbortSignal} [signal]
 * @returns {Promise<Input>}
 */
export async function toInput(image, signal) {
  throwIfAborted(signal);
  if (image instanceof Photo) return inputOf(image);
  if (typeof image === 'string') return encoded(await requestBlob(addressOf(image, 'image'), PICTURE, { signal }));
  if (image instanceof Blob) return encoded(image);
  // Copies: a call may wait in its queue while the caller goes on with what is theirs.
  if (image instanceof ArrayBuffer) return { kind: 'encoded', bytes: copy(viewOf(image)) };
  if (image instanceof Uint8Array) return { kind: 'encoded', bytes: copy(image) };
  if (image instanceof ImageData)
    return { kind: 'rgba', width: image.width, height: image.height, data: copy(image.data) };
  if (typeof image === 'object' && image !== null && 'data' in image && 'shape' in image) {
    if (!(image.data instanceof Float32Array) || !Array.isArray(image.shape)) {
      throw new SightlineError('bad-option', 'image: a tensor must be { data: Float32Array, shape: [3, H, W] }');
    }
    const [c = 0, h = 0, w = 0] = image.shape;
    const isWhole = image.shape.length === 3 && [c, h, w].every((n) => Number.isInteger(n) && n > 0);
    if (!isWhole || c * h * w !== image.data.length)
      throw new SightlineError(
        'bad-option',
        `image: the shape of a tensor must be three whole numbers [3, H, W], whose product is the length of its data (${image.data.length})`,
      );
    return { kind: 'tensor', data: copy(image.data), shape: [c, h, w] };
  }
  if (isDrawable(image)) return pixels(image);
  throw new SightlineError(
    'bad-option',
    'image must be a File, Blob, ArrayBuffer, Photo, ImageData, ImageBitmap, image or canvas element, address or tensor',
  );
}

/**
 * Works on an image; where the core cannot read it, on what the browser's own decoder makes of it.
 * @template T
 * @param {Input} input
 * @param {(input: Input) => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function readable(input, work) {
  try {
    return await work(input);
  } catch (error) {
    if (wrap(error).code !== 'unsupported-image') throw error;
    const decoded = await decodeByBrowser(input);
    if (!decoded) throw error;
    return work(decoded);
  }
}

/**
 * The browser's own decoder, for formats that the core names but does not read (HEIC, AVIF);
 * undefined where it does not read them either.
 * @param {Input} input @returns {Promise<Input | undefined>}
 */
async function decodeByBrowser(input) {
  if (input.kind !== 'encoded' || String.fromCharCode(...input.bytes.subarray(4, 8)) !== 'ftyp') return undefined;
  const brand = String.fromCharCode(...input.bytes.subarray(8, 12));
  const type = brand.startsWith('avi') ? 'image/avif' : 'image/heic';
  try {
    const bitmap = await createImageBitmap(new Blob([/** @type {BlobPart} */ (input.bytes)], { type }), {
      imageOrientation: 'from-image',
    });
    const result = pixels(bitmap);
    bitmap.close();
    return result;
  } catch {
    return undefined;
  }
}

/** @param {unknown} [cause] */
const transferred = (cause) =>
  new SightlineError('bad-option', 'image: its buffer has been transferred elsewhere; pass a copy', { cause });

/** @param {ArrayBuffer} buffer */
function viewOf(buffer) {
  try {
    return new Uint8Array(buffer);
  } catch (cause) {
    throw transferred(cause);
  }
}

/**
 * What is not copied before it is checked: a picture of this size is refused by its size.
 * @template {Uint8Array | Uint8ClampedArray | Float32Array} T @param {T} values @returns {T}
 */
function copy(values) {
  if (values instanceof Uint8Array) checkSize(PICTURE, 'the image', values.byteLength);
  try {
    return /** @type {T} */ (values.slice());
  } catch (cause) {
    throw transferred(cause);
  }
}

/** @param {Blob} blob @returns {Promise<Input>} */
async function encoded(blob) {
  checkSize(PICTURE, 'the image', blob.size);
  try {
    return { kind: 'encoded', bytes: new Uint8Array(await blob.arrayBuffer()) };
  } catch (error) {
    throw new SightlineError('unsupported-image', 'the file could not be read; choose it again', { cause: error });
  }
}

/** @param {unknown} image @returns {image is CanvasImageSource} */
export function isDrawable(image) {
  const types = [
    'ImageBitmap',
    'HTMLImageElement',
    'HTMLCanvasElement',
    'OffscreenCanvas',
    'HTMLVideoElement',
    'VideoFrame',
  ];
  return types.some((name) => {
    const type = Reflect.get(globalThis, name);
    return typeof type === 'function' && image instanceof type;
  });
}

/** A drawable's size in its own pixels. @param {CanvasImageSource} image */
export function sizeOf(image) {
  const any = /** @type {Record<string, any>} */ (image);
  return {
    width: Number(any.naturalWidth ?? any.videoWidth ?? any.displayWidth ?? any.width),
    height: Number(any.naturalHeight ?? any.videoHeight ?? any.displayHeight ?? any.height),
  };
}

/** @param {CanvasImageSource} image @returns {Input} */
function pixels(image) {
  const { width, height } = sizeOf(image);
  if (!(width > 0 && height > 0))
    throw new SightlineError('unsupported-image', 'the image has no pixels; wait until it has loaded');
  if (width * height > limits.pixels) {
    throw new SightlineError(
      'image-too-large',
      `the image has ${width} x ${height} pixels; the limit is ${limits.pixels / 1e6} megapixels: scale it down first`,
    );
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d');
  if (!context)
    throw new SightlineError(
      'out-of-memory',
      `the browser could not create a canvas of ${width} x ${height} pixels; scale the image down first`,
    );
  context.drawImage(image, 0, 0);
  try {
    return { kind: 'rgba', width, height, data: context.getImageData(0, 0, width, height).data };
  } catch (error) {
    throw new SightlineError(
      'unsupported-image',
      'the image comes from another site, which does not allow reading its pixels; use the file instead',
      { cause: error },
    );
  }
}
