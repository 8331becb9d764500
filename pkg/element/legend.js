// @ts-check
// The words around the map: its caption, the sentence, the scale, the warnings, and what failed.

import { methodOf, renderColorbar } from '../picture/render.js';
import { describe, targetWords } from '../report/describe.js';
import { english, make } from '../util/dom.js';
import { fill, numberFormat, percent, warningText } from '../util/text.js';

/** @typedef {import('../index.js').Attribution} Attribution */
/** @typedef {import('../index.js').Rendered} Rendered */
/** @typedef {import('./strings.js').Strings} Strings */
/** @typedef {import('./view.js').View} View */

/**
 * A class and its probability.
 * @param {{ label: string, probability: number }} prediction
 * @param {Strings} strings
 */
export const named = ({ label, probability }, { shared, locale }) =>
  `${fill(shared.class, { a: label })} (${percent(probability, locale)})`;

/** @param {View} view @param {Strings} strings @param {string} alt the photo in words */
export function clearLegend(view, strings, alt) {
  view.base.lang = strings.locale;
  view.legend.hidden = true;
  view.caption.textContent = '';
  view.sentence.textContent = '';
  view.map.setAttribute('aria-label', alt);
}

/**
 * @param {View} view @param {Strings} strings
 * @param {{ attribution: Attribution, rendered: Rendered, labels: import('../index.js').Labels,
 *   alt: string,
 *   first: { label: string, probability: number } | undefined }} shown `first`: the likeliest class
 */
export function dressLegend(view, strings, { attribution, rendered, labels, alt, first }) {
  view.legend.hidden = false;
  const method = methodOf(attribution);
  const name = method?.name ?? attribution.method;
  const target = targetWords(attribution.target, labels, strings.shared);
  const caption = method?.classFree ? name : fill(strings.caption, { method: name, target });
  const sentence = describe(attribution, { labels, strings: strings.shared });
  const predicted = first ? `${fill(strings.predicted, { prediction: named(first, strings) })} ` : '';
  view.caption.textContent = `${predicted}${caption}.`;
  view.sentence.textContent = sentence;
  view.map.setAttribute('aria-label', fill(strings.heatmap, { alt, caption, sentence }));

  const number = numberFormat(strings.locale, { maximumSignificantDigits: 3 });
  const [lo, hi] = [number.format(rendered.lo), number.format(rendered.hi)];
  view.lo.textContent = rendered.empty ? '' : lo;
  view.hi.textContent = rendered.empty ? '' : hi;
  view.scale.hidden = rendered.empty;
  renderColorbar(view.scale, rendered.colormap);
  view.scale.setAttribute('aria-label', fill(strings.scale, { lo, hi }));
  view.note.textContent = rendered.empty ? strings.empty : noteOf(attribution, rendered, strings);
}

/**
 * What the colours mean.
 * @param {Attribution} attribution
 * @param {Rendered} rendered
 * @param {Strings} strings
 */
function noteOf(attribution, { lo, percentile }, strings) {
  const isPositive = methodOf(attribution)?.sign === 'positive';
  const colours =
    strings.shared.texts[`method.${attribution.method}.values`] ??
    (isPositive ? strings.matters : lo < 0 ? strings.both : strings.speaks);
  return percentile < 100 ? `${colours} ${fill(strings.clipped, { percentile })}` : colours;
}

/** @param {View} view @param {Strings} strings @param {import('../index.js').Warning[]} warnings */
export function dressWarnings(view, strings, warnings) {
  view.warnings.hidden = warnings.length === 0;
  view.warnings.replaceChildren(
    ...warnings.map((warning) => make('li', {}, warningText(warning, strings.shared) ?? english(warning.message))),
  );
}

/**
 * @param {View} view
 * @param {Strings} strings
 * @param {import('../index.js').SightlineError | undefined} error
 */
export function dressError(view, strings, error) {
  view.error.hidden = !error;
  if (!error) return;
  view.error.dataset.code = error.code;
  const { texts } = strings.shared;
  view.errorText.replaceChildren(
    `${texts[`error.${error.code}`] ?? texts['error.internal']} (`,
    english(error.message),
    ')',
  );
  view.retry.textContent = strings.retry;
}
