// @ts-check
// Where the package's own files are. wasm/assets.js names each of them by `new URL('...',
// import.meta.url)`, which bundlers understand: they carry the files along, rename them, and put
// the new address there.
import { assets } from '../wasm/assets.js';
import { addressOf } from './address.js';

/**
 * The folder of this package's files. Not by `import.meta.url`, in whose place a bundler may put a
 * path of the machine that it ran on.
 */
const home = new URL('..', assets['engine/worker.js']);

/**
 * The address of one of the package's files below `base`.
 * @param {string} name
 * @param {URL} base
 */
export const locate = (name, base) => (base.href === home.href && assets[name]) || new URL(name, base);

/**
 * The folder that an option names, or this package's own.
 * @param {string | URL | undefined} assetBaseUrl
 */
export function baseOf(assetBaseUrl) {
  if (!assetBaseUrl) return home;
  const url = addressOf(assetBaseUrl, 'assetBaseUrl');
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}
