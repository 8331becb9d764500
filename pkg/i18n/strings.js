// @ts-check
// What the package says, by language: the sentence below a map, the texts in a saved picture, and what went wrong. A further language is one more
// object with the same keys and `{names}`. Messages of errors and warnings are English; here is what they mean, by their codes.

/** The English templates; `{name}` is replaced. A translation has the same keys and placeholders. @type {import('../index.js').DescribeStrings} */
export const describeStrings = {
  locale: 'en',
  share: '{percent} %',
  more: 'more than 99 %',
  less: 'less than 1 %',
  class: '“{a}”',
  contrast: '“{a}” and not “{b}”',
  group: 'any of {list}',
  about: ' for {target}',
  parts: { positive: 'the positive attribution{about}', negative: 'the negative attribution{about}', all: 'the attribution{about}' },
  seen: 'of what the model saw',
  photo: 'of the photo',
  map: 'of the map',
  ninths: [
    'in the upper left ninth',
    'in the upper middle ninth',
    'in the upper right ninth',
    'in the middle left ninth',
    'in the central ninth',
    'in the middle right ninth',
    'in the lower left ninth',
    'in the lower middle ninth',
    'in the lower right ninth',
  ],
  rows: ['in the upper third', 'in the middle third from top to bottom', 'in the lower third'],
  columns: ['in the left third', 'in the middle third from left to right', 'in the right third'],
  most: '{share} of {part} lies {region} {whole}',
  spread: '{part} is spread out: no third {whole} holds half of it, and the most, {share}, lies {region}',
  spot: 'the strongest spot, one of {columns} × {rows} cells, has its middle at {right} of the width and {down} of the height',
  spots: 'its strongest value is reached in {count} of {columns} × {rows} cells',
  uniform: 'the value is the same everywhere',
  join: '{a}; {b}.',
  end: '{a}.',
  balance: '{share} of all magnitude is negative',
  none: 'no attribution is positive.',
  empty: 'The map is zero everywhere: it marks nothing.',
  invalid: '{count} of {cells} values are not finite numbers and are left out.',
  nothing: 'The map has no finite number.',
};

/** @type {import('../index.js').ExportStrings} */
export const exportStrings = {
  image: 'Photo',
  percentile: 'The scale ends at percentile {percentile}: {share} of the values lie beyond.',
  threshold: 'Shown: the largest values, on {share} of the map.',
  contours: 'Lines at {levels}.',
  shared: 'One scale for all maps.',
  blank: 'Nothing to show on this scale.',
  title: '{method} for {target}{at}',
  method: '{method}{at}',
  at: ' at {layer}',
  model: 'Model {id} ({architecture}), SHA-256 {sha256}.',
  options: 'Options: {options}.',
  logProbability: 'Of the log probability.',
  version: 'Sightline {version}.',
};

/** @type {Record<import('../index.js').ErrorCode, string>} */
const errors = {
  'unsupported-image': 'The picture cannot be read.',
  'image-too-large': 'The picture is too large.',
  'bad-model': 'The model cannot be used.',
  'unsupported-architecture': 'This kind of model is not supported.',
  'bad-option': 'A setting is wrong.',
  unsupported: 'This does not work on this model.',
  'device-unavailable': 'The device is not available.',
  'device-lost': 'The device was lost.',
  'out-of-memory': 'There is not enough memory.',
  aborted: 'It was cancelled.',
  network: 'Something could not be fetched.',
  quota: 'There is not enough storage.',
  internal: 'Something went wrong.',
};

/** What is said in English needs no translation of its warnings. @type {import('../index.js').Strings} */
const en = {
  ...describeStrings,
  ...exportStrings,
  classFree: {
    eigen_cam: 'Places with higher values stand out more to the layer.',
    raw_attention: 'Higher values are looked at more.',
    attention_rollout: 'From higher values more attention arrives.',
    token_cut: 'Positive values are the part that stands out, negative ones the rest.',
  },
  errors,
  warnings: {},
};

/** @type {import('../index.js').Strings} */
const de = {
  locale: 'de',
  share: '{percent} %',
  more: 'mehr als 99 %',
  less: 'weniger als 1 %',
  class: '„{a}“',
  contrast: '„{a}“ und nicht „{b}“',
  group: 'eine der Klassen {list}',
  about: ' für {target}',
  parts: { positive: 'der positiven Attribution{about}', negative: 'der negativen Attribution{about}', all: 'der Attribution{about}' },
  seen: 'dessen, was das Modell sah',
  photo: 'des Fotos',
  map: 'der Karte',
  ninths: [
    'im linken oberen Neuntel',
    'im mittleren oberen Neuntel',
    'im rechten oberen Neuntel',
    'im linken mittleren Neuntel',
    'im mittleren Neuntel',
    'im rechten mittleren Neuntel',
    'im linken unteren Neuntel',
    'im mittleren unteren Neuntel',
    'im rechten unteren Neuntel',
  ],
  rows: ['im oberen Drittel', 'im waagerechten mittleren Drittel', 'im unteren Drittel'],
  columns: ['im linken Drittel', 'im senkrechten mittleren Drittel', 'im rechten Drittel'],
  most: '{share} {part} liegen {region} {whole}',
  spread: 'breite Verteilung {part}: kein Drittel enthält die Hälfte davon, und das meiste, {share}, liegt {region} {whole}',
  spot: 'die stärkste Stelle, eine von {columns} × {rows} Zellen, hat ihre Mitte bei {right} der Breite und {down} der Höhe',
  spots: 'der stärkste Wert kommt in {count} von {columns} × {rows} Zellen vor',
  uniform: 'der Wert ist überall gleich',
  join: '{a}; {b}.',
  end: '{a}.',
  balance: '{share} aller Beträge sind negativ',
  none: 'keine Attribution ist positiv.',
  empty: 'Die Karte ist überall null: Sie markiert nichts.',
  invalid: '{count} von {cells} Werten sind keine endlichen Zahlen und bleiben außer Acht.',
  nothing: 'Die Karte hat keine endliche Zahl.',

  image: 'Foto',
  percentile: 'Die Skala endet beim Perzentil {percentile}: {share} der Werte liegen darüber hinaus.',
  threshold: 'Gezeigt sind die größten Werte, auf {share} der Karte.',
  contours: 'Linien bei {levels}.',
  shared: 'Eine Skala für alle Karten.',
  blank: 'Auf dieser Skala ist nichts zu zeigen.',
  title: '{method} für {target}{at}',
  method: '{method}{at}',
  at: ' in {layer}',
  model: 'Modell {id} ({architecture}), SHA-256 {sha256}.',
  options: 'Optionen: {options}.',
  logProbability: 'Vom Logarithmus der Wahrscheinlichkeit.',
  version: 'Sightline {version}.',

  classFree: {
    eigen_cam: 'Stellen mit höheren Werten fallen der Schicht stärker auf.',
    raw_attention: 'Höhere Werte werden stärker betrachtet.',
    attention_rollout: 'Von höheren Werten kommt mehr Aufmerksamkeit an.',
    token_cut: 'Positive Werte sind der Teil, der heraussticht, negative der Rest.',
  },
  errors: {
    'unsupported-image': 'Das Bild lässt sich nicht lesen.',
    'image-too-large': 'Das Bild ist zu groß.',
    'bad-model': 'Das Modell lässt sich nicht verwenden.',
    'unsupported-architecture': 'Diese Art von Modell wird nicht unterstützt.',
    'bad-option': 'Eine Einstellung stimmt nicht.',
    unsupported: 'Das geht mit diesem Modell nicht.',
    'device-unavailable': 'Das Gerät steht nicht zur Verfügung.',
    'device-lost': 'Das Gerät ging verloren.',
    'out-of-memory': 'Der Speicher reicht nicht.',
    aborted: 'Es wurde abgebrochen.',
    network: 'Etwas ließ sich nicht laden.',
    quota: 'Der Speicherplatz reicht nicht.',
    internal: 'Etwas ging schief.',
  },
  warnings: {
    'non-finite': 'Manche Werte sind keine endlichen Zahlen und stehen hier als 0.',
    'zero-map': 'Jeder Wert ist 0: Die Bewertung ändert sich nicht mit dem, was diese Methode betrachtet.',
    disconnected: 'Jeder Wert ist 0: In die Bewertung geht nicht ein, was diese Methode betrachtet.',
    'dead-relu': 'Jeder Wert ist 0: Keine Einheit dieser Schicht ist hier aktiv.',
    saturated: 'Jeder Wert ist 0: Auf dem Rückweg von der Bewertung wird der Gradient 0.',
    cancelled: 'Jeder Wert ist 0, obwohl Aktivierungen und Gradienten es nicht sind: Die Regel dieser Methode hebt sie hier auf.',
    'constant-map': 'Alle Werte sind gleich: Die Karte sagt nichts darüber, wo.',
    partial: 'Vorzeitig beendet: eine Schätzung.',
    'attention-sink':
      'Ein großer Teil der Karte liegt auf wenigen auffälligen Patches; sie stehen oft für das ganze Foto und nicht für ihren Ort.',
    underdetermined: 'Die Stichprobe unterscheidet nicht alle Superpixel; was sie offen lässt, ist gleichmäßig verteilt.',
    incomplete: 'Die Attribution verfehlt die Differenz der Bewertungen um mehr als die Toleranz.',
    quota: 'Das Modell ist geöffnet, aber nicht für das nächste Mal aufbewahrt: Der Speicherplatz reicht nicht.',
    internal: 'Das Modell ist geöffnet, aber nicht für das nächste Mal aufbewahrt.',
  },
};

const languages = { en, de };

/** The nearest language that there is. @param {string} tag of BCP 47 @returns {keyof typeof languages} */
export function nearest(tag) {
  const name = tag.toLowerCase().split('-')[0] ?? '';
  return Object.hasOwn(languages, name) ? /** @type {keyof typeof languages} */ (name) : 'en';
}

/** The texts of the nearest language that there is: English or German. @param {string} language a BCP 47 tag @returns {import('../index.js').Strings} */
export const stringsFor = (language) => languages[nearest(language)];

/** @param {string} template @param {Record<string, string | number>} values */
export const fill = (template, values) => template.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));

/** What a warning means, where that is said in another language than its message. @param {{ code: string, cause?: string }} warning @param {import('../index.js').Strings} strings */
export const meaning = ({ code, cause }, { warnings }) => warnings[cause ?? code] ?? warnings[code];
