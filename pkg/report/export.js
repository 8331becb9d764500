// @ts-check
// What is taken away: pictures with their legend and origin, and the numbers.

import { describeStrings, exportStrings, fill } from '../i18n/strings.js';
import { table } from '../picture/colormaps.js';
import { isDrawable, sizeOf } from '../picture/image.js';
import { methodOf, renderHeatmap } from '../picture/render.js';
import { SightlineError } from '../util/errors.js';
import { version } from '../wasm/registry.js';
import { describe, isClassFree, targetWords } from './describe.js';

/** @typedef {import('../index.js').Attribution} Attribution */
/** @typedef {import('../index.js').DescribeStrings & import('../index.js').ExportStrings} Strings */
/** @typedef {import('../index.js').Rendered} Rendered */
/** `slot`: its place in the grid, row by row. @typedef {{ picture: OffscreenCanvas, title: string, rendered: Rendered | null, slot: number }} Tile */

const MAX_TILES = 64;
/** Of one picture, at least and at most; of each of several. */
const WIDTHS = { one: 440, most: 1280, several: 360 };
const PAPER = '#ffffff';
const INK = '#1c1d21';
const SOFT = '#55565e';

/**
 * @param {Attribution | Attribution[]} attributions @param {CanvasImageSource | ImageData | null} image
 * @param {import('../index.js').ExportOptions} [options]
 * @returns {Promise<Blob>}
 */
export async function exportPng(attributions, image, options = {}) {
  const list = Array.isArray(attributions) ? attributions : [attributions];
  const { what = list.length > 1 ? 'comparison' : image ? 'overlay' : 'heatmap', legend = true, provenance = true } = options;
  const looks = list.map((_, i) => (Array.isArray(options.render) ? options.render[i] : options.render) ?? {});
  if (!['heatmap', 'overlay', 'comparison'].includes(what))
    throw new SightlineError('bad-option', `what: "${what}" is none of heatmap, overlay, comparison`);
  if (what !== 'heatmap' && image === null) throw new SightlineError('bad-option', `image: a picture of the ${what} needs the photo`);
  if (list.length < 1 || list.length > MAX_TILES)
    throw new SightlineError('bad-option', `attributions: a picture holds 1 to ${MAX_TILES}, not ${list.length}`);
  const { columns } = options;
  if (columns !== undefined && !(Number.isInteger(columns) && columns >= 1 && columns <= MAX_TILES))
    throw new SightlineError('bad-option', `columns: a whole number from 1 to ${MAX_TILES}`);
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
  const shown = what === 'comparison' && photo ? [{ picture: photo, title: strings.image, rendered: null }, ...maps] : maps;
  // With the columns named, the photo stands before the first row of maps and nothing before the others.
  const before = shown.length - maps.length;
  const across = columns ? Math.min(columns, list.length) + before : columnsFor(shown.length);
  const tiles = shown.map((tile, i) => ({ ...tile, slot: columns && before && i ? i + Math.floor((i - 1) / columns) : i }));

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
      'the photo comes from another site that does not allow its pixels to be read: use the file instead',
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
 * The photo as wide as a picture of several, or at least as wide as one alone, so that what is painted on it stays sharp.
 * @param {CanvasImageSource | ImageData} image @param {boolean} several
 */
async function fitted(image, several) {
  const source = image instanceof ImageData ? await createImageBitmap(image) : image;
  if (!isDrawable(source))
    throw new SightlineError('bad-option', 'image: give an ImageBitmap, an image or canvas element, ImageData or null');
  const { width, height } = sizeOf(source);
  const wide = several ? WIDTHS.several : Math.max(WIDTHS.one, Math.min(width, WIDTHS.most));
  const canvas = new OffscreenCanvas(wide, Math.max(1, Math.round((height * wide) / width)));
  const context = canvas.getContext('2d');
  if (!context) throw new SightlineError('out-of-memory', 'no canvas could be made: close other pages first');
  context.imageSmoothingQuality = 'high';
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** Model, method, options and version; what several maps have in common once. @param {Attribution[]} list @param {(a: Attribution) => string} named @param {Strings} strings */
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

/** A short number. @param {number} v @param {string} locale */
function short(v, locale) {
  const far = v !== 0 && (Math.abs(v) >= 1e4 || Math.abs(v) < 1e-3);
  /** @type {Intl.NumberFormatOptions} */
  const digits = far ? { notation: 'scientific', minimumFractionDigits: 1, maximumFractionDigits: 1 } : { maximumSignificantDigits: 3 };
  return new Intl.NumberFormat(locale, { ...digits, useGrouping: false }).format(v).replace('E', 'e');
}

/** @param {Rendered} rendered @param {Strings} strings */
function notes({ percentile, clipped, threshold, contours, empty }, strings) {
  const number = new Intl.NumberFormat(strings.locale, { maximumSignificantDigits: 2 });
  const share = (/** @type {number} */ v) => fill(strings.share, { percent: number.format(v * 100) });
  return [
    ...(empty ? [strings.blank] : []),
    ...(percentile < 100 && clipped > 0 ? [fill(strings.percentile, { percentile: String(percentile), share: share(clipped) })] : []),
    ...(threshold ? [fill(strings.threshold, { share: share(threshold.kept) })] : []),
    ...(contours.length ? [fill(strings.contours, { levels: contours.map((v) => short(v, strings.locale)).join(', ') })] : []),
  ].join(' ');
}

/** @param {number} tiles */
const columnsFor = (tiles) => (tiles <= 3 ? tiles : Math.ceil(Math.sqrt(tiles)));

/**
 * The pictures in rows, each with its title and legend, and the texts below.
 * @param {Tile[]} tiles
 * @param {{ legend: boolean, columns: number, shared: boolean, texts: { text: string, colour: string }[], strings: Strings }} options
 */
function layOut(tiles, { legend, columns, shared, texts, strings }) {
  const one = tiles.length === 1;
  const tile = one ? Math.max(WIDTHS.one, tiles[0]?.picture.width ?? 0) : WIDTHS.several;
  const size = one ? Math.max(14, Math.round(tile / 50)) : 14;
  const [gap, line, bar] = [size, Math.round(size * 1.4), Math.round(size * 0.9)];
  const width = columns * tile + (columns + 1) * gap;
  const measure = new OffscreenCanvas(1, 1).getContext('2d');
  if (!measure) throw new SightlineError('out-of-memory', 'no canvas could be made: close other pages first');
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
      ...range.map((i) => (own && tiles[i]?.rendered && !tiles[i]?.rendered?.empty ? scaleHeight : 0) + (captions[i]?.length ?? 0) * line),
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
  if (!context) throw new SightlineError('out-of-memory', `no canvas of ${width} x ${y} pixels could be made: export fewer maps`);
  context.fillStyle = PAPER;
  context.fillRect(0, 0, page.width, page.height);
  context.textBaseline = 'top';
  context.imageSmoothingQuality = 'high';
  const write = (/** @type {string[]} */ lines, /** @type {number} */ x, /** @type {number} */ top, colour = INK, bold = false) => {
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
    const rgb = table(colormap) ?? [];
    for (let i = 0; i < room; i++) {
      const at = Math.floor((i * 256) / room) * 3;
      context.fillStyle = `rgb(${rgb[at]} ${rgb[at + 1]} ${rgb[at + 2]})`;
      context.fillRect(x + i, top, 1, bar);
    }
    context.strokeStyle = SOFT;
    context.lineWidth = 1;
    context.strokeRect(x + 0.5, top + 0.5, room - 1, bar - 1);
    const under = top + bar + Math.round(size * 0.4);
    write([short(lo, strings.locale)], x, under);
    context.textAlign = 'right';
    write([short(hi, strings.locale)], x + room, under);
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

/** Lines that fit; words that do not are broken. @param {string} text @param {(part: string) => boolean} fits */
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

/** Adds international text chunks (iTXt of the PNG specification) behind the header. @param {Blob} png @param {Record<string, string>} texts */
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

/** @param {Pick<Attribution, 'values' | 'shape'>} attribution */
export function toNpy({ values, shape }) {
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  // Magic, version 1.0 and the header's length are 10 bytes; the data begin at a multiple of 64, behind a line feed.
  const length = Math.ceil((10 + dict.length + 1) / 64) * 64;
  const bytes = new Uint8Array(length + values.length * 4);
  const view = new DataView(bytes.buffer);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]);
  view.setUint16(8, length - 10, true);
  bytes.set(new TextEncoder().encode(`${dict.padEnd(length - 11)}\n`), 10);
  values.forEach((v, i) => view.setFloat32(length + i * 4, v, true));
  return bytes;
}

const FORMAT = 'sightline-attribution';

/** @param {Attribution} attribution */
export function toJson({ values, layers, ...rest }) {
  const plain = {
    format: FORMAT,
    formatVersion: 1,
    ...rest,
    layers: layers.map(({ id, shape, values }) => ({ id, shape, values: numbers(values) })),
    values: numbers(values),
  };
  return JSON.stringify(plain, (_, value) => (ArrayBuffer.isView(value) ? Array.from(/** @type {Float32Array} */ (value)) : value));
}

/** In the fewest digits that give the same float32; null where there are none. @param {Float32Array} values */
const numbers = (values) =>
  Array.from(values, (v) => {
    if (!Number.isFinite(v)) return null;
    for (const digits of [6, 7, 8]) {
      const n = Number(v.toPrecision(digits));
      if (Math.fround(n) === v) return n;
    }
    return Number(v.toPrecision(9));
  });

/** @type {NonNullable<import('../index.js').Warning['cause']>[]} */
const CAUSES = ['dead-relu', 'saturated', 'disconnected', 'cancelled'];
const MAX_VALUES = 2 ** 24;
const MAX_TEXT = 2e8;

/**
 * Field by field: what is not known is left out, as are the method's details, and what is not as it should be is refused.
 * @param {string | object} json
 * @returns {Attribution}
 */
export function fromJson(json) {
  let from = /** @type {any} */ (json);
  if (typeof json === 'string') {
    if (json.length > MAX_TEXT) throw bad('the text is longer than any attribution');
    try {
      from = JSON.parse(json);
    } catch (cause) {
      throw new SightlineError('bad-option', 'attribution: this is not JSON', { cause });
    }
  }
  if (typeof from !== 'object' || from === null || from.format !== FORMAT) throw bad('this is no attribution saved by Sightline');
  if (from.formatVersion !== 1) throw bad('it was saved by a newer Sightline');
  const space = oneOf(from.space, ['layer', 'input'], 'space');
  const shape = shapeOf(from.shape, [2, 3], 'shape');
  const layers = listOf(from.layers ?? [], 1000, 'layers').map((layer) => {
    const shape = /** @type {[number, number]} */ (shapeOf(layer?.shape, [2], 'layers: shape'));
    return { id: text(layer.id, 'layers: id'), shape, values: valuesOf(layer.values, shape, 'layers: values') };
  });
  const { completeness: c, crop, passes, provenance: p } = from;
  return {
    method: /** @type {import('../index.js').MethodId} */ (text(from.method, 'method')),
    target: targetOf(from.target),
    output: oneOf(from.output ?? 'logit', ['logit', 'log_probability'], 'output'),
    layer: from.layer === undefined || from.layer === null ? null : text(from.layer, 'layer'),
    layers,
    values: valuesOf(from.values, shape, 'values'),
    shape,
    space,
    score: finite(from.score, 'score'),
    completeness: isNone(c)
      ? null
      : {
          baselineScore: finite(c.baselineScore, 'completeness'),
          score: finite(c.score, 'completeness'),
          sum: finite(c.sum, 'completeness'),
          delta: finite(c.delta, 'completeness'),
        },
    crop: isNone(crop) ? null : cropOf(crop),
    passes: { forward: finite(passes?.forward ?? 0, 'passes'), backward: finite(passes?.backward ?? 0, 'passes') },
    elapsedMs: finite(from.elapsedMs ?? 0, 'elapsedMs'),
    device: oneOf(from.device ?? 'cpu', ['cpu', 'webgpu'], 'device'),
    warnings: listOf(from.warnings ?? [], 100, 'warnings').map((w) => ({
      code: text(w?.code, 'warnings'),
      ...(isNone(w.cause) ? {} : { cause: oneOf(w.cause, CAUSES, 'warnings') }),
      message: text(w.message, 'warnings'),
    })),
    ...(isNone(p) ? {} : { provenance: provenanceOf(p) }),
  };
}

/** @param {string} what */
const bad = (what) => new SightlineError('bad-option', `attribution: ${what}`);
/** @param {any} value */
const isNone = (value) => value === undefined || value === null;
/** @param {any} value @param {string} name @returns {string} */
function text(value, name) {
  if (typeof value !== 'string' || value.length > 10_000) throw bad(`${name} must be text`);
  return value;
}
/** @param {any} value @param {string} name @returns {number} */
function finite(value, name) {
  // What is not a finite number is null in JSON.
  if (value === null) return Number.NaN;
  if (typeof value !== 'number') throw bad(`${name} must be a number`);
  return value;
}
/** @template {string} T @param {any} value @param {T[]} choices @param {string} name @returns {T} */
function oneOf(value, choices, name) {
  if (!choices.includes(value)) throw bad(`${name} must be one of ${choices.join(', ')}`);
  return value;
}
/** @param {any} value @param {number} most @param {string} name @returns {any[]} */
function listOf(value, most, name) {
  if (!Array.isArray(value) || value.length > most) throw bad(`${name} must be a list of at most ${most}`);
  return value;
}
/** @param {any} value @param {number[]} lengths @param {string} name @returns {number[]} */
function shapeOf(value, lengths, name) {
  const axes = listOf(value, 3, name);
  if (!lengths.includes(axes.length) || !axes.every((n) => Number.isInteger(n) && n >= 1 && n <= MAX_VALUES))
    throw bad(`${name} must be ${lengths.join(' or ')} whole numbers of at least 1`);
  if (axes.reduce((a, b) => a * b, 1) > MAX_VALUES) throw bad(`${name}: more than ${MAX_VALUES} values are not shown`);
  return [...axes];
}
/** @param {any} value @param {number[]} shape @param {string} name */
function valuesOf(value, shape, name) {
  const count = shape.reduce((a, b) => a * b, 1);
  if (!Array.isArray(value) || value.length !== count) throw bad(`${name} must be ${count} numbers, as its shape says`);
  return Float32Array.from(value, (v) => finite(v, name));
}
/** @param {any} value @returns {import('../index.js').Target} */
function targetOf(value) {
  const index = (/** @type {any} */ k) => {
    if (!(Number.isInteger(k) && k >= 0 && k < MAX_VALUES)) throw bad('target must name classes by their index');
    return /** @type {number} */ (k);
  };
  if (typeof value !== 'object' || value === null) return index(value);
  if ('group' in value) return { group: listOf(value.group, 100_000, 'target').map(index) };
  const [a, b] = listOf(value.contrast, 2, 'target');
  return { contrast: [index(a), index(b)] };
}
/** @param {any} value @returns {import('../index.js').Crop} */
function cropOf(value) {
  const [x, y, width, height, photoWidth, photoHeight] = ['x', 'y', 'width', 'height', 'photoWidth', 'photoHeight'].map((name) => {
    const n = value[name];
    if (typeof n !== 'number' || !(n >= 0 && n <= 1e6)) throw bad(`crop: ${name} must be a number of pixels`);
    return n;
  });
  const crop = /** @type {import('../index.js').Crop} */ ({ x, y, width, height, photoWidth, photoHeight });
  const inside = crop.x + crop.width <= crop.photoWidth * 1.001 && crop.y + crop.height <= crop.photoHeight * 1.001;
  if (!(crop.width > 0 && crop.height > 0 && inside)) throw bad('crop must lie within the photo');
  return crop;
}
/** @param {any} value @returns {import('../index.js').Provenance} */
function provenanceOf(value) {
  const entries = (/** @type {any} */ object, /** @type {string} */ name) => {
    if (typeof object !== 'object' || object === null) throw bad(`provenance: ${name} are missing`);
    return listOf(Object.entries(object), 100_000, `provenance: ${name}`);
  };
  return {
    model: {
      id: text(value.model?.id, 'provenance: model'),
      architecture: text(value.model.architecture, 'provenance: model'),
      sha256: text(value.model.sha256, 'provenance: model'),
    },
    version: text(value.version, 'provenance: version'),
    options: Object.fromEntries(
      entries(value.options, 'options').map(([name, v]) => [
        text(name, 'provenance: options'),
        typeof v === 'number' || typeof v === 'boolean' ? v : text(v, 'provenance: options'),
      ]),
    ),
    labels: Object.fromEntries(
      entries(value.labels, 'labels')
        .filter(([k]) => /^\d+$/.test(k))
        .map(([k, v]) => [k, text(v, 'provenance: labels')]),
    ),
  };
}
