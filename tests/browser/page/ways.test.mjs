// The page opened from the disk, a dropped folder of many files, and ways out of what takes long.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { beforeWorker, collectErrors, dist, explained, golden, idle, openPage, shot, site } from '../harness.mjs';

const here = site();
const temporary = [];
after(() => temporary.forEach((folder) => rmSync(folder, { recursive: true })));

test('opened from the disk, the page and the embed page say what to do, in the browser’s language', async () => {
  for (const [name, locale, expected] of [
    ['index.html', 'en-US', /opened from the disk.*Serve its folder.*http\.server/],
    ['embed.html', 'en-US', /opened from the disk.*Serve its folder.*http\.server/],
    ['index.html', 'de-DE', /von der Festplatte geöffnet.*Webserver/],
  ]) {
    const page = await here.browser.newPage({ locale, viewport: { width: 360, height: 640 } });
    await page.goto(pathToFileURL(join(dist, name)).href);
    assert.match(await page.textContent('#from-disk[role=alert]'), expected);
    assert.ok(await page.locator('#from-disk').isVisible());
    assert.equal(await page.locator('main :is(button, input)').count(), 0, 'nothing that does not work is offered');
    if (name === 'index.html') await shot(page, `from-disk-${locale}`);
    await page.close();
  }
  const served = await openPage(here);
  // The code for other pages names what lies beside this one relative to it, and nothing else.
  const named = await served.evaluate(async () => {
    const { relative } = await import('./embed-code.js');
    const site = new URL('https://site.example/deep/');
    return ['samples/cat.jpg', '//evil.example/x.jpg', 'data:x', '/other.jpg', '', '?a=1'].map((rest) =>
      relative(site.href + rest, site),
    );
  });
  assert.deepEqual(named, [
    'samples/cat.jpg',
    'https://site.example/deep///evil.example/x.jpg',
    'https://site.example/deep/data:x',
    'https://site.example/deep//other.jpg',
    'https://site.example/deep/',
    'https://site.example/deep/?a=1',
  ]);
  assert.equal(await served.locator('#from-disk').count(), 0);
  await served.close();
});

test('a dropped folder is read to its end, whatever a part of it is called', async () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'sightline-drop-')), 'model');
  temporary.push(join(folder, '..'));
  mkdirSync(join(folder, 'deep'), { recursive: true });
  // Browsers give a hundred at a time, in an order of their own.
  for (let i = 0; i < 150; i++)
    for (const name of [`a${i}.txt`, `z${i}.txt`, `deep/m${i}.md`]) writeFileSync(join(folder, name), 'not a model');
  for (const name of ['config.json', 'model.safetensors'])
    copyFileSync(join(golden, 'packages/tiny-cnn', name), join(folder, name));
  const page = await openPage(here);
  const devtools = await page.context().newCDPSession(page);
  const data = { items: [], files: [folder], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'])
    await devtools.send('Input.dispatchDragEvent', { type, x: 200, y: 200, data });
  const opened = () => document.querySelector('#model').selectedOptions[0]?.textContent === 'model';
  await page.waitForFunction(
    () =>
      document.querySelector('#model').selectedOptions[0]?.textContent === 'model' ||
      !document.querySelector('#alert').hidden,
  );
  assert.equal(await page.locator('#alert').isVisible(), false, await page.textContent('#alert-text'));
  await idle(page);
  assert.equal(await page.evaluate(opened), true);
  await page.close();
});

test('whatever runs can be ended after 5 s at the latest, also where the worker does not answer', {
  timeout: 90_000,
}, async () => {
  const page = await here.browser.newPage({ viewport: { width: 1200, height: 900 } });
  collectErrors(page);
  // Calls are answered, until the page says otherwise.
  await beforeWorker(page, () => {
    const { postMessage } = globalThis;
    let isMute = false;
    globalThis.addEventListener(
      'message',
      (event) => {
        if ([event.data.request?.nSamples, event.data.request?.seed].includes(77)) isMute = true;
        if (isMute) event.stopImmediatePropagation();
      },
      { capture: true },
    );
    globalThis.postMessage = (...all) => isMute || postMessage(...all);
  });
  await page.goto(`${here.server.url}/`);
  await explained(page);
  for (const [method, option, estimates] of [
    ['smooth_grad', 'nSamples', true],
    ['deep_lift', 'seed', false],
  ]) {
    await page.selectOption('#method', method);
    await idle(page);
    await page.evaluate(() => (document.querySelector('#options-box').open = true));
    await page.fill(`[data-option=${option}]`, '77');
    await page.press(`[data-option=${option}]`, 'Tab');
    await page.waitForSelector('#cancel', { state: 'visible', timeout: 5000 });
    assert.equal(await page.locator('#stop').isVisible(), estimates, 'where there is an estimate it can be kept');
    if (estimates) await shot(page, 'takes-long');
    await page.click('#cancel');
    await idle(page);
  }
  // The next method works, and what the last one offered is gone.
  await page.selectOption('#method', 'grad_cam');
  await page.waitForFunction(() => document.querySelector('#facts').textContent.includes('Grad-CAM'), null, {
    timeout: 60_000,
  });
  await idle(page);
  assert.equal(await page.locator('#stop').isVisible(), false);
  assert.equal(await page.locator('#alert').isVisible(), false);
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('after Cancel the canvas shows the map that the facts are of, not the unfinished one', {
  timeout: 90_000,
}, async () => {
  const page = await openPage(here);
  const pixels = () =>
    page.evaluate(() => {
      const canvas = document.querySelector('#canvas');
      const small = new OffscreenCanvas(16, 16).getContext('2d');
      small.drawImage(canvas, 0, 0, 16, 16);
      return [...small.getImageData(0, 0, 16, 16).data];
    });
  const [before, facts] = [await pixels(), await page.textContent('#facts')];
  await page.evaluate(() => (document.querySelector('#options-box').open = true));
  await page.selectOption('#method', 'rise');
  await page.waitForSelector('#cancel', { state: 'visible' });
  const unfinished = await page.waitForFunction((before) => {
    const small = new OffscreenCanvas(16, 16).getContext('2d');
    small.drawImage(document.querySelector('#canvas'), 0, 0, 16, 16);
    return [...small.getImageData(0, 0, 16, 16).data].some((value, i) => Math.abs(value - before[i]) > 8);
  }, before);
  assert.ok(await unfinished.jsonValue(), 'an estimate is painted');
  await page.click('#cancel');
  await idle(page);
  await page.evaluate(() => new Promise(requestAnimationFrame));
  assert.equal(await page.textContent('#facts'), facts);
  assert.deepEqual(await pixels(), before);
  await page.close();
});
