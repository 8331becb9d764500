// How the page comes to its first heatmap: from the CPU build alone, with nothing fetched twice;
// then WebGPU takes over where there is an adapter.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { asHardware, dist, explained, GPU, idle, launch, serve, site } from '../harness.mjs';

const here = site();
const fetchedTwice = (hits) => hits.filter((path, at) => hits.indexOf(path) !== at);

test('compressed copies are of the files beside them, and the first visit has them', async () => {
  const copies = readdirSync(dist, { recursive: true })
    .map(String)
    .filter((name) => /\.(br|gz)$/.test(name));
  for (const copy of copies) {
    const bytes = readFileSync(join(dist, copy));
    const file = readFileSync(join(dist, copy.replace(/\.\w+$/, '')));
    assert.ok((copy.endsWith('.br') ? brotliDecompressSync : gunzipSync)(bytes).equals(file), copy);
    assert.ok(bytes.length < file.length, copy);
  }
  for (const name of [
    'index.html',
    'main.js',
    'style.css',
    'sw.js',
    'pkg/engine/worker.js',
    'pkg/wasm/cpu/sightline_bg.wasm',
  ])
    for (const form of ['br', 'gz']) assert.ok(copies.includes(`${name}.${form}`), `${name}.${form}`);
});

test('the page works from the copies; what its links name is fetched once and used', async () => {
  const server = await serve({ copies: true });
  const page = await here.browser.newPage();
  const said = [];
  page.on('console', (message) => said.push(message.text()));
  const encodings = new Map();
  page.on('response', (response) =>
    encodings.set(new URL(response.url()).pathname, response.headers()['content-encoding']),
  );
  await page.goto(`${server.url}/`);
  await explained(page);
  const linked = await page.$$eval('link[rel=modulepreload], link[rel=preload]', (links) =>
    links.map(({ href }) => new URL(href).pathname),
  );
  for (const path of [
    '/main.js',
    '/pkg/index.js',
    '/pkg/wasm/registry.js',
    '/pkg/wasm/cpu/sightline_bg.wasm',
    '/pkg/models/models.json',
  ])
    assert.ok(linked.includes(path), path);
  // Under the same name the worker fetches its own.
  assert.deepEqual(
    fetchedTwice(server.hits).filter((path) => linked.includes(path)),
    [],
  );
  assert.equal(server.hits.filter((path) => path.endsWith('model.safetensors')).length, 1);
  // The browser's own list of the page's modules: none was found only by reading another.
  const modules = server.hits.filter(
    (path) => path.endsWith('.js') && !/\/(worker|sightline|sw|from-disk)\.js$/.test(path),
  );
  assert.deepEqual(
    modules.filter((path) => !linked.includes(path)),
    [],
  );
  for (const path of ['/', '/main.js', '/pkg/engine/worker.js', '/pkg/wasm/cpu/sightline_bg.wasm'])
    assert.equal(encodings.get(path), 'br', path);
  assert.equal(encodings.get('/pkg/models/sightline-cnn/model.safetensors'), undefined);
  // Browsers complain of links that nothing used, some seconds after the page was loaded.
  await page.waitForTimeout(4000);
  assert.deepEqual(
    said.filter((text) => text.includes('preload')),
    [],
  );
  await page.close();
  await server.close();
});

describe('without an adapter', () => {
  let browser;
  before(async () => (browser = await launch({ gpu: false })));
  after(() => browser?.close());

  test('nothing of the WebGPU build is fetched, and the page says why it stays on the CPU', async () => {
    const server = await serve();
    const page = await browser.newPage();
    await page.goto(`${server.url}/`);
    await explained(page);
    await page.waitForFunction(() =>
      /not support WebGPU|no adapter/.test(document.querySelector('#device-reason').textContent),
    );
    assert.deepEqual(
      server.hits.filter((path) => /webgpu|builds\.json/.test(path)),
      [],
    );
    await page.close();
    await server.close();
  });
});

test('another class, opacity and colours compute no forward pass', async () => {
  const page = await here.open('/');
  await explained(page);
  const asked = await page.evaluate(async () => {
    const asked = [];
    const { postMessage } = Worker.prototype;
    Worker.prototype.postMessage = function (data, ...rest) {
      // The heartbeat of a busy worker computes nothing.
      if (data.op !== 'ping') asked.push(data.op);
      return postMessage.call(this, data, ...rest);
    };
    const facts = () => document.querySelector('#facts').textContent;
    const settled = async () => {
      do await new Promise((done) => setTimeout(done, 10));
      while (document.body.dataset.state !== 'idle');
    };
    document.querySelectorAll('#predictions button')[1].click();
    await settled();
    const switched = facts();
    asked.push('|');
    const before = document.querySelector('#canvas').toDataURL();
    for (const [id, value] of [
      ['alpha', '0.2'],
      ['colormap', 'viridis'],
    ]) {
      const control = document.getElementById(id);
      control.value = value;
      control.dispatchEvent(new Event('input'));
      // One frame, and what it shows is new.
      await new Promise((done) => requestAnimationFrame(done));
      if (document.querySelector('#canvas').toDataURL() === before) asked.push(`${id} waits`);
    }
    return { asked, switched };
  });
  assert.deepEqual(asked.asked, ['attribute', '|']);
  // The last layer's head alone, there and back.
  assert.match(asked.switched, /under 0\.01 forward and under 0\.01 backward/);
  const passes = await page.evaluate(async () => {
    const explainer = await api.createExplainer({ model: 'sightline-cnn', device: 'cpu' });
    const photo = await (await fetch('/samples/coffee.jpg')).blob();
    await explainer.classify(photo);
    const found = [];
    for (const target of [1, 2, 3])
      found.push((await explainer.attribute(photo, { method: 'grad_cam', target })).passes);
    explainer.dispose();
    return found;
  });
  for (const { forward, backward } of passes)
    assert.ok(forward < 0.01 && backward < 0.01, `${forward} forward, ${backward} backward`);
});

test('whether there is WebGPU is found out though the signal that opened the model is aborted meanwhile', async () => {
  const page = await here.open();
  const reason = await page.evaluate(async () => {
    const request = navigator.gpu.requestAdapter.bind(navigator.gpu);
    let answer;
    const asked = new Promise((done) => (answer = done));
    navigator.gpu.requestAdapter = async (options) => {
      await asked;
      // One that `auto` does not refuse as a software one.
      return Object.defineProperty(await request(options), 'info', { value: { vendor: 'test' } });
    };
    const opening = new AbortController();
    let tell;
    const told = new Promise((done) => (tell = done));
    const { signal } = opening;
    const explainer = await api.createExplainer({
      model: 'builtin-scene-cnn',
      signal,
      onDevice: ({ reason }) => tell(reason),
    });
    opening.abort();
    answer();
    const reason = await told;
    explainer.dispose();
    return reason;
  });
  const found = existsSync(join(dist, GPU))
    ? 'WebGPU takes over as soon as it is ready'
    : 'this site does not offer the WebGPU build';
  assert.equal(reason, found);
  // Where the model cannot be opened nobody asks any more, and a failure of it is nobody's.
  let asked = false;
  await page.route('**/builds.json', (route) => ((asked = true), route.abort()));
  const [code, unheard] = await page.evaluate(async () => {
    const unheard = [];
    addEventListener('unhandledrejection', ({ reason }) => unheard.push(String(reason)));
    const { code } = await t.failure(api.createExplainer({ model: 'nobody', onDevice: () => undefined }));
    await new Promise((done) => setTimeout(done, 500));
    return [code, unheard];
  });
  assert.deepEqual([asked, code, unheard], [true, 'bad-option', []]);
  await page.close();
});

test('WebGPU is fetched after the first heatmap and takes over by itself', {
  skip: !existsSync(join(dist, GPU)) && 'no WebGPU build',
}, async () => {
  const server = await serve();
  const page = await here.browser.newPage({ viewport: { width: 1200, height: 900 } });
  page.on('pageerror', (error) => console.error('page error:', error.message));
  await asHardware(page);
  await page.addInitScript(() => {
    new MutationObserver(() => {
      if (document.querySelector('#legend:not([hidden])')) globalThis.heatmapAt ??= performance.now();
    }).observe(document, { subtree: true, attributes: true, childList: true });
  });
  await page.goto(`${server.url}/#model=builtin-scene-cnn`);
  await explained(page);
  assert.match(await page.textContent('#facts'), /on the CPU/);
  const cpu = await page.textContent('#predictions');
  await page.waitForFunction(
    () => document.querySelector('#device-reason').textContent.startsWith('Running on WebGPU'),
    null,
    {
      timeout: 120_000,
    },
  );
  assert.equal(server.hits.filter((path) => path === GPU).length, 1);
  const [heatmap, fetched] = await page.evaluate((gpu) => {
    const { startTime } = performance.getEntriesByType('resource').find(({ name }) => name.endsWith(gpu));
    return [globalThis.heatmapAt, startTime];
  }, GPU);
  assert.ok(
    fetched > heatmap,
    `the first heatmap came at ${heatmap} ms, the request for the WebGPU build at ${fetched} ms`,
  );
  // What is shown stays; what is asked next comes from the device.
  assert.equal(await page.textContent('#predictions'), cpu);
  await page.click('#predictions li:nth-child(2) button');
  await page.waitForFunction(() => /on WebGPU/.test(document.querySelector('#facts').textContent), null, {
    timeout: 60_000,
  });
  await idle(page);
  assert.equal(await page.locator('#alert').isVisible(), false);
  await page.close();
  await server.close();
});
