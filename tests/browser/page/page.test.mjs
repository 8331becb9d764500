// The page as a person uses it. The screenshots are there to be looked at.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { drop, golden, idle, needsShared, openPage, screenshots, shared, shot, site } from '../harness.mjs';

const here = site();

const scenes = JSON.parse(readFileSync(join(golden, 'scenes/scenes.json')));
/** The page with the model that knows the scenes, whose masks are exact. */
const open = async (viewport) => {
  const page = await openPage(here, viewport);
  await page.selectOption('#model', 'builtin-scene-cnn');
  await page.waitForFunction(() => document.querySelector('#facts').textContent.includes('at bn2'));
  await idle(page);
  return page;
};
const pixels = (page) => page.evaluate(() => document.querySelector('#canvas').toDataURL());
const facts = (page) => page.textContent('#facts');

test('the first screen shows a sample that is explained, without a click', async () => {
  const page = await openPage(here);
  const samples = JSON.parse(readFileSync(new URL('../../../www/samples/samples.json', import.meta.url)));
  assert.match(await page.textContent('#predictions li:first-child'), new RegExp(samples[0].label));
  assert.ok((await page.textContent('#credit')).includes(samples[0].credit));
  assert.match(await facts(page), /Grad-CAM for .* forward/);
  assert.match(await page.textContent('#device-reason'), /CPU.*software/);
  await shot(page, 'first-screen');
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('drop a photo: the heatmap lies where the shape is, opacity and colours recompute nothing', async () => {
  const page = await open();
  const { file, mask, label } = scenes[3];
  const before = await pixels(page);
  await drop(page, [{ name: file, path: join(golden, 'scenes', file), type: 'image/png' }]);
  await page.waitForFunction(
    (name) => document.querySelector('#canvas').ariaLabel.startsWith(`${name}: Grad-CAM`),
    file,
  );
  await idle(page);
  assert.match(await page.textContent('#predictions li:first-child'), new RegExp(label));
  assert.notEqual(await pixels(page), before);
  await page.uncheck('#outline');
  // How much the canvas differs from the photo inside and outside the mask.
  const change = await page.evaluate(
    async ([photo, mask]) => {
      const canvas = document.querySelector('#canvas');
      const load = async (path) => {
        const bitmap = await createImageBitmap(await (await fetch(path)).blob());
        const c = new OffscreenCanvas(canvas.width, canvas.height);
        c.getContext('2d').drawImage(bitmap, 0, 0, canvas.width, canvas.height);
        return c.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
      };
      await new Promise(requestAnimationFrame);
      const [a, b, m] = [
        canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data,
        await load(photo),
        await load(mask),
      ];
      const bright = { inside: 0, outside: 0, changed: 0, n: 0, k: 0 };
      for (let i = 0; i < a.length; i += 4) {
        // What the colour map added: red minus blue grows with the value in inferno.
        const heat = a[i] - 0.4 * b[i];
        if (m[i] > 128) [bright.inside, bright.n] = [bright.inside + heat, bright.n + 1];
        else [bright.outside, bright.k] = [bright.outside + heat, bright.k + 1];
        bright.changed += Math.abs(a[i] - b[i]) > 8 ? 1 : 0;
      }
      return {
        inside: bright.inside / bright.n,
        outside: bright.outside / bright.k,
        changed: bright.changed / (a.length / 4),
      };
    },
    [`/golden/scenes/${file}`, `/golden/scenes/${mask}`],
  );
  assert.ok(change.changed > 0.2 && change.inside > change.outside + 25, JSON.stringify(change));
  await shot(page, 'dropped');

  const [said, painted, requests] = [await facts(page), await pixels(page), here.server.hits.length];
  await page.fill('#alpha', '0.2');
  await page.selectOption('#colormap', 'viridis');
  await page.selectOption('#interpolation', 'cells');
  await page.waitForTimeout(100);
  assert.notEqual(await pixels(page), painted);
  assert.equal(await facts(page), said);
  assert.equal(here.server.hits.length, requests);
  await shot(page, 'cells');
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('switch class, method and model; the numbers add up; save a picture', async () => {
  const page = await open();
  await page.click('#predictions li:nth-child(2) button');
  const second = await page.textContent('#predictions li:nth-child(2) .label');
  await page.waitForFunction((label) => document.querySelector('#facts').textContent.includes(`“${label}”`), second);
  await page.click('#predictions li:first-child button');
  await page.selectOption('#method', 'integrated_gradients');
  await page.waitForFunction(
    () => document.querySelector('#facts').textContent.includes('Integrated gradients'),
    null,
    {
      timeout: 60_000,
    },
  );
  await idle(page);
  assert.equal(await page.locator('#completeness').isVisible(), true);
  const rows = await page.locator('#completeness td').allTextContents();
  const [score, baseline, sum, rest] = rows.map(Number);
  assert.ok(Math.abs(sum - (score - baseline) - rest) < 0.003, rows.join(' '));
  await page.selectOption('#scale', 'symmetric');
  await page.waitForTimeout(50);
  await shot(page, 'integrated-gradients');
  await page.selectOption('#method', 'grad_cam');
  await page.selectOption('#model', 'builtin-scene-vit');
  await page.waitForFunction(() => document.querySelector('#facts').textContent.includes('blocks.3.norm1'));
  await idle(page);
  await shot(page, 'vit');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#export')]);
  const saved = join(screenshots, 'exported.png');
  await download.saveAs(saved);
  assert.equal(readFileSync(saved).subarray(1, 4).toString(), 'PNG');
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('a long explanation shows progress, can be cancelled, and leaves what was there; the page stays responsive', async () => {
  const page = await open();
  await page.evaluate(() => {
    globalThis.longest = 0;
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) globalThis.longest = Math.max(globalThis.longest, entry.duration);
    }).observe({ entryTypes: ['longtask'] });
  });
  const [said, painted] = [await facts(page), await pixels(page)];
  await page.selectOption('#method', 'integrated_gradients');
  await page.click('#options-box summary');
  await page.fill('[data-option="nSteps"]', '1000');
  await page.press('[data-option="nSteps"]', 'Tab');
  await page.waitForSelector('#working:not([hidden])');
  await page.waitForFunction(() => document.querySelector('#progress').value > 10);
  await shot(page, 'progress');
  await page.click('#cancel');
  await idle(page);
  assert.equal(await page.locator('#working').isVisible(), false);
  assert.equal(await facts(page), said);
  assert.equal(await pixels(page), painted);
  assert.equal(await page.locator('#alert').isVisible(), false);
  const longest = await page.evaluate(() => globalThis.longest);
  console.log(`longest main-thread task while an explanation ran: ${longest} ms`);
  await page.selectOption('#method', 'grad_cam');
  await page.waitForFunction(() => document.querySelector('#facts').textContent.includes('Grad-CAM'));
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('bad files are explained, and nothing on the screen is lost', async () => {
  const page = await open();
  const [said, painted] = [await facts(page), await pixels(page)];
  for (const [name, code] of [
    ['text.jpg', 'unsupported-image'],
    ['truncated.jpg', 'unsupported-image'],
    ['huge-header.png', 'image-too-large'],
  ]) {
    await drop(page, [{ name, path: join(golden, 'photos', name), type: 'image/jpeg' }]);
    await page.waitForSelector(`#alert[data-code="${code}"]:not([hidden])`);
    assert.ok((await page.textContent('#alert-text')).length > 20);
    assert.equal(await facts(page), said);
    assert.equal(await pixels(page), painted);
    if (name === 'text.jpg') await shot(page, 'bad-photo');
    await page.click('#alert-close');
  }
  // A model without its weights, weights of another model, then one that works.
  const file = (model, name) => ({ name, path: join(golden, 'packages', model, name), type: '' });
  await drop(page, [file('tiny-vit', 'config.json')]);
  await page.waitForSelector('#alert[data-code="bad-model"]:not([hidden])');
  await page.click('#alert-close');
  await drop(page, [file('tiny-vit', 'config.json'), file('tiny-cnn', 'model.safetensors')]);
  await page.waitForSelector('#alert[data-code="bad-model"]:not([hidden])');
  await idle(page);
  assert.equal(await page.locator('#model').inputValue(), 'builtin-scene-cnn');
  assert.equal(await pixels(page), painted);
  await drop(page, [file('tiny-vit', 'config.json'), file('tiny-vit', 'model.safetensors')]);
  await page.waitForFunction(() => document.querySelector('#facts').textContent.includes('blocks.2.norm1'));
  await page.click('#open-model summary');
  await page.fill('#model-url', `${here.server.url}/golden/packages/tiny-cnn`);
  await page.click('#url-form button');
  await page.waitForFunction(() => document.querySelector('#offer-go').textContent === 'Download');
  await page.click('#offer-go');
  await page.waitForFunction(() => document.querySelector('#facts').textContent.includes('at bn2'));
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('with the keyboard alone', async () => {
  const page = await open();
  const focus = async (selector) => {
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
    }
    assert.fail(`Tab never reaches ${selector}`);
  };
  await focus('#predictions li:nth-child(2) button');
  const label = await page.textContent('#predictions li:nth-child(2) .label');
  await page.keyboard.press('Enter');
  await page.waitForFunction((label) => document.querySelector('#facts').textContent.includes(`“${label}”`), label);
  await focus('#method');
  const before = await page.textContent('#method option:checked');
  await page.keyboard.press('ArrowDown');
  const method = await page.textContent('#method option:checked');
  assert.notEqual(method, before);
  await page.waitForFunction((name) => document.querySelector('#facts').textContent.startsWith(`${name} for`), method, {
    timeout: 60_000,
  });
  await page.close();
});

test('on a phone nothing overflows', async () => {
  const page = await open({ width: 360, height: 740 });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 360, `the page is ${width} px wide`);
  await shot(page, 'phone');
  await page.close();
});

test('a real model on a real photo', { skip: needsShared }, async () => {
  const page = await open();
  await page.click('#open-model summary');
  await page.fill('#model-url', `${here.server.url}/shared/models/mobilenetv2_100_same`);
  await page.click('#url-form button');
  await page.waitForFunction(() => document.querySelector('#offer-go').textContent === 'Download');
  await page.click('#offer-go');
  await page.waitForFunction(
    () =>
      document.querySelector('#device-reason').textContent &&
      document.querySelector('#model').value.startsWith('opened'),
    null,
    { timeout: 60_000 },
  );
  await idle(page);
  await page.setInputFiles('#file', join(shared, 'photos/cc_by/0dffbfa7ba43cb90.jpg'));
  await page.waitForFunction(
    () => document.querySelector('#canvas').ariaLabel.startsWith('0dffbfa7ba43cb90.jpg: Grad-CAM'),
    null,
    {
      timeout: 60_000,
    },
  );
  await idle(page);
  assert.match(await page.textContent('#predictions li:first-child'), /dough/);
  await shot(page, 'mobilenet');
  await page.close();
});
