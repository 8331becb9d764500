// @ts-check
// A sentence about a map, from its numbers alone. Without wasm, DOM or anything random: the same
// numbers give the same words.

import { describeStrings } from '../i18n/en.js';
import { isWhole } from '../picture/crop.js';
import { methodOf, toPlane } from '../picture/render.js';
import { fill, numberFormat } from '../util/text.js';

/** @typedef {import('../index.js').DescribeStrings} Strings */

/** A region is named where it holds at least this share: a ninth first, else a third. */
const HOLDS = { ninth: 0.4, third: 0.5 };

/** Where a smaller share than this lies is not told. */
const LITTLE = 0.05;

/**
 * What a map shows, in one to three sentences: where most of what is positive lies, its strongest
 * spot, and what share is negative and where. The map is the one that is painted: channels made one
 * as `toPlane` does, ninths and thirds being those of the map's area.
 * @param {import('../index.js').Describable} attribution
 * @param {{ labels?: import('../index.js').Labels, strings?: Partial<Strings>, channels?:
 *   import('../index.js').Channels }} [options]
 * @returns {string}
 */
export function describe(attribution, options = {}) {
  /** @type {Strings} */
  const strings = { ...describeStrings, ...options.strings };
  const { plane, h, w } = toPlane(attribution, options.channels);
  const cells = h * w;
  const finite = plane.map((v) => (Number.isFinite(v) ? v : 0));
  const invalid = plane.reduce((n, v) => n + (Number.isFinite(v) ? 0 : 1), 0);
  if (invalid === cells) return strings.nothing;
  const number = numberFormat(strings.locale, { useGrouping: false });
  const said = invalid ? [fill(strings.invalid, { count: number.format(invalid), cells: number.format(cells) })] : [];
  const positive = finite.map((v) => Math.max(v, 0));
  const negative = finite.map((v) => Math.max(-v, 0));
  const [up, down] = [sum(positive), sum(negative)];
  if (up + down === 0) return [...said, strings.empty].join(' ');

  const spec = methodOf(attribution);
  // Magnitudes have no sign to speak of; of a map whose method is not known, its numbers tell.
  const signed = down > 0 || (spec?.sign === 'signed' && (options.channels ?? spec.channels) !== 'max_abs');
  const { crop } = attribution;
  const whole = !crop ? strings.map : isWhole(crop) ? strings.photo : strings.seen;
  const target =
    attribution.target === undefined || isClassFree(attribution)
      ? ''
      : targetWords(attribution.target, options.labels ?? attribution.provenance?.labels ?? [], strings);
  const about = target && fill(strings.about, { target });
  const context = { h, w, whole, number, strings };
  const part = fill(up === 0 ? strings.parts.negative : signed ? strings.parts.positive : strings.parts.all, { about });
  if (up === 0) said.push(capital(strings.none));
  const mass = up === 0 ? negative : positive;
  const top = mass.reduce((a, b) => Math.max(a, b), 0);
  const count = mass.reduce((n, v) => n + (v === top ? 1 : 0), 0);
  if (count === cells) {
    said.push(capital(fill(strings.end, { a: strings.uniform })));
  } else {
    const at = mass.indexOf(top);
    const spot = fill(count === 1 ? strings.spot : strings.spots, {
      right: percent(((at % w) + 0.5) / w, context),
      down: percent((Math.floor(at / w) + 0.5) / h, context),
      count: number.format(count),
      columns: number.format(w),
      rows: number.format(h),
    });
    said.push(capital(fill(strings.join, { a: where(mass, part, context), b: spot })));
  }
  if (up > 0 && down > 0) {
    const share = down / (up + down);
    const a = fill(strings.balance, { share: percent(share, context) });
    const b = where(negative, fill(strings.parts.negative, { about: '' }), context);
    said.push(capital(share < LITTLE ? fill(strings.end, { a }) : fill(strings.join, { a, b })));
  }
  return said.join(' ');
}

/**
 * @typedef {{ h: number, w: number, whole: string, number: Intl.NumberFormat, strings: Strings }}
 *   Context
 */

/**
 * Where most of `mass` [h, w] lies. Cells across a border count on each side by their area.
 * @param {Float32Array} mass @param {string} part @param {Context} context
 */
function where(mass, part, context) {
  const { h, w, whole, strings } = context;
  const ninths = Array(9).fill(0);
  const [down, right] = [overlaps(h), overlaps(w)];
  mass.forEach((v, i) => {
    if (v === 0) return;
    const [y, x] = [Math.floor(i / w), i % w];
    for (const [row, height] of down[y] ?? [])
      for (const [column, width] of right[x] ?? []) ninths[row * 3 + column] += v * height * width;
  });
  const total = sum(ninths);
  const rows = [0, 1, 2].map((r) => sum(ninths.slice(r * 3, r * 3 + 3)) / total);
  const columns = [0, 1, 2].map((c) => (ninths[c] + ninths[c + 3] + ninths[c + 6]) / total);
  const shares = ninths.map((v) => v / total);
  const ninth = largest(shares);
  const say = (/** @type {string} */ template, /** @type {number} */ share, /** @type {string | undefined} */ region) =>
    fill(template, { share: percent(share, context), part, region: region ?? '', whole });
  if ((shares[ninth] ?? 0) >= HOLDS.ninth) return say(strings.most, shares[ninth] ?? 0, strings.ninths[ninth]);
  const thirds = [...rows, ...columns];
  const third = largest(thirds);
  const share = thirds[third] ?? 0;
  return say(share >= HOLDS.third ? strings.most : strings.spread, share, [...strings.rows, ...strings.columns][third]);
}

/**
 * For each of n cells side by side the thirds of the whole that it lies in, and its share in each.
 * @param {number} n
 * @returns {[number, number][][]}
 */
function overlaps(n) {
  return Array.from({ length: n }, (_, i) =>
    [0, 1, 2]
      .map((k) => /** @type {[number, number]} */ ([k, Math.min(i + 1, ((k + 1) * n) / 3) - Math.max(i, (k * n) / 3)]))
      .filter(([, share]) => share > 1e-9),
  );
}

/** Whether a map says nothing about a class. @param {{ method?: string }} attribution */
export const isClassFree = (attribution) => methodOf(attribution)?.classFree ?? false;

/**
 * What is explained, in words.
 * @param {import('../index.js').Target} target
 * @param {import('../index.js').Labels} labels
 * @param {Strings} strings
 */
export function targetWords(target, labels, strings = describeStrings) {
  const name = (/** @type {number} */ k) => labels[k] ?? String(k);
  if (typeof target === 'number') return fill(strings.class, { a: name(target) });
  if ('contrast' in target) return fill(strings.contrast, { a: name(target.contrast[0]), b: name(target.contrast[1]) });
  return fill(strings.group, { list: target.group.map((k) => fill(strings.class, { a: name(k) })).join(', ') });
}

/**
 * A share in words; never rounded to all or nothing.
 * @param {number} share
 * @param {Pick<Context, 'number' | 'strings'>} context
 */
function percent(share, { number, strings }) {
  const rounded = Math.round(share * 100);
  // Sums of thousands of numbers miss the whole by a little.
  if (rounded === 100 && share < 1 - 1e-9) return strings.more;
  if (rounded === 0 && share > 0) return strings.less;
  return fill(strings.share, { percent: number.format(rounded) });
}

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
/** @param {Float32Array | number[]} values */
function sum(values) {
  let total = 0;
  for (const v of values) total += v;
  return total;
}
/** The first of the largest. @param {number[]} values */
const largest = (values) => values.indexOf(Math.max(...values));
