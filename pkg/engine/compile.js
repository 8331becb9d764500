// @ts-check
// Why a WebAssembly program did not compile. Browsers tell all reasons by the same error, in words
// of their own; small programs that do compile tell them apart.

import { SightlineError } from '../util/errors.js';
import { quote } from '../util/quote.js';

/** A program of nothing but its header. */
const EMPTY = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
/** One that uses a SIMD instruction. */
const SIMD = Uint8Array.of(
  ...EMPTY,
  ...[1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
);

/**
 * @param {unknown} cause what `WebAssembly.compile` or `compileStreaming` threw
 * @param {URL} url the program's
 * @returns {Promise<SightlineError>}
 */
export async function compileError(cause, url) {
  const because = (/** @type {import('../index.js').ErrorCode} */ code, /** @type {string} */ message) =>
    new SightlineError(code, message, { cause });
  if (typeof WebAssembly === 'undefined')
    return because(
      'device-unavailable',
      'WebAssembly is turned off in this browser; turn it on for this site (iOS: in Lockdown Mode), or use another browser',
    );
  const isAllowed = await WebAssembly.compile(EMPTY).then(
    () => true,
    () => false,
  );
  if (!isAllowed)
    return because(
      'device-unavailable',
      "this page's Content-Security-Policy does not allow WebAssembly; add 'wasm-unsafe-eval' to its script-src",
    );
  if (!(cause instanceof WebAssembly.CompileError))
    return because('network', `the download of ${quote(url)} was interrupted; try again`);
  // No policy binds this.
  if (!WebAssembly.validate(SIMD))
    return because('device-unavailable', 'this browser does not support WebAssembly SIMD; use a newer one');
  return because(
    'network',
    `${quote(url)} is not the WebAssembly program of this version, or is damaged; reload the page, and check assetBaseUrl`,
  );
}
