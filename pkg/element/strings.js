// @ts-check
// What <sightline-explainer> says beside the texts of ../i18n/strings.js, by language. A further language is one more object with the same keys.

import { nearest, stringsFor } from '../i18n/strings.js';

/** @typedef {typeof en} Strings */

const en = {
  locale: 'en',
  /** The heading of the embed page. */
  page: 'Sightline: where the model looked',
  working: 'Working',
  stages: { download: 'Downloading the model', wasm: 'Loading the program', device: 'Starting the device', weights: 'Loading the weights' },
  compute: 'Computing {method}',
  cancel: 'Cancel',
  retry: 'Try again',
  /** Those that the whole package has. */
  texts: stringsFor('en'),
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
const de = {
  locale: 'de',
  page: 'Sightline: wohin das Modell geschaut hat',
  working: 'In Arbeit',
  stages: {
    download: 'Das Modell wird geladen',
    wasm: 'Das Programm wird geladen',
    device: 'Das Gerät wird gestartet',
    weights: 'Die Gewichte werden geladen',
  },
  compute: '{method} wird berechnet',
  cancel: 'Abbrechen',
  retry: 'Noch einmal versuchen',
  texts: stringsFor('de'),
  caption: '{method} für {target}',
  predicted: 'Das Modell sagt {prediction}.',
  speaks: 'Höhere Werte sprechen für die Klasse.',
  matters: 'Von Stellen mit höheren Werten hängt die Bewertung stärker ab.',
  both: 'Positive Werte sprechen für die Klasse, negative dagegen.',
  clipped: 'Die Skala endet beim {percentile}. Perzentil.',
  empty: 'Auf dieser Skala hat die Karte nichts zu zeigen.',
  scale: 'Farbskala von {lo} bis {hi}',
  photo: 'Foto',
  heatmap: '{alt}: {caption}. {sentence}',
  method: 'Methode',
  classes: 'Klasse',
  opacity: 'Deckkraft',
  colours: 'Farben',
  save: 'Als PNG speichern',
  ask: 'Das Modell sieht {prediction}. Wohin muss es für {target} geschaut haben? Male die Stelle an und zeige dann die Karte.',
  askSaved: 'Wohin muss das Modell für {target} geschaut haben? Male die Stelle an und zeige dann die Karte.',
  keys: 'Pfeiltasten bewegen den Pinsel, die Leertaste malt, Umschalt und Pfeiltasten malen unterwegs, Entf radiert, Plus und Minus ändern die Größe.',
  area: 'Malfläche',
  at: 'Zeile {row}, Spalte {column} von {of}: {painted}',
  painted: 'bemalt',
  unpainted: 'nicht bemalt',
  brush: 'Pinsel',
  erase: 'Radieren',
  clear: 'Leeren',
  reveal: 'Karte zeigen',
  again: 'Neu malen',
  score:
    'Deine Fläche macht {area} dessen aus, was das Modell sah, und enthält {share} der positiven Attribution; eine zufällig gelegte Fläche dieser Größe enthielte im Mittel {area}. Überlappung mit den stärksten {top} (Schnitt durch Vereinigung): {iou}.',
  noScore: 'Diese Karte hat keinen positiven Wert; es gibt nichts zu vergleichen.',
};

const languages = { en, de };

/** The strings of the nearest language that there is. @param {string} language a BCP 47 tag */
export const elementStrings = (language) => languages[nearest(language)];
