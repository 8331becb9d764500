// @ts-check
// The main thread's side of the one worker that all explainers of a page share. It owns the queues
// and the packages' sources, so that a worker that died is replaced without losing anything but the
// call that killed it.

import { request } from '../model/fetch.js';
import { aborted, SightlineError } from '../util/errors.js';
import { locate } from '../util/locate.js';
import { scriptUrl } from '../util/trusted.js';

/**
 * @typedef {{ stage: string, loaded: number, total: number, passes?: { forward: number, backward:
 *   number } }} Progress
 */
/** @typedef {{ op: string, call: number, engine: number, [key: string]: unknown }} Request */
/**
 * A model on a device: where it comes from, and the worker generation that holds it.
 * @typedef {{ id: number, kind: 'cpu' | 'webgpu', base: URL, source:
 *   import('../model/source.js').Source, generation: number,
 *   opening?: Promise<any>, loading?: number, queue: Promise<unknown>, closed: boolean }} Engine
 */
/**
 * @typedef {{ request: Request, engine: Engine, retried: boolean, settled?: Promise<unknown>,
 *   resolve?: (v: any) => void, reject?: (e: Error) => void, onProgress?: (p: Progress) => void,
 *   onEstimate?: (e: any) => void }} Call
 */

/** @param {'cpu' | 'webgpu'} kind @param {URL} base */
const moduleOf = (kind, base) => locate(`wasm/${kind}/sightline_bg.wasm`, base);

class Host {
  #generation = 0;
  #next = 1;
  /** @type {Promise<Worker> | undefined} */
  #worker;
  /** @type {Worker | undefined} */
  #live;
  /** @type {Map<number, Call>} */
  #calls = new Map();
  /** The calls of a dead worker that run again. @type {Promise<unknown>} */
  #retries = Promise.resolve();
  /**
   * Compiled builds by address: a replaced worker compiles nothing again.
   * @type {Map<string, Promise<WebAssembly.Module>>}
   */
  #modules = new Map();

  /**
   * @param {'cpu' | 'webgpu'} kind
   * @param {URL} base
   * @param {import('../model/source.js').Source} source
   * @returns {Engine}
   */
  engine(kind, base, source) {
    return { id: this.#next++, kind, base, source, generation: -1, queue: Promise.resolve(), closed: false };
  }

  /** @param {URL} base @returns {Promise<Worker>} */
  #start(base) {
    this.#worker ??= startWorker(locate('engine/worker.js', base)).then((worker) => {
      const generation = this.#generation;
      this.#live = worker;
      worker.addEventListener('message', ({ data }) => {
        if (generation === this.#generation) this.#receive(data);
      });
      worker.addEventListener('error', (event) => {
        event.preventDefault();
        if (generation === this.#generation)
          this.#died({ code: 'internal', message: `the worker failed: ${event.message ?? 'it did not start'}` });
      });
      worker.addEventListener('messageerror', () => {
        if (generation === this.#generation)
          this.#died({ code: 'out-of-memory', message: 'a result could not be taken over: use a smaller picture' });
      });
      return worker;
    });
    this.#worker.catch(() => (this.#worker = undefined));
    return this.#worker;
  }

  /** @param {any} message */
  #receive({ call: id, result, error, progress, estimate, dead, lost }) {
    if (dead) return this.#died(dead);
    if (lost !== undefined)
      return this.#died({ code: 'device-lost', message: `${lost}. The next request restarts the device.` });
    const call = this.#calls.get(id);
    if (!call) return;
    if (progress) return call.onProgress?.(progress);
    if (estimate) return call.onEstimate?.(estimate);
    // The core noticed the loss before the device told: the worker is as dead as if it had.
    if (error?.code === 'device-lost') return this.#died(error);
    this.#calls.delete(id);
    if (error) call.reject?.(new SightlineError(error.code, error.message));
    else call.resolve?.(result);
  }

  /**
   * The worker is gone: its culprit is told, everybody else's calls run again.
   * @param {{ code: any, message: string }} reason
   */
  #died({ code, message }) {
    this.#live?.terminate();
    this.#live = undefined;
    this.#worker = undefined;
    this.#generation += 1;
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    const onGpu = code === 'device-lost';
    const guilty = (/** @type {Call} */ call) =>
      onGpu ? call.engine.kind === 'webgpu' : calls.length === 1 || call.retried;
    for (const call of calls.filter(guilty)) call.reject?.(new SightlineError(code, message));
    // One after the other: if the worker dies again, it is known by whose fault.
    const innocent = calls.filter((call) => !guilty(call));
    this.#retries = innocent.reduce((before, call) => before.then(() => this.#again(call)), this.#retries);
  }

  /** Runs a call again; resolves when it has settled, however. @param {Call} call */
  async #again(call) {
    try {
      if (call.request.op === 'open') call.engine.generation = this.#generation;
      else if (call.request.op !== 'plan') await this.open(call.engine);
      call.retried = true;
      await this.#send(call);
    } catch (error) {
      call.reject?.(/** @type {Error} */ (error));
    }
    await call.settled;
  }

  /** @param {Call} call */
  async #send(call) {
    const worker = await this.#start(call.engine.base);
    this.#calls.set(call.request.call, call);
    try {
      worker.postMessage(call.request);
    } catch (cause) {
      this.#calls.delete(call.request.call);
      throw new SightlineError('out-of-memory', 'the image could not be sent to the worker; use a smaller one', {
        cause,
      });
    }
  }

  /**
   * @param {Engine} engine
   * @param {Record<string, unknown> & { op: string }} message
   * @param {(p: Progress) => void} [onProgress]
   * @param {(e: any) => void} [onEstimate]
   * @returns {{ id: number, result: Promise<any> }}
   */
  #call(engine, message, onProgress, onEstimate) {
    const id = this.#next++;
    /** @type {Call} */
    const call = {
      request: { ...message, call: id, engine: engine.id },
      engine,
      retried: false,
      onProgress,
      onEstimate,
    };
    const result = new Promise((resolve, reject) => Object.assign(call, { resolve, reject }));
    call.settled = result.catch(() => undefined);
    this.#send(call).catch((error) => call.reject?.(error));
    return { id, result };
  }

  /**
   * Starts what opening a model takes, beside the requests for its files.
   * @param {'cpu' | 'webgpu'} kind
   * @param {URL} base
   * @param {(p: Progress) => void} [onProgress]
   */
  prepare(kind, base, onProgress) {
    // Who needs them is told of failures, and tries again.
    const url = locate(`wasm/${kind}/sightline.js`, base).href;
    this.#start(base)
      .then((worker) => worker.postMessage({ op: 'import', url }))
      .catch(() => undefined);
    this.#module(moduleOf(kind, base), onProgress).catch(() => undefined);
  }

  /**
   * Makes the engine exist in the present worker.
   * @param {Engine} engine
   * @param {(p: Progress) => void} [onProgress]
   */
  async open(engine, onProgress) {
    if (engine.generation === this.#generation && engine.opening) return engine.opening;
    engine.generation = this.#generation;
    engine.opening = this.#build(engine, 'open', onProgress).then(({ id, result }) => {
      engine.loading = id;
      return result;
    });
    engine.opening.catch(() => (engine.opening = undefined));
    return engine.opening;
  }

  /**
   * Checks that the core supports what the package's config.json asks for, before its weights are
   * here.
   * @param {Engine} engine
   * @param {(p: Progress) => void} [onProgress]
   */
  async plan(engine, onProgress) {
    await (await this.#build(engine, 'plan', onProgress)).result;
  }

  /**
   * Sends the package to a worker with the engine's build.
   * @param {Engine} engine
   * @param {'open' | 'plan'} op
   * @param {((p: Progress) => void) | undefined} onProgress
   */
  async #build(engine, op, onProgress) {
    const { kind, base, source } = engine;
    const module = await this.#module(moduleOf(kind, base), onProgress);
    const url = locate(`wasm/${kind}/sightline.js`, base).href;
    return this.#call(engine, { op, kind, url, module, source }, onProgress);
  }

  /** @param {URL} url @param {(p: Progress) => void} [onProgress] */
  #module(url, onProgress) {
    let module = this.#modules.get(url.href);
    if (!module) {
      onProgress?.({ stage: 'wasm', loaded: 0, total: 1 });
      module = request(url).then(async (response) => {
        const type = response.headers.get('content-type') ?? '';
        if (type.startsWith('text/html'))
          throw new SightlineError('network', `${url} is a web page, not the WebAssembly program; check assetBaseUrl`);
        try {
          // Anything but the right type is refused when streamed.
          return await (type.startsWith('application/wasm')
            ? WebAssembly.compileStreaming(response)
            : WebAssembly.compile(await response.arrayBuffer()));
        } catch (cause) {
          if (!(cause instanceof WebAssembly.CompileError))
            throw new SightlineError('network', `the download of ${url} was interrupted; try again`, { cause });
          throw new SightlineError(
            'device-unavailable',
            'this browser does not support WebAssembly SIMD; use a newer one',
            { cause },
          );
        }
      });
      this.#modules.set(url.href, module);
      module.catch(() => this.#modules.delete(url.href));
    }
    return module;
  }

  /**
   * Runs `job` after those queued before it on this engine. An abort of `signal` rejects at once;
   * the worker stops within a chunk. One of `stop` resolves with what there is.
   * @param {Engine} engine
   * @param {(send: (message: Record<string, unknown> & { op: string }) => Promise<any>) =>
   *   Promise<any>} job
   * @param {{ signal?: AbortSignal, stop?: AbortSignal, onProgress?: (p: Progress) => void,
   *   onEstimate?: (e: any) => void }} [options]
   * @returns {Promise<any>}
   */
  run(engine, job, { signal, stop, onProgress, onEstimate } = {}) {
    if (signal?.aborted) return Promise.reject(aborted());
    /** @type {number | undefined} */
    let sent;
    let withdrawn = false;
    /** @param {Record<string, unknown> & { op: string }} message */
    const send = async (message) => {
      if (withdrawn) throw aborted();
      if (engine.closed)
        throw new SightlineError('bad-option', 'this explainer has been disposed of; create a new one');
      await this.open(engine);
      if (withdrawn) throw aborted();
      const onEstimateNow = onEstimate && ((/** @type {any} */ e) => withdrawn || onEstimate(e));
      const { id, result } = this.#call(engine, message, (p) => withdrawn || onProgress?.(p), onEstimateNow);
      sent = id;
      if (stop?.aborted) halt();
      return result;
    };
    const halt = () => sent !== undefined && this.#live?.postMessage({ op: 'stop', call: sent, engine: engine.id });
    stop?.addEventListener('abort', halt, { once: true });
    const work = engine.queue.then(() => job(send)).finally(() => stop?.removeEventListener('abort', halt));
    engine.queue = work.catch(() => undefined);
    if (!signal) return work;
    return new Promise((resolve, reject) => {
      const abort = () => {
        withdrawn = true;
        if (sent !== undefined) this.#live?.postMessage({ op: 'cancel', call: sent, engine: engine.id });
        reject(aborted());
      };
      signal.addEventListener('abort', abort, { once: true });
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    });
  }

  /** Frees the engine after the calls that are under way. @param {Engine} engine */
  close(engine) {
    if (engine.closed) return;
    engine.closed = true;
    engine.queue
      .then(() => engine.opening)
      .then(() => {
        if (this.#live && engine.generation === this.#generation) return this.#call(engine, { op: 'close' }).result;
      })
      .catch(() => undefined);
  }

  /**
   * Closes an engine that nobody has got yet; its weights are not loaded any further.
   * @param {Engine} engine
   */
  abandon(engine) {
    if (engine.loading !== undefined)
      this.#live?.postMessage({ op: 'cancel', call: engine.loading, engine: engine.id });
    this.close(engine);
  }
}

/**
 * A worker from its address, or where the page's origin forbids that from a classic blob that
 * imports it.
 * @param {URL} url
 * @returns {Promise<Worker>}
 */
function startWorker(url) {
  return new Promise((resolve, reject) => {
    const failed = (/** @type {unknown} */ cause) =>
      reject(
        new SightlineError(
          'internal',
          `the worker did not start; if the page is on another origin, check that ${url} is served with Access-Control-Allow-Origin`,
          { cause },
        ),
      );
    /** @type {Worker} */
    let worker;
    try {
      if (globalThis.location?.origin !== url.origin || globalThis.origin === 'null') throw new Error('another origin');
      worker = new Worker(scriptUrl(url), { type: 'module', name: 'sightline' });
    } catch {
      const text = `import(${JSON.stringify(url.href)}).catch((e) => setTimeout(() => { throw e; }))`;
      const blob = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
      try {
        worker = new Worker(scriptUrl(blob), { name: 'sightline' });
      } catch (cause) {
        return failed(cause);
      }
    }
    const onError = (/** @type {ErrorEvent} */ event) => {
      event.preventDefault();
      worker.terminate();
      failed(event.error ?? event.message);
    };
    worker.addEventListener('error', onError);
    worker.addEventListener('message', function ready({ data }) {
      if (!data?.ready) return;
      worker.removeEventListener('message', ready);
      worker.removeEventListener('error', onError);
      resolve(worker);
    });
  });
}

export const host = new Host();
