// @ts-check
// What only <sightline-explainer> says, in English. Another language has it in its file in
// ../i18n/.

import { nearest, english as shared, stringsFor, translation } from '../i18n/strings.js';

/** @typedef {typeof own} OwnStrings */
/**
 * `shared`: the texts of the whole package.
 * @typedef {OwnStrings & { shared: PackageStrings }} Strings
 */
/** @typedef {import('../index.js').Strings} PackageStrings */

const own = {
  locale: 'en',
  /** The heading of the embed page. */
  page: 'Sightline: where the model looked',
  working: 'Working',
  stages: {
    download: 'Downloading the model',
    wasm: 'Loading the program',
    device: 'Starting the device',
    weights: 'Loading the weights',
  },
  compute: 'Computing {method}',
  cancel: 'Cancel',
  retry: 'Try again',
  caption: '{method} for {target}',
  predicted: 'The model says {prediction}.',
  speaks: 'Higher values speak for the class.',
  matters: 'The score depends more on places with higher values.',
  both: 'Positive values speak for the class, negative ones against it.',
  clipped: 'The scale ends at the {percentile}th percentile.',
  empty: 'This map has nothing to show on this scale.',
  scale: 'Colour scale from {lo} to {hi}',
  photo: 'Photo',
  heatmap: '{alt}: {caption}. {sentence}',
  method: 'Method',
  classes: 'Class',
  opacity: 'Opacity',
  colours: 'Colours',
  save: 'Save as PNG',
  ask: 'The model sees {prediction}. Where must it have looked for {target}? Paint there, then show the map.',
  askSaved: 'Where must the model have looked for {target}? Paint there, then show the map.',
  keys: 'Arrow keys move the brush, space paints, shift and arrow keys paint on the way, delete erases, plus and minus change the size.',
  area: 'Area to paint on',
  at: 'Row {row}, column {column} of {of}: {painted}',
  painted: 'painted',
  unpainted: 'not painted',
  brush: 'Brush',
  erase: 'Erase',
  clear: 'Clear',
  reveal: 'Show the map',
  again: 'Paint again',
  score:
    'Your area is {area} of what the model saw and holds {share} of the positive attribution; an area of this size placed at random would hold {area} on average. Overlap with the strongest {top} (intersection over union): {iou}.',
  noScore: 'This map has no positive value, so there is nothing to compare with.',
};

/** @type {Strings} */
export const english = { ...own, shared };

/** By language; each is put together once. @type {Map<string, Promise<Strings>>} */
const languages = new Map([['en', Promise.resolve(english)]]);

/**
 * The strings in the closest available language.
 * @param {string} tag of BCP 47
 * @returns {Promise<Strings>}
 */
export function elementStrings(tag) {
  const language = nearest(tag);
  const strings = languages.get(language) ?? translate(language);
  languages.set(language, strings);
  // What could not be fetched is asked for anew next time.
  strings.catch(() => languages.delete(language));
  return strings;
}

/** @param {string} language @returns {Promise<Strings>} */
async function translate(language) {
  const [file, shared] = await Promise.all([translation(language), stringsFor(language)]);
  return { ...own, ...file?.element, shared };
}
