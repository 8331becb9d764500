// The page and the widget in Firefox, as a person uses them. The screenshots are there to be looked
// at.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { drop, explained, golden, idle, screenshots, serve } from '../harness.mjs';
import { launchFirefox, needsFirefox, says } from './firefox.mjs';

const scenes = JSON.parse(readFileSync(join(golden, 'scenes/scenes.json')));

describe('the page and the widget in Firefox', { skip: needsFirefox }, () => {
  const it = {};
  before(async () => {
    it.server = await serve();
    it.browser = await launchFirefox();
  });
  after(async () => {
    await it.browser?.close();
    await it.server?.close();
  });
  const shot = (page, name) => page.screenshot({ path: join(screenshots, `firefox-${name}.png`), fullPage: true });
  const pixels = (page) => page.evaluate(() => document.querySelector('#canvas').toDataURL());
  const shows = (page, name) =>
    page.waitForFunction((name) => document.querySelector('#canvas').ariaLabel.startsWith(name), name);

  test('a photo is chosen, another dropped; another method and language; nothing is said in the console', async () => {
    const page = await it.browser.newPage();
    await page.goto(`${it.server.url}/`);
    await explained(page);
    await says(page, '#facts', /^Grad-CAM for .* forward/);
    await says(page, '#device-reason', /CPU.*WebGPU/);
    await shot(page, 'first');

    await page.select('#model', 'builtin-scene-cnn');
    await says(page, '#facts', /at bn2/);
    await idle(page);
    const before = await pixels(page);
    const [chosen, dropped] = [scenes[3], scenes[5]];
    await (await page.$('#file')).uploadFile(join(golden, 'scenes', chosen.file));
    await shows(page, `${chosen.file}: Grad-CAM`);
    await idle(page);
    await says(page, '#predictions li:first-child', new RegExp(chosen.label));
    const painted = await pixels(page);
    assert.notEqual(painted, before);

    await drop(page, [{ name: dropped.file, path: join(golden, 'scenes', dropped.file), type: 'image/png' }]);
    await shows(page, `${dropped.file}: Grad-CAM`);
    await idle(page);
    await says(page, '#predictions li:first-child', new RegExp(dropped.label));

    await page.select('#method', 'integrated_gradients');
    await says(page, '#facts', /^Integrated gradients for/);
    await idle(page);
    assert.ok(await page.evaluate(() => document.querySelector('#completeness').checkVisibility()));
    await page.select('#language', 'de');
    await page.waitForFunction(() => document.documentElement.lang === 'de');
    await says(page, '#pick', /Foto/);
    await shot(page, 'german');
    assert.deepEqual(page.errors, []);
    await page.close();
  });

  test('a broken picture and half a model are told in words; what was shown stays', async () => {
    const page = await it.browser.newPage();
    await page.goto(`${it.server.url}/?lang=en`);
    await explained(page);
    const painted = await pixels(page);
    const refused = async (code, files) => {
      await drop(page, files);
      await page.waitForSelector(`#alert[data-code="${code}"]:not([hidden])`);
      await page.click('#alert-close');
    };
    await refused('unsupported-image', [
      { name: 'truncated.jpg', path: join(golden, 'photos/truncated.jpg'), type: '' },
    ]);
    const config = join(golden, 'packages/tiny-vit/config.json');
    await refused('bad-model', [{ name: 'config.json', path: config, type: '' }]);
    await idle(page);
    assert.ok((await pixels(page)) === painted, 'another picture is left');
    assert.deepEqual(page.errors, []);
    await page.close();
  });

  test('a long explanation is cancelled', async () => {
    const page = await it.browser.newPage();
    await page.goto(`${it.server.url}/?lang=en`);
    await explained(page);
    const [said, painted] = [await page.evaluate(() => facts.textContent), await pixels(page)];
    await page.select('#method', 'integrated_gradients');
    await page.waitForSelector('#working:not([hidden])');
    await page.waitForFunction(() => document.querySelector('#progress').value > 0);
    await page.click('#cancel');
    await idle(page);
    assert.equal(await page.evaluate(() => facts.textContent), said);
    assert.ok((await pixels(page)) === painted, 'another picture is left');
    assert.deepEqual(page.errors, []);
    await page.close();
  });

  test('on a phone nothing overflows', async () => {
    const page = await it.browser.newPage({ viewport: { width: 360, height: 740 } });
    await page.goto(`${it.server.url}/?lang=en`);
    await explained(page);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 360, `the page is ${width} px wide`);
    await shot(page, 'phone');
    assert.deepEqual(page.errors, []);
    await page.close();
  });

  test('the element on a plain page explains a photo', async () => {
    const page = await it.browser.newPage({ viewport: { width: 700, height: 700 } });
    await page.goto(`${it.server.url}/blank.html`);
    await page.setContent(
      `<!doctype html><html lang="en"><meta charset="utf-8"><title>A lesson</title>
      <sightline-explainer src="/golden/scenes/03.png" alt="A shape" model="builtin-scene-cnn" controls></sightline-explainer>
      <script type="module" src="${it.server.url}/pkg/element.js"></script>`,
    );
    await page.waitForFunction(() => document.querySelector('sightline-explainer').state === 'ready');
    const text = await page.evaluate(() => document.querySelector('sightline-explainer').shadowRoot.textContent);
    assert.match(text, new RegExp(scenes[3].label));
    await shot(page, 'widget');
    assert.deepEqual(page.errors, []);
    await page.close();
  });

  test('without a connection the page opens from its copy and explains', async () => {
    const own = await serve();
    const page = await it.browser.newPage();
    await page.goto(`${own.url}/?lang=en`);
    await explained(page);
    await says(page, '#offline', /without a connection/);
    await own.close();
    await page.reload();
    await explained(page);
    await says(page, '#facts', /^Grad-CAM for/);
    await page.close();
  });
});
