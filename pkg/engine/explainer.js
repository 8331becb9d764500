// @ts-check
// A model on a device, and what can be asked of it.

import { readable, toInput } from '../picture/image.js';
import { Photo } from '../picture/photo.js';
import { abortable, checkSignal } from '../util/abort.js';
import { SightlineError, wrap } from '../util/errors.js';
import { quote } from '../util/quote.js';
import { tell } from '../util/tell.js';
import { methods } from '../wasm/registry.js';
import { ANSWER, because } from './device.js';
import { host } from './host.js';
import { load } from './load.js';
import { readOptions, sendable } from './options.js';

/** Refuses what nobody takes. @param {object} rest @param {string} name */
export function only(rest, name) {
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw new SightlineError('bad-option', `${quote(unknown)}: ${name} has no such option; check its spelling`);
}

/** Its parts are read when it is copied. @param {object} value */
function isTensor(value) {
  try {
    return 'data' in value && 'shape' in value && !(value instanceof ImageData);
  } catch {
    return true;
  }
}

/** @param {unknown} priority */
function checkPriority(priority) {
  if (priority !== undefined && priority !== 'user' && priority !== 'idle')
    throw new SightlineError('bad-option', 'priority must be user or idle');
}

/** Before the core says how many its method takes. */
const BASELINES = 1000;
/** A longer list is not written out. */
const MANY = 32;

/** What {@link createExplainer} alone calls. */
export const FOLLOW = Symbol('follow');

/**
 * @param {import('../index.js').Info} info
 * @param {import('../index.js').Attribution} result
 * @param {Record<string, any>} request
 * @param {unknown} image
 * @returns {import('../index.js').Provenance}
 */
function provenance({ model: { id, architecture, sha256, labels }, version }, { method, target }, request, image) {
  /** @param {any} value @returns {any} */
  const inWords = (value) => {
    if (Array.isArray(value)) return value.length > MANY ? `a list of ${value.length}` : value.map(inWords).join(', ');
    return typeof value === 'object' && value !== null ? `a tensor of ${value.shape?.join(' × ')}` : value;
  };
  const specs = methods.find((m) => m.id === method)?.options ?? [];
  const used = specs
    .map(({ id, default: usual }) => [id, inWords(request[id] ?? usual)])
    .filter(([, value]) => value !== null && value !== undefined);
  const classes = typeof target === 'number' ? [target] : 'contrast' in target ? target.contrast : target.group;
  return {
    model: { id, architecture, sha256 },
    photo: image instanceof Photo ? image.sha256 : null,
    version,
    options: Object.fromEntries(used),
    labels: Object.fromEntries(classes.map((k) => [k, labels[k] ?? String(k)])),
  };
}

/** A model on a device. Made by {@link createExplainer}. */
export class Explainer {
  /** @type {import('./host.js').Engine} */
  #engine;
  /** Moves to WebGPU. @type {((input: any) => Promise<void>) | undefined} */
  #move;

  /** @param {import('./host.js').Engine} engine @param {import('../index.js').Info} info */
  constructor(engine, info) {
    this.#engine = engine;
    /** @type {import('../index.js').Info} */
    this.info = Object.freeze(info);
  }

  /**
   * Moves to WebGPU where that is the better device: after the first attribution, and once the
   * device is warm.
   * @param {Promise<import('./device.js').Choice>} best
   * @param {(device: import('../index.js').Info['device']) => void} onDevice
   * @param {() => import('./host.js').Engine} onGpu
   */
  async [FOLLOW](best, onDevice, onGpu) {
    const cpu = this.#engine;
    const announce = (/** @type {Partial<import('../index.js').Info['device']>} */ change) => {
      if (cpu.closed && this.#engine === cpu) return;
      this.info = Object.freeze({ ...this.info, device: { ...this.info.device, ...change } });
      onDevice(this.info.device);
    };
    const failed = (/** @type {unknown} */ error) =>
      announce(because('device.webgpu.failed', { reason: wrap(error).message }));
    const choice = await best.catch(failed);
    // Whoever made this explainer has it by now.
    await new Promise((done) => setTimeout(done));
    if (!choice) return;
    const { kind, ...reason } = choice;
    if (kind === 'cpu') return announce(reason);
    this.#move = async (input) => {
      this.#move = undefined;
      if (cpu.closed) return;
      const engine = onGpu();
      try {
        const { device } = await host.open(engine, { priority: 'idle', deviceMs: ANSWER });
        // All the way there and back: the shaders that the next request needs are compiled.
        for (const message of [{ op: 'classify' }, { op: 'gradients', request: {} }]) {
          if (cpu.closed) return host.close(engine);
          await host.run(engine, (send) => send({ ...message, input }), { priority: 'idle' });
        }
        if (cpu.closed) return host.close(engine);
        this.#engine = engine;
        announce({ kind, description: device.description, ...reason });
        // What was asked of it before ends first.
        cpu.queue.then(() => host.close(cpu));
      } catch (error) {
        host.close(engine);
        failed(error);
      }
    };
    announce(because('device.webgpu.warming'));
  }

  /**
   * @param {import('../index.js').ImageSource} image
   * @param {{ topK?: number } & import('../index.js').CallOptions} [options]
   */
  async classify(image, options) {
    const { topK, signal, onProgress, priority, ...rest } = readOptions(options);
    only(rest, 'classify');
    return this.#run(image, { op: 'classify', ...sendable({ topK }) }, { signal, onProgress, priority });
  }

  /**
   * @param {import('../index.js').ImageSource} image
   * @param {import('../index.js').AttributeOptions} options
   */
  async attribute(image, options) {
    const { signal, stop, onProgress, onEstimate, priority, ...request } = readOptions(/** @type {any} */ (options));
    checkSignal(signal);
    checkSignal(stop, 'stop');
    if (onEstimate !== undefined && typeof onEstimate !== 'function')
      throw new SightlineError('bad-option', 'onEstimate must be a function');
    const sent = await this.#withPictures(request, signal);
    const message = { op: 'attribute', request: sent, estimates: onEstimate !== undefined };
    const { kind } = this.#engine;
    const result = await this.#run(image, message, { signal, stop, onProgress, onEstimate, priority });
    result.device = kind;
    result.provenance = provenance(this.info, result, sent, image);
    return result;
  }

  /**
   * What each attention head of a transformer is worth to the target, and where it looks.
   * @param {import('../index.js').ImageSource} image
   * @param {import('../index.js').HeadsOptions} [options]
   */
  async heads(image, options) {
    const { target, output, signal, onProgress, priority, ...rest } = readOptions(options);
    only(rest, 'heads');
    const request = sendable({ target, output });
    const { kind } = this.#engine;
    const result = await this.#run(image, { op: 'heads', request }, { signal, onProgress, priority });
    result.device = kind;
    return result;
  }

  /**
   * The map as it grows: an item for each estimate that the loop has time for, then one with the
   * finished attribution. Leaving the loop ends the call.
   * @param {import('../index.js').ImageSource} image
   * @param {import('../index.js').AttributeOptions} options
   * @returns {AsyncGenerator<import('../index.js').Estimate, void, undefined>}
   */
  async *estimates(image, options) {
    const { signal, onEstimate } = readOptions(options);
    checkSignal(signal);
    const left = new AbortController();
    const space = methods.find(({ id }) => id === options?.method)?.space ?? 'input';
    /** @type {any} */
    let latest;
    let wake = () => {};
    const running = this.attribute(image, {
      ...options,
      signal: signal ? AbortSignal.any([signal, left.signal]) : left.signal,
      onEstimate: (estimate) => {
        tell(onEstimate, estimate);
        latest = estimate;
        wake();
      },
    });
    const ended = running.catch(() => undefined);
    try {
      for (;;) {
        const woken = new Promise((resolve) => (wake = () => resolve(true)));
        if (!latest && (await Promise.race([woken, ended.then(() => false)])) === false) break;
        const estimate = latest;
        latest = undefined;
        yield { ...estimate, space, attribution: null };
      }
      const attribution = await running;
      const { values, shape, crop } = attribution;
      yield { values, shape, crop: crop ?? null, space: attribution.space, attribution };
    } finally {
      left.abort();
    }
  }

  /**
   * One request for many photos, one after the other. A photo that cannot be explained leaves its
   * error in the list and the others go on.
   * @param {Iterable<import('../index.js').ImageSource>} images
   * @param {import('../index.js').BatchOptions} options
   * @returns {Promise<import('../index.js').BatchItem[]>}
   */
  async attributeAll(images, options) {
    const { signal, stop, onProgress, ...request } = readOptions(options);
    checkSignal(signal);
    checkSignal(stop, 'stop');
    if (typeof images?.[Symbol.iterator] !== 'function')
      throw new SightlineError('bad-option', 'images must be a list of images');
    const all = [...images];
    /** @type {import('../index.js').BatchItem[]} */
    const items = [];
    for (const [index, image] of all.entries()) {
      if (stop?.aborted) break;
      /** @type {import('../index.js').BatchItem} */
      let item;
      try {
        item = {
          index,
          attribution: await this.attribute(image, /** @type {any} */ ({ ...request, signal })),
          error: null,
        };
      } catch (error) {
        const wrapped = wrap(error);
        if (signal?.aborted) throw wrapped;
        item = { index, attribution: null, error: wrapped };
      }
      items.push(item);
      tell(onProgress, { stage: 'batch', loaded: items.length, total: all.length, item });
    }
    return items;
  }

  /**
   * A layer's activations; those of `info.model.defaultLayer` where none is named.
   * @param {import('../index.js').ImageSource} image
   * @param {string} [layer]
   * @param {import('../index.js').CallOptions} [options]
   */
  async activations(image, layer, options) {
    const { signal, onProgress, priority, ...rest } = readOptions(options);
    only(rest, 'activations');
    if (layer !== undefined && typeof layer !== 'string')
      throw new SightlineError('bad-option', 'layer must be the name of a layer');
    return this.#run(image, { op: 'activations', ...sendable({ layer }) }, { signal, onProgress, priority });
  }

  /**
   * What the score changes by, per unit of the input or of a layer's activations.
   * @param {import('../index.js').ImageSource} image
   * @param {import('../index.js').GradientOptions} [options]
   */
  async gradients(image, options) {
    const { target, output, layer, signal, onProgress, priority, ...rest } = readOptions(options);
    only(rest, 'gradients');
    const request = sendable({ target, output, layer });
    return this.#run(image, { op: 'gradients', request }, { signal, onProgress, priority });
  }

  /**
   * Baselines given as pictures become tensors.
   * @param {Record<string, any>} request @param {AbortSignal | undefined} signal
   */
  async #withPictures(request, signal) {
    const { baseline, ...rest } = request;
    const plain = sendable(rest);
    if (baseline === undefined) return plain;
    const tensor = async (/** @type {any} */ one) => {
      if (typeof one !== 'object' || one === null || isTensor(one)) return one;
      const { data, shape } = await this.preprocess(one, { signal });
      return { data, shape };
    };
    if (Array.isArray(baseline) && baseline.length > BASELINES)
      throw new SightlineError('bad-option', `baseline: a list holds at most ${BASELINES}; got ${baseline.length}`);
    const tensors = Array.isArray(baseline) ? await Promise.all(baseline.map(tensor)) : await tensor(baseline);
    return { ...plain, ...sendable({ baseline: tensors }) };
  }

  /**
   * The tensor that the model is fed.
   * @param {import('../index.js').ImageSource} image
   * @param {import('../index.js').CallOptions} [options]
   */
  async preprocess(image, options) {
    const { signal, onProgress, priority, ...rest } = readOptions(options);
    only(rest, 'preprocess');
    return this.#run(image, { op: 'prepare' }, { signal, onProgress, priority });
  }

  /**
   * Reads a photo once, for every explainer of the page.
   * @param {import('../index.js').ImageSource} image
   * @param {import('../index.js').CallOptions} [options]
   */
  async load(image, options) {
    const { signal, onProgress, priority, ...rest } = readOptions(options);
    only(rest, 'load');
    checkPriority(priority);
    try {
      return await load(this.#engine, image, { signal, onProgress, priority });
    } catch (error) {
      throw wrap(error);
    }
  }

  /** Frees the model, after calls that are still running. */
  dispose() {
    host.close(this.#engine);
  }

  /**
   * @param {import('../index.js').ImageSource} image
   * @param {{ op: string, [key: string]: unknown }} message
   * @param {import('./host.js').CallOptions} options
   * @returns {Promise<any>}
   */
  async #run(image, message, options) {
    checkPriority(options.priority);
    try {
      // Queued now: a photo that takes long to come does not let a later call overtake this one.
      const coming = abortable(toInput(image, options.signal), options.signal);
      const result = host.run(
        this.#engine,
        async (send) => readable(await coming, (input) => send({ ...message, input })),
        options,
      );
      // A photo that cannot be had is told at once.
      const [done, input] = await Promise.all([result, coming]);
      // Whoever asked paints first.
      if (message.op === 'attribute' && this.#move)
        (globalThis.requestIdleCallback ?? setTimeout)(() => this.#move?.(input));
      return done;
    } catch (error) {
      throw wrap(error);
    }
  }
}
