// @ts-check
// One explainer for all elements of a page that show the same model on the same device.
import { aborted, SightlineError } from '../util/errors.js';

/** @typedef {import('../index.js').Explainer} Explainer */
/** @typedef {Parameters<NonNullable<import('../index.js').ExplainerOptions['onProgress']>>[0]} Progress */
/** @typedef {{ key: string, users: Set<object>, explainer: Promise<Explainer>, stop: AbortController, listeners: Set<(p: Progress) => void>, timer?: ReturnType<typeof setTimeout> }} Entry */
/** @typedef {{ key: string, explainer: Promise<Explainer>, release: () => void }} Lease */

/** So long does a model stay without users (ms): elements are moved and re-made. */
const GRACE = 5000;
/** @type {Map<string, Entry>} */
const entries = new Map();

/**
 * @param {{ model: import('../index.js').ModelSource, device: string, assetBaseUrl?: string }} options
 * @param {(p: Progress) => void} [onProgress]
 * @returns {Lease} to be released once
 */
export function lease({ model, device, assetBaseUrl }, onProgress) {
  const key = JSON.stringify([model, device, assetBaseUrl ?? null]);
  let entry = entries.get(key);
  if (!entry) {
    const [stop, listeners] = [new AbortController(), new Set()];
    const explainer = import('../index.js').then(({ createExplainer }) =>
      createExplainer({
        model,
        device: /** @type {'auto'} */ (device),
        ...(assetBaseUrl === undefined ? {} : { assetBaseUrl }),
        signal: stop.signal,
        onProgress: (p) => {
          for (const listener of listeners) listener(p);
        },
      }),
    );
    entry = { key, users: new Set(), explainer, stop, listeners };
    entries.set(key, entry);
    // What failed is tried again by the next one who asks.
    explainer.catch(() => entries.get(key) === entry && entries.delete(key));
  }
  const [held, user] = [entry, {}];
  clearTimeout(held.timer);
  held.users.add(user);
  if (onProgress) held.listeners.add(onProgress);
  return {
    key,
    explainer: held.explainer,
    release() {
      if (onProgress) held.listeners.delete(onProgress);
      if (!held.users.delete(user) || held.users.size) return;
      held.timer = setTimeout(() => {
        if (entries.get(key) === held) entries.delete(key);
        held.stop.abort();
        held.explainer.then((explainer) => explainer.dispose()).catch(() => undefined);
      }, GRACE);
    },
  };
}

/** The model's id as an attribute gives it: a listed one, a hub's name (`owner/name`), or an address. @param {string} text @param {string} base @returns {import('../index.js').ModelSource} */
export function modelOf(text, base) {
  try {
    if (/^([a-z][a-z\d+.-]*:|[./])/i.test(text)) return { url: new URL(text, base).href };
  } catch (cause) {
    throw new SightlineError('bad-option', `model: "${text.slice(0, 100)}" is not an address`, { cause });
  }
  return text.includes('/') ? { hub: text } : text;
}

/** Settles as `promise` does, unless the signal aborts first. @template T @param {Promise<T>} promise @param {AbortSignal} signal @returns {Promise<T>} */
export function until(promise, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => reject(aborted());
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
