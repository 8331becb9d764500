// @ts-check
// Starts a worker and tells, once, when it is gone: also when it ends without a word.

import { SightlineError } from '../util/errors.js';
import { quote } from '../util/quote.js';
import { scriptUrl } from '../util/trusted.js';

/**
 * Why a worker is gone.
 * `unseen`: nobody saw it go, so that it may have been gone before it got its last message.
 * @typedef {{ code: import('../index.js').ErrorCode, message: string, cause?: unknown, unseen?:
 *   boolean }} Death
 */
/**
 * What a started worker is to the scheduler.
 * @typedef {{ post: (message: object) => void, terminate: () => void }} Thread
 */
/**
 * What the scheduler is to a worker: `onReady` once, `onMessage` for what it says from then on, and
 * `onDeath` at most once, never after `terminate`.
 * @typedef {{ onReady: () => void, onMessage: (data: any) => void, onDeath: (death: Death) => void
 *   }} Listener
 */

/**
 * Starts the worker at `url`, or where the page's origin forbids that, a classic blob that imports
 * it.
 * @param {URL} url
 * @param {Listener} listener
 * @returns {Thread}
 */
export function startThread(url, { onReady, onMessage, onDeath }) {
  let gone = false;
  let ready = false;
  /** Ends the wait for the worker's lock. */
  const ended = new AbortController();
  /** @type {Worker | undefined} */
  let worker;
  const terminate = () => {
    if (gone) return;
    gone = true;
    ended.abort();
    worker?.terminate();
  };
  /** @param {Death} death */
  const die = (death) => {
    if (gone) return;
    terminate();
    onDeath(death);
  };
  const notStarted = (/** @type {unknown} */ cause) =>
    die({
      code: 'internal',
      message: `the worker did not start from ${quote(url)}: if the page is on another origin, serve that file with Access-Control-Allow-Origin; if the page has a Content-Security-Policy, allow it in worker-src; with Vite's development server, set optimizeDeps: { exclude: ['sightline'] }`,
      cause,
    });
  const thread = {
    terminate,
    /** @param {object} message */
    post(message) {
      try {
        worker?.postMessage(message);
      } catch (cause) {
        throw new SightlineError('out-of-memory', 'the image could not be sent to the worker; use a smaller one', {
          cause,
        });
      }
    },
  };
  try {
    worker = construct(url);
  } catch (cause) {
    // Not within the call that asks for the worker.
    queueMicrotask(() => notStarted(cause));
    return thread;
  }
  worker.addEventListener('message', ({ data }) => {
    if (gone || !data) return;
    if (data.lock) {
      heldUntilTheEnd(data.lock, ended.signal).then(
        () => die(SILENT),
        () => undefined,
      );
    } else if (data.ready) {
      ready = true;
      onReady();
    } else onMessage(data);
  });
  worker.addEventListener('error', (event) => {
    event.preventDefault();
    if (!ready) return notStarted(event.error ?? event.message);
    die({ code: 'internal', message: `the worker failed: ${event.message ?? 'unknown reason'}; try again` });
  });
  worker.addEventListener('messageerror', () =>
    die({ code: 'out-of-memory', message: 'a result could not be received from the worker; use a smaller image' }),
  );
  return thread;
}

/** @type {Death} */
const SILENT = {
  code: 'internal',
  message: 'the worker ended unexpectedly: the browser or another script stopped it; try again',
  unseen: true,
};

/** @param {URL} url */
function construct(url) {
  try {
    if (globalThis.location?.origin !== url.origin || globalThis.origin === 'null') throw new Error('another origin');
    return new Worker(scriptUrl(url), { type: 'module', name: 'sightline' });
  } catch {
    const text = `import(${JSON.stringify(url.href)}).catch((e) => setTimeout(() => { throw e; }))`;
    const blob = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
    return new Worker(scriptUrl(blob), { name: 'sightline' });
  }
}

/**
 * Resolves when whoever holds the lock has let it go. A worker holds its own for as long as it
 * lives, however it ends, and no event tells of that.
 * @param {string} lock
 * @param {AbortSignal} signal
 */
const heldUntilTheEnd = (lock, signal) => navigator.locks.request(lock, { signal }, () => undefined);
