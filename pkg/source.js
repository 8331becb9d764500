// @ts-check
import { SightlineError } from './errors.js';
import { requestBlob, requestJson } from './fetch.js';

/**
 * A model package as the worker takes it. The weights stay a Blob, which costs no wasm memory and can be sent again when a worker is replaced.
 * @typedef {{ id: string, config: string, weights: Blob, labels: string[] | undefined }} Source
 */

/**
 * @param {import('./index.js').ModelSource} model
 * @param {URL} base
 * @param {{ signal?: AbortSignal, onBytes?: import('./fetch.js').OnBytes }} options
 * @returns {Promise<Source>}
 */
export async function resolveModel(model, base, options) {
  if (typeof model === 'string') {
    const list = await listModels(base, options);
    const entry = list.find((m) => m.id === model);
    if (!entry) {
      const known = list.map((m) => m.id).join(', ');
      throw new SightlineError('bad-option', `model: there is no built-in model "${model}"; there are ${known}`);
    }
    return fromUrl(new URL(`models/${entry.path}`, base), model, base, options);
  }
  if (typeof model === 'object' && model !== null && 'url' in model) {
    let url;
    try {
      url = new URL(model.url, globalThis.location?.href);
    } catch {
      throw new SightlineError('bad-option', `model: "${model.url}" is not an address`);
    }
    return fromUrl(url, url.pathname.split('/').filter(Boolean).pop() ?? url.href, base, options);
  }
  if (typeof model === 'object' && model !== null && 'config' in model && 'weights' in model) {
    const { config, weights } = model;
    const text = typeof config === 'string' ? config : config instanceof Blob ? await config.text() : JSON.stringify(config);
    if (!(weights instanceof Blob || weights instanceof ArrayBuffer || ArrayBuffer.isView(weights))) {
      throw new SightlineError('bad-option', 'model: weights must be an ArrayBuffer or a Blob');
    }
    const blob = weights instanceof Blob ? weights : new Blob([/** @type {BlobPart} */ (weights)]);
    return finish('package', text, blob, base, options);
  }
  throw new SightlineError('bad-option', 'model: give a built-in id, { url } or { config, weights }');
}

/**
 * @param {URL} folder @param {string} id @param {URL} base
 * @param {{ signal?: AbortSignal, onBytes?: import('./fetch.js').OnBytes }} options
 */
async function fromUrl(folder, id, base, options) {
  const at = (/** @type {string} */ name) => new URL(`${folder.pathname.replace(/\/$/, '')}/${name}${folder.search}`, folder);
  const config = await (await requestBlob(at('config.json'), { signal: options.signal })).text();
  const weights = await requestBlob(at('model.safetensors'), options);
  return finish(id, config, weights, base, options);
}

/**
 * @param {string} id @param {string} config @param {Blob} weights @param {URL} base
 * @param {{ signal?: AbortSignal }} options @returns {Promise<Source>}
 */
async function finish(id, config, weights, base, { signal }) {
  let labels;
  // Only for the decision whether ImageNet's names are worth fetching: the core reads and checks the config itself.
  try {
    const { num_classes, label_names, model_args } = JSON.parse(config);
    if ((model_args?.num_classes ?? num_classes) === 1000 && !label_names) {
      labels = await requestJson(new URL('labels/imagenet1k.json', base), { signal });
    }
  } catch (error) {
    if (error instanceof SightlineError) throw error;
  }
  return { id, config, weights, labels };
}

/**
 * @param {URL} base @param {{ signal?: AbortSignal }} [options]
 * @returns {Promise<import('./index.js').ListedModel[]>}
 */
export function listModels(base, options) {
  return requestJson(new URL('models/models.json', base), options);
}
