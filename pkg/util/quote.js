// @ts-check
// What somebody gave, as messages quote it. Inputs have any size and any form; a message must not.

/** A quotation has at most so many characters. */
const MOST = 80;
/** What would break a line, or turn the direction of what follows. */
const UNPRINTED = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]+/gu;
/** Halves of pairs, which a cut leaves. */
const HALVES = /^[\udc00-\udfff]|[\ud800-\udbff]$/g;

/**
 * A value in at most `most` characters. A longer one loses its middle: an address keeps its host
 * and its file.
 * @param {unknown} value
 * @param {number} [most]
 */
export function quote(value, most = MOST) {
  const text = inWords(value);
  const [front, back] = [Math.ceil((most - 1) * 0.65), Math.floor((most - 1) * 0.35)];
  const parts = text.length <= most ? [text] : [text.slice(0, front), text.slice(-back)];
  return parts.map((part) => part.replace(UNPRINTED, ' ').replace(HALVES, '')).join('…');
}

/** @param {unknown} value @returns {string} */
function inWords(value) {
  try {
    if (typeof value === 'function') return 'a function';
    // One whose own words would be its every element, or "[object Object]".
    if (typeof value === 'object' && value !== null && !(value instanceof URL))
      return Array.isArray(value) ? `a list of ${value.length}` : 'an object';
    return String(value);
  } catch {
    // A proxy may throw whatever is asked of it.
    return 'an object';
  }
}
