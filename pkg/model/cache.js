// @ts-check
// Models kept on the user's machine, in Cache Storage: one cache for each, which holds a record and
// the weights in the pieces they came in. Pieces instead of one file, so that an interrupted
// download goes on after a reload. A piece is named by the file that it is of and where it begins
// there, so that pieces of two tabs are pieces of one file, or do not meet.

import { texts } from '../i18n/en.js';
import { quote } from '../util/quote.js';
import { fill } from '../util/text.js';
import { within } from '../util/within.js';

const PREFIX = 'sightline:';
/**
 * Keys in a cache must look like addresses; this one can never exist.
 * @param {string | number} name
 */
const key = (name) => `https://sightline.invalid/${name}`;

/**
 * `series` names the file that the pieces are of; older records have none, and their pieces are
 * numbered.
 * @typedef {{ id: string, url: string, config: string, complete: boolean, date: string, series?:
 *   string, validator?: string, total?: number, expected?: string,
 *   sha256?: string, architecture?: string, numClasses?: number }} Record
 */

/**
 * Undefined outside a secure context, in a sandboxed frame and outside a browser.
 * @returns {CacheStorage | undefined}
 */
function storage() {
  try {
    return globalThis.caches;
  } catch {
    return undefined;
  }
}

/** Storage that has not answered by then is done without (ms). */
const ANSWER = 10_000;

/**
 * What storage answers; rejects where it does not.
 * @template T
 * @param {Promise<T> | undefined} asked
 */
const answered = (asked) => within(ANSWER, asked, () => new Error('the storage does not answer'));

/**
 * Undefined where there is none, and in a sandboxed frame.
 * @returns {LockManager | undefined}
 */
function lockManager() {
  // An opaque origin has no storage, and no locks in it.
  return globalThis.origin === 'null' ? undefined : globalThis.navigator?.locks;
}

/**
 * The place of the piece that begins at `offset`.
 * @param {Record} record @param {number} index @param {number} offset
 */
const placeOf = ({ series }, index, offset) =>
  key(series === undefined ? index : `${encodeURIComponent(series)}/${offset}`);

/** @param {Blob[]} pieces */
const sizeOf = (pieces) => pieces.reduce((sum, piece) => sum + piece.size, 0);

/** @param {Cache} cache @returns {Promise<Record | undefined>} */
const recordOf = async (cache) => (await answered(cache.match(key('record'))))?.json();

/**
 * One model's place. Where there is no storage, or it fails, nothing is kept and everything else
 * works.
 */
export class Kept {
  /** @type {Blob[]} */
  pieces = [];
  /** @type {Record | undefined} */
  record;
  /**
   * Why the model is not kept, where that is worth saying.
   * @type {import('../index.js').Warning | undefined}
   */
  warning;
  /** @type {Cache | undefined} */
  #cache;
  #id;
  #url;

  /** @param {string} id @param {string} url */
  constructor(id, url) {
    this.#id = id;
    this.#url = url;
  }

  /**
   * @param {string} id
   * @param {string} url the folder; what is kept under this id from another one does not count
   */
  static async find(id, url) {
    const kept = new Kept(id, url);
    await kept.look();
    return kept;
  }

  /** Looks again at what is there: another tab may have brought it. */
  async look() {
    this.pieces = [];
    [this.#cache, this.record] = [undefined, undefined];
    try {
      const caches = storage();
      if (!(await answered(caches?.has(PREFIX + this.#id)))) return;
      const cache = await answered(caches?.open(PREFIX + this.#id));
      const record = cache && (await recordOf(cache));
      if (record?.url === this.#url) [this.#cache, this.record] = [cache, record];
    } catch {
      // Storage that cannot be read holds nothing.
    }
  }

  /**
   * Runs `work` while no other tab downloads this model. Where there are no locks, two tabs may
   * each download it, and neither harms the other.
   * @template T
   * @param {AbortSignal | undefined} signal
   * @param {() => void} onWait called each second while another tab has it
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async alone(signal, onWait, work) {
    const locks = storage() && lockManager();
    if (!locks) return work();
    let begun = false;
    const timer = setInterval(onWait, 1000);
    const begin = () => {
      begun = true;
      clearInterval(timer);
      return work();
    };
    try {
      return await locks.request(PREFIX + this.#id, signal ? { signal } : {}, begin);
    } catch (error) {
      // Some places have locks and refuse them.
      if (begun || signal?.aborted) throw error;
      return begin();
    } finally {
      clearInterval(timer);
    }
  }

  /** How far a download has come, whichever tab has it. */
  async progress() {
    try {
      const caches = storage();
      if (!(await answered(caches?.has(PREFIX + this.#id)))) return undefined;
      const cache = await answered(caches?.open(PREFIX + this.#id));
      const record = cache && (await recordOf(cache));
      return cache && record && { loaded: await bytesIn(cache), total: record.total };
    } catch {
      return undefined;
    }
  }

  /** How much of the weights is here. */
  async bytes() {
    return this.#cache ? bytesIn(this.#cache) : 0;
  }

  /** Reads the pieces; whether they are the whole weights. */
  async load() {
    const { record } = this;
    try {
      // Without a validator nobody knows whether the rest would belong to what is here.
      if (record?.complete || record?.validator) {
        for (let offset = 0; ; offset = sizeOf(this.pieces)) {
          const piece = await answered(this.#cache?.match(placeOf(record, this.pieces.length, offset)));
          const blob = await piece?.blob();
          if (!blob?.size) break;
          this.pieces.push(blob);
        }
      }
    } catch {
      this.pieces = [];
    }
    return Boolean(record?.complete && sizeOf(this.pieces) === record.total);
  }

  get validator() {
    return this.record?.validator;
  }
  get total() {
    return this.record?.total;
  }
  get expected() {
    return this.record?.expected;
  }

  /** What config.json says, to go with the pieces. */
  config = '';

  /**
   * Sets a new download's place up.
   * @param {{ validator?: string, total?: number, expected?: string }} file
   */
  async begin(file) {
    await this.clear();
    this.record = {
      ...file,
      id: this.#id,
      url: this.#url,
      config: this.config,
      complete: false,
      date: new Date().toISOString(),
      series: file.validator ?? String(Math.random()),
    };
    await this.#try(async () => {
      this.#cache = await answered(storage()?.open(PREFIX + this.#id));
      await this.#write();
    });
  }

  /** Keeps the next piece. @param {Blob} piece */
  async put(piece) {
    const [index, offset] = [this.pieces.length, sizeOf(this.pieces)];
    this.pieces.push(piece);
    const { record } = this;
    if (!record) return;
    const response = new Response(piece, { headers: { 'content-length': String(piece.size) } });
    await this.#try(async () => this.#cache?.put(placeOf(record, index, offset), response));
  }

  /** Changes the record. @param {Partial<Record>} change */
  async update(change) {
    if (!this.record || !this.#cache) return;
    this.record = { ...this.record, ...change };
    await this.#try(() => this.#write());
  }

  /** Forgets the model. */
  async clear() {
    this.pieces = [];
    this.record = undefined;
    this.#cache = undefined;
    try {
      await answered(storage()?.delete(PREFIX + this.#id));
    } catch {
      // There was nothing to forget.
    }
  }

  async #write() {
    await this.#cache?.put(key('record'), Response.json(this.record));
  }

  /** @param {() => Promise<unknown>} write */
  async #try(write) {
    try {
      await answered(write());
    } catch (error) {
      const quota = error instanceof Error && error.name === 'QuotaExceededError';
      const blocked = error instanceof Error && error.name === 'SecurityError';
      const { record, pieces } = this;
      await this.clear();
      [this.record, this.pieces] = [record, pieces];
      if (blocked) return;
      const detail = quote(error instanceof Error ? error.message : error);
      this.warning = quota ? warningOf('quota', {}) : warningOf('internal', { detail });
    }
  }
}

/**
 * @param {'quota' | 'internal'} code @param {{ [name: string]: string }} values
 * @returns {import('../index.js').Warning}
 */
const warningOf = (code, values) => ({
  code,
  key: `warning.${code}`,
  values,
  message: fill(texts[`warning.${code}`], values),
});

/** @param {Cache} cache */
async function bytesIn(cache) {
  const entries = await cache.matchAll();
  return entries.reduce(
    (sum, { headers }) => sum + (headers.has('content-length') ? Number(headers.get('content-length')) : 0),
    0,
  );
}

/**
 * The kept models, complete ones and what interrupted downloads left.
 * @returns {Promise<import('../index.js').CachedModel[]>}
 */
export async function listCached() {
  try {
    const caches = storage();
    const names = ((await answered(caches?.keys())) ?? []).filter((name) => name.startsWith(PREFIX));
    const models = names.map(async (name) => {
      const cache = await answered(caches?.open(name));
      const record = cache && (await recordOf(cache));
      if (!cache || !record) return undefined;
      const { id, url, date, complete, sha256, architecture, numClasses } = record;
      return { id, url, bytes: await bytesIn(cache), date, complete, sha256, architecture, numClasses };
    });
    return (await Promise.all(models)).filter((model) => model !== undefined);
  } catch {
    return [];
  }
}

/** Whether there was one. @param {string} id */
export async function deleteCached(id) {
  try {
    return Boolean(await answered(storage()?.delete(PREFIX + id)));
  } catch {
    return false;
  }
}
