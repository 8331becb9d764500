// The heatmap as the page paints it, against stored pictures: every colour map and look, on a
// sample photo with a model whose weights stay as they are. Compared as people see them, not byte
// by byte: browsers differ in how they scale a photo. After a change that is meant: look at the
// pictures in tests/browser/screenshots/visual-*.png (expected, actual, difference), then run
// UPDATE=1 node --test tests/browser/page/visual.test.mjs
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ciede2000, difference, lab } from '../difference.mjs';
import { explained, golden, screenshots, site } from '../harness.mjs';

const here = site();
const stored = join(golden, 'visual');
/** Of the stored pictures, in pixels. */
const WIDTH = 208;
/**
 * Pictures that differ less look alike: the mean CIEDE2000 difference, and the share of pixels
 * where it is above 5.
 */
const ALIKE = { mean: 0.5, seen: 0.005 };
const alike = ({ mean, seen }) => mean <= ALIKE.mean && seen <= ALIKE.seen;

/** Controls by id; what is not named is as the page begins. */
const LOOKS = {
  plain: {},
  cells: { interpolation: 'cells' },
  'for-and-against': { scale: 'symmetric' },
  'cells-for-and-against': { scale: 'symmetric', interpolation: 'cells' },
  opaque: { alpha: '1' },
  'largest-20': { threshold: '20' },
  'largest-20-only': { threshold: '20', only: true },
  'largest-20-cells': { threshold: '20', interpolation: 'cells' },
  'contours-5': { contours: '5' },
  'contours-5-cells': { contours: '5', interpolation: 'cells' },
  'no-outline': { outline: false },
};

/** Pixels of the canvas and of the stored picture, at the stored width. */
async function pixels(page, url) {
  const found = await page.evaluate(
    async ([width, url]) => {
      const source = url ? await createImageBitmap(await (await fetch(url)).blob()) : document.querySelector('#canvas');
      const canvas = new OffscreenCanvas(width, Math.round((source.height * width) / source.width));
      const context = canvas.getContext('2d');
      context.imageSmoothingQuality = 'high';
      context.drawImage(source, 0, 0, canvas.width, canvas.height);
      const bytes = (array) => btoa(Array.from(array, (b) => String.fromCharCode(b)).join(''));
      // Of quality 1, which is without loss.
      const file = url
        ? []
        : new Uint8Array(await (await canvas.convertToBlob({ type: 'image/webp', quality: 1 })).arrayBuffer());
      return {
        data: bytes(context.getImageData(0, 0, canvas.width, canvas.height).data),
        file: bytes(file),
        height: canvas.height,
      };
    },
    [WIDTH, url],
  );
  return { height: found.height, data: Buffer.from(found.data, 'base64'), file: Buffer.from(found.file, 'base64') };
}

/** Expected, actual and difference side by side. */
async function sheet(page, name, expected, actual, { each }) {
  const heat = Buffer.alloc(each.length * 4, 255);
  each.forEach((v, i) => heat.fill(Math.round(255 - Math.min(255, v * 25)), i * 4, i * 4 + 3));
  const png = await page.evaluate(
    async ([parts, width]) => {
      const pictures = parts.map((part) => Uint8ClampedArray.from(atob(part), (c) => c.charCodeAt(0)));
      const height = pictures[0].length / 4 / width;
      const canvas = new OffscreenCanvas(3 * width + 16, height);
      pictures.forEach((data, i) =>
        canvas.getContext('2d').putImageData(new ImageData(data, width, height), i * (width + 8), 0),
      );
      const bytes = new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer());
      return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(''));
    },
    [[expected, actual, heat].map((data) => data.toString('base64')), WIDTH],
  );
  writeFileSync(join(screenshots, `visual-${name}.png`), Buffer.from(png, 'base64'));
}

test('the measure: the pairs of its authors, and what is alike', () => {
  // Sharma, Wu and Dalal 2005, table 1: pairs 1, 4, 7, 9, 11, 16, 17, 18, 25, 34.
  for (const [a, b, expected] of [
    [[50, 2.6772, -79.7751], [50, 0, -82.7485], 2.0425],
    [[50, -1.3802, -84.2814], [50, 0, -82.7485], 1],
    [[50, 0, 0], [50, -1, 2], 2.3669],
    [[50, 2.49, -0.001], [50, -2.49, 0.0009], 7.1792],
    [[50, 2.49, -0.001], [50, -2.49, 0.0011], 7.2195],
    [[50, 2.5, 0], [50, 0, -2.5], 4.3065],
    [[50, 2.5, 0], [73, 25, -18], 27.1492],
    [[50, 2.5, 0], [61, -5, 29], 22.8977],
    [[60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644],
    [[2.0776, 0.0795, -1.135], [0.9033, -0.0636, -0.5514], 0.9082],
  ]) {
    assert.ok(Math.abs(ciede2000(a, b) - expected) < 5e-5, `${a}; ${b}: ${ciede2000(a, b)}`);
    assert.ok(Math.abs(ciede2000(b, a) - expected) < 5e-5);
  }
  const near = (a, b) => a.every((v, i) => Math.abs(v - b[i]) < 0.01);
  assert.ok(near(lab(255, 255, 255), [100, 0, 0]), `${lab(255, 255, 255)}`);
  assert.ok(near(lab(255, 0, 0), [53.24, 80.09, 67.2]), `${lab(255, 0, 0)}`);
  const grey = Buffer.alloc(400, 128);
  const lighter = Buffer.alloc(400, 129);
  assert.ok(alike(difference(grey, lighter)));
  const spot = Buffer.from(grey).fill(255, 0, 8);
  assert.ok(!alike(difference(grey, spot)), 'two of a hundred pixels');
});

test('every colour map and look is painted as it was', { timeout: 180_000 }, async () => {
  const page = await here.browser.newPage({ viewport: { width: 1200, height: 900 } });
  await page.goto(`${here.server.url}/#model=builtin-scene-cnn&photo=coffee.jpg&method=grad_cam&target=3`);
  await explained(page);
  const maps = await page.$$eval('#colormap option', (all) => all.map(({ value }) => value));
  const begin = await page.evaluate(() =>
    ['colormap', 'scale', 'interpolation', 'alpha', 'contours', 'threshold', 'only', 'outline'].map((id) => {
      const control = document.getElementById(id);
      return [id, control.type === 'checkbox' ? control.checked : control.value];
    }),
  );
  const looks = {
    ...LOOKS,
    ...Object.fromEntries(maps.map((colormap) => [`map-${colormap}`, { colormap, alpha: '0.85' }])),
  };
  mkdirSync(stored, { recursive: true });
  /** @type {Record<string, Buffer>} */
  const painted = {};
  const wrong = [];
  for (const [name, look] of Object.entries(looks)) {
    await page.evaluate(
      (settings) => {
        for (const [id, value] of settings) {
          const control = document.getElementById(id);
          if (typeof value === 'boolean') control.checked = value;
          else control.value = value;
          // A scale brings a colour map along, and a colour map a scale.
          for (const kind of ['input', 'change']) control.dispatchEvent(new Event(kind, { bubbles: true }));
        }
        return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      },
      [...begin, ...Object.entries(look)],
    );
    const actual = await pixels(page);
    painted[name] = actual.data;
    const file = join(stored, `${name}.webp`);
    if (process.env.UPDATE) writeFileSync(file, actual.file);
    if (!existsSync(file)) {
      wrong.push(`${name}: there is no stored picture`);
      continue;
    }
    const expected = await pixels(page, `/golden/visual/${name}.webp`);
    const found = difference(expected.data, actual.data);
    await sheet(page, name, expected.data, actual.data, found);
    if (!alike(found))
      wrong.push(`${name}: mean ${found.mean.toFixed(2)}, seen on ${(found.seen * 100).toFixed(2)} % of the pixels`);
  }
  assert.deepEqual(wrong, []);
  // The limits tell every look from every other.
  const names = Object.keys(painted);
  const same = names.flatMap((a, i) =>
    names.slice(i + 1).flatMap((b) => (alike(difference(painted[a], painted[b])) ? [`${a} and ${b}`] : [])),
  );
  assert.deepEqual(same, []);
  await page.close();
});
