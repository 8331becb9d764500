// @ts-check
// The page's language: which one, its texts and numbers, and what is said in it. All that is said is said anew in a language that is chosen
// later; nothing is built anew for that, so what is open, typed or painted stays.
import { strings as de } from './i18n/de.js';
import { strings as en } from './i18n/en.js';

/** @typedef {import('./i18n/en.js').Strings} Strings */
/** A text that holds marked parts, such as words of another language. @typedef {string | (string | Node)[]} Text */

/** Where the choice is kept. */
const KEPT = 'sightline:language';

/** A further language is one more file in i18n/, a line here, and an option of the language picker in index.html. */
const languages = { en, de };

/** The texts of the language that is chosen. @type {Strings} */
export let t = en;

/** What writes an element's text and attributes, by the attribute's name. @type {WeakMap<Element, Map<string, () => void>>} */
const writers = new WeakMap();

/** @param {Element} element @param {string} what an attribute's name, or '' @param {() => void} write */
function write(element, what, write) {
  const all = writers.get(element) ?? new Map();
  writers.set(element, all.set(what, write));
  write();
}

/** Puts a text into an element, in this language and in those that are chosen later. @param {Element} element @param {() => Text} text */
export function say(element, text) {
  write(element, '', () => {
    const said = text();
    if (typeof said === 'string') element.textContent = said;
    else element.replaceChildren(...said);
  });
}

/** The same for an attribute. @param {Element} element @param {string} attribute @param {() => string} text */
export const sayAs = (element, attribute, text) => write(element, attribute, () => element.setAttribute(attribute, text()));

/**
 * An element with children.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Partial<HTMLElementTagNameMap[K]>} [properties] @param {(string | Node)[]} children
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

/** A template with its `{names}` replaced. @param {string} template @param {Record<string, string | number>} values */
export const fill = (template, values) => parts(template, values).join('');

/** The same with parts that are marked. @param {string} template @param {Record<string, string | number | Node>} values @returns {(string | Node)[]} */
export const parts = (template, values) =>
  template.split(/\{(\w+)\}/).map((part, i) => {
    const value = i % 2 ? values[part] : part;
    return value instanceof Node ? value : String(value ?? `{${part}}`);
  });

/** Words that are English whatever the page's language, marked as such. @param {string} text */
export const english = (text) => Object.assign(document.createElement('span'), { lang: 'en', textContent: text });

/** What the core says, which is English where the language does not know it, or what is in its brackets alone. @param {string} text @returns {string | Node} */
export function core(text) {
  const [, said, reason = ''] = /^([^(]+)\((.*)\)$/s.exec(text) ?? [];
  const frame = t.core[`${said}({reason})`];
  if (frame) return make('span', {}, ...parts(frame, { reason: english(reason) }));
  return t.core[text] ?? (t.locale === 'en' ? text : english(text));
}
/** The same where nothing can be marked. @param {string} text */
export const coreText = (text) => t.core[text] ?? text;

// --- numbers ---------------------------------------------------------------------------------------------------------------------------

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
/** @param {number} share */
export const percent = (share) => format({ style: 'percent', maximumFractionDigits: 1 }).format(share);
/** @param {number} bytes */
export const size = (bytes) => (bytes < 1e5 ? `${fixed(bytes / 1e3, 1)} kB` : `${fixed(bytes / 1e6, 1)} MB`);
/** @param {string} iso */
export const date = (iso) => new Intl.DateTimeFormat(t.locale, { dateStyle: 'medium' }).format(new Date(iso));

// --- index.html ------------------------------------------------------------------------------------------------------------------------

/** Writes the text around an element's children, which stay where they are: `{1}` is the first; in front of them where none is named. @param {Element} element @param {string} template */
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

/** What index.html says: a data attribute there names the text, and this the attribute that it goes into; '' is the element itself. */
const STATIC = { string: '', label: 'aria-label', content: 'content' };
for (const [name, what] of Object.entries(STATIC))
  for (const element of document.querySelectorAll(`[data-${name}]`)) {
    const key = /** @type {keyof Strings['page']} */ (element.getAttribute(`data-${name}`));
    const put = () => (what ? element.setAttribute(what, t.page[key]) : weave(element, t.page[key]));
    writers.set(element, new Map(writers.get(element)).set(what, put));
  }

// --- choosing --------------------------------------------------------------------------------------------------------------------------

const picker = /** @type {HTMLSelectElement | null} */ (document.getElementById('language'));

/** @param {string | null} tag of BCP 47 @returns {keyof typeof languages | undefined} */
function known(tag) {
  const name = tag?.toLowerCase().split('-')[0] ?? '';
  return Object.hasOwn(languages, name) ? /** @type {keyof typeof languages} */ (name) : undefined;
}

/** What was chosen here before; nothing where the page may keep nothing. */
function remembered() {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

/** @param {keyof typeof languages} language */
function choose(language) {
  t = languages[language];
  document.documentElement.lang = t.locale;
  if (picker) picker.value = language;
  for (const element of document.querySelectorAll('*')) for (const write of writers.get(element)?.values() ?? []) write();
}

picker?.addEventListener('change', () => {
  const language = known(picker.value) ?? 'en';
  choose(language);
  try {
    localStorage.setItem(KEPT, language);
  } catch {
    // Chosen for as long as the page is open.
  }
  const url = new URL(location.href);
  if (!url.searchParams.has('lang')) return;
  url.searchParams.set('lang', language);
  history.replaceState(null, '', url);
});

const wanted = [new URLSearchParams(location.search).get('lang'), remembered(), ...navigator.languages].map(known).find(Boolean);
if (wanted && languages[wanted] !== t) choose(wanted);
