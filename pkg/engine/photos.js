// @ts-check
// Which photos a worker holds, so that each is sent and decoded once.

/**
 * A photo as a call names it: `source` is what a worker decodes that does not hold it yet, `box`
 * the part of that which it is, and `bytes` what it takes decoded.
 * @typedef {{ kind: 'photo', id: number, source: import('../picture/image.js').Input, box?:
 *   import('../index.js').Box, bytes: number }} PhotoInput
 */

/** Decoded photos take at most so many bytes of a build's memory; what was used last stays. */
const MOST = 150e6;

/** The photos of one worker, for each of its builds. */
export class Photos {
  /**
   * By the build's address, then by id: bytes, least recently used first.
   * @type {Map<string, Map<number, number>>}
   */
  #held = new Map();

  /**
   * What to send with a call, and the photos that make room for it.
   * @param {any} input @param {string} url the build's
   * @returns {{ input: any, forget: number[] }}
   */
  bring(input, url) {
    if (input?.kind !== 'photo') return { input, forget: [] };
    const { id, source, box, bytes } = /** @type {PhotoInput} */ (input);
    const held = this.#held.get(url) ?? new Map();
    this.#held.set(url, held);
    const known = held.delete(id);
    held.set(id, bytes);
    /** @type {number[]} */
    const forget = [];
    let sum = [...held.values()].reduce((all, one) => all + one, 0);
    for (const [other, size] of held) {
      if (sum <= MOST || other === id) break;
      held.delete(other);
      forget.push(other);
      sum -= size;
    }
    return { input: known ? { kind: 'photo', id } : { kind: 'photo', id, source, box }, forget };
  }

  /**
   * The photo that was to be brought is not there.
   * @param {any} input
   * @param {string} url
   */
  drop(input, url) {
    if (input?.kind === 'photo') this.#held.get(url)?.delete(input.id);
  }

  /** Nobody needs it any more: the builds that hold it. @param {number} id */
  forget(id) {
    return [...this.#held].filter(([, held]) => held.delete(id)).map(([url]) => url);
  }
}
