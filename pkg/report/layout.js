// @ts-check
// The page of an exported picture: pictures in rows with their titles and scales, and texts below.

import { table } from '../picture/colormaps.js';
import { SightlineError } from '../util/errors.js';
import { fill, numberFormat, shortNumber } from '../util/text.js';

/**
 * @typedef {import('../index.js').DescribeStrings & import('../index.js').ExportStrings} Strings
 */
/** @typedef {import('../index.js').Rendered} Rendered */
/**
 * `slot`: its place in the grid, row by row.
 * @typedef {{ picture: OffscreenCanvas, title: string, rendered: Rendered | null, slot: number }}
 *   Tile
 */

/** Of one picture, at least and at most; of each of several. */
export const WIDTHS = { one: 440, most: 1280, several: 360 };
const PAPER = '#ffffff';
export const INK = '#1c1d21';
export const SOFT = '#55565e';

/** @param {Rendered} rendered @param {Strings} strings */
function notes({ percentile, clipped, threshold, contours, empty }, strings) {
  const number = numberFormat(strings.locale, { maximumSignificantDigits: 2 });
  const share = (/** @type {number} */ v) => fill(strings.share, { percent: number.format(v * 100) });
  return [
    ...(empty ? [strings.blank] : []),
    ...(percentile < 100 && clipped > 0
      ? [fill(strings.percentile, { percentile: String(percentile), share: share(clipped) })]
      : []),
    ...(threshold ? [fill(strings.threshold, { share: share(threshold.kept) })] : []),
    ...(contours.length
      ? [fill(strings.contours, { levels: contours.map((v) => shortNumber(v, strings.locale)).join(', ') })]
      : []),
  ].join(' ');
}

/** @param {number} tiles */
export const columnsFor = (tiles) => (tiles <= 3 ? tiles : Math.ceil(Math.sqrt(tiles)));

/**
 * The pictures in rows, each with its title and legend, and the texts below.
 * @param {Tile[]} tiles
 * @param {{ legend: boolean, columns: number, shared: boolean, texts: { text: string, colour:
 *   string }[], strings: Strings }} options
 */
export function layOut(tiles, { legend, columns, shared, texts, strings }) {
  const one = tiles.length === 1;
  const tile = one ? Math.max(WIDTHS.one, tiles[0]?.picture.width ?? 0) : WIDTHS.several;
  const size = one ? Math.max(14, Math.round(tile / 50)) : 14;
  const [gap, line, bar] = [size, Math.round(size * 1.4), Math.round(size * 0.9)];
  const width = columns * tile + (columns + 1) * gap;
  const measure = new OffscreenCanvas(1, 1).getContext('2d');
  if (!measure)
    throw new SightlineError('out-of-memory', 'the browser could not create a canvas; close other pages first');
  const font = (/** @type {boolean} */ bold) => `${bold ? '600 ' : ''}${size}px system-ui, sans-serif`;
  const wrap = (/** @type {string} */ text, /** @type {number} */ room, bold = false) => {
    measure.font = font(bold);
    return wrapped(text, (part) => measure.measureText(part).width <= room);
  };

  const heights = tiles.map(({ picture }) => Math.max(1, Math.round((picture.height * tile) / picture.width)));
  const titles = tiles.map(({ title }) => (one ? [] : wrap(title, tile, true)));
  const own = legend && !shared;
  const captions = tiles.map(({ rendered }) => (legend && rendered ? wrap(notes(rendered, strings), tile) : []));
  const scaleHeight = bar + Math.round(size * 0.4) + line;
  /** @type {{ y: number, title: number, picture: number, height: number }[]} */
  const rows = [];
  let y = gap;
  for (let first = 0; first <= (tiles.at(-1)?.slot ?? 0); first += columns) {
    const range = [...tiles.keys()].filter((i) => Math.floor((tiles[i]?.slot ?? 0) / columns) === first / columns);
    const title = Math.max(...range.map((i) => titles[i]?.length ?? 0)) * line;
    const picture = Math.max(...range.map((i) => heights[i] ?? 0));
    const below = Math.max(
      ...range.map(
        (i) =>
          (own && tiles[i]?.rendered && !tiles[i]?.rendered?.empty ? scaleHeight : 0) +
          (captions[i]?.length ?? 0) * line,
      ),
    );
    rows.push({ y, title, picture, height: title + picture + (below ? size / 2 + below : 0) });
    y += (rows.at(-1)?.height ?? 0) + gap;
  }
  const scale = shared && legend ? tiles.find(({ rendered }) => rendered && !rendered.empty)?.rendered : undefined;
  const sharedAt = y;
  if (scale) y += scaleHeight + line + gap / 2;
  const paragraphs = texts.map(({ text, colour }) => ({ colour, lines: wrap(text, width - 2 * gap) }));
  const textAt = y;
  for (const { lines } of paragraphs) y += lines.length * line + size / 3;
  if (paragraphs.length) y += gap * 0.6;

  const page = new OffscreenCanvas(width, Math.ceil(y));
  const context = page.getContext('2d');
  if (!context)
    throw new SightlineError(
      'out-of-memory',
      `the browser could not create a canvas of ${width} x ${y} pixels; export fewer maps`,
    );
  context.fillStyle = PAPER;
  context.fillRect(0, 0, page.width, page.height);
  context.textBaseline = 'top';
  context.imageSmoothingQuality = 'high';
  const write = (
    /** @type {string[]} */ lines,
    /** @type {number} */ x,
    /** @type {number} */ top,
    colour = INK,
    bold = false,
  ) => {
    context.font = font(bold);
    context.fillStyle = colour;
    lines.forEach((text, i) => context.fillText(text, x, top + i * line + (line - size) / 2));
  };
  const drawScale = (
    /** @type {import('../index.js').Rendered} */ { lo, hi, colormap },
    /** @type {number} */ x,
    /** @type {number} */ top,
    /** @type {number} */ room,
  ) => {
    const rgb = table(colormap);
    for (let i = 0; i < room; i++) {
      const at = Math.floor((i * 256) / room) * 3;
      context.fillStyle = `rgb(${rgb[at]} ${rgb[at + 1]} ${rgb[at + 2]})`;
      context.fillRect(x + i, top, 1, bar);
    }
    context.strokeStyle = SOFT;
    context.lineWidth = 1;
    context.strokeRect(x + 0.5, top + 0.5, room - 1, bar - 1);
    const under = top + bar + Math.round(size * 0.4);
    write([shortNumber(lo, strings.locale)], x, under);
    context.textAlign = 'right';
    write([shortNumber(hi, strings.locale)], x + room, under);
    context.textAlign = 'center';
    if (lo < 0 && hi > 0) write(['0'], x + (room * -lo) / (hi - lo), under);
    context.textAlign = 'left';
  };

  tiles.forEach(({ picture, rendered, slot }, i) => {
    const row = rows[Math.floor(slot / columns)];
    if (!row) return;
    const x = gap + (slot % columns) * (tile + gap);
    write(titles[i] ?? [], x, row.y, INK, true);
    const top = row.y + row.title;
    context.drawImage(picture, x, top, tile, heights[i] ?? 0);
    let below = top + row.picture + size / 2;
    if (own && rendered && !rendered.empty) {
      drawScale(rendered, x, below, tile);
      below += scaleHeight;
    }
    write(captions[i] ?? [], x, below, SOFT);
  });
  if (scale) {
    drawScale(scale, gap, sharedAt, width - 2 * gap);
    write([strings.shared], gap, sharedAt + scaleHeight, SOFT);
  }
  let at = textAt;
  for (const { lines, colour } of paragraphs) {
    write(lines, gap, at, colour);
    at += lines.length * line + size / 3;
  }
  return page;
}

/**
 * Lines that fit; words that do not are broken.
 * @param {string} text
 * @param {(part: string) => boolean} fits
 */
function wrapped(text, fits) {
  /** @type {string[]} */
  const lines = [];
  let line = '';
  for (let word of text.split(/\s+/).filter(Boolean)) {
    const longer = line ? `${line} ${word}` : word;
    if (fits(longer)) {
      line = longer;
      continue;
    }
    if (line) lines.push(line);
    while (!fits(word) && word.length > 1) {
      let n = word.length - 1;
      while (n > 1 && !fits(word.slice(0, n))) n -= 1;
      lines.push(word.slice(0, n));
      word = word.slice(n);
    }
    line = word;
  }
  return line ? [...lines, line] : lines;
}
