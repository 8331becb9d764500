// @ts-check
// All requests are made here, on the main thread: a page's Content-Security-Policy then binds them.
import { throwIfAborted } from '../util/abort.js';
import { aborted, SightlineError } from '../util/errors.js';
import { quote } from '../util/quote.js';
import { within } from '../util/within.js';

/** @typedef {import('./bounds.js').Bound} Bound */
/** @typedef {(loaded: number, total: number | undefined) => void} OnBytes */
/**
 * Where a download keeps its pieces, so that a later one goes on from them.
 * @typedef {{ pieces: Blob[], validator?: string, total?: number, expected?: string, clear: () =>
 *   Promise<void>,
 *   begin: (file: { validator?: string, total?: number, expected?: string }) => Promise<void>, put:
 *   (piece: Blob) => Promise<void> }} Keeper
 */

/** A piece of a download is kept as soon as it has this many bytes. */
const PIECE = 4 << 20;
/** So often in a row may a request fail, without one byte more, before it is given up. */
const ATTEMPTS = 4;
/** Before the second attempt; twice as long before each further one (ms). */
const FIRST_WAIT = 500;
/** A server's `Retry-After` is heeded up to here (ms). */
const LONGEST_WAIT = 20_000;
/** A connection that brings nothing for so long counts as broken (ms). */
const STALLED = 60_000;

/**
 * Faults that may pass, and how long to wait at least (ms).
 * @type {WeakMap<SightlineError, number>}
 */
const passing = new WeakMap();

/**
 * @param {string} message
 * @param {unknown} cause
 * @param {number} [wait] for a fault that may pass
 */
function fault(message, cause, wait) {
  const error = new SightlineError('network', message, { cause });
  if (wait !== undefined) passing.set(error, wait);
  return error;
}

/**
 * One request.
 * @param {string | URL} url
 * @param {{ signal?: AbortSignal, method?: string, headers?: Record<string, string>, cache?:
 *   RequestCache, known?: boolean }} [options]
 *   `known`: this server has answered before, so that silence is a fault that may pass
 * @returns {Promise<Response>} a response with a status of 200 to 299
 */
export async function request(url, { signal, known = false, ...options } = {}) {
  throwIfAborted(signal);
  const name = quote(url);
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), STALLED);
  let response;
  try {
    const either = signal ? AbortSignal.any([signal, patience.signal]) : patience.signal;
    response = await fetch(url, { ...options, signal: either });
  } catch (cause) {
    if (signal?.aborted) throw aborted();
    if (patience.signal.aborted)
      throw fault(`${name} did not answer within ${STALLED / 1000} s; try again later`, cause, known ? 0 : undefined);
    if (globalThis.navigator?.onLine === false)
      throw fault(`${name} could not be reached: this machine is offline; connect it, then try again`, cause);
    throw fault(
      `${name} could not be reached: either its server does not respond (check the address and the connection), or it does not allow requests from this page (CORS); the browser does not say which`,
      cause,
      known ? 0 : undefined,
    );
  } finally {
    clearTimeout(timer);
  }
  if (response.ok) return response;
  response.body?.cancel().catch(() => undefined);
  const { status } = response;
  const cause = { status };
  if (status === 404) throw fault(`${name} was not found (404); check the address`, cause);
  if (status === 401 || status === 403)
    throw fault(
      `access to ${name} was denied (${status}): it does not exist, is private, or needs an account; check the address`,
      cause,
    );
  const after = Number(response.headers.get('retry-after') ?? 0);
  const wait = Number.isFinite(after) ? Math.min(after * 1000, LONGEST_WAIT) : 0;
  if (status === 429)
    throw fault(`requests to ${name} are rate-limited (429); try again in a few minutes`, cause, wait);
  if (status >= 500)
    throw fault(`${name} is not available: its server reported an error (${status}); try again later`, cause, wait);
  throw fault(`${name} answered with status ${status}; check the address`, cause);
}

/**
 * Repeats what fails by a fault that may pass.
 * @template T
 * @param {() => Promise<T>} attempt
 * @param {AbortSignal | undefined} signal
 * @param {() => boolean} [advanced] whether the last attempt got further than all before
 * @returns {Promise<T>}
 */
async function persist(attempt, signal, advanced = () => false) {
  for (let failures = 0; ; ) {
    try {
      return await attempt();
    } catch (error) {
      const wait = passing.get(/** @type {SightlineError} */ (error));
      if (advanced()) failures = 0;
      failures += 1;
      if (wait === undefined || failures === ATTEMPTS) throw error;
      await pause(Math.max(wait, FIRST_WAIT * 2 ** (failures - 1)), signal);
    }
  }
}

/** @param {number} ms @param {AbortSignal | undefined} signal @returns {Promise<void>} */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const abort = () => (clearTimeout(timer), reject(aborted()));
    const timer = setTimeout(() => (signal?.removeEventListener('abort', abort), resolve()), ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/**
 * Refuses a page in a file's place, as servers send it for addresses that they do not know.
 * @param {string | URL} url
 * @param {Response} response
 */
function noPage(url, response) {
  if (!response.headers.get('content-type')?.startsWith('text/html')) return;
  response.body?.cancel().catch(() => undefined);
  throw fault(`${quote(url)} is a web page, not a model file or an image; check the address`, undefined);
}

/** The body's bytes; unknown where they are compressed on the way. @param {Response} response */
function lengthOf(response) {
  const length = response.headers.get('content-length');
  return length === null || response.headers.has('content-encoding') ? undefined : Number(length);
}

/**
 * Which bytes of how many a 206 holds, where the server lets us see it.
 * @param {Response} response
 */
function partOf(response) {
  const found = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
  return found ? { start: Number(found[1]), total: Number(found[2]) } : undefined;
}

/**
 * The next bytes. A connection that brings none for a minute is given up.
 * @param {ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>> | undefined} reader
 */
const unlessStalled = (reader) =>
  within(STALLED, reader?.read(), () => new Error(`nothing came for ${STALLED / 1000} s`));

/**
 * What changes when the file does, as far as the server lets us see it.
 * @param {Response} response
 */
const validatorOf = (response) => response.headers.get('etag') ?? response.headers.get('last-modified') ?? undefined;

/**
 * A file's size without the file; undefined where the server does not say.
 * @param {string | URL} url @param {{ signal?: AbortSignal }} [options]
 */
export function requestSize(url, { signal } = {}) {
  return persist(async () => {
    // Not HEAD, which the hosts behind a hub's redirections may refuse.
    const response = await request(url, { signal, headers: { Range: 'bytes=0-0' }, cache: 'no-store' });
    noPage(url, response);
    response.body?.cancel().catch(() => undefined);
    if (response.status !== 206) return lengthOf(response);
    return partOf(response)?.total ?? lengthOf(await request(url, { signal, method: 'HEAD', cache: 'no-store' }));
  }, signal);
}

/**
 * A whole file. Faults that may pass are tried again; what broke off goes on from the bytes that
 * are there.
 *
 * The request for the rest carries no `If-Range`: to another origin that needs a preflight, which
 * the hosts behind a hub's redirections refuse. Instead the answer's validator is compared, and the
 * file is fetched from its start where it differs.
 *
 * What is larger than its bound is refused as soon as the server says its size, or has sent more,
 * and nothing further of it is received.
 * @param {string | URL} url
 * @param {Bound} bound
 * @param {{ signal?: AbortSignal, onBytes?: OnBytes, keeper?: Keeper }} [options]
 * @returns {Promise<{ blob: Blob, expected?: string }>} with the SHA-256 that the server gives, if
 *   it does
 */
export async function download(url, bound, { signal, onBytes, keeper } = {}) {
  const name = quote(url);
  let pieces = [...(keeper?.pieces ?? [])];
  /** What came since the last piece. @type {BlobPart[]} */
  let tail = [];
  let held = 0;
  let loaded = pieces.reduce((sum, piece) => sum + piece.size, 0);
  let best = loaded;
  let known = loaded > 0;
  let { validator, total, expected } = keeper ?? {};
  let type = '';

  const cut = async () => {
    if (held === 0) return;
    const piece = new Blob(tail);
    [tail, held] = [[], 0];
    pieces.push(piece);
    await keeper?.put(piece);
  };
  const startOver = async () => {
    [pieces, tail, held, loaded, total, validator] = [[], [], 0, 0, undefined, undefined];
    await keeper?.clear();
  };

  /** @returns {Promise<boolean>} whether the file is whole */
  const attempt = async () => {
    if (loaded > 0 && loaded === total) return true;
    const from = loaded;
    let response;
    try {
      const headers = from > 0 ? { Range: `bytes=${from}-` } : undefined;
      response = await request(url, { signal, known, headers, cache: keeper || from > 0 ? 'no-store' : 'default' });
    } catch (error) {
      const { cause } = /** @type {{ cause?: any }} */ (error);
      // The file is shorter now than what is here of it.
      if (from === 0 || cause?.status !== 416) throw error;
      await startOver();
      return false;
    }
    known = true;
    noPage(url, response);
    const part = response.status === 206;
    let exact = part || response.type === 'basic';
    if (part) {
      if (from === 0)
        throw fault(
          `${name}: the server sent only part of the file (206) although all of it was requested; try again later`,
          undefined,
        );
      const sent = partOf(response);
      const fits = sent
        ? sent.start === from && sent.total === (total ?? sent.total)
        : total === from + (lengthOf(response) ?? Number.NaN);
      if (!fits || validatorOf(response) !== validator) {
        await response.body?.cancel();
        await startOver();
        return false;
      }
      total ??= sent?.total;
    } else {
      // The whole file, asked for or not.
      if (from > 0) await startOver();
      total = lengthOf(response);
      validator = validatorOf(response);
      type = response.headers.get('content-type') ?? '';
      expected = /^"?([0-9a-f]{64})"?$/.exec(response.headers.get('x-linked-etag') ?? '')?.[1];
      if (total !== undefined && total > bound.bytes) {
        response.body?.cancel().catch(() => undefined);
        throw bound.refuse(name, total);
      }
      await keeper?.begin({ validator, total, expected });
    }
    const reader = response.body?.getReader();
    for (;;) {
      let value;
      try {
        value = (await unlessStalled(reader))?.value;
      } catch (cause) {
        reader?.cancel().catch(() => undefined);
        if (signal?.aborted) throw aborted();
        throw fault(
          `the download of ${name} was interrupted after ${loaded} ${total ? `of ${total} ` : ''}bytes; try again`,
          cause,
          0,
        );
      }
      if (!value) break;
      tail.push(value);
      held += value.byteLength;
      loaded += value.byteLength;
      // Another origin does not show that it compressed: more bytes than it announced give it away.
      if (total !== undefined && loaded > total) [total, exact] = [undefined, false];
      if (loaded > bound.bytes) {
        reader?.cancel().catch(() => undefined);
        await startOver();
        throw bound.refuse(name);
      }
      if (held >= PIECE) await cut();
      onBytes?.(loaded, total);
    }
    if (exact && total !== undefined && loaded < total) {
      throw fault(`the download of ${name} was interrupted after ${loaded} of ${total} bytes; try again`, undefined, 0);
    }
    return true;
  };

  if (loaded > 0) onBytes?.(loaded, total);
  const advanced = () => loaded > best && ((best = loaded), true);
  try {
    while (!(await persist(attempt, signal, advanced)));
  } finally {
    // Also what an abort or a fault leaves is worth keeping.
    await cut();
  }
  return { blob: new Blob(pieces, { type }), expected };
}

/**
 * @param {string | URL} url
 * @param {Bound} bound
 * @param {{ signal?: AbortSignal }} [options]
 */
export const requestBlob = async (url, bound, options) => (await download(url, bound, options)).blob;

/** @param {string | URL} url @param {Bound} bound @param {{ signal?: AbortSignal }} [options] */
export async function requestJson(url, bound, options) {
  const text = await (await requestBlob(url, bound, options)).text();
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw fault(`${quote(url)} is not valid JSON; check the address`, cause);
  }
}
