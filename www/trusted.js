// @ts-check
// The page's own policy for Trusted Types. What it makes goes nowhere but to the two places below;
// the package has a policy of its own (./pkg/util/trusted.js).

const WORKER = './sw.js';
const types = /** @type {any} */ (globalThis).trustedTypes;
const policy = types?.createPolicy('sightline-page', {
  createHTML: (/** @type {string} */ text) => text,
  createScriptURL: () => WORKER,
});

/**
 * Text from elsewhere as a document that is never shown, in which nothing runs or loads.
 * @param {string} text
 */
export const inert = (text) => new DOMParser().parseFromString(policy?.createHTML(text) ?? text, 'text/html');

/** @param {ServiceWorkerContainer} serviceWorker */
export const registerWorker = (serviceWorker) =>
  serviceWorker.register(policy?.createScriptURL(WORKER) ?? WORKER, { updateViaCache: 'none' });
