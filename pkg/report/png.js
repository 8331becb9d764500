// @ts-check
// A picture to take away: one map or several, with their legends, their origin, and the same again
// as text in the file.

import { describeStrings, exportStrings } from '../i18n/en.js';
import { isDrawable, sizeOf } from '../picture/image.js';
import { methodOf, renderHeatmap } from '../picture/render.js';
import { SightlineError } from '../util/errors.js';
import { quote } from '../util/quote.js';
import { fill } from '../util/text.js';
import { version } from '../wasm/registry.js';
import { describe, isClassFree, targetWords } from './describe.js';
import { columnsFor, INK, layOut, SOFT, WIDTHS } from './layout.js';

/** @typedef {import('../index.js').Attribution} Attribution */
/** @typedef {import('./layout.js').Strings} Strings */

const MAX_TILES = 64;

/**
 * @param {Attribution | Attribution[]} attributions
 * @param {CanvasImageSource | ImageData | null} image
 * @param {import('../index.js').ExportOptions} [options]
 * @returns {Promise<Blob>}
 */
export async function exportPng(attributions, image, options = {}) {
  const list = Array.isArray(attributions) ? attributions : [attributions];
  const {
    what = list.length > 1 ? 'comparison' : image ? 'overlay' : 'heatmap',
    legend = true,
    provenance = true,
  } = options;
  const looks = list.map((_, i) => (Array.isArray(options.render) ? options.render[i] : options.render) ?? {});
  if (!['heatmap', 'overlay', 'comparison'].includes(what))
    throw new SightlineError('bad-option', `what must be heatmap, overlay or comparison; got "${quote(what)}"`);
  if (what !== 'heatmap' && image === null)
    throw new SightlineError('bad-option', `image: the ${what} needs the photo; pass it instead of null`);
  if (list.length < 1 || list.length > MAX_TILES)
    throw new SightlineError('bad-option', `attributions: pass 1 to ${MAX_TILES}; got ${list.length}`);
  const { columns } = options;
  if (columns !== undefined && !(Number.isInteger(columns) && columns >= 1 && columns <= MAX_TILES))
    throw new SightlineError('bad-option', `columns must be a whole number from 1 to ${MAX_TILES}`);
  /** @type {Strings} */
  const strings = { ...describeStrings, ...exportStrings, ...options.strings };
  const labelsOf = (/** @type {Attribution} */ a) => options.labels ?? a.provenance?.labels ?? [];
  const named = (/** @type {Attribution} */ a, template = strings.title) =>
    fill(isClassFree(a) ? strings.method : template, {
      method: methodOf(a)?.name ?? a.method,
      target: targetWords(a.target, labelsOf(a), strings),
      at: a.layer ? fill(strings.at, { layer: a.layer }) : '',
    });

  const photo = what === 'heatmap' || !image ? null : await fitted(image, list.length > 1 || what === 'comparison');
  const maps = list.map((attribution, i) => {
    const picture = new OffscreenCanvas(1, 1);
    const render = looks[i] ?? {};
    const rendered = photo
      ? renderHeatmap(picture, photo, attribution, render)
      : renderHeatmap(picture, null, { ...attribution, crop: null }, { ...render, alpha: 1, only: false });
    return { picture, title: options.titles?.[i] ?? named(attribution), rendered };
  });
  const shown =
    what === 'comparison' && photo ? [{ picture: photo, title: strings.image, rendered: null }, ...maps] : maps;
  // With the columns named, the photo stands before the first row of maps and nothing before the
  // others.
  const before = shown.length - maps.length;
  const across = columns ? Math.min(columns, list.length) + before : columnsFor(shown.length);
  const tiles = shown.map((tile, i) => ({
    ...tile,
    slot: columns && before && i ? i + Math.floor((i - 1) / columns) : i,
  }));

  const sentences = list.map((a, i) => {
    const { channels } = looks[i] ?? {};
    return describe(a, { labels: labelsOf(a), strings, ...(channels ? { channels } : {}) });
  });
  // The classes stand above several maps.
  const origin = originOf(list, (a) => named(a, list.length > 1 ? strings.method : strings.title), strings);
  const page = layOut(tiles, {
    legend,
    columns: across,
    shared: !Array.isArray(options.render) && Array.isArray(options.render?.scale) && list.length > 1,
    texts: [
      ...(legend && list.length === 1 ? sentences.map((text) => ({ text, colour: INK })) : []),
      ...(provenance ? origin.map((text) => ({ text, colour: SOFT })) : []),
    ],
    strings,
  });
  let blob;
  try {
    blob = await page.convertToBlob({ type: 'image/png' });
  } catch (cause) {
    throw new SightlineError(
      'unsupported-image',
      'the photo comes from another site, which does not allow reading its pixels; use the file instead',
      {
        cause,
      },
    );
  }
  const facts = maps.map(({ rendered: { place, empty, clipped, channels, ...painted } }, i) => {
    const { values, layers, details, ...rest } = /** @type {Attribution} */ (list[i]);
    return { ...rest, rendered: painted };
  });
  return withText(blob, {
    Title: list.map((a) => named(a)).join('; '),
    Description: sentences.join('\n'),
    Software: `Sightline ${list[0]?.provenance?.version ?? version}`,
    sightline: JSON.stringify(facts),
  });
}

/**
 * The photo as wide as a picture of several, or at least as wide as one alone, so that what is
 * painted on it stays sharp.
 * @param {CanvasImageSource | ImageData} image @param {boolean} several
 */
async function fitted(image, several) {
  const source = image instanceof ImageData ? await createImageBitmap(image) : image;
  if (!isDrawable(source))
    throw new SightlineError(
      'bad-option',
      'image must be an ImageBitmap, an image or canvas element, ImageData or null',
    );
  const { width, height } = sizeOf(source);
  const wide = several ? WIDTHS.several : Math.max(WIDTHS.one, Math.min(width, WIDTHS.most));
  const canvas = new OffscreenCanvas(wide, Math.max(1, Math.round((height * wide) / width)));
  const context = canvas.getContext('2d');
  if (!context)
    throw new SightlineError('out-of-memory', 'the browser could not create a canvas; close other pages first');
  context.imageSmoothingQuality = 'high';
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/**
 * Model, method, options and version; what several maps have in common once.
 * @param {Attribution[]} list
 * @param {(a: Attribution) => string} named
 * @param {Strings} strings
 */
function originOf(list, named, strings) {
  const lines = list.map((a) => {
    const options = Object.entries(a.provenance?.options ?? {}).map(([name, value]) => `${name} ${value}`);
    return [
      `${named(a)}.`,
      ...(a.output === 'log_probability' ? [strings.logProbability] : []),
      ...(options.length ? [fill(strings.options, { options: options.join(', ') })] : []),
    ].join(' ');
  });
  const models = list.flatMap(({ provenance: p }) => (p ? [fill(strings.model, p.model)] : []));
  const versions = list.map(({ provenance: p }) => fill(strings.version, { version: p?.version ?? version }));
  return [...new Set(lines), ...new Set(models), ...new Set(versions)];
}

/**
 * Adds international text chunks (iTXt of the PNG specification) behind the header.
 * @param {Blob} png
 * @param {Record<string, string>} texts
 */
async function withText(png, texts) {
  const bytes = new Uint8Array(await png.arrayBuffer());
  const encoder = new TextEncoder();
  const chunks = Object.entries(texts).map(([keyword, text]) => {
    // Keyword, not compressed, no language, no translated keyword.
    const data = encoder.encode(`iTXt${keyword}\0\0\0\0\0${text}`);
    const chunk = new Uint8Array(data.length + 8);
    const view = new DataView(chunk.buffer);
    view.setUint32(0, data.length - 4);
    chunk.set(data, 4);
    view.setUint32(data.length + 4, crc32(data));
    return chunk;
  });
  // The signature of 8 bytes and IHDR, which has 25.
  return new Blob([bytes.subarray(0, 33), ...chunks, bytes.subarray(33)], { type: 'image/png' });
}

/** The checksum of PNG chunks. @param {Uint8Array} bytes */
function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
