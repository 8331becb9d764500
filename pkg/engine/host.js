// @ts-check
// The main thread's side of the workers that all explainers of a page share: calls as promises,
// each explainer's in the order in which they were made. scheduler.js decides what runs when.

import { abortable, throwIfAborted } from '../util/abort.js';
import { locate } from '../util/locate.js';
import { tell } from '../util/tell.js';
import { program } from './parts.js';
import { Scheduler } from './scheduler.js';
import { startThread } from './thread.js';

/** @typedef {import('./scheduler.js').Engine} Engine */
/** @typedef {import('./scheduler.js').Message} Message */
/** @typedef {import('./scheduler.js').Progress} Progress */
/**
 * @typedef {{ signal?: AbortSignal, stop?: AbortSignal, priority?: 'user' | 'idle', onProgress?:
 *   (progress: any) => void, onEstimate?: (estimate: any) => void }} CallOptions
 */
/** @typedef {{ bare?: boolean, deviceMs?: number }} Opening */

/** How many workers may run. */
const WORKERS = 1;

class Host {
  #scheduler = new Scheduler(
    {
      start: (base, listener) => startThread(locate('engine/worker.js', base), listener),
      now: () => performance.now(),
      after(ms, f) {
        const timer = setTimeout(f, ms);
        return () => clearTimeout(timer);
      },
    },
    WORKERS,
  );

  /**
   * @param {'cpu' | 'webgpu'} kind
   * @param {URL} base
   * @param {import('../model/source.js').Source} source
   * @returns {Engine}
   */
  engine(kind, base, source) {
    return {
      id: this.#scheduler.id(),
      kind,
      base,
      url: locate(`wasm/${kind}/sightline.js`, base).href,
      source,
      queue: Promise.resolve(),
      idle: Promise.resolve(),
      openingMs: 0,
      closed: false,
    };
  }

  /**
   * Starts what opening a model takes, beside the requests for its files.
   * @param {'cpu' | 'webgpu'} kind
   * @param {URL} base
   * @param {(progress: Progress) => void} [onProgress]
   */
  prepare(kind, base, onProgress) {
    this.#scheduler.greet(base, { op: 'import', url: locate(`wasm/${kind}/sightline.js`, base).href });
    // The call that needs it sees the error, and tries again.
    this.#program(kind, base, onProgress).catch(() => undefined);
  }

  /**
   * @param {'cpu' | 'webgpu'} kind
   * @param {URL} base
   * @param {(progress: Progress) => void} [onProgress]
   */
  #program(kind, base, onProgress) {
    const url = locate(`wasm/${kind}/sightline_bg.wasm`, base);
    return program(url, () => tell(onProgress, { stage: 'wasm', loaded: 0, total: 1 }));
  }

  /**
   * Makes the engine exist in a worker; with what the worker says of it.
   * @param {Engine} engine
   * @param {CallOptions & { deviceMs?: number }} [options] `deviceMs`: how long the device may take
   *   to start
   */
  open(engine, { deviceMs, ...options } = {}) {
    return this.#call(engine, undefined, options, { deviceMs });
  }

  /**
   * Sends a message that needs no open engine.
   * @param {Engine} engine
   * @param {Message} message
   * @param {CallOptions & { deviceMs?: number }} [options]
   */
  ask(engine, message, { deviceMs, ...options } = {}) {
    return this.#call(engine, message, options, { bare: true, deviceMs });
  }

  /**
   * Runs `job` after those queued before it on this engine. An abort of `signal` rejects at once;
   * the worker stops within a chunk. One of `stop` resolves with what there is.
   * @param {Engine} engine
   * @param {(send: (message: Message) => Promise<any>) => Promise<any>} job
   * @param {CallOptions} [options]
   * @returns {Promise<any>}
   */
  run(engine, job, options = {}) {
    const { signal, priority } = options;
    const line = priority === 'idle' ? 'idle' : 'queue';
    const work = engine[line].then(() => {
      throwIfAborted(signal);
      return job((message) => this.#call(engine, message, options));
    });
    engine[line] = work.catch(() => undefined);
    return abortable(work, signal);
  }

  /**
   * @param {Engine} engine
   * @param {Message | undefined} message
   * @param {CallOptions} options
   * @param {Opening} [opening]
   * @returns {Promise<any>}
   */
  async #call(engine, message, { signal, stop, priority, onProgress, onEstimate }, opening = {}) {
    throwIfAborted(signal);
    engine.module ??= await abortable(
      this.#program(engine.kind, engine.base, message ? undefined : onProgress),
      signal,
    );
    throwIfAborted(signal);
    const done = new AbortController();
    const settled = new Promise((resolve, reject) => {
      const call = this.#scheduler.submit({
        engine,
        message,
        ...opening,
        idle: priority === 'idle',
        resolve,
        reject,
        onProgress: (progress) => tell(onProgress, progress),
        ...(onEstimate && { onEstimate: (estimate) => tell(onEstimate, estimate) }),
      });
      const until = { once: true, signal: done.signal };
      signal?.addEventListener('abort', () => this.#scheduler.withdraw(call), until);
      stop?.addEventListener('abort', () => this.#scheduler.stop(call), until);
      if (stop?.aborted) this.#scheduler.stop(call);
    });
    return settled.finally(() => done.abort());
  }

  /** Nobody needs a photo any more. @param {number} photo */
  forget(photo) {
    this.#scheduler.forget(photo);
  }

  /** Frees the engine after the calls that are under way. @param {Engine} engine */
  close(engine) {
    this.#scheduler.close(engine);
  }
}

export const host = new Host();
