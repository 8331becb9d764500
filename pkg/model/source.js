// @ts-check

import { abortable } from '../util/abort.js';
import { addressOf, inside } from '../util/address.js';
import { SightlineError, wrap } from '../util/errors.js';
import { baseOf, locate } from '../util/locate.js';
import { quote } from '../util/quote.js';
import { CONFIG, checkSize, LIST, WEIGHTS } from './bounds.js';
import { Kept } from './cache.js';
import { download, requestBlob, requestJson, requestSize } from './fetch.js';

/**
 * A model package as the worker takes it. The weights stay a Blob, which costs no wasm memory and
 * can be sent again when a worker is replaced.
 * `config` is the text of config.json, where there is one; `file` is the weights' name.
 * @typedef {{ id: string, config?: string, weights?: Blob, file: string, labels?: string[] }}
 *   Source
 */
/**
 * Where a package comes from. A folder's weights are not here yet; `file` is the address of one of
 * its files.
 * @typedef {{ source: Source, folder?: URL, file?: (name: string) => URL, kept?: Kept, expected?:
 *   string }} Found
 */

const FILE = 'model.safetensors';
/** A hub's rules differ in detail; this keeps an address from being anything but a name's. */
const NAME = /^\w(?:[\w.-]*\w)?\/\w(?:[\w.-]*\w)?$/;

/** @param {string} message */
const bad = (message) => new SightlineError('bad-option', `model: ${message}`);

/**
 * Finds a model and its config.json; neither its weights nor labels are fetched yet.
 * @param {import('../index.js').ModelSource} model
 * @param {URL} base
 * @param {{ signal?: AbortSignal }} options
 * @returns {Promise<Found>}
 */
export async function findModel(model, base, options) {
  if (typeof model === 'string') {
    const list = await modelList(base, options);
    const entry = list.models.find((m) => m.id === model);
    if (!entry) {
      const known = list.models.map((m) => m.id).join(', ');
      throw bad(`there is no built-in model "${quote(model)}"; choose one of ${known}`);
    }
    if (entry.hub !== undefined) return fromHub(entry.hub, list, base, options);
    if (entry.url !== undefined) return fromFolder(addressOf(entry.url, 'model', new URL('models/', base)), options);
    // It is served with the page: nothing to keep.
    const path = `models/${entry.path}`;
    return fromFolder(new URL(path, base), options, { id: model, file: (name) => locate(`${path}/${name}`, base) });
  }
  if (typeof model !== 'object' || model === null)
    throw bad('give a built-in id, { hub }, { url } or { config, weights }');
  if ('hub' in model) return fromHub(model.hub, undefined, base, options);
  if ('url' in model) return fromFolder(addressOf(model.url, 'model'), options);
  if (!('weights' in model)) throw bad('give a built-in id, { hub }, { url } or { config, weights }');
  const { config, weights, name } = model;
  if (!(weights instanceof Blob || weights instanceof ArrayBuffer || ArrayBuffer.isView(weights)))
    throw bad('weights must be an ArrayBuffer or a Blob');
  const blob = weights instanceof Blob ? weights : blobOf(/** @type {BlobPart} */ (weights));
  const file = quote(name ?? (weights instanceof File ? weights.name : FILE));
  checkSize(WEIGHTS, file, blob.size);
  const text = await textOf(config);
  return { source: { id: 'package', config: text, weights: blob, file } };
}

/** @param {BlobPart} weights */
function blobOf(weights) {
  try {
    // One that was transferred has no bytes, or says that it was.
    if (/** @type {ArrayBuffer} */ (weights).byteLength > 0) return new Blob([weights]);
  } catch {
    // Said below.
  }
  throw bad('weights has no bytes: it is empty, or was transferred elsewhere; pass a copy');
}

/**
 * The text of a config.json that was given.
 * @param {unknown} config
 * @returns {Promise<string | undefined>}
 */
async function textOf(config) {
  if (config instanceof Blob) {
    checkSize(CONFIG, 'config.json', config.size);
    return config.text();
  }
  if (config === undefined || typeof config === 'string') {
    checkSize(CONFIG, 'config.json', config?.length ?? 0);
    return config;
  }
  /** @type {string | undefined} */
  let text;
  try {
    text = JSON.stringify(config);
  } catch {
    // Said below.
  }
  if (typeof config !== 'object' || text === undefined)
    throw bad('config must be the text of a config.json, a Blob of it, or an object that JSON can hold');
  checkSize(CONFIG, 'config.json', text.length);
  return text;
}

/**
 * @param {unknown} name
 * @param {ModelList | undefined} list
 * @param {URL} base
 * @param {{ signal?: AbortSignal }} options
 */
async function fromHub(name, list, base, options) {
  if (typeof name !== 'string' || !NAME.test(name) || name.includes('..')) {
    throw bad(
      `"${quote(name)}" is not a name on a hub; give owner/name, with letters, digits, dots, dashes and underscores`,
    );
  }
  const { hub } = list ?? (await modelList(base, options));
  if (typeof hub !== 'string' || !hub.includes('{name}'))
    throw bad('models/models.json names no hub; add "hub", an address with {name}');
  return fromFolder(
    addressOf(hub.replaceAll('{name}', name), 'model', new URL('models/', base)),
    options,
    undefined,
    name,
  );
}

/**
 * @param {URL} folder @param {{ signal?: AbortSignal }} options
 * @param {{ id: string, file: (name: string) => URL }} [builtin] of a built-in model, which is not
 *   kept
 * @param {string} [name] the name on the hub @returns {Promise<Found>}
 */
async function fromFolder(folder, { signal }, builtin, name) {
  const id = builtin?.id ?? name ?? folder.href;
  const file = builtin?.file ?? ((/** @type {string} */ name) => inside(folder, name));
  const kept = builtin === undefined ? await Kept.find(id, folder.href) : undefined;
  const config = kept?.record?.complete
    ? kept.record.config
    : await (await requestBlob(file('config.json'), CONFIG, { signal })).text();
  if (kept) kept.config = config;
  return { source: { id, config, file: FILE }, folder, file, kept };
}

/**
 * Gets the weights of a folder: from what is kept, as far as it goes.
 * @param {Found} found
 * @param {{ signal?: AbortSignal, onBytes?: import('./fetch.js').OnBytes }} options
 */
export async function fetchWeights(found, options) {
  const { source, file, kept } = found;
  if (!file || source.weights) return;
  const url = file(FILE);
  if (!kept) return take(await fetched(url, options));
  const { signal, onBytes } = options;
  // Another tab's progress is this one's, too.
  const onWait = async () => {
    const there = await kept.progress();
    if (there && !source.weights) onBytes?.(there.loaded, there.total);
  };
  await kept.alone(signal, onWait, async () => {
    await kept.look();
    if (await kept.load()) return take({ blob: new Blob(kept.pieces), expected: kept.record?.sha256 ?? kept.expected });
    take(await fetched(url, { ...options, keeper: kept }));
    await kept.update({ complete: true, total: source.weights?.size ?? 0, date: new Date().toISOString() });
  });

  /** @param {{ blob: Blob, expected?: string }} weights */
  function take({ blob, expected }) {
    source.weights = blob;
    if (expected !== undefined) found.expected = expected;
  }
}

/** @param {URL} url @param {Parameters<typeof download>[2]} options */
async function fetched(url, options) {
  try {
    return await download(url, WEIGHTS, options);
  } catch (error) {
    throw explained(error);
  }
}

/** What a missing file of weights means. @param {unknown} error */
function explained(error) {
  const { code, message, cause } = /** @type {SightlineError & { cause?: any }} */ (error);
  if (code !== 'network' || cause?.status !== 404) return error;
  const hint = `there is a config.json but no ${FILE}; if there is a .pth or .bin file instead, download that and drop it on the page`;
  return new SightlineError('network', `${message}; ${hint}`, { cause });
}

/**
 * What opening a model takes.
 * @param {import('../index.js').ModelSource} model
 * @param {URL} base
 * @param {{ signal?: AbortSignal }} options
 * @returns {Promise<import('../index.js').ModelInspection>}
 */
async function inspect(model, base, options) {
  const { source, folder, file: at, kept } = await findModel(model, base, options);
  const { id, config, weights, file } = source;
  const record = kept?.record;
  let bytes = weights?.size ?? (record?.complete ? record.total : undefined);
  if (at && bytes === undefined) {
    const url = at(FILE);
    bytes = await requestSize(url, options).catch((error) => Promise.reject(explained(error)));
    if (bytes !== undefined) checkSize(WEIGHTS, url.href, bytes);
  }
  let read;
  try {
    read = config === undefined ? undefined : JSON.parse(config);
  } catch (cause) {
    throw new SightlineError('bad-model', `config.json of ${quote(id)} is not valid JSON; check the address`, {
      cause,
    });
  }
  const numClasses = classesOf(read);
  const files = [{ name: file, bytes: bytes ?? null }];
  if (config !== undefined) files.unshift({ name: 'config.json', bytes: new Blob([config]).size });
  return {
    id,
    url: folder?.href ?? null,
    bytes: bytes ?? null,
    files,
    architecture: typeof read?.architecture === 'string' ? read.architecture : null,
    numClasses,
    cached:
      kept && record
        ? { bytes: await kept.bytes(), complete: record.complete, date: record.date, sha256: record.sha256 }
        : null,
  };
}

/**
 * How many classes a config.json names, for what is decided before the core reads and checks it.
 * @param {any} config
 * @returns {number | null}
 */
function classesOf(config) {
  const count = config?.model_args?.num_classes ?? config?.num_classes ?? config?.pretrained_cfg?.num_classes;
  return typeof count === 'number' ? count : null;
}

/**
 * ImageNet's names for a package that has none and might need them.
 * @param {Source} source @param {URL} base @param {{ signal?: AbortSignal }} options
 */
export async function addLabels(source, base, options) {
  let needed = source.config === undefined;
  try {
    const config = JSON.parse(source.config ?? '{}');
    needed ||= classesOf(config) === 1000 && !config.label_names;
  } catch {
    return;
  }
  if (needed) source.labels = await requestJson(locate('labels/imagenet1k.json', base), LIST, options);
}

/** @typedef {{ hub?: string, models: import('../index.js').ListedModel[] }} ModelList */
/** By address: a page that stays open asks once. @type {Map<string, ModelList>} */
const lists = new Map();

/**
 * The list that whoever serves the page may edit.
 * @param {URL} base @param {{ signal?: AbortSignal }} [options]
 * @returns {Promise<ModelList>}
 */
async function modelList(base, options) {
  const url = locate('models/models.json', base);
  const list = lists.get(url.href) ?? (await requestJson(url, LIST, options));
  if (!Array.isArray(list?.models))
    throw new SightlineError(
      'network',
      `${quote(url)} is not a list of models: it has no "models"; check assetBaseUrl`,
    );
  lists.set(url.href, list);
  return structuredClone(list);
}

/**
 * The models of `models/models.json`: the built-in ones, and what else it offers.
 * @param {{ assetBaseUrl?: string | URL, signal?: AbortSignal }} [options]
 */
export async function listModels(options) {
  const { assetBaseUrl, signal } = options ?? {};
  return (await modelList(baseOf(assetBaseUrl), { signal })).models;
}

/**
 * What opening a model takes, before anything large is fetched.
 * @param {import('../index.js').ModelSource} model
 * @param {{ assetBaseUrl?: string | URL, signal?: AbortSignal }} [options]
 */
export async function inspectModel(model, options) {
  try {
    const { assetBaseUrl, signal } = options ?? {};
    return await abortable(inspect(model, baseOf(assetBaseUrl), { signal }), signal);
  } catch (error) {
    throw wrap(error);
  }
}
