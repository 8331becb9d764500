// @ts-check
// How many bytes each kind of file may have: nothing is received beyond what can be used.

import { SightlineError } from '../util/errors.js';
import { quote } from '../util/quote.js';
import { limits } from '../wasm/registry.js';

/**
 * The most bytes of a kind of file, and the error for more of them. `known`: the file's size, where
 * its server says it.
 * @typedef {{ bytes: number, refuse: (name: string, known?: number) => SightlineError }} Bound
 */

/** @param {number} bytes */
const inWords = (bytes) => {
  const [unit, name] = bytes >= 1e9 ? [1e9, 'GB'] : bytes >= 1e6 ? [1e6, 'MB'] : [1e3, 'kB'];
  return `${(bytes / unit).toFixed(1)} ${name}`;
};

/**
 * @param {number} bytes
 * @param {import('../index.js').ErrorCode} code
 * @param {string} more of the limit
 * @param {string} remedy
 * @returns {Bound}
 */
const bound = (bytes, code, more, remedy) => ({
  bytes,
  refuse: (name, known) =>
    new SightlineError(
      code,
      `${quote(name)} has ${sizeOf(known, bytes)}; the limit is ${inWords(bytes)}${more}: ${remedy}`,
    ),
});
/** @param {number | undefined} known @param {number} bytes */
const sizeOf = (known, bytes) => (known === undefined ? `more than ${inWords(bytes)}` : inWords(known));

const parameters = ` (${limits.parameters / 1e6} million parameters)`;

export const WEIGHTS = bound(limits.weightsBytes, 'bad-model', parameters, 'use a smaller model');
export const CONFIG = bound(limits.configBytes, 'bad-model', '', 'check the address');
export const PICTURE = bound(limits.encodedBytes, 'image-too-large', '', 'scale the image down first');
/** Lists that are served with the page: models, labels, builds. */
export const LIST = bound(1 << 20, 'network', '', 'check assetBaseUrl');
/** A saved attribution of 16 million values, and some room. */
export const SAVED = bound(400e6, 'bad-option', '', 'check the address');

/**
 * Refuses a size that is beyond the bound.
 * @param {Bound} bound @param {string} name @param {number} bytes
 */
export function checkSize(bound, name, bytes) {
  if (bytes > bound.bytes) throw bound.refuse(name, bytes);
}
