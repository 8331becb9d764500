// @ts-check
// A photo that was read, hashed and sent once: what a page holds of it.

import { SightlineError } from '../util/errors.js';

/** @typedef {import('../index.js').Box} Box */
/**
 * What the core says of a photo.
 * @typedef {{ width: number, height: number, sha256: string, bitmap: ImageBitmap }} Described
 */
/**
 * What an engine does for a photo: `crop` makes another of a part of it, `close` forgets it.
 * @typedef {{ crop: (box: Box) => Promise<Photo>, close: () => void }} Owner
 */

/** What is sent for each photo; none once it is closed. @type {WeakMap<Photo, any>} */
const inputs = new WeakMap();

/** What is sent for it. @param {Photo} photo */
export function inputOf(photo) {
  const input = inputs.get(photo);
  if (!input) throw new SightlineError('bad-option', 'image: this photo has been closed; load it again');
  return input;
}

/** Made by `explainer.load`. */
export class Photo {
  #owner;

  /** @param {Described} described @param {unknown} input @param {Owner} owner */
  constructor({ width, height, sha256, bitmap }, input, owner) {
    /** @readonly */
    this.width = width;
    /** @readonly */
    this.height = height;
    /** @readonly */
    this.sha256 = sha256;
    /** @readonly */
    this.bitmap = bitmap;
    this.#owner = owner;
    inputs.set(this, input);
  }

  /** @param {Box} box in this photo's pixels */
  crop(box) {
    return this.#owner.crop(box);
  }

  close() {
    if (!inputs.delete(this)) return;
    this.bitmap.close();
    this.#owner.close();
  }
}
