// What is painted, said and taken away, on maps made by hand and on those of a built-in model. The
// pictures are there to be looked at.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { cellContour, smoothContour } from '../../../pkg/picture/contours.js';
import { describe as say } from '../../../pkg/report/describe.js';
import { fromJson, toJson } from '../../../pkg/report/json.js';
import { toNpy } from '../../../pkg/report/npy.js';
import { golden, idle, openPage, pngTexts, screenshots, shot, site } from '../harness.mjs';

const here = site();
const open = () => here.open();

/** A map [h, w] of rows of numbers. */
const grid = (rows, more = {}) => ({
  values: Float32Array.from(rows.flat()),
  shape: [rows.length, rows[0].length],
  space: 'layer',
  ...more,
});
/** An attribution as the explainer makes them. */
const saved = (map, more = {}) => ({
  method: 'grad_cam',
  target: 3,
  output: 'logit',
  layer: 'layer4',
  layers: [],
  score: 7.25,
  completeness: null,
  crop: null,
  passes: { forward: 1, backward: 1 },
  elapsedMs: 12,
  device: 'cpu',
  warnings: [],
  provenance: {
    model: { id: 'm', architecture: 'resnet18', sha256: 'ab'.repeat(32) },
    version: '0.1.0',
    options: {},
    labels: { 3: 'dog' },
  },
  ...map,
  ...more,
});

describe('contours', () => {
  const lengthOf = (lines) => {
    let length = 0;
    for (let i = 0; i < lines.length; i += 4)
      length += Math.hypot(lines[i + 2] - lines[i], lines[i + 3] - lines[i + 1]);
    return length;
  };

  test('of a ramp: a straight line where the ramp passes the level', () => {
    const ramp = Float32Array.from({ length: 5 * 8 }, (_, i) => i % 8);
    const lines = smoothContour(ramp, 5, 8, 2.25);
    assert.ok(lines.every((v, i) => i % 2 || Math.abs(v - 2.75) < 1e-6));
    assert.equal(lengthOf(lines), 4, 'from the first row of centres to the last');
  });

  test('of a cone: a circle, closed', () => {
    const n = 64;
    const cone = Float32Array.from(
      { length: n * n },
      (_, i) => -Math.hypot((i % n) + 0.5 - 30.2, Math.floor(i / n) + 0.5 - 33.7),
    );
    const lines = smoothContour(cone, n, n, -20);
    for (let i = 0; i < lines.length; i += 2)
      assert.ok(Math.abs(Math.hypot(lines[i] - 30.2, lines[i + 1] - 33.7) - 20) < 0.02);
    assert.ok(Math.abs(lengthOf(lines) / (2 * Math.PI * 20) - 1) < 2e-3, `${lengthOf(lines)}`);
    const ends = new Map();
    for (let i = 0; i < lines.length; i += 2) {
      const end = `${lines[i].toFixed(4)} ${lines[i + 1].toFixed(4)}`;
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    assert.ok([...ends.values()].every((times) => times === 2));
  });

  test('of a saddle: its mean says which corners belong together; a plateau at the level makes no line of its own', () => {
    // Through the middle of each edge; whether the upper left corner is cut off or joined.
    const cutOff = smoothContour(new Float32Array([1, 0, 0, 1]), 2, 2, 0.6);
    const joined = smoothContour(new Float32Array([1, 0, 0, 1]), 2, 2, 0.4);
    const near = (lines, x, y) =>
      Math.min(
        ...[0, 4].map((i) => Math.hypot((lines[i] + lines[i + 2]) / 2 - x, (lines[i + 1] + lines[i + 3]) / 2 - y)),
      );
    assert.ok(near(cutOff, 0.7, 0.7) < 1e-6 && near(cutOff, 1.3, 1.3) < 1e-6, `${cutOff}`);
    assert.ok(near(joined, 1.3, 0.7) < 1e-6 && near(joined, 0.7, 1.3) < 1e-6, `${joined}`);
    assert.deepEqual(smoothContour(new Float32Array(16).fill(1), 4, 4, 1), []);
  });

  test('of cells: their borders', () => {
    assert.deepEqual(cellContour(new Float32Array([0, 1, 0, 0]), 2, 2, 0.5), [1, 0, 1, 1, 1, 1, 2, 1]);
  });
});

describe('painting', () => {
  test('a threshold keeps the largest values, magnitudes where both signs are shown, and the photo alone on request', async () => {
    const page = await open();
    const result = await page.evaluate(() => {
      // 100 values, each once, from -49.5 to 49.5, shuffled.
      const values = Float32Array.from({ length: 100 }, (_, i) => ((i * 37) % 100) - 49.5);
      const map = { values, shape: [10, 10], space: 'layer' };
      const canvas = new OffscreenCanvas(1, 1);
      const pixels = new ImageData(100, 100);
      for (let i = 0; i < pixels.data.length; i++) pixels.data[i] = i % 4 === 3 ? 255 : (i * 7919) % 256;
      const kept = (image, options, map) => {
        const rendered = api.renderHeatmap(canvas, image, map, { alpha: 1, interpolation: 'cells', ...options });
        const { width, height } = canvas;
        const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
        const cells = [];
        for (let i = 0; i < 100; i++) {
          const at =
            (Math.floor(((Math.floor(i / 10) + 0.5) * height) / 10) * width +
              Math.floor((((i % 10) + 0.5) * width) / 10)) *
            4;
          cells.push([...data.subarray(at, at + 4)]);
        }
        return { cells, threshold: rendered.threshold, data: [...data] };
      };
      const ones = { values: new Float32Array(100).map((_, i) => (i < 30 ? 1 : 0)), shape: [10, 10], space: 'layer' };
      const smooth = kept(null, { threshold: 12.5, interpolation: 'smooth' }, map);
      const shown = smooth.data.filter((v, i) => i % 4 === 3 && v > 0).length / (smooth.data.length / 4);
      return {
        values: [...values],
        photo: [...pixels.data],
        positive: kept(null, { threshold: 20 }, map),
        few: kept(null, { threshold: 80 }, map).threshold,
        both: kept(null, { threshold: 20, scale: 'symmetric' }, map),
        ties: kept(null, { threshold: 10 }, ones).threshold,
        only: kept(pixels, { threshold: 20, only: true }, map),
        smooth: { threshold: smooth.threshold, shown },
      };
    });
    const of = (f) => result.values.map(f);
    const opaque = ({ cells }) => cells.map((c) => c[3] === 255);
    assert.deepEqual(
      opaque(result.positive),
      of((v) => v > 29.6),
    );
    assert.deepEqual(result.positive.threshold, { percent: 20, cut: 30.5, kept: 0.2 });
    assert.deepEqual(result.few, { percent: 80, cut: 0.5, kept: 0.5 }, 'none at or below zero');
    assert.deepEqual(
      opaque(result.both),
      of((v) => Math.abs(v) >= 40),
    );
    assert.deepEqual(result.ties, { percent: 10, cut: 1, kept: 0.3 }, 'equal values are kept together');
    result.only.data.forEach((v, i) => {
      const cell = Math.floor(i / 4000) * 10 + (Math.floor(i / 40) % 10);
      assert.equal(v, result.values[cell] > 29.6 ? result.photo[i] : i % 4 === 3 ? 255 : 128);
    });
    assert.ok(
      Math.abs(result.smooth.shown - 0.125) < 1e-3 &&
        Math.abs(result.smooth.threshold.kept - result.smooth.shown) < 1e-9,
      JSON.stringify(result.smooth),
    );
    await page.close();
  });

  test('the value under a point is that of its cell; the scale says what it cuts off; several maps share one', async () => {
    const page = await open();
    const result = await page.evaluate(() => {
      const canvas = new OffscreenCanvas(1, 1);
      const values = Float32Array.from({ length: 12 }, (_, i) => i - 3);
      const crop = { x: 100, y: 50, width: 400, height: 300, photoWidth: 600, photoHeight: 400 };
      const map = { values, shape: [3, 4], space: 'layer', crop };
      const rendered = api.renderHeatmap(canvas, null, map);
      const at = (x, y) => api.valueAt(map, rendered, x, y);
      const centres = Array.from({ length: 12 }, (_, i) =>
        at(100 + ((i % 4) + 0.5) * 100, 50 + (Math.floor(i / 4) + 0.5) * 100),
      );
      const hundred = { values: Float32Array.from({ length: 100 }, (_, i) => i + 1), shape: [10, 10], space: 'layer' };
      const cut = api.renderHeatmap(canvas, null, hundred, { percentile: 90 });
      const signed = { values: new Float32Array([-4, 1, 0, 2]), shape: [2, 2], space: 'layer' };
      const shared = {
        scale: api.sharedScale([hundred, signed]),
        symmetric: api.sharedScale([hundred, signed], { scale: 'symmetric', percentile: 50 }),
      };
      const pixel = (map) => {
        api.renderHeatmap(canvas, null, map, { scale: shared.scale, interpolation: 'cells', alpha: 1 });
        const w = canvas.width / map.shape[1];
        return [...canvas.getContext('2d').getImageData(w * 1.5, w / 2, 1, 1).data];
      };
      // The second cell of each is 2 and 1; of the other row 1 it is 2.
      const same = [pixel(hundred), pixel({ ...signed, values: new Float32Array([0, 2, 0, 0]) })];
      // Of a method that takes magnitudes, and of one that sums, from the same numbers.
      const input = { values: new Float32Array([1, -2, -3, 1]), shape: [2, 1, 2], space: 'input' };
      const planes = ['saliency', 'integrated_gradients', undefined].map((method) => [
        ...api.toPlane({ ...input, method }).plane,
      ]);
      return {
        centres,
        corners: [at(100, 50), at(499.9, 349.9), at(500, 349), at(99.9, 100), at(300, 350)],
        cut,
        shared,
        same,
        planes,
        levels: [
          api.renderHeatmap(canvas, null, hundred, { contours: 3 }).contours,
          api.renderHeatmap(canvas, null, signed, { scale: 'symmetric', contours: 1 }).contours,
          api.renderHeatmap(canvas, null, signed, { contours: [0.5] }).contours,
        ],
      };
    });
    assert.deepEqual(
      result.centres,
      Array.from({ length: 12 }, (_, i) => ({
        value: i - 3,
        row: Math.floor(i / 4),
        column: i % 4,
        rows: 3,
        columns: 4,
      })),
    );
    const [first, last, ...outside] = result.corners;
    assert.deepEqual([first.value, last.value, ...outside], [-3, 8, null, null, null]);
    assert.deepEqual([result.cut.hi, result.cut.clipped], [90, 0.1]);
    assert.deepEqual(result.shared, { scale: [0, 100], symmetric: [-50, 50] });
    assert.deepEqual(result.same[0], result.same[1], 'one value, one colour');
    assert.deepEqual(result.planes, [
      [3, 2],
      [-2, -1],
      [-2, -1],
    ]);
    assert.deepEqual(result.levels, [[25, 50, 75], [-2, 2], [0.5]]);
    await page.close();
  });

  test('options that cannot be are refused', async () => {
    const page = await open();
    const codes = await page.evaluate(() => {
      const map = { values: new Float32Array([0, 1]), shape: [1, 2], space: 'layer' };
      const photo = new ImageData(4, 4);
      const wrong = [
        { threshold: 0 },
        { threshold: 101 },
        { threshold: Number.NaN },
        { only: true },
        { contours: -1 },
        { contours: 1e9 },
        { contours: 2.5 },
        { contours: [1, Number.NaN] },
        { percentile: 0 },
        { scale: [1, 1] },
      ];
      return wrong.map((options) => {
        try {
          api.renderHeatmap(new OffscreenCanvas(1, 1), photo, map, options);
          return 'nothing';
        } catch ({ code }) {
          return code;
        }
      });
    });
    assert.deepEqual(codes, Array(10).fill('bad-option'));
    await page.close();
  });

  test('the looks are those of the stored picture', async () => {
    const page = await open();
    const url = await page.evaluate(() => {
      const n = 7;
      const hills = Float32Array.from({ length: n * n }, (_, i) => {
        const hill = (x, y, s) => Math.exp(-((((i % n) - x) ** 2 + (Math.floor(i / n) - y) ** 2) / s));
        return hill(1.6, 2.2, 3) - 0.8 * hill(5, 4.6, 2) + 0.5 * hill(5.5, 0.5, 1.5);
      });
      const map = {
        values: hills,
        shape: [n, n],
        space: 'layer',
        crop: { x: 15, y: 0, width: 120, height: 120, photoWidth: 150, photoHeight: 120 },
      };
      const photo = new ImageData(150, 120);
      for (let i = 0; i < 150 * 120; i++) {
        const [x, y] = [i % 150, Math.floor(i / 150)];
        photo.data.set([90 + x, (x + y) % 30 < 15 ? 190 : 110, 200 - y, 255], i * 4);
      }
      const looks = [
        {},
        { colormap: 'viridis', interpolation: 'cells', alpha: 0.8 },
        { colormap: 'cividis', contours: 4, alpha: 1 },
        { colormap: 'blue-white-red', contours: 3 },
        { threshold: 15, colormap: 'viridis', alpha: 0.9 },
        { threshold: 15, only: true, contours: 2 },
        { interpolation: 'cells', contours: 2, scale: 'symmetric', alpha: 1 },
        { interpolation: 'cells', threshold: 30, only: true },
      ];
      const sheet = Object.assign(document.createElement('canvas'), { width: 4 * 160, height: 2 * 130 });
      looks.forEach((options, i) => {
        const canvas = document.createElement('canvas');
        api.renderHeatmap(canvas, photo, map, options);
        sheet.getContext('2d').drawImage(canvas, (i % 4) * 160, Math.floor(i / 4) * 130);
      });
      return sheet.toDataURL();
    });
    const bytes = Buffer.from(url.split(',')[1], 'base64');
    writeFileSync(join(screenshots, 'looks.png'), bytes);
    const stored = join(golden, 'looks.png');
    if (process.env.UPDATE_LOOKS) writeFileSync(stored, bytes);
    // Differences as they are seen: in Oklab (Ottosson 2020), where 0.02 is barely noticed.
    const difference = await page.evaluate(
      async ([url, path]) => {
        const lab = async (source) => {
          const bitmap = await createImageBitmap(await (await fetch(source)).blob());
          const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
          context.drawImage(bitmap, 0, 0);
          const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
          const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
          const out = [];
          for (let i = 0; i < data.length; i += 4) {
            const alpha = data[i + 3] / 255;
            const [r, g, b] = [0, 1, 2].map((c) => linear((data[i + c] / 255) * alpha + 1 - alpha));
            const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
            const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
            const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
            out.push([
              0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
              1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
              0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
            ]);
          }
          return { width: bitmap.width, height: bitmap.height, out };
        };
        const [a, b] = [await lab(url), await lab(path)];
        const apart = a.out.map((p, i) => Math.hypot(...p.map((v, c) => v - b.out[i][c])));
        return {
          sizes: [a.width, a.height, b.width, b.height],
          mean: apart.reduce((x, y) => x + y, 0) / apart.length,
          seen: apart.filter((v) => v > 0.05).length / apart.length,
        };
      },
      [url, '/golden/looks.png'],
    );
    assert.deepEqual(difference.sizes, [640, 260, 640, 260]);
    assert.ok(difference.mean < 0.003 && difference.seen < 0.01, JSON.stringify(difference));
    await page.close();
  });
});

describe('saying', () => {
  const nine = (...values) => grid([values.slice(0, 3), values.slice(3, 6), values.slice(6)]);

  test('what the numbers say, and no more', () => {
    const about = { method: 'grad_cam', target: 3 };
    const labels = { 3: 'dog', 5: 'cat' };
    const cases = [
      [
        { ...nine(62, 9, 0, 8, 7, 0, 6, 5, 3), ...about },
        'The positive attribution for “dog” … 62 % of the positive attribution for “dog” lies in the upper left ninth of the map; the strongest spot, one of 3 × 3 cells, has its middle at 17 % of the width and 17 % of the height.',
      ],
      // No ninth holds enough, a third does.
      [
        nine(20, 19, 21, 9, 8, 7, 6, 5, 5),
        '60 % of the attribution lies in the upper third of the map; the strongest spot, one of 3 × 3 cells, has its middle at 83 % of the width and 17 % of the height.',
      ],
      [
        nine(11, 12, 11, 11, 11, 11, 11, 11, 11),
        'The attribution is spread out: no third of the map holds half of it, and the most, 34 %, lies in the upper third; the strongest spot, one of 3 × 3 cells, has its middle at 50 % of the width and 17 % of the height.',
      ],
      [
        { ...nine(0, 0, 0, 0, 4, 0, 0, 0, -1), ...about },
        '100 % of the positive attribution for “dog” lies in the central ninth of the map; the strongest spot, one of 3 × 3 cells, has its middle at 50 % of the width and 50 % of the height.' +
          ' 20 % of all magnitude is negative; 100 % of the negative attribution lies in the lower right ninth of the map.',
      ],
      [
        { ...nine(0, 0, 0, -3, 0, 0, 0, -1, 0), ...about },
        'No attribution is positive. 75 % of the negative attribution for “dog” lies in the middle left ninth of the map; the strongest spot, one of 3 × 3 cells, has its middle at 17 % of the width and 50 % of the height.',
      ],
      // Never rounded to all or nothing.
      [
        nine(1, 0, 0, 0, 1e3, 0, 0, 0, -0.001),
        'More than 99 % of the positive attribution lies in the central ninth of the map; the strongest spot, one of 3 × 3 cells, has its middle at 50 % of the width and 50 % of the height.' +
          ' Less than 1 % of all magnitude is negative.',
      ],
      [
        nine(5, 5, 0, 0, 0, 0, 0, 0, 0),
        '50 % of the attribution lies in the upper left ninth of the map; its strongest value is reached in 2 of 3 × 3 cells.',
      ],
      [nine(...Array(9).fill(0)), 'The map is zero everywhere: it marks nothing.'],
      [nine(...Array(9).fill(0.1)), 'The value is the same everywhere.'],
      [grid([[2]]), 'The value is the same everywhere.'],
      [nine(...Array(9).fill(Number.NaN)), 'The map has no finite number.'],
      [
        nine(Number.NaN, Number.POSITIVE_INFINITY, 0, 0, 1, 0, 0, 0, 0),
        '2 of 9 values are not finite numbers and are left out. 100 % of the attribution lies in the central ninth of the map; the strongest spot, one of 3 × 3 cells, has its middle at 50 % of the width and 50 % of the height.',
      ],
    ];
    for (const [map, sentence] of cases) assert.equal(say(map, { labels }), sentence.replace(/^.* … /, ''));
    assert.match(say({ ...cases[0][0], target: { contrast: [3, 5] } }, { labels }), /for “dog” and not “cat” lies/);
    assert.match(say({ ...cases[0][0], target: { group: [3, 5] } }, { labels }), /for any of “dog”, “cat” lies/);
    assert.match(say({ ...cases[0][0], target: 8 }, { labels }), /for “8” lies/);
    // Attention is nobody's in particular.
    assert.match(say({ ...cases[0][0], method: 'attention_rollout' }, { labels }), /^62 % of the attribution lies/);
  });

  test('magnitudes are not called positive; channels are one plane as the method says; the area is named', () => {
    const values = Float32Array.from([...[-9, 0, 0, 0, 0, 0, 0, 0, 0], ...[2, 0, 0, 0, 0, 0, 0, 0, 4]]);
    const map = { values, shape: [2, 3, 3], space: 'input' };
    assert.match(say({ ...map, method: 'saliency' }), /^69 % of the attribution lies in the upper left ninth/);
    assert.match(
      say({ ...map, method: 'integrated_gradients' }),
      /^100 % of the positive attribution lies in the lower right ninth .* 64 % of all magnitude is negative;/,
    );
    const crop = { x: 10, y: 0, width: 80, height: 80, photoWidth: 100, photoHeight: 80 };
    assert.match(say({ ...map, crop }), /ninth of what the model saw;/);
    assert.match(say({ ...map, crop: { ...crop, x: 0, width: 100 } }), /ninth of the photo;/);
  });

  test('cells across a border count by their area', () => {
    // Four columns: the second lies one third in the left third and two thirds in the middle one.
    const wide = grid([[0, 1, 0, 0]]);
    assert.match(say(wide), /67 % of the attribution lies in the middle third from left to right|67 % .* lies in/);
    const sums = Array.from({ length: 49 }, (_, i) => (i === 16 ? 1 : 0));
    assert.match(
      say({ values: Float32Array.from(sums), shape: [7, 7], space: 'layer' }),
      /^44 % of the attribution lies in the central ninth/,
    );
  });

  test('in another language, from templates alone', () => {
    const strings = {
      locale: 'de',
      share: '{percent} %',
      parts: {
        positive: 'der positiven Attribution{about}',
        negative: 'der negativen Attribution',
        all: 'der Attribution{about}',
      },
      about: ' für {target}',
      class: '„{a}“',
      map: '',
      ninths: ['im linken oberen Neuntel', ...Array(8).fill('anderswo')],
      most: '{share} {part} liegen {region}',
      spot: 'die stärkste Stelle liegt bei {right} der Breite und {down} der Höhe',
    };
    assert.equal(
      say({ ...nine(62, 9, 0, 8, 7, 0, 6, 5, 3), target: 3 }, { labels: ['', '', '', 'Hund'], strings }),
      '62 % der Attribution für „Hund“ liegen im linken oberen Neuntel; die stärkste Stelle liegt bei 17 % der Breite und 17 % der Höhe.',
    );
    // What looks like a template in a label stays as it is.
    assert.match(say({ ...nine(1, 0, 0, 0, 0, 0, 0, 0, 0), target: 0 }, { labels: ['{share}'] }), /“\{share\}”/);
  });
});

describe('taking away', () => {
  const tricky = [
    1.1,
    -1e-7,
    3.4e38,
    1e-45,
    0,
    -0,
    16777217,
    1 / 3,
    Math.PI,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -2.5,
  ].map(Math.fround);

  const npy = { values: Float32Array.from(tricky), shape: [3, 2, 2] };
  const python = process.env.PYTHON ?? 'python3';
  const numpy = spawnSync(python, ['-c', 'import numpy']).status === 0;

  test('.npy is a header and the numbers as they are', () => {
    const bytes = toNpy(npy);
    assert.equal(Buffer.from(bytes.subarray(0, 8)).toString('latin1'), '\x93NUMPY\x01\x00');
    const view = new DataView(bytes.buffer);
    const length = view.getUint16(8, true) + 10;
    const header = Buffer.from(bytes.subarray(10, length)).toString();
    assert.equal(length % 64, 0);
    assert.match(header, /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(3, 2, 2\), \} *\n$/);
    assert.deepEqual(
      tricky.map((_, i) => view.getFloat32(length + i * 4, true)),
      tricky,
    );
    assert.equal(bytes.length, length + 48);
  });

  test('.npy is what numpy reads', { skip: !numpy && 'needs numpy' }, () => {
    const file = join(mkdtempSync(join(tmpdir(), 'look-')), 'map.npy');
    writeFileSync(file, toNpy(npy));
    const code = 'import numpy, sys; a = numpy.load(sys.argv[1]); print(a.shape, a.dtype, a.tobytes().hex())';
    const { stdout, stderr } = spawnSync(python, ['-c', code, file], { encoding: 'utf8' });
    assert.equal(stdout.trim(), `(3, 2, 2) float32 ${Buffer.from(npy.values.buffer).toString('hex')}`, stderr);
  });

  test('JSON comes back bit by bit', () => {
    // JSON.stringify knows neither infinities nor a minus before zero.
    const values = Float32Array.from(tricky, (v) => (v === Number.POSITIVE_INFINITY ? Number.NaN : v + 0));
    const random = Float32Array.from(
      { length: 3 * 17 * 17 },
      (_, i) => Math.sin(i * 12.9898) * 43758.5453 * 10 ** ((i % 60) - 30),
    );
    for (const attribution of [
      saved({ values, shape: [3, 2, 2], space: 'input' }),
      saved(
        { values: random, shape: [3, 17, 17], space: 'input' },
        {
          target: { contrast: [3, 5] },
          output: 'log_probability',
          layer: null,
          layers: [{ id: 'layer1', shape: [1, 2], values: Float32Array.from([0.1, -7]) }],
          completeness: { baselineScore: 1, score: 2, sum: 0.9, delta: 0.1 },
          crop: { x: 1, y: 0, width: 10, height: 10, photoWidth: 12, photoHeight: 10 },
          warnings: [
            {
              code: 'zero-map',
              cause: 'saturated',
              key: 'warning.zero-map.saturated',
              values: {},
              message: 'all zero',
            },
            { code: 'partial', key: 'warning.partial', values: { done: 4, word: 'x' }, message: 'stopped' },
          ],
        },
      ),
    ]) {
      const back = fromJson(toJson(attribution));
      assert.deepEqual(back, attribution);
      assert.deepEqual(fromJson(JSON.parse(toJson(attribution))), back);
    }
    // A warning's key follows from its code and cause, which files of earlier versions have alone.
    const before = { code: 'zero-map', cause: 'saturated', message: 'all zero' };
    const [read] = fromJson({
      ...JSON.parse(toJson(saved(grid([[1, 2]])))),
      warnings: [{ ...before, key: 'error.network' }],
    }).warnings;
    assert.deepEqual(read, { ...before, key: 'warning.zero-map.saturated', values: {} });
  });

  test('a saved attribution from anywhere is checked', () => {
    const good = () => JSON.parse(toJson(saved(grid([[1, 2]]))));
    const with_ = (changes) => ({ ...good(), ...changes });
    const hostile = [
      '',
      'null',
      '[]',
      '{"format":',
      'true',
      {},
      null,
      with_({ format: 'other' }),
      with_({ formatVersion: 2 }),
      with_({ method: 7 }),
      with_({ method: 'x'.repeat(1e5) }),
      with_({ space: 'outer' }),
      with_({ shape: [1, 3] }),
      with_({ shape: [2] }),
      with_({ shape: [1, -2] }),
      with_({ shape: [1, 1.5] }),
      with_({ shape: [2 ** 20, 2 ** 20] }),
      with_({ shape: { length: 2, 0: 1, 1: 2 } }),
      with_({ values: [1] }),
      with_({ values: [1, '2'] }),
      with_({ values: [1, {}] }),
      with_({ values: { length: 2 } }),
      with_({ values: undefined }),
      with_({ target: 'dog' }),
      with_({ target: -1 }),
      with_({ target: null }),
      with_({ target: {} }),
      with_({ target: { contrast: [1] } }),
      with_({ target: { group: 'all' } }),
      with_({ score: '7' }),
      with_({ crop: { x: 0, y: 0, width: 0, height: 1, photoWidth: 1, photoHeight: 1 } }),
      with_({ crop: { x: 0, y: 0, width: 1e9, height: 1, photoWidth: 1e9, photoHeight: 1 } }),
      with_({ crop: { x: 5, y: 0, width: 6, height: 1, photoWidth: 10, photoHeight: 1 } }),
      with_({ crop: 5 }),
      with_({ layers: [null] }),
      with_({ layers: [{ id: 'a', shape: [1, 1, 1], values: [1] }] }),
      with_({ warnings: 'none' }),
      with_({ warnings: [null] }),
      with_({ warnings: [{ code: 'partial', message: 'stopped', values: { done: [4] } }] }),
      with_({ completeness: 3 }),
      with_({ provenance: { model: {} } }),
      with_({ provenance: { ...good().provenance, options: { a: [1] } } }),
    ];
    for (const json of hostile) {
      assert.throws(
        () => fromJson(json),
        ({ code, message }) => code === 'bad-option' && message.startsWith('attribution: '),
        JSON.stringify(json)?.slice(0, 200),
      );
    }
    // What is not known is left out, and nothing gets at the prototype.
    const odd = fromJson(`{"__proto__": {"polluted": 1}, "surprise": 1, ${toJson(saved(grid([[1, 2]]))).slice(1)}`);
    assert.deepEqual(odd, saved(grid([[1, 2]])));
    assert.equal(odd.polluted, undefined);
  });

  test('pictures with legend and origin, of a built-in model on a photo', { timeout: 180_000 }, async () => {
    const page = await open();
    const samples = JSON.parse(readFileSync(new URL('../../../www/samples/samples.json', import.meta.url)));
    const result = await page.evaluate(async (file) => {
      const [{ id }] = await api.listModels();
      const explainer = await api.createExplainer({ model: id, device: 'cpu' });
      const blob = await (await fetch(`/samples/${file}`)).blob();
      const photo = await createImageBitmap(blob);
      const { predictions } = await explainer.classify(blob);
      const maps = [];
      for (const { index } of predictions.slice(0, 3)) {
        maps.push(await explainer.attribute(blob, { method: 'grad_cam', target: index }));
        maps.push(await explainer.attribute(blob, { method: 'integrated_gradients', target: index, nSteps: 8 }));
      }
      const cams = maps.filter((m) => m.method === 'grad_cam');
      const base64 = async (blob) =>
        btoa(Array.from(new Uint8Array(await blob.arrayBuffer()), (b) => String.fromCharCode(b)).join(''));
      const looks = {
        overlay: [maps[0], {}],
        heatmap: [maps[0], { render: { interpolation: 'cells', colormap: 'viridis', contours: 3 } }],
      };
      looks.beside = [maps[1], { what: 'comparison', render: { scale: 'symmetric', threshold: 10 } }];
      looks.comparison = [maps, {}];
      looks.shared = [cams, { render: { scale: api.sharedScale(cams) } }];
      looks.bare = [maps[0], { legend: false, provenance: false }];
      const pngs = {};
      for (const [name, [what, options]] of Object.entries(looks)) {
        pngs[name] = await base64(await api.exportPng(what, name === 'heatmap' ? null : photo, options));
      }
      const [first] = maps;
      // What is saved and opened again is painted as before.
      const paint = (map) => {
        const canvas = document.createElement('canvas');
        api.renderHeatmap(canvas, photo, map);
        return canvas.toDataURL();
      };
      const { sha256, architecture } = explainer.info.model;
      return {
        pngs,
        again: paint(api.fromJson(api.toJson(maps[1]))) === paint(maps[1]),
        provenance: maps[1].provenance,
        label: predictions[0].label,
        info: { id, sha256, architecture },
        said: api.describe(first),
        photo: [photo.width, photo.height],
        failures: [
          await t.failure(api.exportPng(first, null, { what: 'overlay' })),
          await t.failure(api.exportPng([], photo)),
          await t.failure(api.exportPng(first, photo, { what: 'poster' })),
          await t.failure(api.exportPng(first, photo, { columns: 0 })),
          await t.failure(api.exportPng(first, 'photo.png')),
        ].map(({ code }) => code),
      };
    }, samples[0].file);
    assert.deepEqual(result.failures, Array(5).fill('bad-option'));
    assert.equal(result.again, true);
    assert.deepEqual(result.provenance.model, {
      id: result.info.id,
      architecture: result.info.architecture,
      sha256: result.info.sha256,
    });
    assert.equal(result.provenance.options.nSteps, 8);
    assert.equal(result.provenance.options.baseline, 'mean', 'the defaults are said as well');
    assert.deepEqual(Object.values(result.provenance.labels), [result.label]);
    const sizes = {};
    for (const [name, base64] of Object.entries(result.pngs)) {
      const png = Buffer.from(base64, 'base64');
      writeFileSync(join(screenshots, `export-${name}.png`), png);
      const texts = pngTexts(png);
      sizes[name] = [png.readUInt32BE(16), png.readUInt32BE(20)];
      assert.match(texts.Software, /^Sightline \d+\.\d+\.\d+$/);
      const [facts] = JSON.parse(texts.sightline);
      assert.equal(facts.provenance.model.sha256, result.info.sha256);
      assert.ok(facts.rendered.hi > 0);
      if (name === 'overlay')
        assert.ok(texts.Description === result.said && texts.Title.includes(result.label), JSON.stringify(texts));
      if (name === 'beside') assert.equal(facts.rendered.threshold.percent, 10);
    }
    // Legend and origin take room; without them there is the picture and its margin.
    assert.ok(sizes.overlay[1] > sizes.bare[1] + 100 && sizes.overlay[0] === sizes.bare[0], JSON.stringify(sizes));
    assert.ok(Math.abs(sizes.bare[0] / sizes.bare[1] - result.photo[0] / result.photo[1]) < 0.05);
    assert.ok(sizes.comparison[0] > 1000);
    await page.close();
  });
});

describe('on the page', () => {
  const pixels = (page) => page.evaluate(() => document.querySelector('#canvas').toDataURL());
  const painted = (page) =>
    page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

  test('threshold, contours, the value under the pointer, the sentence, and everything to take away', async () => {
    const page = await openPage(here);
    const sentence = await page.textContent('#sentence');
    assert.match(
      sentence,
      /^\d+ % of the positive attribution for “.*” lies in .* of what the model saw; the strongest spot, one of 8 × 8 cells/,
    );
    assert.ok((await page.getAttribute('#canvas', 'aria-label')).endsWith(`. ${sentence}`));
    const requests = here.server.hits.length;
    const before = await pixels(page);
    assert.equal(await page.isDisabled('#only'), true);
    await page.selectOption('#contours', '3');
    await painted(page);
    assert.match(await page.textContent('#legend-note'), /Lines at 0\.\d+, 0\.\d+, 0\.\d+\./);
    await page.fill('#threshold', '20');
    await painted(page);
    assert.equal(await page.textContent('#threshold-text'), '20 %');
    assert.match(await page.textContent('#legend-note'), /on 20% of the map/);
    await shot(page, 'look-threshold');
    await page.check('#only');
    await painted(page);
    await shot(page, 'look-only');
    assert.notEqual(await pixels(page), before);

    // Pointing at the strongest spot, as the sentence tells it, reads the top of the scale.
    const [, right, down] = sentence.match(/middle at (\d+) % of the width and (\d+) % of the height/).map(Number);
    const [width, height] = await page.evaluate(() => [
      document.querySelector('#canvas').width,
      document.querySelector('#canvas').height,
    ]);
    const box = await page.locator('#canvas').boundingBox();
    const seen = Math.min(width, height) * Math.min(box.width / width, box.height / height);
    // The model sees the middle square of a photo.
    const position = { x: box.width / 2 + (right / 100 - 0.5) * seen, y: box.height / 2 + (down / 100 - 0.5) * seen };
    await page.hover('#canvas', { position });
    const value = await page.textContent('#value');
    assert.equal(value.split(' in row ')[0], await page.textContent('#high'));
    assert.match(value, /of 8 × 8$/);
    await page.hover('#legend-note');
    assert.equal(await page.textContent('#value'), '');

    const saves = {};
    for (const what of ['overlay', 'heatmap', 'comparison', 'npy', 'json']) {
      await page.selectOption('#save', what);
      const [download] = await Promise.all([page.waitForEvent('download'), page.click('#export')]);
      saves[what] = { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
    }
    assert.deepEqual(
      Object.values(saves).map(({ name }) => name),
      ['grad_cam-overlay.png', 'grad_cam-heatmap.png', 'grad_cam-comparison.png', 'grad_cam.npy', 'grad_cam.json'].map(
        (n) => `sightline-${n}`,
      ),
    );
    const attribution = fromJson(saves.json.bytes.toString());
    assert.ok(sentence.startsWith(say(attribution).slice(0, 40)));
    assert.deepEqual(Buffer.from(toNpy(attribution)), saves.npy.bytes);
    for (const what of ['overlay', 'heatmap', 'comparison'])
      assert.equal(saves[what].bytes.subarray(1, 4).toString(), 'PNG');

    await page.fill('#threshold', '100');
    await page.selectOption('#contours', '0');
    await painted(page);
    assert.equal(await pixels(page), before);
    assert.equal(here.server.hits.length, requests, 'nothing was asked of the network');

    // While another photo has no map yet there is no value, also under a pointer that rests.
    await page.focus('#canvas');
    await page.keyboard.press('ArrowRight');
    const values = () =>
      page.evaluate(() => [document.querySelector('#value').textContent, !document.querySelector('#mark').hidden]);
    assert.match((await values()).join(), /of 8 × 8,true$/);
    await page.evaluate(() => {
      const [canvas, value, mark] = ['canvas', 'value', 'mark'].map((id) => document.getElementById(id));
      globalThis.states = [];
      new MutationObserver(() => states.push([canvas.ariaLabel, value.textContent, !mark.hidden])).observe(canvas, {
        attributes: true,
      });
      document.querySelector('#samples button:nth-child(2)').click();
    });
    const alt = await page.getAttribute('#samples button:nth-child(2) img', 'alt');
    await page.waitForFunction(
      (alt) => document.querySelector('#canvas').ariaLabel.startsWith(`${alt}: Grad-CAM`),
      alt,
    );
    const bare = (await page.evaluate(() => states)).filter(([label]) => label === alt);
    assert.ok(bare.length > 0, 'the photo comes before its map');
    for (const found of bare) assert.deepEqual(found, [alt, '', false]);
    await idle(page);
    assert.match((await values()).join(), /of 8 × 8,true$/);
    assert.deepEqual(page.errors, []);
    await page.close();
  });

  test('on a phone', async () => {
    const page = await openPage(here, { width: 360, height: 740 });
    await page.selectOption('#method', 'integrated_gradients');
    await page.waitForFunction(() => document.querySelector('#facts').textContent.startsWith('Integrated'), null, {
      timeout: 60_000,
    });
    await idle(page);
    await page.selectOption('#scale', 'symmetric');
    await page.fill('#threshold', '10');
    await painted(page);
    assert.match(await page.textContent('#sentence'), /\d+ % of all magnitude is negative/);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 360, `the page is ${width} px wide`);
    await shot(page, 'look-phone');
    await page.close();
  });
});
