// @ts-check
import { quote } from './quote.js';

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

/** Anything thrown, as a SightlineError. @param {unknown} error @returns {SightlineError} */
export function wrap(error) {
  if (error instanceof SightlineError) return error;
  if (error instanceof Error && error.name === 'AbortError') return aborted();
  return new SightlineError('internal', `${quote(messageOf(error), 400)}; please report this`, { cause: error });
}

/** What anything thrown says. @param {unknown} error */
function messageOf(error) {
  try {
    return error instanceof Error ? error.message : error;
  } catch {
    return error;
  }
}
