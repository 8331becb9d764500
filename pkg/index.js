// @ts-check
// Sightline's public API. What is exported here, with index.d.ts, is the contract; everything else is private.

import { chooseDevice } from './engine/device.js';
import { host } from './engine/host.js';
import { deleteCached, listCached } from './model/cache.js';
import { requestJson } from './model/fetch.js';
import { addLabels, fetchWeights, findModel, inspect, modelList } from './model/source.js';
import { COLORMAPS } from './picture/colormaps.js';
import { decodeByBrowser, toInput } from './picture/image.js';
import { aborted, check, SightlineError, wrap } from './util/errors.js';
import { home, locate } from './util/locate.js';
import { methods, version } from './wasm/registry.js';

export { describeStrings, exportStrings, stringsFor } from './i18n/strings.js';
export { isWhole, placeOf } from './picture/crop.js';
export { renderColorbar, renderHeatmap, sharedScale, toPlane, valueAt } from './picture/render.js';
export { describe } from './report/describe.js';
export { exportPng, fromJson, toJson, toNpy } from './report/export.js';
export { familiarity } from './report/familiarity.js';
export { SightlineError, version };

/** The attribution methods with their options, from the core's registry. */
export const listMethods = () => structuredClone(methods);

/** The colour maps' names and whether they have a middle. */
export const listColormaps = () => Object.entries(COLORMAPS).map(([id, { diverging }]) => ({ id, diverging }));

/** The models of `models/models.json`: the built-in ones, and what else it offers. @param {{ assetBaseUrl?: string | URL, signal?: AbortSignal }} [options] */
export async function listModels({ assetBaseUrl, signal } = {}) {
  return (await modelList(baseOf(assetBaseUrl), { signal })).models;
}

/**
 * What opening a model takes, before anything large is fetched.
 * @param {import('./index.js').ModelSource} model @param {{ assetBaseUrl?: string | URL, signal?: AbortSignal }} [options]
 */
export async function inspectModel(model, { assetBaseUrl, signal } = {}) {
  try {
    return await abortable(inspect(model, baseOf(assetBaseUrl), { signal }), signal);
  } catch (error) {
    throw wrap(error);
  }
}

/** The models kept on this machine. */
export const listCachedModels = listCached;

/** Deletes a kept model; whether there was one. Explainers that run it go on. @param {string} id one of `listCachedModels()` */
export const deleteCachedModel = deleteCached;

/** @param {string | URL | undefined} assetBaseUrl */
function baseOf(assetBaseUrl) {
  if (!assetBaseUrl) return home;
  const url = new URL(assetBaseUrl, globalThis.location?.href);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return url;
}

/** Refuses what nobody takes. @param {object} rest @param {string} name */
function only(rest, name) {
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new SightlineError('bad-option', `${unknown}: ${name} has no such option`);
}

/** The core checks the options; this is what cannot even be sent to it. @param {Record<string, unknown>} request */
function sendable(request) {
  for (const [name, value] of Object.entries(request)) {
    if (typeof value === 'function' || typeof value === 'symbol' || (typeof value === 'number' && !Number.isFinite(value)))
      throw new SightlineError('bad-option', `${name}: ${String(value).slice(0, 40)} is no value for an option`);
  }
}

/** @template T @param {Promise<T>} promise @param {AbortSignal | undefined} signal @returns {Promise<T>} */
function abortable(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(aborted());
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/**
 * @param {import('./index.js').ExplainerOptions} options
 * @returns {Promise<Explainer>}
 */
export async function createExplainer(options) {
  try {
    const { model, device = 'auto', onDevice, signal, onProgress, assetBaseUrl, ...rest } = options ?? {};
    only(rest, 'createExplainer');
    if (onDevice !== undefined && typeof onDevice !== 'function') throw new SightlineError('bad-option', 'onDevice: it must be a function');
    check(signal);
    const base = baseOf(assetBaseUrl);
    const progress = (/** @type {import('./engine/host.js').Progress} */ { stage, loaded, total }) =>
      signal?.aborted || onProgress?.({ stage: /** @type {any} */ (stage), loaded, total });
    const hasBuild = async () => {
      // Without the signal: the explainer may be there, and its first task over, before this is asked.
      const builds = await requestJson(locate('wasm/builds.json', base));
      return Boolean(builds?.webgpu);
    };
    const best = chooseDevice(device, hasBuild);
    // Nobody waits for it where opening the model fails first.
    best.catch(() => undefined);
    // Whoever listens for a change of device gets the first results from the small build.
    const changes = device === 'auto' && onDevice !== undefined;
    const choice = changes
      ? { kind: /** @type {'cpu' | 'webgpu'} */ ('cpu'), reason: 'whether there is WebGPU is being found out' }
      : await abortable(best, signal);
    host.prepare(choice.kind, base, progress);
    const found = await findModel(model, base, { signal });
    const { source, folder, kept } = found;
    await addLabels(source, base, { signal });
    let engine = host.engine(choice.kind, base, source);
    /** Does it on the CPU where WebGPU was only a guess and fails. @param {(e: import('./engine/host.js').Engine) => Promise<any>} work */
    const attempt = async (work) => {
      try {
        return await abortable(work(engine), signal);
      } catch (error) {
        host.abandon(engine);
        const { code, message } = wrap(error);
        if (
          device !== 'auto' ||
          choice.kind !== 'webgpu' ||
          !['device-unavailable', 'device-lost', 'out-of-memory', 'internal', 'network'].includes(code)
        )
          throw error;
        choice.kind = 'cpu';
        choice.reason = `WebGPU did not start here (${message})`;
        engine = host.engine('cpu', base, source);
        return attempt(work);
      }
    };
    if (!source.weights) {
      // What is served with the page need not be checked before it is fetched.
      if (kept) await attempt((e) => host.plan(e, progress));
      const onBytes = (/** @type {number} */ loaded, /** @type {number | undefined} */ total) =>
        onProgress?.({ stage: 'download', loaded, total });
      await abortable(fetchWeights(found, { signal, onBytes }), signal);
    }
    let opened;
    try {
      opened = await attempt((e) => host.open(e, progress));
      if (found.expected && found.expected !== opened.sha256) {
        host.abandon(engine);
        throw new SightlineError(
          'network',
          `the weights of ${source.id} were damaged on their way or in storage (their SHA-256 is not ${found.expected}): open the model again to fetch them anew`,
        );
      }
    } catch (error) {
      // What cannot be opened is not worth keeping.
      if (['bad-model', 'unsupported-architecture', 'network'].includes(wrap(error).code)) await kept?.clear();
      throw error;
    }
    const { sha256, model: described } = opened;
    await kept?.update({ sha256, architecture: described.architecture, numClasses: described.labels.length });
    const explainer = new Explainer(engine, {
      model: {
        ...described,
        bytes: source.weights?.size ?? 0,
        sha256,
        url: folder?.href ?? null,
        cached: kept?.record?.complete ? kept.record.date : null,
      },
      device: { kind: choice.kind, description: opened.device.description, reason: choice.reason },
      version: opened.version,
      warnings: kept?.warning ? [kept.warning] : [],
    });
    if (changes) explainer[FOLLOW](best, onDevice, () => host.engine('webgpu', base, source));
    return explainer;
  } catch (error) {
    throw wrap(error);
  }
}

/** What {@link createExplainer} alone calls. */
const FOLLOW = Symbol('follow');

/**
 * @param {import('./index.js').Info} info @param {import('./index.js').Attribution} result @param {Record<string, any>} request
 * @returns {import('./index.js').Provenance}
 */
function provenance({ model: { id, architecture, sha256, labels }, version }, { method, target }, request) {
  /** @param {any} value @returns {any} */
  const inWords = (value) => {
    if (Array.isArray(value)) return value.map(inWords).join(', ');
    return typeof value === 'object' && value !== null ? `a tensor of ${value.shape?.join(' × ')}` : value;
  };
  const specs = methods.find((m) => m.id === method)?.options ?? [];
  const used = specs
    .map(({ id, default: usual }) => [id, inWords(request[id] ?? usual)])
    .filter(([, value]) => value !== null && value !== undefined);
  const classes = typeof target === 'number' ? [target] : 'contrast' in target ? target.contrast : target.group;
  return {
    model: { id, architecture, sha256 },
    version,
    options: Object.fromEntries(used),
    labels: Object.fromEntries(classes.map((k) => [k, labels[k] ?? String(k)])),
  };
}

/** A model on a device. Made by {@link createExplainer}. */
export class Explainer {
  /** @type {import('./engine/host.js').Engine} */
  #engine;
  /** Moves to WebGPU. @type {((input: any) => Promise<void>) | undefined} */
  #move;

  /** @param {import('./engine/host.js').Engine} engine @param {import('./index.js').Info} info */
  constructor(engine, info) {
    this.#engine = engine;
    /** @type {import('./index.js').Info} */
    this.info = Object.freeze(info);
  }

  /**
   * Moves to WebGPU where that is the better device: after the first attribution, and once the device is warm.
   * @param {Promise<import('./engine/device.js').Choice>} best @param {(device: import('./index.js').Info['device']) => void} onDevice
   * @param {() => import('./engine/host.js').Engine} onGpu
   */
  async [FOLLOW](best, onDevice, onGpu) {
    const cpu = this.#engine;
    const tell = (/** @type {Partial<import('./index.js').Info['device']>} */ change) => {
      if (cpu.closed && this.#engine === cpu) return;
      this.info = Object.freeze({ ...this.info, device: { ...this.info.device, ...change } });
      onDevice(this.info.device);
    };
    const failed = (/** @type {unknown} */ error) => tell({ reason: `WebGPU did not start here (${wrap(error).message})` });
    const choice = await best.catch(failed);
    // Whoever made this explainer has it by now.
    await new Promise((done) => setTimeout(done));
    if (!choice) return;
    if (choice.kind === 'cpu') return tell({ reason: choice.reason });
    this.#move = async (input) => {
      this.#move = undefined;
      if (cpu.closed) return;
      const engine = onGpu();
      try {
        const { device } = await host.open(engine);
        // All the way there and back: the shaders that the next request needs are compiled.
        for (const message of [{ op: 'classify' }, { op: 'gradients', request: {} }]) {
          if (cpu.closed) return host.close(engine);
          await host.run(engine, (send) => send({ ...message, input }));
        }
        if (cpu.closed) return host.close(engine);
        this.#engine = engine;
        tell({ kind: 'webgpu', description: device.description, reason: choice.reason });
        // What was asked of it before ends first.
        cpu.queue.then(() => host.close(cpu));
      } catch (error) {
        host.abandon(engine);
        failed(error);
      }
    };
    tell({ reason: 'WebGPU takes over as soon as it is ready' });
  }

  /**
   * @param {import('./index.js').ImageSource} image
   * @param {{ topK?: number, signal?: AbortSignal }} [options]
   */
  async classify(image, { topK, signal, ...rest } = {}) {
    only(rest, 'classify');
    return this.#run(image, { op: 'classify', topK }, { signal });
  }

  /**
   * @param {import('./index.js').ImageSource} image
   * @param {import('./index.js').AttributeOptions} options
   */
  async attribute(image, { signal, stop, onProgress, onEstimate, ...request } = /** @type {any} */ ({})) {
    sendable(request);
    if (stop !== undefined && !(stop instanceof AbortSignal)) throw new SightlineError('bad-option', 'stop: it must be an AbortSignal');
    if (onEstimate !== undefined && typeof onEstimate !== 'function')
      throw new SightlineError('bad-option', 'onEstimate: it must be a function');
    const sent = await this.#withPictures(request, signal);
    const message = { op: 'attribute', request: sent, estimates: onEstimate !== undefined };
    const { kind } = this.#engine;
    const result = await this.#run(image, message, { signal, stop, onProgress, onEstimate });
    result.device = kind;
    result.provenance = provenance(this.info, result, sent);
    return result;
  }

  /**
   * What each attention head of a transformer is worth to the target, and where it looks.
   * @param {import('./index.js').ImageSource} image
   * @param {import('./index.js').HeadsOptions} [options]
   */
  async heads(image, { target, output, signal, onProgress, ...rest } = {}) {
    only(rest, 'heads');
    const request = { target, output };
    sendable(request);
    const { kind } = this.#engine;
    const result = await this.#run(image, { op: 'heads', request }, { signal, onProgress });
    result.device = kind;
    return result;
  }

  /**
   * The map as it grows: an item for each estimate that the loop has time for, then one with the finished attribution. Leaving the loop ends the call.
   * @param {import('./index.js').ImageSource} image
   * @param {import('./index.js').AttributeOptions} options
   * @returns {AsyncGenerator<import('./index.js').Estimate, void, undefined>}
   */
  async *estimates(image, options) {
    const { signal, onEstimate } = options ?? {};
    const left = new AbortController();
    const space = methods.find(({ id }) => id === options?.method)?.space ?? 'input';
    /** @type {any} */
    let latest;
    let wake = () => {};
    const running = this.attribute(image, {
      ...options,
      signal: signal ? AbortSignal.any([signal, left.signal]) : left.signal,
      onEstimate: (estimate) => {
        onEstimate?.(estimate);
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
   * One request for many photos, one after the other. A photo that cannot be explained leaves its error in the list and the others go on.
   * @param {Iterable<import('./index.js').ImageSource>} images
   * @param {import('./index.js').BatchOptions} options
   * @returns {Promise<import('./index.js').BatchItem[]>}
   */
  async attributeAll(images, options) {
    const { signal, stop, onProgress, ...request } = options ?? {};
    const all = [...images];
    /** @type {import('./index.js').BatchItem[]} */
    const items = [];
    for (const [index, image] of all.entries()) {
      if (stop?.aborted) break;
      /** @type {import('./index.js').BatchItem} */
      let item;
      try {
        item = { index, attribution: await this.attribute(image, /** @type {any} */ ({ ...request, signal })), error: null };
      } catch (error) {
        const wrapped = wrap(error);
        if (signal?.aborted) throw wrapped;
        item = { index, attribution: null, error: wrapped };
      }
      items.push(item);
      onProgress?.({ stage: 'batch', loaded: items.length, total: all.length, item });
    }
    return items;
  }

  /**
   * A layer's activations; those of `info.model.defaultLayer` where none is named.
   * @param {import('./index.js').ImageSource} image @param {string} [layer] @param {{ signal?: AbortSignal }} [options]
   */
  async activations(image, layer, { signal, ...rest } = {}) {
    only(rest, 'activations');
    if (layer !== undefined && typeof layer !== 'string') throw new SightlineError('bad-option', 'layer: it must be a layer’s name');
    return this.#run(image, { op: 'activations', layer }, { signal });
  }

  /**
   * What the score changes by, per unit of the input or of a layer's activations.
   * @param {import('./index.js').ImageSource} image @param {import('./index.js').GradientOptions} [options]
   */
  async gradients(image, { target, output, layer, signal, ...rest } = {}) {
    only(rest, 'gradients');
    const request = { target, output, layer };
    sendable(request);
    return this.#run(image, { op: 'gradients', request }, { signal });
  }

  /**
   * Baselines given as pictures become tensors.
   * @param {Record<string, any>} request @param {AbortSignal | undefined} signal
   */
  async #withPictures(request, signal) {
    const { baseline } = request;
    const tensor = async (/** @type {any} */ one) => {
      if (typeof one !== 'object' || one === null) return one;
      const { data, shape } = 'data' in one && 'shape' in one ? one : await this.preprocess(one, { signal });
      // The core reads options as JSON.
      return { data: Array.from(data), shape: Array.from(shape) };
    };
    if (baseline === undefined) return request;
    return { ...request, baseline: Array.isArray(baseline) ? await Promise.all(baseline.map(tensor)) : await tensor(baseline) };
  }

  /** The tensor that the model is fed. @param {import('./index.js').ImageSource} image @param {{ signal?: AbortSignal }} [options] */
  async preprocess(image, { signal, ...rest } = {}) {
    only(rest, 'preprocess');
    return this.#run(image, { op: 'prepare' }, { signal });
  }

  /** Frees the model; running calls end first. */
  dispose() {
    host.close(this.#engine);
  }

  /**
   * @param {import('./index.js').ImageSource} image @param {{ op: string, [key: string]: unknown }} message
   * @param {{ signal?: AbortSignal, stop?: AbortSignal, onProgress?: (p: any) => void, onEstimate?: (e: any) => void }} options
   * @returns {Promise<any>}
   */
  async #run(image, message, options) {
    try {
      // Queued now: a photo that takes long to come does not let a later call overtake this one.
      const coming = abortable(toInput(image, options.signal), options.signal);
      const result = host.run(
        this.#engine,
        async (send) => {
          const input = await coming;
          try {
            return await send({ ...message, input });
          } catch (error) {
            if (wrap(error).code !== 'unsupported-image') throw error;
            const decoded = await decodeByBrowser(input);
            if (!decoded) throw error;
            return await send({ ...message, input: decoded });
          }
        },
        options,
      );
      // A photo that cannot be had is told at once.
      const [done, input] = await Promise.all([result, coming]);
      // Whoever asked paints first.
      if (message.op === 'attribute' && this.#move) (globalThis.requestIdleCallback ?? setTimeout)(() => this.#move?.(input));
      return done;
    } catch (error) {
      throw wrap(error);
    }
  }
}
