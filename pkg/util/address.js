// @ts-check
// Addresses that were given, and those of files below them.

import { SightlineError } from './errors.js';
import { quote } from './quote.js';

/**
 * The address that an option gives, relative to the page where `base` is left out.
 * @param {unknown} given @param {string} name the option's
 * @param {string | URL} [base]
 */
export function addressOf(given, name, base = globalThis.location?.href) {
  try {
    return new URL(/** @type {string} */ (given), base);
  } catch (cause) {
    throw new SightlineError(
      'bad-option',
      `${name}: "${quote(given)}" is not an address; give one that begins with https: or http:, or one relative to the page`,
      { cause },
    );
  }
}

/**
 * A file of a folder; an address's query belongs to each of them. By its parts: a path that begins
 * with two slashes would be read as another host.
 * @param {URL} folder
 * @param {string} name
 */
export function inside(folder, name) {
  const url = new URL(folder);
  url.pathname = `${folder.pathname.replace(/\/$/, '')}/${name}`;
  url.hash = '';
  return url;
}
