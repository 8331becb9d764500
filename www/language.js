// @ts-check
// The page's language: which one, its texts and numbers, and what is said in it. All that is said
// is said anew in a language that is chosen later; nothing is built anew for that, so what is open,
// typed or painted stays.
import { strings as en } from './i18n/en.js';
import { SightlineError, stringsFor } from './pkg/index.js';

/** @typedef {import('./i18n/en.js').Strings} Strings */
/** @typedef {import('./pkg/index.js').Strings} PackageStrings */
/**
 * A text that holds marked parts, such as words of another language.
 * @typedef {string | (string | Node)[]} Text
 */

/** Where the choice is kept. */
const KEPT = 'sightline:language';

/**
 * English is here, every other language is fetched when it is chosen. A new one is a file in i18n/
 * with the keys of en.js, a line here, and an option of the language picker in index.html.
 */
const languages = {
  en: async () => en,
  de: async () => (await import('./i18n/de.js')).strings,
};
/** @typedef {keyof typeof languages} Language */

/** The texts of the language that is shown. @type {Strings} */
export let t = en;
/** The package's texts in the same language; set once `ready` settles. @type {PackageStrings} */
export let words;

/**
 * What writes an element's text and attributes, by the attribute's name.
 * @type {WeakMap<Element, Map<string, () => void>>}
 */
const writers = new WeakMap();

/**
 * @param {Element} element
 * @param {string} what an attribute's name, or ''
 * @param {() => void} write
 */
function write(element, what, write) {
  const all = writers.get(element) ?? new Map();
  writers.set(element, all.set(what, write));
  write();
}

/**
 * Puts a text into an element, in this language and in those that are chosen later.
 * @param {Element} element
 * @param {() => Text} text
 */
export function say(element, text) {
  write(element, '', () => {
    const said = text();
    if (typeof said === 'string') element.textContent = said;
    else element.replaceChildren(...said);
  });
}

/**
 * The same for an attribute.
 * @param {Element} element
 * @param {string} attribute
 * @param {() => string} text
 */
export const sayAs = (element, attribute, text) =>
  write(element, attribute, () => element.setAttribute(attribute, text()));

/**
 * An element with children.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Partial<HTMLElementTagNameMap[K]>} [properties]
 * @param {(string | Node)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/**
 * An element with a text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {() => Text} text @param {Partial<HTMLElementTagNameMap[K]>} [properties]
 * @returns {HTMLElementTagNameMap[K]}
 */
export function saying(tag, text, properties) {
  const element = make(tag, properties);
  say(element, text);
  return element;
}

/**
 * What an object used as a dictionary holds under a name that anyone may have chosen.
 * @template T @param {Record<string, T>} dictionary @param {string} name
 * @returns {T | undefined}
 */
export const own = (dictionary, name) => (Object.hasOwn(dictionary, name) ? dictionary[name] : undefined);

/**
 * A template with its `{names}` replaced.
 * @param {string} template
 * @param {Record<string, string | number>} values
 */
export const fill = (template, values) => parts(template, values).join('');

/**
 * The same with parts that are marked.
 * @param {string} template
 * @param {Record<string, string | number | Node>} values
 * @returns {(string | Node)[]}
 */
export const parts = (template, values) =>
  template.split(/\{(\w+)\}/).map((part, i) => {
    const value = i % 2 ? own(values, part) : part;
    return value instanceof Node ? value : String(value ?? `{${part}}`);
  });

/**
 * Words that are always English, marked if the page is in another language.
 * @param {string} text
 */
export const english = (text) => (t.locale === 'en' ? text : make('span', { lang: 'en' }, text));

/** A text of the package by its key. @param {string} key */
export const text = (key) => own(words.texts, key) ?? '';

/**
 * The same with its values: counts, other numbers, and words, which are English.
 * @param {{ key: string, values: Record<string, string | number> }} said @returns {Node}
 */
export function keyed({ key, values }) {
  const said = Object.entries(values).map(([name, value]) => [
    name,
    typeof value === 'string' ? english(value) : quantity(value),
  ]);
  return make('span', {}, ...parts(text(key), Object.fromEntries(said)));
}

/**
 * A model's title; only the built-in ones are translated.
 * @param {string} id
 * @param {string} title
 */
export const titleOf = (id, title) => own(t.models, id) ?? title;

// --- numbers -------------------------------------------------------------------------------------

/** @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();
/** @param {Intl.NumberFormatOptions} options */
function format(options) {
  const key = t.locale + JSON.stringify(options);
  const made = formats.get(key) ?? new Intl.NumberFormat(t.locale, { useGrouping: false, ...options });
  formats.set(key, made);
  return made;
}
/** In three digits. @param {number} v */
export const number = (v) =>
  v !== 0 && (Math.abs(v) >= 1e4 || Math.abs(v) < 1e-3)
    ? format({ notation: 'scientific', minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(v).replace('E', 'e')
    : format(v === 0 ? {} : { minimumSignificantDigits: 3, maximumSignificantDigits: 3 }).format(v);
/** @param {number} v @param {number} digits behind the point */
export const fixed = (v, digits) => format({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(v);
/** A count as it is, any other number in three digits. @param {number} v */
const quantity = (v) => (Number.isInteger(v) ? fixed(v, 0) : number(v));
/** @param {number} share */
export const percent = (share) => format({ style: 'percent', maximumFractionDigits: 1 }).format(share);
/** @param {number} bytes */
export const size = (bytes) => (bytes < 1e5 ? `${fixed(bytes / 1e3, 1)} kB` : `${fixed(bytes / 1e6, 1)} MB`);
/** @param {string} iso */
export const date = (iso) => new Intl.DateTimeFormat(t.locale, { dateStyle: 'medium' }).format(new Date(iso));

// --- index.html ----------------------------------------------------------------------------------

/**
 * Writes the text around an element's children, which stay where they are: `{1}` is the first; in
 * front of them where none is named.
 * @param {Element} element
 * @param {string} template
 */
function weave(element, template) {
  const children = [...element.children];
  let texts = template.split(/\{\d\}/);
  if (texts.length === 1 && children.length) texts = [`${template} `];
  for (const node of [...element.childNodes]) if (node.nodeType === Node.TEXT_NODE) node.remove();
  texts.forEach((text, i) => {
    if (children[i]) children[i].before(text);
    else element.append(text);
  });
}

/**
 * What index.html says: a data attribute there names the text, and this the attribute that it goes
 * into; '' is the element itself.
 */
const STATIC = { string: '', label: 'aria-label', content: 'content' };
for (const [name, what] of Object.entries(STATIC))
  for (const element of document.querySelectorAll(`[data-${name}]`)) {
    const key = /** @type {keyof Strings['page']} */ (element.getAttribute(`data-${name}`));
    const put = () => (what ? element.setAttribute(what, t.page[key]) : weave(element, t.page[key]));
    writers.set(element, new Map(writers.get(element)).set(what, put));
  }

// --- choosing ------------------------------------------------------------------------------------

const picker = /** @type {HTMLSelectElement | null} */ (document.getElementById('language'));

/** @param {string | null} tag of BCP 47 @returns {Language | undefined} */
function known(tag) {
  const name = tag?.toLowerCase().split('-')[0] ?? '';
  return Object.hasOwn(languages, name) ? /** @type {Language} */ (name) : undefined;
}

/** What was chosen here before; nothing where the page may keep nothing. */
function remembered() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

/** How many were chosen: of two that are on their way, the later one is shown. */
let choices = 0;

/**
 * Says everything in a language. If its texts cannot be fetched, the page stays as it is.
 * @param {Language} language
 */
async function choose(language) {
  choices += 1;
  const choice = choices;
  try {
    const [strings, packageStrings] = await Promise.all([languages[language](), stringsFor(language)]);
    if (choice !== choices) return;
    t = strings;
    words = packageStrings;
  } catch (cause) {
    if (choice !== choices) return;
    if (picker) picker.value = t.locale;
    const message = `the texts of the language "${language}" could not be fetched: check the connection and choose it again`;
    throw new SightlineError('network', message, { cause });
  }
  document.documentElement.lang = t.locale;
  if (picker) picker.value = language;
  for (const element of document.querySelectorAll('*'))
    for (const write of writers.get(element)?.values() ?? []) write();
}

/** What the picker asks for, which is remembered. @param {string} value */
export async function pick(value) {
  const language = known(value) ?? 'en';
  await choose(language);
  try {
    localStorage.setItem(KEPT, language);
  } catch {
    // Chosen for as long as the page is open.
  }
  const url = new URL(location.href);
  if (!url.searchParams.has('lang')) return;
  url.searchParams.set('lang', language);
  history.replaceState(null, '', url);
}

/** The English texts are there: the page can begin. */
export const ready = choose('en');
const wanted = [new URLSearchParams(location.search).get('lang'), remembered(), ...navigator.languages]
  .map(known)
  .find(Boolean);
/** What this visitor reads is shown. The page begins without it, and says everything anew then. */
export const greeted = wanted && wanted !== 'en' ? ready.then(() => choose(wanted)) : ready;
