// Comparing, links, and photos of nothing that the model knows. The screenshots are there to be looked at.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idle, openPage, shot, site } from './harness.mjs';

const here = site();
const finished = (page, text = /maps computed/) =>
  page.waitForFunction((source) => new RegExp(source).test(document.querySelector('#compare-status').textContent), text.source, {
    timeout: 120_000,
  });
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

  // By keyboard: focus, arrows, Enter.
  await page.locator('#compare-grid .cell').nth(1).focus();
  const start = await page.evaluate(() => document.querySelector('#compare-grid .mark').style.left);
  await page.keyboard.press('ArrowRight');
  const moved = await page.evaluate(() => [...document.querySelectorAll('#compare-grid .mark')].map((m) => m.style.left));
  assert.ok(parseFloat(moved[0]) > parseFloat(start) && moved.every((left) => left === moved[0]), `${start} ${moved}`);
  assert.match(await page.textContent('#compare-point'), /^Grad-CAM, .*: .* % from the left/);
  const label = await page.textContent('#compare-grid th[scope=col]:nth-child(3)');
  await page.keyboard.press('Enter');
  await page.waitForFunction((name) => document.querySelector('#facts').textContent.includes(`Grad-CAM for “${name}”`), label);
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
  await page.waitForFunction(() => document.querySelectorAll('#compare-columns input').length >= 3);
  await page.click('#compare-go');
  await finished(page);
  assert.equal(await page.locator('#compare-grid .cell:not([disabled])').count(), 3);
  assert.match(await page.textContent('#compare-grid th[scope=col]:nth-child(2)'), /“espresso”/);
  await shot(page, 'compare-models');
  await page.locator('#compare-grid .cell').nth(1).click();
  await page.waitForFunction(() => document.querySelector('#facts').textContent.includes('at bn2'));
  await idle(page);
  assert.equal(await page.inputValue('#model'), 'builtin-scene-cnn');
  // The comparison is of the photo and stays.
  assert.equal(await page.locator('#compare-grid .cell').nth(1).getAttribute('aria-pressed'), 'true');
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
