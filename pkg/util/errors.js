// @ts-check
/** @typedef {import('../index.js').ErrorCode} ErrorCode */

/** Any failure of Sightline: a stable `code` to match on, a `message` that says what to do. */
export class SightlineError extends Error {
  /** @param {ErrorCode} code @param {string} message @param {{ cause?: unknown }} [options] */
  constructor(code, message, options) {
    super(message, options);
    this.name = 'SightlineError';
    /** @type {ErrorCode} */
    this.code = code;
  }
}

/** @returns {SightlineError} */
export const aborted = () => new SightlineError('aborted', 'the request was aborted');

/** Throws where the signal has been aborted. @param {AbortSignal | undefined} signal */
export function check(signal) {
  if (signal?.aborted) throw aborted();
}

/** Anything thrown, as a SightlineError. @param {unknown} error @returns {SightlineError} */
export function wrap(error) {
  if (error instanceof SightlineError) return error;
  if (error instanceof Error && error.name === 'AbortError') return aborted();
  const message = error instanceof Error ? error.message : String(error);
  return new SightlineError('internal', message, { cause: error });
}
