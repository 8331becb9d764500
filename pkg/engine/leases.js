// @ts-check
// One explainer for all elements of a page that show the same model on the same device.

/** @typedef {import('../index.js').Explainer} Explainer */
/** @typedef {Parameters<NonNullable<import('../index.js').ExplainerOptions['onProgress']>>[0]} Progress */
/**
 * @typedef {{ key: string, users: Set<object>, explainer: Promise<Explainer>, stop:
 *   AbortController, listeners: Set<(p: Progress) => void>, timer?: ReturnType<typeof setTimeout>
 *   }} Entry
 */
/** @typedef {{ key: string, explainer: Promise<Explainer>, release: () => void }} Lease */

/** So long does a model stay without users (ms): elements are moved and re-made. */
const GRACE = 5000;
/** @type {Map<string, Entry>} */
const entries = new Map();

/**
 * @param {{ model: import('../index.js').ModelSource, device: string, assetBaseUrl?: string }}
 *   options
 * @param {(p: Progress) => void} [onProgress]
 * @returns {Lease} to be released once
 */
export function lease({ model, device, assetBaseUrl }, onProgress) {
  const key = JSON.stringify([model, device, assetBaseUrl ?? null]);
  let entry = entries.get(key);
  if (!entry) {
    const [stop, listeners] = [new AbortController(), new Set()];
    const explainer = import('./open.js').then(({ createExplainer }) =>
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
