// @ts-check
// Parts of the package that are fetched when they are first needed: WebAssembly programs, compiled
// here, on the main thread, so that the page's policy binds their requests and a replaced worker
// compiles nothing again.

import { request } from '../model/fetch.js';
import { SightlineError } from '../util/errors.js';
import { quote } from '../util/quote.js';
import { compileError } from './compile.js';

/** By address. @type {Map<string, Promise<WebAssembly.Module>>} */
const programs = new Map();

/**
 * The compiled program at `url`. A failure is forgotten, so that the next call tries again.
 * @param {URL} url
 * @param {() => void} [onFetch] called if it is not there yet
 * @returns {Promise<WebAssembly.Module>}
 */
export function program(url, onFetch) {
  let compiled = programs.get(url.href);
  if (!compiled) {
    onFetch?.();
    compiled = fetchProgram(url);
    programs.set(url.href, compiled);
    compiled.catch(() => programs.delete(url.href));
  }
  return compiled;
}

/** @param {URL} url */
async function fetchProgram(url) {
  const response = await request(url);
  const type = response.headers.get('content-type') ?? '';
  if (type.startsWith('text/html'))
    throw new SightlineError('network', `${quote(url)} is a web page, not the WebAssembly program; check assetBaseUrl`);
  try {
    // Anything but the right type is refused when streamed.
    return await (type.startsWith('application/wasm')
      ? WebAssembly.compileStreaming(response)
      : WebAssembly.compile(await response.arrayBuffer()));
  } catch (cause) {
    throw await compileError(cause, url);
  }
}
