// @ts-check
// Addresses of scripts under `require-trusted-types-for 'script'`, where `new Worker` and a service
// worker's registration take no plain address. The page's policy has to name `sightline` in
// `trusted-types`; nobody outside this module can ask that policy for anything.

/** @typedef {{ createScriptURL: (url: string) => string }} Policy */

/** @type {Policy | undefined} */
let policy;
let asked = false;

/** Undefined without Trusted Types, and where the page's policy does not name `sightline`. */
function own() {
  if (asked) return policy;
  asked = true;
  const types = /** @type {any} */ (globalThis).trustedTypes;
  try {
    policy = types?.createPolicy('sightline', { createScriptURL: check });
  } catch {
    // Named by no directive, or taken by another copy of the package: the plain address still works
    // where the page requires nothing, or has a default policy.
  }
  return policy;
}

/**
 * A script's own address, not text that becomes one: no `data:`, no `javascript:`. Where it may
 * lie, `worker-src` says.
 * @param {string} address
 */
function check(address) {
  const { protocol } = new URL(address);
  if (!['http:', 'https:', 'blob:', 'file:'].includes(protocol) && !protocol.endsWith('-extension:'))
    throw new TypeError(`a script cannot come from ${protocol}`);
  return address;
}

/**
 * The address of a worker as browsers want it. (A TrustedScriptURL, where there are Trusted Types;
 * typed as text, which is what TypeScript's library knows.)
 * @param {string | URL} url absolute
 * @returns {string}
 */
export const scriptUrl = (url) => own()?.createScriptURL(String(url)) ?? String(url);
