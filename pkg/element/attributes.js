// @ts-check
// What the attributes of <sightline-explainer> ask for.

import { COLORMAPS } from '../picture/colormaps.js';
import { addressOf as parse } from '../util/address.js';
import { SightlineError } from '../util/errors.js';
import { quote } from '../util/quote.js';

/** What is computed follows from these; a change starts again. */
export const ASKS = [
  'src',
  'saved',
  'model',
  'device',
  'asset-base-url',
  'method',
  'target',
  'layer',
  'options',
  'predict',
  'loading',
];
/** These change only what it looks like. */
export const LOOKS = [
  'alt',
  'poster',
  'controls',
  'locked',
  'theme',
  'lang',
  'colormap',
  'opacity',
  'scale',
  'interpolation',
  'top',
];
const BOOLEAN = ['controls', 'predict'];
/** The property `saved` may also be an object, and `lang` is HTML's own. */
const NOT_REFLECTED = ['saved', 'lang'];

/** The property of an attribute. @param {string} name */
const camel = (name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());

/** Gives a class the properties that reflect its attributes. @param {typeof HTMLElement} type */
export function reflect(type) {
  for (const name of [...ASKS, ...LOOKS]) {
    if (NOT_REFLECTED.includes(name)) continue;
    const isBoolean = BOOLEAN.includes(name);
    Object.defineProperty(type.prototype, camel(name), {
      configurable: true,
      enumerable: true,
      /** @this {HTMLElement} */
      get() {
        return isBoolean ? this.hasAttribute(name) : (this.getAttribute(name) ?? '');
      },
      /**
       * As frameworks set them: true and false switch, an object is JSON, nothing removes.
       * @this {HTMLElement} @param {unknown} value
       */
      set(value) {
        if (value === null || value === undefined || value === false) this.removeAttribute(name);
        else if (value === true) this.setAttribute(name, '');
        else if (isBoolean) this.toggleAttribute(name, Boolean(value));
        else
          this.setAttribute(
            name,
            typeof value === 'object' && !(value instanceof URL) ? JSON.stringify(value) : String(value),
          );
      },
    });
  }
}

/**
 * Sets properties again that were set before the element was defined.
 * @param {HTMLElement} element
 */
export function upgrade(element) {
  for (const name of [...ASKS, ...LOOKS].map(camel)) {
    if (!Object.hasOwn(element, name)) continue;
    const value = Reflect.get(element, name);
    Reflect.deleteProperty(element, name);
    Reflect.set(element, name, value);
  }
}

/** Whether a saved attribution is given itself, not its address. @param {string} text */
export const isJson = (text) => text.trimStart().startsWith('{');

/**
 * The address that an attribute gives.
 * @param {HTMLElement} element
 * @param {string} name
 * @returns {URL}
 */
export function addressOf(element, name) {
  return parse(element.getAttribute(name) ?? '', name, document.baseURI);
}

/**
 * The model: a listed one's id, a hub's name (`owner/name`), or an address.
 * @param {string} text @returns {import('../index.js').ModelSource}
 */
export function modelOf(text) {
  if (/^([a-z][a-z\d+.-]*:|[./])/i.test(text)) return { url: parse(text, 'model', document.baseURI).href };
  return text.includes('/') ? { hub: text } : text;
}

/**
 * The target: a class index or label; `3 not 5`: why class 3 and not 5; `3 or 5`: why any of these.
 * @param {string} text @param {string[]} labels @returns {import('../index.js').Target | undefined}
 */
function targetOf(text, labels) {
  const wanted = text.trim();
  if (!wanted) return undefined;
  if (/^\d{1,7}$/.test(wanted)) return Number(wanted);
  const [, a, b] = /^(\d{1,7}) not (\d{1,7})$/.exec(wanted) ?? [];
  if (a !== undefined && b !== undefined) return { contrast: [Number(a), Number(b)] };
  if (/^\d{1,7}( or \d{1,7})+$/.test(wanted)) return { group: wanted.split(' or ').map(Number) };
  const at = labels.findIndex((label) => label.toLowerCase() === wanted.toLowerCase());
  if (at < 0)
    throw new SightlineError(
      'bad-option',
      `target: "${quote(wanted)}" is neither a class index nor a label of this model; give one of them`,
    );
  return at;
}

/** The method's options. @param {HTMLElement} element @returns {Record<string, unknown>} */
function optionsOf(element) {
  const text = element.getAttribute('options');
  if (!text) return {};
  /** @type {unknown} */
  let options;
  try {
    options = JSON.parse(text);
  } catch (cause) {
    throw new SightlineError('bad-option', 'options: not valid JSON; give an object, such as {"nSteps": 20}', {
      cause,
    });
  }
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new SightlineError('bad-option', 'options must be an object, such as {"nSteps": 20}');
  return { ...options };
}

/**
 * What the model is asked: a method, a target, a layer and options.
 * @param {HTMLElement} element @param {import('../index.js').Info['model']} model
 * @param {import('../index.js').Classification['predictions']} predictions
 * @returns {import('../index.js').AttributeOptions}
 */
export function requestOf(element, { labels, methods, layers }, predictions) {
  const usual = methods.includes('grad_cam') ? 'grad_cam' : methods[0];
  const method = /** @type {import('../index.js').MethodId} */ (element.getAttribute('method') || usual);
  const target = targetOf(element.getAttribute('target') ?? '', labels) ?? predictions[0]?.index;
  const layer = element.getAttribute('layer');
  if (layer && layer !== 'all' && !layers.some(({ id }) => id === layer)) {
    const ids = layers.map(({ id }) => id).join(', ');
    throw new SightlineError(
      'bad-option',
      `layer: this model has no "${quote(layer)}"; give one of its layers, ${quote(ids, 400)}`,
    );
  }
  return {
    ...optionsOf(element),
    method,
    ...(target === undefined ? {} : { target }),
    ...(layer ? { layer } : {}),
  };
}

/** Attributes that a result does not depend on: they say when it is computed and shown. */
const WHEN = ['loading', 'predict'];

/**
 * All that a result depends on, as one text.
 * @param {HTMLElement} element
 * @param {string | object | null} saved
 */
export const askedBy = (element, saved) =>
  JSON.stringify([...ASKS.filter((name) => !WHEN.includes(name)).map((name) => element.getAttribute(name)), saved]);

/**
 * Its own language, or that of what it stands in.
 * @param {HTMLElement} element
 * @returns {string} a BCP 47 tag
 */
export function languageOf(element) {
  const around = /** @type {HTMLElement | null} */ (element.closest('[lang]'));
  return element.lang || around?.lang || document.documentElement.lang || 'en';
}

/**
 * How the map is painted.
 * @param {HTMLElement} element
 * @returns {import('../index.js').RenderOptions}
 */
export function looksOf(element) {
  const colormap = element.getAttribute('colormap');
  const scale = element.getAttribute('scale');
  const opacity = Number(element.getAttribute('opacity') ?? Number.NaN);
  return {
    ...(colormap && Object.hasOwn(COLORMAPS, colormap) ? { colormap } : {}),
    ...(scale === 'positive' || scale === 'symmetric' ? { scale } : {}),
    ...(element.getAttribute('interpolation') === 'cells' ? { interpolation: 'cells' } : {}),
    ...(opacity >= 0 && opacity <= 1 ? { alpha: opacity } : {}),
  };
}

/** The strongest share (%) that the painted area is compared with. @param {HTMLElement} element */
export function topOf(element) {
  const top = Number(element.getAttribute('top') ?? 20);
  return top > 0 && top <= 100 ? top : 20;
}

/**
 * Whether a control is taken away.
 * @param {HTMLElement} element
 * @param {'method' | 'target' | 'look'} control
 */
export function isLocked(element, control) {
  const locked = element.getAttribute('locked');
  return locked !== null && (locked.trim() === '' || locked.split(/\s+/).includes(control));
}
