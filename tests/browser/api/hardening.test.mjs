// What only shows when things happen at the same time, from elsewhere, or out of order.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { golden, listen, screenshots, site } from '../harness.mjs';

const here = site();
const open = () => here.open();

test('several explainers at once all come to an end, with the numbers of each alone', { timeout: 60_000 }, async () => {
  const page = await open();
  const worst = await page.evaluate(async () => {
    const { input } = await t.tensors('/golden/packages/tiny-cnn/golden.safetensors');
    const image = t.input(input);
    const model = { url: '/golden/packages/tiny-cnn' };
    const explainers = await Promise.all([1, 2, 3].map(() => api.createExplainer({ model, device: 'cpu' })));
    const ask = (explainer) =>
      explainer.attribute(image, { method: 'integrated_gradients', nSteps: 200, chunkSize: 1 });
    const alone = await ask(explainers[0]);
    const together = await Promise.all(explainers.map(ask));
    return Math.max(...together.map((a) => t.relative(a.values, alone.values)));
  });
  assert.equal(worst, 0);
  await page.close();
});

test('a package that another origin sends compressed', async () => {
  const elsewhere = await listen((request, response) => {
    const body = gzipSync(readFileSync(join(golden, 'packages/tiny-vit', request.url.split('/').pop())));
    response.writeHead(200, {
      'content-encoding': 'gzip',
      'content-length': body.length,
      'access-control-allow-origin': '*',
    });
    response.end(body);
  });
  const page = await open();
  try {
    const label = await page.evaluate(
      async (url) => (await api.createExplainer({ model: { url }, device: 'cpu' })).info.model.labels[0],
      `${elsewhere.url}/model`,
    );
    assert.equal(label, 'amber');
  } finally {
    await page.close();
    await elsewhere.close();
  }
});

test('an explainer that is aborted while its weights load leaves nothing in the worker', async () => {
  const page = await open();
  const { code, engines, late } = await page.evaluate(async () => {
    // The engines that the worker really holds, from what it is asked and answers.
    const asked = new Map();
    const engines = new Set();
    const original = Worker;
    globalThis.Worker = class extends original {
      constructor(...args) {
        super(...args);
        this.addEventListener('message', ({ data: { call, progress, error } }) => {
          const { op, engine } = asked.get(call) ?? {};
          if (progress || error) return;
          if (op === 'open') engines.add(engine);
          if (op === 'close') engines.delete(engine);
        });
      }
      postMessage(message) {
        if (message.op !== 'cancel') asked.set(message.call, message);
        super.postMessage(message);
      }
    };
    const model = { url: '/golden/packages/tiny-cnn' };
    const other = await api.createExplainer({ model, device: 'cpu' });
    const controller = new AbortController();
    const onProgress = ({ stage }) => stage === 'weights' && controller.abort();
    const { code } = await t.failure(
      api.createExplainer({ model, device: 'cpu', signal: controller.signal, onProgress }),
    );
    // Also where the abort comes too late to stop the loading.
    const late = await api.createExplainer({ model, device: 'cpu' });
    const both = engines.size;
    late.dispose();
    for (let i = 0; i < 3; i++) await other.classify('/golden/photos/photo.png');
    return { code, engines: engines.size, late: both };
  });
  assert.equal(code, 'aborted');
  assert.ok(late >= 2);
  assert.equal(engines, 1);
  await page.close();
});

test('options that mean nothing are bad options; what a caller changes after the call does not matter', async () => {
  const page = await open();
  const result = await page.evaluate(async () => {
    const model = { url: '/golden/packages/tiny-vit' };
    const explainer = await api.createExplainer({ model, device: 'cpu' });
    const image = '/golden/photos/photo.png';
    const codes = [
      await t.failure(explainer.attribute(image, { method: 'grad_cam', target() {} })),
      await t.failure(explainer.attribute(image, { method: 'integrated_gradients', nSteps: Number.NaN })),
      await t.failure(explainer.classify(image, { topk: 5 })),
      await t.failure(api.createExplainer({ model, devcie: 'cpu' })),
      await t.failure(api.createExplainer()),
    ].map((f) => f.code);
    const { input } = await t.tensors('/golden/packages/tiny-vit/golden.safetensors');
    const before = await explainer.classify(t.input(input));
    const waiting = explainer.classify(t.input(input));
    input.data.fill(0);
    return { codes, same: t.relative((await waiting).logits, before.logits) };
  });
  assert.deepEqual(result.codes, Array(5).fill('bad-option'));
  assert.equal(result.same, 0);
  await page.close();
});

test('painting: one frame for a large photo, zero in the middle of a diverging map, cells as they are, nothing stretched', async () => {
  const page = await open();
  const result = await page.evaluate(async () => {
    const canvas = document.createElement('canvas');
    const at = (x, y) => [...canvas.getContext('2d').getImageData(x, y, 1, 1).data];
    const photo = await createImageBitmap(new ImageData(1600, 1200));
    const crop = { x: 0, y: 0, width: 1600, height: 1200, photoWidth: 1600, photoHeight: 1200 };
    const values = Float32Array.from({ length: 3 * 224 * 224 }, (_, i) => Math.sin(i));
    const times = ['viridis', 'inferno', 'cividis', 'viridis'].map((colormap) => {
      const start = performance.now();
      api.renderHeatmap(canvas, photo, { values, shape: [3, 224, 224], space: 'input', crop }, { colormap });
      at(0, 0);
      return performance.now() - start;
    });
    const map = { values: new Float32Array([-1, 0, 0, 2]), shape: [2, 2], space: 'layer' };
    const diverging = api.renderHeatmap(canvas, null, map, {
      colormap: 'blue-white-red',
      interpolation: 'cells',
      alpha: 1,
    });
    const [w, h] = [canvas.width, canvas.height];
    const corners = [at(1, 1), at(w - 2, 1), at(w - 2, h - 2), at(w / 2 - 1, 1), at(w / 2, 1)];
    // Interpolated, then coloured: half way between two cells is the colour of the mean.
    const ramp = { values: new Float32Array([0, 1]), shape: [1, 2], space: 'layer' };
    api.renderHeatmap(canvas, null, ramp, { colormap: 'viridis', alpha: 1 });
    const middle = at(canvas.width / 2, canvas.height / 2);
    const dead = { values: new Float32Array(4), shape: [2, 2], space: 'layer' };
    const zero = api.renderHeatmap(canvas, null, dead, { alpha: 1 });
    return { times, diverging, corners, middle, zero, blank: at(1, 1) };
  });
  assert.ok(Math.min(...result.times) < 50, `painting took ${result.times.map(Math.round)} ms`);
  assert.deepEqual([result.diverging.lo, result.diverging.hi], [-2, 2]);
  const [low, white, high, left, right] = result.corners;
  assert.ok(low[2] > low[0] + 50 && high[0] > high[2] + 50, 'blue below zero, red above');
  assert.ok(Math.min(...white) > 235, `zero is ${white}`);
  assert.deepEqual([left, right], [low, white], 'a cell ends where the next begins');
  const viridis = [33, 145, 140, 255];
  assert.ok(
    result.middle.every((v, i) => Math.abs(v - viridis[i]) <= 3),
    `${result.middle}`,
  );
  assert.equal(result.zero.empty, true);
  assert.deepEqual(result.blank, [0, 0, 0, 0]);
  await page.close();
});

test('a photo dropped while the first model loads is not lost; a device that cannot be had leaves the choice as it was', async () => {
  const page = await here.browser.newPage({ viewport: { width: 1200, height: 900 } });
  let release;
  const held = new Promise((done) => (release = done));
  await page.route('**/models/**/model.safetensors', async (route) => (await held, route.continue()));
  await page.route('**/wasm/builds.json', (route) => route.fulfill({ json: { cpu: { bytes: 1 }, webgpu: null } }));
  await page.goto(`${here.server.url}/`);
  await page.waitForSelector('#working:not([hidden])');
  const samples = new URL('../../../www/samples/', import.meta.url);
  const scene = JSON.parse(readFileSync(new URL('samples.json', samples)))[2];
  await page.setInputFiles('#file', fileURLToPath(new URL(scene.file, samples)));
  release();
  await page.waitForFunction(
    (name) => document.querySelector('#canvas').ariaLabel.startsWith(`${name}: Grad-CAM`),
    scene.file,
  );
  assert.match(await page.textContent('#predictions li:first-child'), new RegExp(scene.label));
  assert.equal(await page.locator('#alert').isVisible(), false);

  const facts = await page.textContent('#facts');
  await page.selectOption('#device', 'webgpu');
  await page.waitForSelector('#alert[data-code="device-unavailable"]:not([hidden])');
  assert.equal(await page.inputValue('#device'), 'auto');
  assert.equal(await page.textContent('#facts'), facts);

  await page.selectOption('#colormap', 'blue-white-red');
  assert.equal(await page.inputValue('#scale'), 'symmetric');
  assert.match(await page.textContent('#low'), /^-/);
  await page.screenshot({ path: join(screenshots, 'diverging.png'), fullPage: true });
  await page.close();
});

test('a photo that its EXIF data turn is shown and explained upright', async () => {
  const page = await here.browser.newPage();
  await page.goto(`${here.server.url}/`);
  await page.waitForFunction(() => document.querySelector('#canvas').ariaLabel.includes('Grad-CAM'));
  const pixels = [];
  for (const n of [1, 6, 8, 3]) {
    await page.setInputFiles('#file', join(golden, `photos/orientation-${n}.jpg`));
    await page.waitForFunction(
      (n) => document.querySelector('#canvas').ariaLabel.startsWith(`orientation-${n}.jpg: Grad-CAM`),
      n,
    );
    await page.fill('#alpha', '0');
    await page.evaluate(() => new Promise(requestAnimationFrame));
    pixels.push(
      await page.evaluate(() => {
        const { width, height } = document.querySelector('#canvas');
        const small = new OffscreenCanvas(8, 8).getContext('2d');
        small.drawImage(document.querySelector('#canvas'), 0, 0, 8, 8);
        return { width, height, data: [...small.getImageData(0, 0, 8, 8).data] };
      }),
    );
  }
  const [upright, ...turned] = pixels;
  for (const { width, height, data } of turned) {
    assert.deepEqual([width, height], [upright.width, upright.height]);
    const mean = data.reduce((sum, v, i) => sum + Math.abs(v - upright.data[i]), 0) / data.length;
    assert.ok(mean < 3, `pixels differ by ${mean} on average`);
  }
  await page.close();
});
