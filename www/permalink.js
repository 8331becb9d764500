// @ts-check
// What the page shows, as the part of an address behind the #, and back. The photo itself is never
// in it: a sample is named by its file.

/** @typedef {import('./compare.js').Comparison} Comparison */
/**
 * @typedef {object} State
 * @property {string} [model] an entry of the list, or a hub's name or address that is kept on the
 *   machine
 * @property {string} [photo] a sample's file @property {string} [method] @property
 *   {import('./pkg/index.js').Target} [target] @property {string} [layer]
 * @property {Record<string, string | number | boolean>} options
 * @property {Record<string, string>} looks the controls of the picture, by their ids
 * @property {Comparison} [comparison]
 */

const LONGEST = 4096;
const MOST = 64;
const KINDS = /** @type {const} */ (['classes', 'layers', 'models']);

/** @param {State} state @returns {string} without the # */
export function toHash({ model, photo, method, target, layer, options, looks, comparison }) {
  const parts = new URLSearchParams();
  const put = (/** @type {string} */ name, /** @type {unknown} */ value) =>
    value !== undefined && parts.set(name, String(value));
  put('model', model);
  put('photo', photo);
  put('method', method);
  put(
    'target',
    typeof target === 'object'
      ? 'contrast' in target
        ? target.contrast.join('-not-')
        : target.group.join('-or-')
      : target,
  );
  put('layer', layer);
  for (const [id, value] of Object.entries(options)) put(`option.${id}`, value);
  for (const [id, value] of Object.entries(looks)) put(`look.${id}`, value);
  if (comparison) {
    put('compare', comparison.kind);
    for (const row of comparison.rows) parts.append('row', row);
    for (const column of comparison.columns) parts.append('column', column);
    if (comparison.shared) put('shared', 1);
  }
  return parts.toString();
}

/**
 * Reads what anyone may have written: what is not of the right form or not known is left out, and
 * nothing throws.
 * @param {string} hash with or without the #
 * @param {{ samples: string[], methods: import('./pkg/index.js').MethodSpec[] }} known
 * @returns {State | null} null where there is nothing to restore
 */
export function fromHash(hash, { samples, methods }) {
  const text = hash.replace(/^#/, '');
  if (!text || text.length > LONGEST) return null;
  const parts = new URLSearchParams(text);
  const one = (/** @type {string} */ name) => parts.get(name)?.slice(0, 200) || undefined;
  const spec = methods.find(({ id }) => id === one('method'));
  const photo = samples.find((file) => file === one('photo'));
  /** @type {State} */
  const state = { options: {}, looks: {} };
  const [model, layer, target] = [one('model'), one('layer'), one('target')];
  if (model) state.model = model;
  if (photo) state.photo = photo;
  if (spec) state.method = spec.id;
  if (layer) state.layer = layer;
  if (target && /^\d{1,6}((-not-\d{1,6})|(-or-\d{1,6})+)?$/.test(target)) {
    const classes = (target.match(/\d+/g) ?? []).map(Number);
    const group = [...new Set(classes)];
    const [a = 0, b = 0] = classes;
    state.target = target.includes('not') ? { contrast: [a, b] } : group.length > 1 ? { group } : a;
  }
  for (const option of spec?.options ?? []) {
    const value = one(`option.${option.id}`);
    if (value === undefined || option.type === 'tensor') continue;
    if (option.type === 'boolean') {
      if (value === 'true' || value === 'false') state.options[option.id] = value === 'true';
    } else if (option.type === 'choice' || option.type === 'baseline') {
      if (option.choices?.includes(value)) state.options[option.id] = value;
    } else {
      const number = Number(value);
      const whole = option.type === 'number' || Number.isInteger(number);
      if (Number.isFinite(number) && whole && number >= (option.min ?? -Infinity) && number <= (option.max ?? Infinity))
        state.options[option.id] = number;
    }
  }
  for (const [name, value] of parts) if (/^look\.\w+$/.test(name)) state.looks[name.slice(5)] = value.slice(0, 40);
  const kind = KINDS.find((k) => k === one('compare'));
  if (kind) {
    const list = (/** @type {string} */ name) =>
      [...new Set(parts.getAll(name))].slice(0, MOST).map((entry) => entry.slice(0, 200));
    state.comparison = { kind, rows: list('row'), columns: list('column'), shared: one('shared') === '1' };
  }
  return state;
}
