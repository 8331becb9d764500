// The public API in Firefox, on the CPU: the same numbers as in Chromium, to the last bit, and the
// same words where something is wrong.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, openApi, serve } from '../harness.mjs';
import { launchFirefox, needsFirefox } from './firefox.mjs';

describe('the API in Firefox', { skip: needsFirefox }, () => {
  const it = {};
  before(async () => {
    it.server = await serve({ cors: true });
    it.elsewhere = await serve();
    it.browser = await launchFirefox();
  });
  after(async () => {
    await it.browser?.close();
    await it.server?.close();
    await it.elsewhere?.close();
  });
  const open = async () => openApi(it.browser, it.server.url, '/blank.html', await it.browser.newPage());

  test('auto is the CPU, with a reason; WebGPU is device-unavailable', async () => {
    const page = await open();
    const [device, failure] = await page.evaluate(async () => {
      const model = { url: '/golden/packages/tiny-vit' };
      return [
        (await api.createExplainer({ model })).info.device,
        await t.failure(api.createExplainer({ model, device: 'webgpu' })),
      ];
    });
    assert.equal(device.kind, 'cpu');
    assert.equal(device.key, 'device.webgpu.absent');
    assert.equal(failure.code, 'device-unavailable');
    assert.ok(failure.message.startsWith(device.reason), failure.message);
    await page.close();
  });

  test('every method on both families has the values that Chromium has', { timeout: 120_000 }, async (context) => {
    const chromium = await launch({ gpu: false });
    context.after(() => chromium.close());
    const [here, there] = [await open(), await openApi(chromium, it.server.url)];
    let count = 0;
    for (const name of ['tiny-cnn', 'tiny-vit']) {
      // Both at once: one of the two cores each.
      const [found, wanted] = await Promise.all([here, there].map((page) => page.evaluate(explainAll, name)));
      assert.deepEqual(Object.keys(found), Object.keys(wanted));
      for (const key of Object.keys(wanted)) assert.equal(found[key], wanted[key], `${name}: ${key}`);
      count += Object.keys(wanted).length;
    }
    assert.ok(count > 50, `only ${count} were compared`);
    assert.deepEqual(here.errors, []);
    await here.close();
  });

  test('the values of timm and captum', async () => {
    const page = await open();
    const [logits, cam, ig] = await page.evaluate(async () => {
      const golden = await t.tensors('/golden/packages/tiny-vit/golden.safetensors');
      const image = t.input(golden.input);
      const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-vit' } });
      return [
        t.relative((await explainer.classify(image)).logits, golden.logits.data),
        t.cosine((await explainer.attribute(image, { method: 'grad_cam' })).values, golden.grad_cam.data),
        t.cosine(
          (await explainer.attribute(image, { method: 'integrated_gradients', nSteps: 8 })).values,
          golden.integrated_gradients_8.data,
        ),
      ];
    });
    assert.ok(logits < 1e-5 && cam > 0.99999 && ig > 0.9999, `${logits}, ${cam}, ${ig}`);
    await page.close();
  });

  test('an abort rejects, a stop gives the estimate so far, and the explainer goes on', async () => {
    const page = await open();
    const { code, passes, full, after } = await page.evaluate(async () => {
      const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-cnn' } });
      const long = { method: 'rise', nSamples: 20_000, seed: 1, chunkSize: 8 };
      const when = (controller) => (progress) => progress.loaded > 0 && controller.abort();
      const [signal, stop] = [new AbortController(), new AbortController()];
      const photo = '/golden/photos/photo.png';
      const { code } = await t.failure(
        explainer.attribute(photo, { ...long, signal: signal.signal, onProgress: when(signal) }),
      );
      const part = await explainer.attribute(photo, { ...long, stop: stop.signal, onProgress: when(stop) });
      const { predictions } = await explainer.classify(photo);
      return { code, passes: part.passes.forward, full: long.nSamples, after: predictions.length };
    });
    assert.equal(code, 'aborted');
    assert.ok(passes > 0 && passes < full, `${passes} passes`);
    assert.ok(after > 0);
    await page.close();
  });

  test('a worker that is terminated: its call is told, later calls and new explainers go on', async () => {
    const page = await open();
    const { failures, same } = await page.evaluate(async () => {
      const model = { url: '/golden/packages/tiny-vit' };
      const photo = '/golden/photos/photo.png';
      const explainer = await api.createExplainer({ model });
      const before = await explainer.classify(photo);
      const failures = [];
      for (let round = 0; round < 2; round++) {
        let ended;
        const long = { method: 'integrated_gradients', nSteps: 1000, chunkSize: 1 };
        const onProgress = () => (ended ??= t.worker.terminate() ?? performance.now());
        const failure = await t.failure(explainer.attribute(photo, { ...long, onProgress }));
        failures.push({ ...failure, ms: performance.now() - ended });
      }
      // While nothing runs, nobody has to be told.
      t.worker.terminate();
      const after = await explainer.classify(photo);
      const anew = await (await api.createExplainer({ model })).classify(photo);
      return { failures, same: [after, anew].map(({ logits }) => t.relative(logits, before.logits)) };
    });
    for (const { code, message, ms } of failures) {
      assert.equal(code, 'internal');
      assert.match(message, /the worker ended unexpectedly/);
      assert.ok(ms < 5000, `told after ${ms} ms`);
    }
    assert.deepEqual(same, [0, 0]);
    assert.deepEqual(page.errors, []);
    await page.close();
  });

  test('a photo that is loaded once: the numbers of its file, the hash of Chromium, a crop, and a new worker', async (context) => {
    const chromium = await launch({ gpu: false });
    context.after(() => chromium.close());
    const [here, there] = [await open(), await openApi(chromium, it.server.url)];
    const [found, wanted] = await Promise.all([here, there].map((page) => page.evaluate(loadOne)));
    assert.match(found.sha256[0], /^[0-9a-f]{64}$/);
    assert.deepEqual(found, wanted);
    assert.deepEqual(found.same, [0, 0, 0]);
    assert.deepEqual(here.errors, []);
    await here.close();
  });

  test('broken pictures, bad models and a failed download have their codes; the explainer survives', async () => {
    const page = await open();
    const found = await page.evaluate(async () => {
      const create = (url) => t.failure(api.createExplainer({ model: { url } }));
      const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-cnn' } });
      const read = (name) => t.failure(explainer.classify(`/golden/photos/${name}`));
      const of = {
        text: await read('text.jpg'),
        cut: await read('truncated.jpg'),
        huge: await read('huge-header.png'),
        absent: await read('none.jpg'),
        noModel: await create('/golden/packages/none'),
        page: await create('/page-instead'),
        option: await t.failure(explainer.attribute('/golden/photos/photo.png', { method: 'grad_cma' })),
      };
      of.after = { code: (await explainer.classify('/golden/photos/photo.png')).predictions.length };
      return Object.fromEntries(Object.entries(of).map(([name, { code }]) => [name, code]));
    });
    assert.deepEqual(found, {
      text: 'unsupported-image',
      cut: 'unsupported-image',
      huge: 'image-too-large',
      absent: 'network',
      noModel: 'network',
      page: 'network',
      option: 'bad-option',
      after: 5,
    });
    await page.close();
  });

  test('the package on another origin, whose worker has to start from a blob', async () => {
    const page = await it.browser.newPage();
    await page.goto(`${it.elsewhere.url}/blank.html`);
    const labels = await page.evaluate(async (base) => {
      const { createExplainer } = await import(`${base}/pkg/index.js`);
      const explainer = await createExplainer({ model: { url: `${base}/golden/packages/tiny-vit` } });
      return (await explainer.classify(`${base}/golden/photos/photo.png`)).predictions.length;
    }, it.server.url);
    assert.equal(labels, 5);
    assert.deepEqual(page.errors, []);
    await page.close();
  });

  test('a map is painted and saved as a picture with its provenance', async () => {
    const page = await open();
    const { painted, blank, head } = await page.evaluate(async () => {
      const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-cnn' } });
      const photo = await (await fetch('/golden/photos/photo.png')).blob();
      const attribution = await explainer.attribute(photo, { method: 'grad_cam' });
      const bitmap = await createImageBitmap(photo);
      const canvas = document.createElement('canvas');
      const pixels = () => canvas.toDataURL();
      api.renderHeatmap(canvas, bitmap, attribution, { alpha: 0 });
      const blank = pixels();
      api.renderHeatmap(canvas, bitmap, attribution, { alpha: 0.8 });
      const png = await api.exportPng(attribution, bitmap);
      const bytes = new Uint8Array(await png.arrayBuffer());
      return { painted: pixels(), blank, head: [...bytes.subarray(1, 4)] };
    });
    assert.notEqual(painted, blank);
    assert.equal(String.fromCharCode(...head), 'PNG');
    await page.close();
  });
});

/** In a page: a hash of what each method computes with a package, and of two predictions. */
async function explainAll(name) {
  const explainer = await api.createExplainer({ model: { url: `/golden/packages/${name}` }, device: 'cpu' });
  const { input } = await t.tensors(`/golden/packages/${name}/golden.safetensors`);
  const image = t.input(input);
  const hash = async ({ buffer, byteOffset, byteLength }) =>
    [...new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(buffer, byteOffset, byteLength)))]
      .map((byte) => byte.toString(16).padStart(2, '0'))
      .join('');
  const short = { nSteps: 8, nSamples: 16, maxChannels: 8, window: 16, stride: 16 };
  const found = { photo: await hash((await explainer.classify('/golden/photos/photo.png')).logits) };
  found.tensor = await hash((await explainer.classify(image)).logits);
  for (const { id, options } of api.listMethods()) {
    if (!explainer.info.model.methods.includes(id)) continue;
    const few = Object.fromEntries(options.filter((o) => o.id in short).map((o) => [o.id, short[o.id]]));
    const { values } = await explainer.attribute(image, { method: id, target: 1, ...few });
    found[id] = `${values.length} values, ${await hash(values)}`;
  }
  explainer.dispose();
  return found;
}

/** In a page: what a photo handle gives, each time against the file's own numbers. */
async function loadOne() {
  const [vit, cnn] = await Promise.all(
    ['tiny-vit', 'tiny-cnn'].map((name) => api.createExplainer({ model: { url: `/golden/packages/${name}` } })),
  );
  const path = '/golden/photos/orientation-6.jpg';
  const [expected, other] = [await vit.classify(path), await cnn.classify(path)];
  const photo = await vit.load(path);
  const seen = [await vit.classify(photo), await cnn.classify(photo)];
  const attribution = await cnn.attribute(photo, { method: 'saliency' });
  const part = await photo.crop({ x: 1, y: 2, width: 9, height: 8 });
  t.worker.terminate();
  seen.push(await vit.classify(photo));
  const context = new OffscreenCanvas(part.width, part.height).getContext('2d');
  context.drawImage(part.bitmap, 0, 0);
  return {
    same: seen.map(({ logits }, i) => t.relative(logits, (i === 1 ? other : expected).logits)),
    sha256: [photo.sha256, attribution.provenance.photo, part.sha256],
    size: [photo.width, photo.height, photo.bitmap.width, photo.bitmap.height, part.width, part.height],
    part: [...context.getImageData(0, 0, part.width, part.height).data],
  };
}
