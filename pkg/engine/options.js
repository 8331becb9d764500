// @ts-check
// What a caller's options hold, copied: plain values in proportion. The core checks what they mean;
// this is what must not even be sent to it.

import { SightlineError } from '../util/errors.js';
import { quote } from '../util/quote.js';

/** All lists of a request together have at most so many values: the core reads them as JSON. */
const VALUES = 1 << 22;
/** Of a name or a text. */
const LETTERS = 1000;
const DEPTH = 8;

/** @param {string} name @param {string} what */
const bad = (name, what) => new SightlineError('bad-option', `${quote(name)}: ${what}`);

/**
 * The options themselves, each read once.
 * @template {object} T @param {T | undefined | null} options @returns {T}
 */
export function readOptions(options) {
  try {
    return /** @type {T} */ ({ ...options });
  } catch (cause) {
    throw new SightlineError('bad-option', 'the options could not be read; pass a plain object', { cause });
  }
}

/**
 * A copy that can be sent: no cycles, no functions, nothing that runs when it is read, and no more
 * values than a request may hold.
 * @template {Record<string, unknown>} T @param {T} request @returns {T}
 */
export function sendable(request) {
  let left = VALUES;
  /** @param {any} value @param {string} name @param {number} depth @returns {any} */
  const copy = (value, name, depth) => {
    if (value === null || value === undefined || typeof value === 'boolean') return value;
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) throw bad(name, `${value} is not a valid option value; give a finite number`);
      return value;
    }
    if (typeof value === 'string') {
      if (value.length > LETTERS)
        throw bad(name, `"${quote(value)}" is too long for an option; the limit is ${LETTERS} characters`);
      return value;
    }
    if (typeof value !== 'object')
      throw bad(name, `${quote(value)} is not a valid option value; give a number, a text, a list or a plain object`);
    if (depth === DEPTH) throw bad(name, `it is nested more than ${DEPTH} deep, or holds itself; give a flatter value`);
    const list = ArrayBuffer.isView(value) ? /** @type {any} */ (value) : Array.isArray(value) ? value : undefined;
    const keys = list ? [] : Object.keys(value);
    const count = list ? (list.length ?? 0) : keys.length;
    left -= count;
    if (left < 0) throw bad(name, `the options hold more than ${VALUES} values; give fewer or smaller lists`);
    // Where a list is as long as a tensor a closure for each value costs.
    if (list) {
      const all = new Array(count);
      for (let i = 0; i < count; i++) all[i] = copy(list[i], name, depth + 1);
      return all;
    }
    if (!isPlain(value)) throw bad(name, 'it must be a number, a text, a list or a plain object');
    return Object.fromEntries(keys.map((key) => [checked(key), copy(value[key], name, depth + 1)]));
  };
  return /** @type {T} */ (
    Object.fromEntries(
      Object.entries(request).map(([name, value]) => {
        checked(name);
        try {
          return [name, copy(value, name, 0)];
        } catch (cause) {
          if (cause instanceof SightlineError) throw cause;
          // A getter or a proxy of the caller's.
          throw new SightlineError('bad-option', `${quote(name)}: it could not be read; give a plain value`, { cause });
        }
      }),
    )
  );
}

/** @param {string} key */
function checked(key) {
  if (key.length > LETTERS) throw bad(key, 'there is no option with so long a name; check its spelling');
  return key;
}

/** Made by `{}`, by JSON or in another window; not a class's. @param {object} value */
function isPlain(value) {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
