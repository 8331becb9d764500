// Comparing, links, and photos of nothing that the model knows. The screenshots are there to be
// looked at.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { familiarity } from '../../../pkg/report/familiarity.js';
import { collectErrors, drop, idle, openPage, pngTexts, screenshots, shot, site } from '../harness.mjs';

const here = site();
const finished = (page, text = /maps computed/) =>
  page.waitForFunction(
    (source) => new RegExp(source).test(document.querySelector('#compare-status').textContent),
    text.source,
    {
      timeout: 120_000,
    },
  );
/** Ticks these and no others. */
const tick = (page, box, values) =>
  page.evaluate(
    ([box, values]) => {
      for (const input of document.querySelectorAll(`${box} input`)) input.checked = values.includes(input.value);
    },
    [box, values],
  );
const values = (page) => page.locator('#compare-grid .value').allTextContents();
const ends = (page) => page.locator('#compare-grid .ends').allTextContents();

test('methods × classes: one point in every map, own and shared scale, a cell becomes the main view', async () => {
  const page = await openPage(here);
  await tick(page, '#compare-rows', ['grad_cam', 'saliency']);
  await page.click('#compare-go');
  await finished(page);
  assert.equal(await page.locator('#compare-grid .cell').count(), 6);
  const own = await ends(page);
  assert.equal(new Set(own.slice(0, 3)).size, 3, own.join('; '));
  assert.match(await page.textContent('#compare-legend'), /own colour scale/);
  await page.check('#compare-shared');
  const together = await ends(page);
  assert.equal(new Set(together.slice(0, 3)).size, 1, together.join('; '));
  assert.notEqual(together[0], together[3]);
  assert.match(await page.textContent('#compare-legend'), /share one colour scale/);
  // The widest of their own scales.
  const top = (text) => Number(text.split(' to ')[1]);
  assert.equal(top(together[0]), Math.max(...own.slice(0, 3).map(top)));

  // One map is pointed at: all mark the same point, each with its own value.
  await page
    .locator('#compare-grid canvas')
    .nth(1)
    .hover({ position: { x: 60, y: 45 } });
  const marked = await page.evaluate(() =>
    [...document.querySelectorAll('#compare-grid .mark')].map((m) => [m.hidden, m.style.left, m.style.top].join()),
  );
  assert.equal(new Set(marked).size, 1);
  assert.match(marked[0], /^false,/);
  const read = await values(page);
  assert.ok(
    read.every((text) => Number.isFinite(Number(text)) && text !== ''),
    read.join('; '),
  );
  assert.ok(new Set(read).size > 3, read.join('; '));
  await shot(page, 'compare');

  // The whole of it as one picture.
  const [told] = await Promise.all([page.waitForEvent('download'), page.click('#compare-save')]);
  assert.equal(told.suggestedFilename(), 'sightline-comparison.png');
  const png = readFileSync(await told.path());
  writeFileSync(join(screenshots, 'compare-saved.png'), png);
  const texts = pngTexts(png);
  const facts = JSON.parse(texts.sightline);
  assert.deepEqual(
    facts.map(({ method, target }) => `${method} ${target}`),
    await page.$$eval('#compare-rows input:checked', (rows) =>
      rows.flatMap((row) =>
        [...document.querySelectorAll('#compare-columns input:checked')].map(
          (column) => `${row.value} ${column.value}`,
        ),
      ),
    ),
  );
  assert.ok(
    facts.every(({ provenance, crop }) => provenance.model.id === 'sightline-cnn' && crop.photoWidth > 0),
    texts.sightline,
  );
  // On the scales of the page.
  assert.deepEqual(
    facts.map(({ rendered: { hi } }) => hi.toPrecision(3)),
    together.map((text) => top(text).toPrecision(3)),
  );
  assert.match(texts.Title, /^Grad-CAM for .*; Saliency for /);
  // The photo and three maps in a row, two rows, and their legends and origin below.
  const [wide, high] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  assert.equal(wide, 4 * 360 + 5 * 14);
  const [photoWidth, photoHeight] = [facts[0].crop.photoWidth, facts[0].crop.photoHeight];
  const two = (2 * 360 * photoHeight) / photoWidth;
  assert.ok(high > two + 150 && high < two + 600, `${high} ${two}`);

  // By keyboard: focus, arrows, Enter.
  await page.locator('#compare-grid .cell').nth(1).focus();
  const start = await page.evaluate(() => document.querySelector('#compare-grid .mark').style.left);
  await page.keyboard.press('ArrowRight');
  const moved = await page.evaluate(() =>
    [...document.querySelectorAll('#compare-grid .mark')].map((m) => m.style.left),
  );
  assert.ok(parseFloat(moved[0]) > parseFloat(start) && moved.every((left) => left === moved[0]), `${start} ${moved}`);
  assert.match(await page.textContent('#compare-point'), /^Grad-CAM, .*: .* % from the left/);
  const label = await page.textContent('#compare-grid th[scope=col]:nth-child(3)');
  await page.keyboard.press('Enter');
  await page.waitForFunction(
    (name) => document.querySelector('#facts').textContent.includes(`Grad-CAM for “${name}”`),
    label,
  );
  await idle(page);
  assert.equal(await page.locator('#compare-grid .cell').nth(1).getAttribute('aria-pressed'), 'true');
  assert.equal(await page.locator('#compare-grid .cell').nth(0).getAttribute('aria-pressed'), 'false');
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('methods × layers; another photo drops the comparison', async () => {
  const page = await openPage(here);
  await page.selectOption('#compare-kind', 'layers');
  await page.waitForFunction(() => document.querySelector('#compare-columns legend').textContent === 'Layers');
  await page.click('#compare-go');
  await finished(page);
  const layer = await page.textContent('#compare-grid th[scope=col]:nth-child(2)');
  await page.locator('#compare-grid .cell').first().click();
  await page.waitForFunction((id) => document.querySelector('#facts').textContent.includes(`at ${id}:`), layer);
  await idle(page);
  await page.click('#samples button:nth-child(2)');
  await page.waitForFunction(() => document.querySelector('#compare-status').textContent.includes('another photo'));
  assert.equal(await page.locator('#compare-result').isVisible(), false);
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('models × one photo: opened in turn, and a cell opens its model', async () => {
  const page = await openPage(here);
  await page.selectOption('#compare-kind', 'models');
  const { models } = JSON.parse(readFileSync(new URL('../../../www/models/models.json', import.meta.url)));
  const builtIn = models.filter(({ path }) => path);
  const scenes = builtIn.findIndex(({ id }) => id === 'builtin-scene-cnn');
  await page.waitForFunction((n) => document.querySelectorAll('#compare-columns input').length >= n, builtIn.length);
  await page.click('#compare-go');
  await finished(page);
  assert.equal(await page.locator('#compare-grid .cell:not([disabled])').count(), builtIn.length);
  assert.match(await page.textContent('#compare-grid th[scope=col]:nth-child(2)'), /“espresso”/);
  await shot(page, 'compare-models');
  await page.locator('#compare-grid .cell').nth(scenes).click();
  await page.waitForFunction(() => document.querySelector('#facts').textContent.includes('at bn2'));
  await idle(page);
  assert.equal(await page.inputValue('#model'), 'builtin-scene-cnn');
  // The comparison is of the photo and stays.
  assert.equal(await page.locator('#compare-grid .cell').nth(scenes).getAttribute('aria-pressed'), 'true');
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('cancel keeps what is computed; a newer comparison replaces the older', async () => {
  const page = await openPage(here, { width: 360, height: 740 });
  await tick(page, '#compare-rows', ['grad_cam', 'occlusion', 'rise']);
  await page.click('#compare-go');
  await page.waitForFunction(() => /Occlusion/.test(document.querySelector('#compare-status').textContent));
  await page.click('#compare-cancel');
  await finished(page, /Stopped after 3 of 9/);
  assert.equal(await page.locator('#compare-grid .cell:not([disabled])').count(), 3);
  await page.click('#compare-go');
  await tick(page, '#compare-rows', ['layer_cam']);
  await page.click('#compare-go');
  await finished(page, /^3 of 3 maps/);
  assert.equal(await page.locator('#compare-grid .cell:not([disabled])').count(), 3);
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
  await shot(page, 'compare-phone');
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('one that is replaced by nothing, or whose photo goes, ends', async () => {
  const page = await openPage(here);
  const status = () => page.textContent('#compare-status');
  const begin = async () => {
    await tick(page, '#compare-rows', ['grad_cam', 'occlusion', 'rise']);
    await page.click('#compare-go');
    await page.waitForFunction(() => /Occlusion/.test(document.querySelector('#compare-status').textContent));
  };
  const ended = async () => {
    for (const id of ['cancel', 'progress']) assert.equal(await page.locator(`#compare-${id}`).isVisible(), false, id);
  };
  await begin();
  await tick(page, '#compare-rows', []);
  await page.click('#compare-go');
  assert.match(await status(), /^Choose/);
  await ended();
  const left = await ends(page);
  assert.ok(left.every((text) => text !== '…') && left.includes('not computed'), left.join('; '));
  assert.equal(await page.locator('#compare-grid .cell:not([disabled])').count(), 3);

  await begin();
  await page.click('#samples button:nth-child(2)');
  await page.waitForFunction(() => document.querySelector('#canvas').ariaLabel.includes('tabby'));
  await idle(page);
  assert.match(await status(), /another photo/);
  await ended();
  assert.deepEqual(page.errors, []);
  await page.close();
});

const picture = (page) => page.evaluate(() => document.querySelector('#canvas').toDataURL());
/** The page at an address with this after the #. */
async function follow(hash) {
  const page = await here.browser.newPage({ viewport: { width: 1200, height: 900 } });
  collectErrors(page);
  await page.goto(`${here.server.url}/#${hash}`);
  await page.waitForSelector('#legend:not([hidden])');
  await idle(page);
  return page;
}

test('a link gives the same picture, options and comparison', async () => {
  const page = await openPage(here);
  await page.click('#samples button:nth-child(2)');
  await page.waitForFunction(() => document.querySelector('#canvas').ariaLabel.includes('tabby'));
  await idle(page);
  await page.selectOption('#method', 'smooth_grad');
  await page.waitForFunction(() => document.querySelector('#facts').textContent.startsWith('SmoothGrad'), null, {
    timeout: 60_000,
  });
  await page.click('#options-box summary');
  await page.fill('[data-option="nSamples"]', '4');
  await page.press('[data-option="nSamples"]', 'Tab');
  await idle(page);
  await page.click('#predictions li:nth-child(2) button');
  await idle(page);
  await page.selectOption('#colormap', 'viridis');
  await page.fill('#threshold', '30');
  await tick(page, '#compare-rows', ['grad_cam']);
  await page.click('#compare-go');
  await finished(page);
  // What is ticked since is not what is shown.
  await tick(page, '#compare-rows', ['saliency']);
  await page.click('#link');
  await page.waitForFunction(() => location.hash.length > 1);
  assert.doesNotMatch(await page.textContent('#link-note'), /not in the link/);
  const hash = new URL(page.url()).hash.slice(1);
  const again = await follow(hash);
  await finished(again);
  assert.equal((await again.textContent('#facts')).split(':')[0], (await page.textContent('#facts')).split(':')[0]);
  assert.equal(await again.inputValue('[data-option="nSamples"]'), '4');
  assert.ok((await picture(again)) === (await picture(page)), 'the picture is the same');
  assert.deepEqual(await ends(again), await ends(page));
  // Another link in the same tab.
  const other = 'photo=bananas.jpg&method=layer_cam&look.colormap=inferno&look.threshold=100';
  await again.evaluate((hash) => (location.hash = hash), other);
  await again.waitForFunction(() => document.querySelector('#canvas').ariaLabel.includes('bananas: LayerCAM'));
  await idle(again);
  const fresh = await follow(other);
  assert.ok((await picture(again)) === (await picture(fresh)), 'the other photo is shown');
  assert.deepEqual([...page.errors, ...again.errors, ...fresh.errors], []);
  await page.close();
  await again.close();
  await fresh.close();
});

test('a link’s method is not that of a model that is chosen while the link’s is opened', async () => {
  const page = await here.browser.newPage();
  const held = [];
  await page.route('**/models/scene-cnn/model.safetensors', (route) => held.push(route));
  await page.goto(`${here.server.url}/#model=builtin-scene-cnn&photo=cat.jpg&method=layer_cam`);
  for (let i = 0; i < 200 && !held.length; i++) await page.waitForTimeout(20);
  await page.selectOption('#model', 'sightline-cnn');
  await page.waitForSelector('#legend:not([hidden])');
  await idle(page);
  assert.equal(await page.inputValue('#model'), 'sightline-cnn');
  assert.equal(await page.inputValue('#method'), 'grad_cam');
  assert.match(await page.textContent('#facts'), /^Grad-CAM for “tabby/);
  await Promise.all(held.map((route) => route.abort().catch(() => undefined)));
  await page.close();
});

test('a photo of one’s own is not in a link', async () => {
  const page = await openPage(here);
  await page.setInputFiles('#file', new URL('../../golden/scenes/03.png', import.meta.url).pathname);
  await page.waitForFunction(() => document.querySelector('#canvas').ariaLabel.startsWith('03.png: '));
  await idle(page);
  await page.click('#link');
  await page.waitForFunction(() =>
    document.querySelector('#link-note').textContent.includes('Your photo is not in the link'),
  );
  assert.doesNotMatch(page.url(), /03\.png|photo=/);
  await page.close();
});

test('hostile links are text, and what is wrong in them is left out', async () => {
  const evil = '<img src=x onerror=globalThis.owned=1>';
  const params = new URLSearchParams({
    model: evil,
    photo: '../models/models.json',
    method: '__proto__',
    target: '99999-or-1',
    layer: evil,
    'option.nSteps': '1e99',
    'look.alpha': 'NaN',
    'look.colormap': evil,
    'look.__proto__': 'x',
    compare: 'classes',
    row: evil,
    column: evil,
  });
  const hits = here.server.hits.length;
  const page = await follow(params);
  await page.waitForSelector('#alert:not([hidden])');
  assert.ok((await page.textContent('#alert-text')).includes(evil));
  assert.equal(await page.evaluate(() => globalThis.owned), undefined);
  assert.match(await page.textContent('#facts'), /Grad-CAM for .espresso/);
  assert.equal(await page.inputValue('#colormap'), 'inferno');
  assert.ok(!here.server.hits.slice(hits).includes('/x'));
  assert.deepEqual(page.errors, []);
  await page.close();
  for (const hash of [
    '%',
    'a'.repeat(5000),
    `method=integrated_gradients&option.nSteps=-5&target=999999&compare=layers&row=${evil}&column=x`,
  ]) {
    const other = await follow(hash);
    assert.deepEqual(other.errors, []);
    assert.equal(await other.locator('#compare-grid img').count(), 0);
    await other.close();
  }
});

test('the rule for photos of nothing known, by hand', () => {
  const equal = familiarity([3, 3, 3, 3]);
  assert.ok(Math.abs(equal.energy) < 1e-12 && equal.probability === 0.25 && equal.unfamiliar);
  // ln((e^4 + 3) / 4) - 1
  const one = familiarity([4, 0, 0, 0]);
  assert.ok(Math.abs(one.energy - (Math.log((Math.exp(4) + 3) / 4) - 1)) < 1e-12);
  assert.ok(Math.abs(one.probability - Math.exp(4) / (Math.exp(4) + 3)) < 1e-12 && !one.unfamiliar);
  // What is added to every logit changes nothing, however large.
  assert.ok(Math.abs(familiarity([1004, 1000, 1000, 1000]).energy - one.energy) < 1e-9);
  // Two likely classes out of many are known, though neither has half the probability.
  assert.equal(familiarity([9, 9, ...new Array(62).fill(0)]).unfamiliar, false);
  assert.equal(familiarity([Number.NaN, 1]).unfamiliar, false);
  // A model's own limit.
  const some = familiarity([3, ...new Array(63).fill(0)]);
  assert.ok(
    some.unfamiliar &&
      some.energy > 0.2 &&
      !familiarity([3, ...new Array(63).fill(0)], { energy: some.energy }).unfamiliar,
  );
  assert.equal(familiarity([1]).unfamiliar, false);
});

test('each model has its own limit: what the page says is what its figures say', async () => {
  const page = await openPage(here);
  let byDefault = 0;
  for (const id of ['sightline-vit', 'sightline-cnn']) {
    const limits = JSON.parse(readFileSync(new URL(`../../../www/models/${id}/figures.json`, import.meta.url)));
    const logits = await page.evaluate(async (id) => {
      const { createExplainer } = await import('./pkg/index.js');
      const explainer = await createExplainer({ model: id, device: 'cpu' });
      const all = [];
      for (const { src } of document.querySelectorAll('#samples img'))
        all.push([...(await explainer.classify(await (await fetch(src)).blob())).logits]);
      explainer.dispose();
      return all;
    }, id);
    await page.selectOption('#model', id);
    await page.waitForFunction((id) => document.querySelector('#model').value === id, id);
    await idle(page);
    for (const [k, of] of logits.entries()) {
      await page.click(`#samples button:nth-child(${k + 1})`);
      await page.waitForFunction(
        (n) =>
          document
            .querySelector('#canvas')
            .ariaLabel.startsWith(document.querySelector(`#samples button:nth-child(${n}) img`).alt),
        k + 1,
      );
      await idle(page);
      const { unfamiliar } = familiarity(of, limits);
      assert.equal(await page.locator('#unfamiliar').isVisible(), unfamiliar, `${id}, sample ${k + 1}`);
      byDefault += Number(unfamiliar !== familiarity(of).unfamiliar);
    }
  }
  assert.ok(byDefault > 0, 'there is a photo that the limit is needed for');
  await page.close();
});

test('noise is said to be none of the classes, sample photos are not', async () => {
  const page = await openPage(here);
  for (const k of [1, 2, 3, 4, 5]) {
    await page.click(`#samples button:nth-child(${k})`);
    await page.waitForFunction(
      (n) =>
        document
          .querySelector('#canvas')
          .ariaLabel.startsWith(document.querySelector(`#samples button:nth-child(${n}) img`).alt),
      k,
    );
    await idle(page);
    assert.equal(await page.locator('#unfamiliar').isVisible(), false, `sample ${k}`);
  }
  const noise = await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(256, 256);
    const context = canvas.getContext('2d');
    const pixels = context.createImageData(256, 256);
    let seed = 1;
    for (let i = 0; i < pixels.data.length; i++) {
      seed = (seed * 16807) % 2147483647;
      pixels.data[i] = i % 4 === 3 ? 255 : (seed / 2147483647) * 256;
    }
    context.putImageData(pixels, 0, 0);
    return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
  });
  await drop(page, [{ name: 'noise.png', type: 'image/png', data: Buffer.from(noise) }]);
  await page.waitForSelector('#unfamiliar:not([hidden])');
  assert.match(await page.textContent('#unfamiliar'), /knows only these 64 classes/);
  await idle(page);
  await shot(page, 'unfamiliar');
  assert.deepEqual(page.errors, []);
  await page.close();
});
