// @ts-check
// The embed page's options: what its query string may say. Anyone can write one, so every value is
// checked, and nothing that chooses where programs are loaded from is among them.

import { covered, reach } from './policy.js';

/** What was wrong, for people. */
export class OptionError extends Error {}

/**
 * @typedef {(text: string) => string} Check gives what the attribute is set to; throws what it must
 *   be
 */

/** @param {string} must @param {RegExp} pattern @returns {Check} */
const matching = (must, pattern) => (text) => {
  if (!pattern.test(text)) throw new OptionError(must);
  return text;
};
/** @param {string[]} choices @returns {Check} */
const choice =
  (...choices) =>
  (text) => {
    if (!choices.includes(text)) throw new OptionError(`one of ${choices.join(', ')}`);
    return text;
  };
/** @param {number} low @param {number} high @returns {Check} */
const number = (low, high) => (text) => {
  if (!/^\d+(\.\d+)?$/.test(text) || Number(text) < low || Number(text) > high)
    throw new OptionError(`a number from ${low} to ${high}`);
  return text;
};
/** @param {number} most @returns {Check} */
const words = (most) => (text) => {
  if (text.length > most) throw new OptionError(`at most ${most} characters`);
  return text;
};
/** @param {string} text @param {string} [base] */
function parsed(text, base) {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}
/** An address of the web, or one below the embed page. @type {Check} */
const address = (text) => {
  const url = parsed(text, document.baseURI);
  if (
    !text ||
    !url ||
    text.length > 2000 ||
    !['http:', 'https:'].includes(url.protocol) ||
    url.username ||
    url.password
  )
    throw new OptionError('an address that begins with https: or http:, or one relative to this page');
  return url.href;
};
/** @type {Check} */
const flag = (text) => {
  if (!['', '1', 'true'].includes(text)) throw new OptionError('empty, 1 or true');
  return '';
};
/** @type {Check} */
const model = (text) => {
  if (text.length <= 200 && /^[\w.-]+(\/[\w.-]+)?$/.test(text) && !text.startsWith('.')) return text;
  return address(text);
};
/** @type {Check} */
const json = (text) => {
  try {
    const value = JSON.parse(text);
    if (text.length <= 2000 && typeof value === 'object' && value !== null && !Array.isArray(value)) return text;
  } catch {
    // Said below.
  }
  throw new OptionError('a JSON object of at most 2000 characters');
};
/** Who is told results. @type {Check} */
const origin = (text) => {
  const url = parsed(text);
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.origin !== text)
    throw new OptionError('an origin such as https://course.example, without a path');
  return text;
};

/** @type {Record<string, Check>} */
const CHECKS = {
  src: address,
  saved: address,
  poster: address,
  model,
  method: matching('a method’s id', /^[a-z][a-z\d_]{0,60}$/),
  target: words(200),
  layer: words(200),
  options: json,
  device: choice('auto', 'webgpu', 'cpu'),
  alt: words(1000),
  caption: words(1000),
  controls: flag,
  predict: flag,
  locked: matching('method, target and look, or some of them', /^((method|target|look)( |$))*$/),
  loading: choice('eager', 'lazy'),
  theme: choice('light', 'dark'),
  lang: matching('a language tag', /^[a-z]{2,3}(-[a-z\d]{2,8}){0,3}$/i),
  colormap: matching('a colour map’s id', /^[a-z][a-z-]{0,40}$/),
  opacity: number(0, 1),
  scale: choice('positive', 'symmetric'),
  interpolation: choice('smooth', 'cells'),
  top: number(1, 100),
  origin,
};

/**
 * Reads a query string.
 * @param {string} query
 * @returns {{ attributes: Record<string, string>, caption?: string, origin?: string }} `attributes`
 *   are the element's
 */
export function readOptions(query) {
  if (query.length > 20_000) throw new OptionError('The query string is too long.');
  /** @type {Record<string, string>} */
  const found = {};
  for (const [name, text] of new URLSearchParams(query)) {
    const check = Object.hasOwn(CHECKS, name) ? CHECKS[name] : undefined;
    const shown = name.slice(0, 40);
    if (!check) throw new OptionError(`There is no option “${shown}”; there are ${Object.keys(CHECKS).join(', ')}.`);
    if (Object.hasOwn(found, name)) throw new OptionError(`The option “${shown}” is given twice.`);
    try {
      found[name] = check(text);
    } catch (error) {
      throw new OptionError(`The option “${shown}” must be ${error instanceof Error ? error.message : ''}.`);
    }
  }
  const { caption, origin, ...attributes } = found;
  if (attributes.src === undefined && attributes.saved === undefined)
    throw new OptionError('Name a photo or a saved attribution: embed.html?src=… or embed.html?saved=…');
  return { attributes, ...(caption === undefined ? {} : { caption }), ...(origin === undefined ? {} : { origin }) };
}

/**
 * Which address among the options the page's policy does not let it fetch, in words; undefined
 * where it reaches all of them.
 * @param {Record<string, string>} attributes
 * @param {string} policy
 * @param {string} page its own address
 */
export function unreachable(attributes, policy, page) {
  const hosts = reach(policy);
  const own = new URL(page).origin;
  for (const name of ['src', 'saved', 'poster', 'model']) {
    const url = parsed(attributes[name] ?? '');
    if (!url || url.origin === own || covered(hosts, url)) continue;
    return `The option “${name}” is on ${url.host}, which is none of the hosts that this page can reach (its own site${hosts.map((host) => `, ${host}`).join('')}). Nothing was requested. Put the file on this site, or add “${url.origin}” to “hosts” in models/models.json and build the page again.`;
  }
  return undefined;
}
