// @ts-check
// What an AbortSignal ends, ends with the package's own error.

import { aborted, SightlineError } from './errors.js';

/** Also of another window, which `instanceof` does not know. @param {unknown} signal */
function isSignal(signal) {
  try {
    Object.getOwnPropertyDescriptor(AbortSignal.prototype, 'aborted')?.get?.call(signal);
    return true;
  } catch {
    return false;
  }
}

/** @param {unknown} signal @param {string} [name] the option's */
export function checkSignal(signal, name = 'signal') {
  if (signal !== undefined && !isSignal(signal))
    throw new SightlineError('bad-option', `${name} must be an AbortSignal; pass the \`signal\` of an AbortController`);
}

/** @param {AbortSignal | undefined} signal */
export function throwIfAborted(signal) {
  checkSignal(signal);
  if (signal?.aborted) throw aborted();
}

/**
 * Settles as `promise` does, unless the signal aborts first.
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal | undefined} signal
 * @returns {Promise<T>}
 */
export function abortable(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(aborted());
    promise.then(resolve, reject).finally(() => isSignal(signal) && signal.removeEventListener('abort', abort));
    checkSignal(signal);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  });
}
