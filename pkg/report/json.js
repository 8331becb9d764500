// @ts-check
// An attribution as JSON, and back: what a stranger may have written is read field by field.

import { SightlineError } from '../util/errors.js';

/** @typedef {import('../index.js').Attribution} Attribution */

const FORMAT = 'sightline-attribution';

/** @param {Attribution} attribution */
export function toJson({ values, layers, ...rest }) {
  const plain = {
    format: FORMAT,
    formatVersion: 1,
    ...rest,
    layers: layers.map(({ id, shape, values }) => ({ id, shape, values: numbers(values) })),
    values: numbers(values),
  };
  return JSON.stringify(plain, (_, value) =>
    ArrayBuffer.isView(value) ? Array.from(/** @type {Float32Array} */ (value)) : value,
  );
}

/**
 * In the fewest digits that give the same float32; null where there are none.
 * @param {Float32Array} values
 */
const numbers = (values) =>
  Array.from(values, (v) => {
    if (!Number.isFinite(v)) return null;
    for (const digits of [6, 7, 8]) {
      const n = Number(v.toPrecision(digits));
      if (Math.fround(n) === v) return n;
    }
    return Number(v.toPrecision(9));
  });

/** @type {NonNullable<import('../index.js').Warning['cause']>[]} */
const CAUSES = ['dead-relu', 'saturated', 'disconnected', 'cancelled', 'alike'];
const MAX_VALUES = 2 ** 24;
const MAX_TEXT = 2e8;

/**
 * Field by field: what is not known is left out, as are the method's details, and what is not as it
 * should be is refused.
 * @param {string | object} json
 * @returns {Attribution}
 */
export function fromJson(json) {
  let from = /** @type {any} */ (json);
  if (typeof json === 'string') {
    if (json.length > MAX_TEXT) throw bad('the text is too long for an attribution; give the text that toJson made');
    try {
      from = JSON.parse(json);
    } catch (cause) {
      throw new SightlineError('bad-option', 'attribution: not valid JSON; give the text that toJson made', { cause });
    }
  }
  if (typeof from !== 'object' || from === null || from.format !== FORMAT)
    throw bad('this is not an attribution saved by Sightline; give the text that toJson made');
  if (from.formatVersion !== 1) throw bad('it was saved by a newer version of Sightline; update this one');
  const space = oneOf(from.space, ['layer', 'input'], 'space');
  const shape = shapeOf(from.shape, [2, 3], 'shape');
  const layers = listOf(from.layers ?? [], 1000, 'layers').map((layer) => {
    const shape = /** @type {[number, number]} */ (shapeOf(layer?.shape, [2], 'layers: shape'));
    return { id: text(layer.id, 'layers: id'), shape, values: valuesOf(layer.values, shape, 'layers: values') };
  });
  const { completeness: c, crop, passes, provenance: p } = from;
  return {
    method: /** @type {import('../index.js').MethodId} */ (text(from.method, 'method')),
    target: targetOf(from.target),
    output: oneOf(from.output ?? 'logit', ['logit', 'log_probability'], 'output'),
    layer: from.layer === undefined || from.layer === null ? null : text(from.layer, 'layer'),
    layers,
    values: valuesOf(from.values, shape, 'values'),
    shape,
    space,
    score: finite(from.score, 'score'),
    completeness: isNone(c)
      ? null
      : {
          baselineScore: finite(c.baselineScore, 'completeness'),
          score: finite(c.score, 'completeness'),
          sum: finite(c.sum, 'completeness'),
          delta: finite(c.delta, 'completeness'),
        },
    crop: isNone(crop) ? null : cropOf(crop),
    passes: { forward: finite(passes?.forward ?? 0, 'passes'), backward: finite(passes?.backward ?? 0, 'passes') },
    elapsedMs: finite(from.elapsedMs ?? 0, 'elapsedMs'),
    device: oneOf(from.device ?? 'cpu', ['cpu', 'webgpu'], 'device'),
    warnings: listOf(from.warnings ?? [], 100, 'warnings').map(warningOf),
    ...(isNone(p) ? {} : { provenance: provenanceOf(p) }),
  };
}

/** @param {string} what */
const bad = (what) => new SightlineError('bad-option', `attribution: ${what}`);
/** @param {any} value */
const isNone = (value) => value === undefined || value === null;
/** @param {any} value @param {string} name @returns {string} */
function text(value, name) {
  if (typeof value !== 'string' || value.length > 10_000) throw bad(`${name} must be text`);
  return value;
}
/** @param {any} value @param {string} name @returns {number} */
function finite(value, name) {
  // What is not a finite number is null in JSON.
  if (value === null) return Number.NaN;
  if (typeof value !== 'number') throw bad(`${name} must be a number`);
  return value;
}
/**
 * @template {string} T
 * @param {any} value
 * @param {T[]} choices
 * @param {string} name
 * @returns {T}
 */
function oneOf(value, choices, name) {
  if (!choices.includes(value)) throw bad(`${name} must be one of ${choices.join(', ')}`);
  return value;
}
/** @param {any} value @param {number} most @param {string} name @returns {any[]} */
function listOf(value, most, name) {
  if (!Array.isArray(value) || value.length > most) throw bad(`${name} must be a list of at most ${most}`);
  return value;
}
/** @param {any} value @param {number[]} lengths @param {string} name @returns {number[]} */
function shapeOf(value, lengths, name) {
  const axes = listOf(value, 3, name);
  if (!lengths.includes(axes.length) || !axes.every((n) => Number.isInteger(n) && n >= 1 && n <= MAX_VALUES))
    throw bad(`${name} must be ${lengths.join(' or ')} whole numbers of at least 1`);
  if (axes.reduce((a, b) => a * b, 1) > MAX_VALUES) throw bad(`${name}: the limit is ${MAX_VALUES} values`);
  return [...axes];
}
/** @param {any} value @param {number[]} shape @param {string} name */
function valuesOf(value, shape, name) {
  const count = shape.reduce((a, b) => a * b, 1);
  if (!Array.isArray(value) || value.length !== count) throw bad(`${name} must be ${count} numbers, as its shape says`);
  return Float32Array.from(value, (v) => finite(v, name));
}
/** @param {any} value @returns {import('../index.js').Target} */
function targetOf(value) {
  const index = (/** @type {any} */ k) => {
    if (!(Number.isInteger(k) && k >= 0 && k < MAX_VALUES)) throw bad('target must name classes by their index');
    return /** @type {number} */ (k);
  };
  if (typeof value !== 'object' || value === null) return index(value);
  if ('group' in value) return { group: listOf(value.group, 100_000, 'target').map(index) };
  const [a, b] = listOf(value.contrast, 2, 'target');
  return { contrast: [index(a), index(b)] };
}
/** @param {any} value @returns {import('../index.js').Warning} */
function warningOf(value) {
  const code = text(value?.code, 'warnings');
  const cause = isNone(value.cause) ? undefined : oneOf(value.cause, CAUSES, 'warnings');
  const values = listOf(Object.entries(value.values ?? {}), 100, 'warnings').map(([name, v]) => [
    text(name, 'warnings'),
    typeof v === 'string' ? text(v, 'warnings') : finite(v, 'warnings'),
  ]);
  return {
    code,
    ...(cause === undefined ? {} : { cause }),
    key: ['warning', code, ...(cause === undefined ? [] : [cause])].join('.'),
    values: Object.fromEntries(values),
    message: text(value.message, 'warnings'),
  };
}
/** @param {any} value @returns {import('../index.js').Crop} */
function cropOf(value) {
  const [x, y, width, height, photoWidth, photoHeight] = ['x', 'y', 'width', 'height', 'photoWidth', 'photoHeight'].map(
    (name) => {
      const n = value[name];
      if (typeof n !== 'number' || !(n >= 0 && n <= 1e6)) throw bad(`crop: ${name} must be a number of pixels`);
      return n;
    },
  );
  const crop = /** @type {import('../index.js').Crop} */ ({ x, y, width, height, photoWidth, photoHeight });
  const inside = crop.x + crop.width <= crop.photoWidth * 1.001 && crop.y + crop.height <= crop.photoHeight * 1.001;
  if (!(crop.width > 0 && crop.height > 0 && inside)) throw bad('crop must lie within the photo');
  return crop;
}
/** @param {any} value @returns {import('../index.js').Provenance} */
function provenanceOf(value) {
  const entries = (/** @type {any} */ object, /** @type {string} */ name) => {
    if (typeof object !== 'object' || object === null) throw bad(`provenance: ${name} are missing`);
    return listOf(Object.entries(object), 100_000, `provenance: ${name}`);
  };
  return {
    model: {
      id: text(value.model?.id, 'provenance: model'),
      architecture: text(value.model.architecture, 'provenance: model'),
      sha256: text(value.model.sha256, 'provenance: model'),
    },
    // Not in what was saved before there were photo handles.
    ...('photo' in value && { photo: isNone(value.photo) ? null : text(value.photo, 'provenance: photo') }),
    version: text(value.version, 'provenance: version'),
    options: Object.fromEntries(
      entries(value.options, 'options').map(([name, v]) => [
        text(name, 'provenance: options'),
        Number.isFinite(v) || typeof v === 'boolean' ? v : text(v, 'provenance: options'),
      ]),
    ),
    labels: Object.fromEntries(
      entries(value.labels, 'labels')
        .filter(([k]) => /^\d+$/.test(k))
        .map(([k, v]) => [k, text(v, 'provenance: labels')]),
    ),
  };
}
