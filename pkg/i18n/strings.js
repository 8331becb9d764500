// @ts-check
// The package's texts by language. English is part of the package; every other language is one
// file, fetched when it is first asked for.

import { SightlineError } from '../util/errors.js';
import { methods, warnings } from '../wasm/registry.js';
import { describeStrings, exportStrings, texts } from './en.js';

/** @typedef {import('../index.js').Strings} Strings */
/** @typedef {import('../element/strings.js').OwnStrings} ElementStrings */
/**
 * What the file of a language exports.
 * @typedef {{ strings: Strings, element: ElementStrings }} Translation
 */

/**
 * The languages besides English. A new one is a file with the keys of de.js, and a line here.
 * @type {Record<string, () => Promise<Translation>>}
 */
const translations = { de: () => import('./de.js') };

/** What the core says of its methods, by key. */
function methodTexts() {
  /** @type {Record<string, string>} */
  const named = {};
  for (const { id, summary, caveat, cost, citation, options } of methods) {
    Object.assign(named, {
      [`method.${id}.summary`]: summary,
      [`method.${id}.caveat`]: caveat,
      [`method.${id}.cost`]: cost,
      [`method.${id}.citation`]: citation,
    });
    for (const { id: option, help, unit, choices = [] } of options) {
      named[`method.${id}.option.${option}`] = help;
      if (unit) named[`method.${id}.option.${option}.unit`] = unit;
      for (const choice of choices) named[`choice.${choice}`] = choice.replaceAll('_', ' ');
    }
  }
  return named;
}

/** @type {Strings} */
export const english = { ...describeStrings, ...exportStrings, texts: { ...methodTexts(), ...warnings, ...texts } };

/** The nearest language that there is, as a BCP 47 tag. @param {string} tag of BCP 47 */
export function nearest(tag) {
  const name = String(tag).toLowerCase().split('-')[0] ?? '';
  return Object.hasOwn(translations, name) ? name : 'en';
}

/** The file of the nearest language; undefined for English. @param {string} tag of BCP 47 */
export async function translation(tag) {
  const language = nearest(tag);
  try {
    return await translations[language]?.();
  } catch (cause) {
    throw new SightlineError(
      'network',
      `the texts of the language "${language}" could not be fetched: check the connection and try again`,
      {
        cause,
      },
    );
  }
}

/**
 * The texts in the closest available language, English or German. What a language has no text for
 * stays English.
 * @param {string} language a BCP 47 tag
 * @returns {Promise<Strings>} rejects with `network` where a language's file cannot be fetched
 */
export async function stringsFor(language) {
  const { strings } = (await translation(language)) ?? { strings: english };
  return { ...english, ...strings, texts: { ...english.texts, ...strings.texts } };
}
