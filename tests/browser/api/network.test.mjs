// What comes from outside has a limit, is quoted in few characters and refused in words; two tabs
// and two copies of the package on one page do not disturb each other.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { dist, golden, listen, openApi, site } from '../harness.mjs';

const here = site();
const small = (name) => ({
  config: readFileSync(join(golden, 'packages', name, 'config.json')),
  weights: readFileSync(join(golden, 'packages', name, 'model.safetensors')),
});

describe('limits speak before the bytes come', () => {
  /** A server that sends `announced` bytes without end, or says their number first. */
  const endless = async () => {
    const sent = { bytes: 0, open: 0 };
    const server = await listen(async (request, response) => {
      const length = new URL(request.url, 'http://x').searchParams.get('length');
      const type = request.url.includes('json') ? 'application/json' : 'image/png';
      response.writeHead(200, {
        'access-control-allow-origin': '*',
        'content-type': type,
        ...(length && { 'content-length': length }),
      });
      sent.open += 1;
      const closed = once(response, 'close').then(() => (sent.open -= 1));
      const part = Buffer.alloc(1 << 16, ' ');
      while (!response.destroyed && sent.bytes < 401e6) {
        sent.bytes += part.length;
        await Promise.race([new Promise((done) => response.write(part, done)), closed]);
        // No faster than it is read: else it is the system's buffers that are counted, which may
        // hold tens of megabytes.
        if (sent.bytes % (1 << 20) === 0) await sleep(20);
      }
      response.end();
    });
    return Object.assign(server, { sent });
  };
  /** What the socket's buffers hold beyond what was read. */
  const BUFFERS = 12e6;

  for (const [what, code, limit, ask] of [
    ['config.json', 'bad-model', 4194304, (url) => t.failure(api.inspectModel({ url: `${url}/model` }))],
    [
      'a list of models',
      'network',
      1 << 20,
      (url) => t.failure(api.listModels({ assetBaseUrl: `${url}/models.json/` })),
    ],
    [
      'a picture',
      'image-too-large',
      104857600,
      async (url) => {
        globalThis.explainer ??= await api.createExplainer({
          model: { url: '/golden/packages/tiny-cnn' },
          device: 'cpu',
        });
        return t.failure(explainer.classify(`${url}/photo.png`));
      },
    ],
  ])
    for (const announced of [true, false])
      test(`${what}, ${announced ? 'whose server says its size' : 'of unknown size'}`, {
        timeout: 60_000,
      }, async () => {
        const server = await endless();
        const page = await here.open();
        const query = announced ? '?length=401000000' : '';
        const url = `${server.url}/${query}`;
        const failed = await page.evaluate(
          async ([url, ask]) => {
            // The query belongs to each file below the address.
            const [base, query = ''] = url.split('/?');
            const original = fetch;
            globalThis.fetch = (to, how) => {
              const asked = new URL(to, location.href);
              if (query && asked.href.startsWith(base)) asked.search = query;
              return original(asked, how);
            };
            return new Function(`return (${ask})`)()(base);
          },
          [url, String(ask)],
        );
        assert.equal(failed.code, code, failed.message);
        assert.match(failed.message, /has (more than )?[\d.]+ [kMG]B; the limit is [\d.]+ [kMG]B[^:]*: \w+/);
        for (let i = 0; i < 40 && server.sent.open; i++) await sleep(50);
        assert.equal(server.sent.open, 0, 'the connection is closed at once');
        const most = (announced ? 0 : limit) + BUFFERS;
        assert.ok(server.sent.bytes <= most, `${server.sent.bytes} bytes were sent`);
        await page.close();
        await server.close();
      });

  test('files that are given: a picture, a config, options', async () => {
    const page = await here.open();
    const failed = await page.evaluate(async () => {
      const weights = new Uint8Array(8);
      const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-cnn' }, device: 'cpu' });
      const ask = (options) =>
        explainer.attribute('/golden/photos/photo.png', { method: 'expected_gradients', ...options });
      const open = (config) => api.createExplainer({ model: { config, weights }, device: 'cpu' });
      const huge = new Blob(Array(101).fill(new Blob([new Uint8Array(1 << 20)])));
      return {
        photo: await t.failure(explainer.classify(huge)),
        config: await t.failure(open(' '.repeat(5e6))),
        blob: await t.failure(open(new Blob([' '.repeat(5e6)]))),
        object: await t.failure(open({ a: Array(3e6).fill(1) })),
        list: await t.failure(ask({ baseline: { data: new Float32Array(5e6), shape: [3, 1, 1] } })),
        lists: await t.failure(ask({ baseline: Array(500).fill({ data: new Float32Array(1e4), shape: [3, 1, 1] }) })),
        many: await t.failure(ask({ baseline: Array(1e7).fill('black') })),
        text: await t.failure(ask({ output: 'x'.repeat(2e6) })),
        name: await t.failure(ask({ ['x'.repeat(2e6)]: 1 })),
        next: await t.failure(explainer.classify('/golden/photos/photo.png')),
      };
    });
    const { next, ...refused } = failed;
    assert.equal(next.code, 'nothing');
    const codes = { photo: 'image-too-large', config: 'bad-model', blob: 'bad-model', object: 'bad-model' };
    for (const [what, { code, message }] of Object.entries(refused)) {
      assert.equal(code, codes[what] ?? 'bad-option', `${what}: ${message}`);
      assert.ok(message.length < 300, `${what}: ${message.length}`);
    }
    await page.close();
  });
});

test('whatever is given is quoted in few characters', async () => {
  const page = await here.open();
  const failures = await page.evaluate(async () => {
    const long = 'x'.repeat(2e6);
    const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-cnn' }, device: 'cpu' });
    const { attribution } = { attribution: { values: new Float32Array(4), shape: [2, 2], space: 'layer' } };
    const photo = '/golden/photos/photo.png';
    const canvas = new OffscreenCanvas(1, 1);
    const sync = (f) => t.failure((async () => f())());
    return {
      model: await t.failure(api.inspectModel(long)),
      hub: await t.failure(api.inspectModel({ hub: long })),
      url: await t.failure(api.inspectModel({ url: `http://${long}` })),
      far: await t.failure(api.inspectModel({ url: `${location.origin}/${'y'.repeat(4000)}` })),
      config: await t.failure(api.createExplainer({ model: { config: '{', weights: new Uint8Array(8), name: long } })),
      data: await t.failure(explainer.classify(`data:text/html,${long}`)),
      image: await t.failure(explainer.classify(`http://${long}`)),
      method: await t.failure(explainer.attribute(photo, { method: 'x'.repeat(9000) })),
      layer: await t.failure(explainer.activations(photo, 'x'.repeat(9000))),
      target: await t.failure(explainer.attribute(photo, { method: 'saliency', target: 'x'.repeat(9000) })),
      device: await t.failure(api.createExplainer({ model: 'a', device: long })),
      base: await t.failure(api.listModels({ assetBaseUrl: `http://${long}` })),
      option: await t.failure(api.createExplainer({ [long]: 1 })),
      colormap: await sync(() => api.renderHeatmap(canvas, null, attribution, { colormap: long })),
      scale: await sync(() => api.renderHeatmap(canvas, null, attribution, { scale: long })),
      interpolation: await sync(() => api.renderHeatmap(canvas, null, attribution, { interpolation: long })),
      what: await t.failure(api.exportPng(attribution, null, { what: long })),
      json: await sync(() => api.fromJson({ format: 'sightline-attribution', formatVersion: 1, space: long })),
    };
  });
  for (const [what, { code, message }] of Object.entries(failures)) {
    assert.ok(
      ['bad-option', 'bad-model', 'network', 'unsupported-image'].includes(code),
      `${what}: ${code} ${message}`,
    );
    // The core's own messages are its own tests' matter; none is as long as what it quotes.
    assert.ok(message.length <= 600, `${what}: ${message.length} characters: ${message.slice(0, 200)}`);
  }
  await page.close();
});

describe('refused in words, before anything is sent', () => {
  test('signals that are none, addresses, buffers that are gone, options that run when they are read', async () => {
    const page = await here.open();
    const { failures, workers, after } = await page.evaluate(async () => {
      const photo = '/golden/photos/photo.png';
      const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-cnn' }, device: 'cpu' });
      const first = t.worker;
      const gone = (bytes = new Float32Array(3)) => {
        structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
        return bytes;
      };
      const cyclic = {};
      cyclic.self = cyclic;
      const deep = {};
      for (let at = deep, i = 0; i < 1e5; i++) at = at.in = {};
      const getter = Object.defineProperty({}, 'nSteps', {
        enumerable: true,
        get() {
          throw new Error('mine');
        },
      });
      const proxy = new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error('mine');
          },
        },
      );
      const attribute = (options) => explainer.attribute(photo, { method: 'saliency', ...options });
      const calls = {
        signal: () => explainer.classify(photo, { signal: {} }),
        'signal of attribute': () => attribute({ signal: 'now' }),
        'signal of gradients': () => explainer.gradients(photo, { signal: new EventTarget() }),
        'signal of estimates': () => explainer.estimates(photo, { method: 'rise', signal: {} }).next(),
        'signal of attributeAll': () => explainer.attributeAll([photo], { method: 'saliency', signal: {} }),
        'signal of createExplainer': () => api.createExplainer({ model: 'a', signal: {} }),
        'signal of inspectModel': () => api.inspectModel('a', { signal: {} }),
        stop: () => attribute({ stop: new AbortController() }),
        images: () => explainer.attributeAll(7, { method: 'saliency' }),
        address: () => explainer.classify('http://'),
        'address of a model': () => api.inspectModel({ url: 'http://[' }),
        assetBaseUrl: () => api.listModels({ assetBaseUrl: 'http://' }),
        'detached bytes': () => explainer.classify(gone(new Uint8Array(3))),
        'detached buffer': () => explainer.classify(gone().buffer),
        'detached tensor': () => explainer.classify({ data: gone(), shape: [3, 1, 1] }),
        'detached weights': () => api.createExplainer({ model: { weights: gone() } }),
        'detached values': () =>
          (async () => api.renderHeatmap(new OffscreenCanvas(1, 1), null, { values: gone(), shape: [1, 3] }))(),
        'cyclic option': () => attribute({ target: cyclic }),
        'cyclic baseline': () => attribute({ baseline: { data: [], shape: [cyclic] } }),
        'cyclic config': () => api.createExplainer({ model: { config: cyclic, weights: new Uint8Array(8) } }),
        deep: () => attribute({ target: deep }),
        getter: () => explainer.attribute(photo, getter),
        'getter inside': () => attribute({ target: getter }),
        proxy: () => explainer.attribute(photo, proxy),
        'proxy inside': () => attribute({ target: proxy }),
        function: () => attribute({ nSteps: () => 3 }),
        'function inside': () => attribute({ target: { group: [() => 3] } }),
        bigint: () => attribute({ target: 3n }),
        symbol: () => attribute({ target: Symbol('x') }),
        'not a number': () => attribute({ target: { group: [Number.NaN] } }),
        'an object with a class': () => attribute({ target: new Date() }),
        topK: () => explainer.classify(photo, { topK: () => 3 }),
        'shape with a fraction': () =>
          explainer.classify({ data: new Float32Array(3 * 32 * 32), shape: [3.5, 32, 32] }),
        'shape of another size': () => explainer.classify({ data: new Float32Array(3), shape: [3, 32, 32] }),
        'shape of functions': () => explainer.classify({ data: new Float32Array(3), shape: [() => 3, 1, 1] }),
      };
      const failures = {};
      const unhandled = [];
      addEventListener('unhandledrejection', ({ reason }) => unhandled.push(String(reason)));
      for (const [name, call] of Object.entries(calls)) failures[name] = await t.failure(call());
      await new Promise((done) => setTimeout(done, 50));
      failures.unhandled = { code: unhandled.length ? 'unhandled' : 'bad-option', message: unhandled.join('; ') };
      const after = await t.failure(explainer.classify(photo));
      return { failures, after, workers: t.worker === first };
    });
    assert.deepEqual(
      Object.entries(failures).flatMap(([name, { code, message }]) =>
        code === 'bad-option' ? [] : `${name}: ${code} ${message}`,
      ),
      [],
    );
    assert.equal(after.code, 'nothing');
    assert.equal(workers, true, 'the worker is the one that it was');
    await page.close();
  });

  test('what every object has is a name like any other', { timeout: 60_000 }, async () => {
    const page = await here.open();
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf']) {
      const said = await page.evaluate(async (name) => {
        const photo = '/golden/photos/photo.png';
        globalThis.explainer ??= await api.createExplainer({
          model: { url: '/golden/packages/tiny-cnn' },
          device: 'cpu',
        });
        const attribution = await explainer.attribute(photo, { method: 'saliency' });
        const canvas = new OffscreenCanvas(1, 1);
        const values = Object.fromEntries([[name, 'v']]);
        const refused = {};
        const calls = {
          model: () => api.inspectModel(name),
          method: () => explainer.attribute(photo, { method: name }),
          layer: () => explainer.attribute(photo, { method: 'grad_cam', layer: name }),
          activations: () => explainer.activations(photo, name),
          target: () => explainer.attribute(photo, { method: 'saliency', target: name }),
          output: () => explainer.gradients(photo, { output: name }),
          option: () =>
            explainer.attribute(
              photo,
              Object.fromEntries([
                ['method', 'saliency'],
                [name, 1],
              ]),
            ),
          colormap: async () => api.renderHeatmap(canvas, null, { ...attribution, crop: null }, { colormap: name }),
          colorbar: async () => api.renderColorbar(canvas, name),
          scale: async () => api.renderHeatmap(canvas, null, { ...attribution, crop: null }, { scale: name }),
          what: () => api.exportPng(attribution, null, { what: name }),
          device: () => api.createExplainer({ model: { url: '/golden/packages/tiny-cnn' }, device: name }),
        };
        for (const [what, call] of Object.entries(calls)) refused[what] = await t.failure(call());
        // What a stranger saved may name anything.
        const saved = JSON.parse(api.toJson(attribution));
        saved.method = name;
        saved.warnings = [{ code: name, values, message: 'said' }];
        saved.provenance.options = values;
        const read = api.fromJson(saved);
        const strings = await api.stringsFor(name);
        const shown = [
          api.describe(read, { strings, labels: Object.fromEntries([[name, 'label']]) }),
          JSON.stringify(read.warnings),
          strings.locale,
          JSON.stringify(api.toPlane(read).h),
        ];
        const { warningText } = await import('/pkg/util/text.js');
        shown.push(String(warningText({ key: name, values: {} }, strings)));
        shown.push(
          String(
            warningText(
              { key: 'warning.constant-map', values: {} },
              { ...strings, texts: { 'warning.constant-map': `{${name}}` } },
            ),
          ),
        );
        return { refused, shown };
      }, name);
      for (const [what, { code, message }] of Object.entries(said.refused)) {
        assert.ok(['bad-option', 'bad-model', 'unsupported'].includes(code), `${what}: ${code} ${message}`);
        assert.ok(message.includes(name), `${what}: ${message}`);
        assert.doesNotMatch(message, /native code|\[object/);
      }
      for (const text of said.shown) assert.doesNotMatch(text, /native code|\[object/);
      assert.equal(said.shown.at(-2), 'undefined');
    }
    await page.close();
  });

  test('a program that does not compile: the policy, the browser and the file are told apart', async () => {
    const open = async ({ csp, wasm, before }) => {
      const page = await here.browser.newPage();
      const headers = { 'content-type': 'text/html', ...(csp && { 'content-security-policy': csp }) };
      await page.route('**/blank.html', (route) =>
        route.fulfill({ headers, body: '<!doctype html><title>blank</title>' }),
      );
      if (wasm)
        await page.route('**/sightline_bg.wasm', (route) =>
          route.fulfill({ contentType: 'application/wasm', body: wasm }),
        );
      if (before) await page.addInitScript(before);
      await page.goto(`${here.server.url}/blank.html`);
      const failed = await page.evaluate(async () => {
        const { createExplainer } = await import('/pkg/index.js');
        return createExplainer({ model: { url: '/golden/packages/tiny-cnn' }, device: 'cpu' }).then(
          () => ({ code: 'nothing' }),
          ({ code, message }) => ({ code, message }),
        );
      });
      await page.close();
      return failed;
    };
    const policy = await open({ csp: "default-src 'self'; script-src 'self' 'unsafe-inline'" });
    assert.equal(policy.code, 'device-unavailable');
    assert.match(policy.message, /add 'wasm-unsafe-eval' to its script-src/);
    assert.equal((await open({ csp: "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'" })).code, 'nothing');
    const damaged = await open({ wasm: readFileSync(join(dist, 'pkg/wasm/cpu/sightline_bg.wasm')).subarray(0, 5000) });
    assert.equal(damaged.code, 'network');
    assert.match(damaged.message, /or is damaged; reload the page/);
    const old = await open({
      wasm: readFileSync(join(dist, 'pkg/wasm/cpu/sightline_bg.wasm')).subarray(0, 5000),
      before: () => (WebAssembly.validate = () => false),
    });
    assert.match(old.message, /does not support WebAssembly SIMD; use a newer one/);
    const off = await open({ before: () => Reflect.deleteProperty(globalThis, 'WebAssembly') });
    assert.equal(off.code, 'device-unavailable');
    assert.match(off.message, /WebAssembly is turned off/);
  });

  test('a worker that a policy forbids: what to allow is said, and Vite’s option', async () => {
    const page = await here.browser.newPage();
    const csp = "default-src 'self'; script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'; worker-src 'none'";
    await page.route('**/blank.html', (route) =>
      route.fulfill({
        headers: { 'content-type': 'text/html', 'content-security-policy': csp },
        body: '<!doctype html>',
      }),
    );
    await page.goto(`${here.server.url}/blank.html`);
    const { code, message } = await page.evaluate(async () => {
      const { createExplainer } = await import('/pkg/index.js');
      return createExplainer({ model: { url: '/golden/packages/tiny-cnn' }, device: 'cpu' }).then(
        () => ({ code: 'nothing' }),
        ({ code, message }) => ({ code, message }),
      );
    });
    assert.equal(code, 'internal');
    assert.match(message, /worker-src.*optimizeDeps: \{ exclude: \['sightline'\] \}/);
    await page.close();
  });
});

test('a path with two slashes stays on its host, and a query belongs to every file', async () => {
  const asked = [];
  const { config, weights } = small('tiny-cnn');
  const server = await listen((request, response) => {
    asked.push(request.url);
    response.setHeader('access-control-allow-origin', '*');
    response.end(request.url.includes('config.json') ? config : weights);
  });
  const page = await here.open();
  const evil = await listen((_, response) => response.end());
  const url = `${server.url}//${new URL(evil.url).host}/model/?token=1#part`;
  const found = await page.evaluate((url) => api.inspectModel({ url }).catch(({ message }) => message), url);
  assert.equal(found.numClasses, JSON.parse(config).num_classes, found);
  assert.deepEqual(
    asked.map((path) => path.replace(/:\d+/, '')),
    ['//127.0.0.1/model/config.json?token=1', '//127.0.0.1/model/model.safetensors?token=1'],
  );
  await page.close();
  await server.close();
  await evil.close();
});

describe('two at once', () => {
  /** A hub whose file of 12 MB comes slowly; meaningless, but kept like any other. */
  async function openHub() {
    const bytes = Buffer.alloc(12 << 20);
    bytes.forEach((_, i) => (bytes[i] = (i * 31) & 255));
    const hub = { ranges: [], sent: 0, pause: 15, silentAt: Infinity };
    const server = await listen(async (request, response) => {
      response.setHeader('access-control-allow-origin', '*');
      response.setHeader('access-control-expose-headers', 'ETag, Content-Range');
      if (request.url.endsWith('config.json')) return response.end(small('tiny-vit').config);
      const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      hub.ranges.push(request.headers.range ?? 'whole');
      const body = bytes.subarray(from);
      response.writeHead(from ? 206 : 200, {
        etag: '"v1"',
        'content-length': body.length,
        ...(from && { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
      });
      const closed = once(response, 'close');
      for (let at = 0; at < body.length && !response.destroyed; at += 1 << 18) {
        const part = body.subarray(at, at + (1 << 18));
        hub.sent += part.length;
        await Promise.race([new Promise((done) => response.write(part, done)), closed]);
        await sleep(hub.pause);
        if (from + at > hub.silentAt) {
          hub.silentAt = Infinity;
          hub.isSilent = true;
          await closed;
        }
      }
      response.end();
    });
    return Object.assign(hub, server, { bytes });
  }
  /** Downloads in a page as opening does; the weights' bytes are compared there. */
  const fetchIn = (page, url, abortAt) =>
    page.evaluate(
      async ([url, abortAt]) => {
        const { findModel, fetchWeights } = await import('/pkg/model/source.js');
        const controller = new AbortController();
        const { signal } = controller;
        const seen = [];
        try {
          const found = await findModel({ url }, new URL('/pkg/', location.href), { signal });
          await fetchWeights(found, {
            signal,
            onBytes: (loaded, total) => {
              seen.push([loaded, total]);
              if (abortAt && loaded > abortAt) controller.abort();
            },
          });
          const bytes = new Uint8Array(await found.source.weights.arrayBuffer());
          let wrong = 0;
          for (let i = 0; i < bytes.length; i++) if (bytes[i] !== ((i * 31) & 255)) wrong += 1;
          return { size: bytes.length, wrong, seen };
        } catch ({ code, name, message }) {
          return { code: code ?? name, message, seen };
        }
      },
      [url, abortAt],
    );
  const pages = async () => {
    const context = await here.browser.newContext();
    return [
      context,
      await openApi(here.browser, here.server.url, undefined, await context.newPage()),
      await openApi(here.browser, here.server.url, undefined, await context.newPage()),
    ];
  };
  const kept = (page) => page.evaluate(() => api.listCachedModels());

  test('two tabs that open one model download it once; the second sees how far the first is', async () => {
    const hub = await openHub();
    hub.pause = 50;
    const [context, one, two] = await pages();
    const url = `${hub.url}/model`;
    const both = await Promise.all([fetchIn(one, url), sleep(100).then(() => fetchIn(two, url))]);
    for (const { size, wrong, message } of both) assert.deepEqual([size, wrong], [hub.bytes.length, 0], message);
    assert.deepEqual(hub.ranges, ['whole']);
    const told = both[1].seen.map(([loaded, total]) => loaded / total);
    assert.ok(
      told.some((share) => share > 0 && share < 1),
      `the second tab was told ${told}`,
    );
    assert.equal((await kept(one))[0].complete, true);
    await context.close();
    await hub.close();
  });

  test('the tab that waits goes on where the other one was stopped', async () => {
    const hub = await openHub();
    const [context, one, two] = await pages();
    const url = `${hub.url}/model`;
    const [stopped, went] = await Promise.all([fetchIn(one, url, 5e6), sleep(100).then(() => fetchIn(two, url))]);
    assert.equal(stopped.code, 'aborted', stopped.message);
    assert.deepEqual([went.size, went.wrong], [hub.bytes.length, 0], went.message);
    assert.equal(hub.ranges.length, 2);
    assert.match(hub.ranges[1], /^bytes=[5-9]\d{6}-$/);
    await context.close();
    await hub.close();
  });

  test('a connection that brings nothing for a minute is given up, and the download goes on', async () => {
    const hub = await openHub();
    hub.silentAt = 5e6;
    const page = await here.open();
    await page.clock.install();
    const going = fetchIn(page, `${hub.url}/model`);
    for (let i = 0; i < 200 && !hub.isSilent; i++) await sleep(20);
    assert.equal(hub.isSilent, true);
    for (let i = 0; i < 100 && hub.ranges.length < 2; i++) {
      await page.clock.fastForward(20_000);
      await sleep(50);
    }
    const { size, wrong, message } = await going;
    assert.deepEqual([size, wrong], [hub.bytes.length, 0], message);
    assert.match(hub.ranges[1], /^bytes=[45]\d{6}-$/);
    await page.close();
    await hub.close();
  });

  test('without locks each tab downloads for itself, and what is kept is whole', async () => {
    const hub = await openHub();
    const [context, one, two] = await pages();
    const url = `${hub.url}/model`;
    assert.equal((await fetchIn(one, url, 5e6)).code, 'aborted');
    for (const page of [one, two])
      await page.evaluate(() => Object.defineProperty(navigator, 'locks', { value: undefined }));
    const both = await Promise.all([fetchIn(one, url), fetchIn(two, url)]);
    for (const { size, wrong, message } of both) assert.deepEqual([size, wrong], [hub.bytes.length, 0], message);
    const asked = hub.ranges.length;
    const again = await fetchIn(one, url);
    assert.deepEqual([again.size, again.wrong], [hub.bytes.length, 0], again.message);
    assert.equal(hub.ranges.length, asked, 'from what is kept');
    await context.close();
    await hub.close();
  });

  test('two copies of the package’s files on one page: each explainer has its own', { timeout: 60_000 }, async () => {
    const page = await here.open();
    const hits = here.server.hits;
    hits.length = 0;
    const { same, models } = await page.evaluate(async () => {
      const folders = ['/pkg/', '/deep/er/pkg/'];
      const explainers = await Promise.all(
        folders.map((assetBaseUrl) =>
          api.createExplainer({ model: { url: '/golden/packages/tiny-cnn' }, device: 'cpu', assetBaseUrl }),
        ),
      );
      const results = await Promise.all(explainers.map((e) => e.classify('/golden/photos/photo.png')));
      const lists = await Promise.all(folders.map((assetBaseUrl) => api.listModels({ assetBaseUrl })));
      explainers[0].dispose();
      const later = await explainers[1].classify('/golden/photos/photo.png');
      return {
        same: t.relative(results[0].logits, results[1].logits) + t.relative(results[0].logits, later.logits),
        models: lists.map((list) => list.length),
      };
    });
    assert.equal(same, 0);
    assert.equal(models[0], models[1]);
    for (const name of [
      'engine/worker.js',
      'wasm/cpu/sightline.js',
      'wasm/cpu/sightline_bg.wasm',
      'models/models.json',
    ])
      for (const folder of ['/pkg/', '/deep/er/pkg/'])
        assert.equal(hits.filter((path) => path === folder + name).length >= 1, true, folder + name);
    await page.close();
  });
});
