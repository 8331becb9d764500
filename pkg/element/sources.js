// @ts-check
// What the element fetches: the photo, a saved attribution, and the name of the first model.

import { PICTURE, SAVED } from '../model/bounds.js';
import { requestBlob } from '../model/fetch.js';
import { aborted, SightlineError } from '../util/errors.js';

/** The photo as it is shown. @typedef {{ url: string, blob: Blob, bitmap: ImageBitmap }} Photo */

const MAX_SHOWN = 1600;

/** @param {string} url @param {AbortSignal} signal @returns {Promise<Photo>} */
export async function fetchPhoto(url, signal) {
  const blob = await requestBlob(url, PICTURE, { signal });
  const bitmap = await decode(blob);
  if (signal.aborted) {
    bitmap.close();
    throw aborted();
  }
  return { url, blob, bitmap };
}

/** @param {Blob} blob @returns {Promise<ImageBitmap>} */
async function decode(blob) {
  try {
    const bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image' });
    const shrink = MAX_SHOWN / Math.max(bitmap.width, bitmap.height);
    if (shrink >= 1) return bitmap;
    const [resizeWidth, resizeHeight] = [bitmap.width, bitmap.height].map((side) =>
      Math.max(1, Math.round(side * shrink)),
    );
    const small = await createImageBitmap(bitmap, { resizeWidth, resizeHeight, resizeQuality: 'low' });
    bitmap.close();
    return small;
  } catch (cause) {
    throw new SightlineError('unsupported-image', 'this browser cannot display the image; use a JPEG or PNG', {
      cause,
    });
  }
}

/** @param {URL} url @param {AbortSignal} signal @returns {Promise<string>} */
export async function fetchSaved(url, signal) {
  return (await requestBlob(url, SAVED, { signal })).text();
}

/**
 * The first built-in model: what the page shows, too.
 * @param {string | undefined} assetBaseUrl @param {AbortSignal} signal
 */
export async function firstModel(assetBaseUrl, signal) {
  const { listModels } = await import('../model/source.js');
  const list = await listModels({ signal, ...(assetBaseUrl === undefined ? {} : { assetBaseUrl }) });
  const first = list.find(({ path }) => path !== undefined);
  if (!first) throw new SightlineError('bad-option', 'model: there is no built-in model here; name one');
  return first.id;
}
