// @ts-check
// Templates, warnings and numbers in the words of a language.

/**
 * A template with its `{names}` replaced.
 * @param {string} template
 * @param {Record<string, string | number>} values
 */
export const fill = (template, values) =>
  template.replace(/\{(\w+)\}/g, (whole, name) =>
    Object.hasOwn(values, name) ? String(values[name] ?? whole) : whole,
  );

/**
 * What an object used as a dictionary holds under a name that anyone may have chosen.
 * @template T @param {Record<string, T>} dictionary @param {string} name
 * @returns {T | undefined}
 */
export const own = (dictionary, name) => (Object.hasOwn(dictionary, name) ? dictionary[name] : undefined);

/** Making one is slow. @type {Map<string, Intl.NumberFormat>} */
const formats = new Map();

/** @param {string} locale @param {Intl.NumberFormatOptions} [options] */
export function numberFormat(locale, options = {}) {
  const key = locale + JSON.stringify(options);
  let format = formats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(locale, options);
    formats.set(key, format);
  }
  return format;
}

/**
 * @param {number} share from 0 to 1
 * @param {string} locale
 * @param {number} [digits] behind the point, at most
 */
export const percent = (share, locale, digits = 0) =>
  numberFormat(locale, { style: 'percent', maximumFractionDigits: digits }).format(share);

/** In three digits. @param {number} value @param {string} locale */
export function shortNumber(value, locale) {
  const isFar = value !== 0 && (Math.abs(value) >= 1e4 || Math.abs(value) < 1e-3);
  if (!isFar) return numberFormat(locale, { maximumSignificantDigits: 3, useGrouping: false }).format(value);
  const scientific = numberFormat(locale, {
    notation: 'scientific',
    minimumFractionDigits: 1,
    maximumFractionDigits: 1,
    useGrouping: false,
  });
  return scientific.format(value).replace('E', 'e');
}

/**
 * What a warning says in a language; undefined if the language has no text for it, or if the
 * warning lacks values of that text, as one that was saved by an earlier version does.
 * @param {import('../index.js').Warning} warning @param {import('../index.js').Strings} strings
 */
export function warningText({ key, values }, { texts, locale }) {
  const template = own(texts, key);
  if (template === undefined) return undefined;
  const names = [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name ?? '');
  if (!names.every((name) => Object.hasOwn(values, name))) return undefined;
  const words = Object.entries(values).map(([name, value]) => [
    name,
    typeof value === 'number' ? quantity(value, locale) : value,
  ]);
  return fill(template, Object.fromEntries(words));
}

/** Counts in full, other numbers in three digits. @param {number} value @param {string} locale */
const quantity = (value, locale) =>
  Number.isInteger(value) ? numberFormat(locale, { useGrouping: false }).format(value) : shortNumber(value, locale);
