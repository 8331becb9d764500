// @ts-check
// All requests are made here, on the main thread: a page's Content-Security-Policy then binds them.
import { aborted, check, SightlineError } from './errors.js';

/** @typedef {(loaded: number, total: number | undefined) => void} OnBytes */

/**
 * @param {string | URL} url
 * @param {{ signal?: AbortSignal }} [options]
 * @returns {Promise<Response>} a response with status 200
 */
export async function request(url, { signal } = {}) {
  check(signal);
  let response;
  try {
    response = await fetch(url, signal ? { signal } : {});
  } catch (error) {
    if (signal?.aborted) throw aborted();
    throw new SightlineError(
      'network',
      `${url} could not be reached: check the connection, and that its server allows requests from this page (CORS)`,
      { cause: error },
    );
  }
  if (response.ok) return response;
  const why =
    response.status === 404
      ? 'is not there (404): check the address'
      : response.status === 401 || response.status === 403
        ? `refuses access (${response.status}): it may be private or gated`
        : `answered with status ${response.status}: try again later`;
  throw new SightlineError('network', `${url} ${why}`);
}

/**
 * The body as a Blob, with progress.
 * @param {string | URL} url
 * @param {{ signal?: AbortSignal, onBytes?: OnBytes }} [options]
 */
export async function requestBlob(url, { signal, onBytes } = {}) {
  const response = await request(url, { signal });
  const type = response.headers.get('content-type') ?? '';
  if (type.startsWith('text/html')) {
    await response.body?.cancel();
    throw new SightlineError('network', `${url} is a web page, not a file of a model or a picture: check the address`);
  }
  // A compressed body is longer than its Content-Length says, and another origin does not show us that it compressed.
  const length = response.headers.has('content-encoding') ? NaN : Number(response.headers.get('content-length') ?? NaN);
  const total = Number.isFinite(length) ? length : undefined;
  const exact = response.type === 'basic' ? total : undefined;
  const reader = response.body?.getReader();
  /** @type {BlobPart[]} */
  const parts = [];
  let loaded = 0;
  try {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done || !value) break;
      parts.push(value);
      loaded += value.byteLength;
      onBytes?.(loaded, total !== undefined && loaded <= total ? total : undefined);
    }
  } catch (error) {
    if (signal?.aborted) throw aborted();
    throw new SightlineError('network', `the download of ${url} broke off: try again`, { cause: error });
  }
  if (exact !== undefined && loaded !== exact) {
    throw new SightlineError('network', `the download of ${url} broke off after ${loaded} of ${exact} bytes: try again`);
  }
  return new Blob(parts, { type });
}

/** @param {string | URL} url @param {{ signal?: AbortSignal }} [options] */
export async function requestJson(url, options) {
  const text = await (await requestBlob(url, options)).text();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SightlineError('network', `${url} is not JSON: check the address`, { cause: error });
  }
}
