// @ts-check
// The photo and the model that an element has open.

import { lease } from '../engine/leases.js';
import { abortable } from '../util/abort.js';
import { aborted } from '../util/errors.js';
import { addressOf, modelOf } from './attributes.js';
import { fetchPhoto, firstModel } from './sources.js';

/** @typedef {import('../index.js').Classification} Classification */
/** @typedef {import('../index.js').Explainer} Explainer */
/** @typedef {import('../engine/leases.js').Progress} Progress */
/** @typedef {import('./sources.js').Photo} Photo */

export class Session {
  /** @type {Photo | undefined} */
  #photo;
  /** @type {import('../engine/leases.js').Lease | undefined} */
  #lease;
  /** The one that has classified a photo. @type {Explainer | undefined} */
  #explainer;
  /** @type {{ blob: Blob, explainer: Explainer, result: Classification } | undefined} */
  #classified;

  get photo() {
    return this.#photo;
  }

  /** What the model says, likeliest first; empty until it has. */
  get predictions() {
    return this.#classified?.result.predictions ?? [];
  }

  /** The model and the device; null where there is no model. */
  get info() {
    return this.#explainer?.info ?? null;
  }

  /**
   * The photo, where one is named.
   * @param {string} url empty for none
   * @param {AbortSignal} signal
   */
  async openPhoto(url, signal) {
    if (this.#photo?.url === url) return this.#photo;
    if (!url) {
      this.#photo = undefined;
      return undefined;
    }
    const photo = await fetchPhoto(url, signal);
    this.#photo?.bitmap.close();
    this.#photo = photo;
    return photo;
  }

  /**
   * The model that an element's attributes name, which all elements of the page share.
   * @param {HTMLElement} element
   * @param {AbortSignal} signal
   * @param {(p: Progress) => void} onProgress
   */
  async openModel(element, signal, onProgress) {
    const folder = element.hasAttribute('asset-base-url') ? addressOf(element, 'asset-base-url').href : undefined;
    const id = element.getAttribute('model');
    const device = element.getAttribute('device') || 'auto';
    const model = id ? modelOf(id) : await firstModel(folder, signal);
    const held = lease({ model, device, ...(folder === undefined ? {} : { assetBaseUrl: folder }) }, onProgress);
    if (signal.aborted) {
      held.release();
      throw aborted();
    }
    // The new one is held before the old one goes: it may be the same.
    this.#lease?.release();
    this.#lease = held;
    return abortable(held.explainer, signal);
  }

  /**
   * What the model says of the photo, which it is asked once; `isFresh`: just now.
   * @param {Blob} blob @param {Explainer} explainer @param {AbortSignal} signal
   */
  async classify(blob, explainer, signal) {
    const known =
      this.#classified?.blob === blob && this.#classified.explainer === explainer ? this.#classified.result : undefined;
    const result = known ?? (await explainer.classify(blob, { topK: 5, signal }));
    this.#explainer = explainer;
    this.#classified = { blob, explainer, result };
    return { result, isFresh: !known };
  }

  /** What the model said belongs to another photo. */
  forget() {
    this.#classified = undefined;
  }

  /** The model may go; what it said stays. */
  release() {
    this.#lease?.release();
    this.#lease = undefined;
  }

  /** There is no model any more. */
  leaveModel() {
    this.release();
    this.#explainer = undefined;
    this.#classified = undefined;
  }
}
