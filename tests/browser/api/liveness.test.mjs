// Every call settles, whatever becomes of the worker, the device or the caller.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { asHardware, beforeWorker, dist, site } from '../harness.mjs';

const here = site();
const open = () => here.open();
const noGpu = !existsSync(join(dist, 'pkg/wasm/webgpu/sightline_bg.wasm')) && 'no WebGPU build';

describe('a worker that ends without a word', () => {
  for (const how of ['terminate', 'close'])
    test(`${how}: the call that ran is told, later calls and new explainers go on`, { timeout: 60_000 }, async () => {
      const page = await here.browser.newPage();
      await beforeWorker(page, () => {
        addEventListener('message', (event) => {
          if (event.data.op !== 'end') return;
          event.stopImmediatePropagation();
          close();
        });
      });
      await here.open('/blank.html', page);
      const result = await page.evaluate(async (how) => {
        const model = { url: '/golden/packages/tiny-vit' };
        const image = '/golden/photos/photo.png';
        const explainer = await api.createExplainer({ model, device: 'cpu' });
        const before = await explainer.classify(image);
        const end = () => {
          if (how === 'terminate') t.worker.terminate();
          else t.worker.postMessage({ op: 'end' });
        };
        const failures = [];
        for (let round = 0; round < 3; round++) {
          let ended;
          const running = explainer.attribute(image, {
            method: 'integrated_gradients',
            nSteps: 1000,
            chunkSize: 1,
            onProgress: () => {
              ended ??= end() ?? performance.now();
            },
          });
          const failure = await t.failure(running);
          failures.push({ ...failure, ms: performance.now() - ended });
        }
        // While nothing runs, nobody has to be told.
        end();
        const after = await explainer.classify(image);
        end();
        const other = await api.createExplainer({ model, device: 'cpu' });
        const anew = await other.classify(image);
        return { failures, same: [after, anew].map(({ logits }) => t.relative(logits, before.logits)) };
      }, how);
      for (const { code, message, ms } of result.failures) {
        assert.equal(code, 'internal');
        assert.match(message, /the worker ended unexpectedly/);
        assert.ok(ms < 5000, `told after ${ms} ms`);
      }
      assert.deepEqual(result.same, [0, 0]);
      await page.close();
    });

  test('two at once: each runs again, and ends well', { timeout: 60_000 }, async () => {
    const page = await open();
    const worst = await page.evaluate(async () => {
      const image = '/golden/photos/photo.png';
      const ask = (explainer, onProgress) =>
        explainer.attribute(image, { method: 'integrated_gradients', nSteps: 300, chunkSize: 1, onProgress });
      const explainers = [];
      for (const name of ['tiny-vit', 'tiny-cnn'])
        explainers.push(await api.createExplainer({ model: { url: `/golden/packages/${name}` }, device: 'cpu' }));
      const alone = [await ask(explainers[0]), await ask(explainers[1])];
      const progressed = new Set();
      const both = explainers.map((explainer, i) =>
        ask(explainer, () => {
          progressed.add(i);
          if (progressed.size === 2 && !progressed.has('ended')) {
            progressed.add('ended');
            t.worker.terminate();
          }
        }),
      );
      const again = await Promise.all(both);
      return Math.max(...again.map(({ values }, i) => t.relative(values, alone[i].values)));
    });
    assert.equal(worst, 0);
    await page.close();
  });
});

describe('a device that does not answer', { skip: noGpu }, () => {
  test('requestAdapter: auto takes the CPU and says why', { timeout: 60_000 }, async () => {
    const page = await here.browser.newPage();
    await page.addInitScript(() => {
      GPU.prototype.requestAdapter = () => new Promise(() => {});
    });
    await here.open('/blank.html', page);
    const { device, ms, failure } = await page.evaluate(async () => {
      const model = { url: '/golden/packages/tiny-cnn' };
      const began = performance.now();
      const { info } = await api.createExplainer({ model, device: 'auto' });
      const ms = performance.now() - began;
      return { ...info, ms, failure: await t.failure(api.createExplainer({ model, device: 'webgpu' })) };
    });
    assert.equal(device.kind, 'cpu');
    assert.match(device.reason, /did not answer/);
    assert.equal(device.key, 'device.webgpu.silent');
    assert.ok(ms > 4500 && ms < 9000, `after ${ms} ms`);
    assert.equal(failure.code, 'device-unavailable');
    await page.close();
  });

  test('its start in the worker: auto takes the CPU, and the next explainer works', { timeout: 60_000 }, async () => {
    const page = await here.browser.newPage();
    await asHardware(page);
    await beforeWorker(page, () => {
      GPUAdapter.prototype.requestDevice = () => new Promise(() => {});
    });
    await here.open('/blank.html', page);
    const { device, label } = await page.evaluate(async () => {
      const model = { url: '/golden/packages/tiny-vit' };
      const { info } = await api.createExplainer({ model, device: 'auto' });
      const other = await api.createExplainer({ model, device: 'cpu' });
      const { predictions } = await other.classify('/golden/photos/photo.png');
      return { device: info.device, label: predictions[0].label };
    });
    assert.equal(device.kind, 'cpu');
    assert.match(device.reason, /did not start within 5 seconds/);
    assert.ok(label);
    await page.close();
  });

  test('two explainers opened on WebGPU at the same time', { timeout: 120_000 }, async () => {
    const page = await open();
    const kinds = await page.evaluate(async () => {
      const model = { url: '/golden/packages/tiny-cnn' };
      const both = await Promise.all([1, 2].map(() => api.createExplainer({ model, device: 'webgpu' })));
      return both.map(({ info }) => info.device.kind);
    });
    assert.deepEqual(kinds, ['webgpu', 'webgpu']);
    await page.close();
  });
});

test('a device that is lost twice in a row: each call is told, and the third one works', {
  timeout: 120_000,
  skip: noGpu,
}, async () => {
  const page = await here.browser.newPage();
  await beforeWorker(page, () => {
    const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (descriptor) {
      const device = await request.call(this, descriptor);
      addEventListener('message', (event) => {
        if (event.data.op !== 'destroy') return;
        event.stopImmediatePropagation();
        device.destroy();
      });
      return device;
    };
  });
  await here.open('/blank.html', page);
  const { codes, same } = await page.evaluate(async () => {
    const image = '/golden/photos/photo.png';
    const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-vit' }, device: 'webgpu' });
    const before = await explainer.classify(image);
    const codes = [];
    for (let round = 0; round < 2; round++) {
      let lost = false;
      const dying = explainer.attribute(image, {
        method: 'integrated_gradients',
        nSteps: 500,
        chunkSize: 1,
        onProgress: () => {
          if (!lost) t.worker.postMessage({ op: 'destroy' });
          lost = true;
        },
      });
      codes.push((await t.failure(dying)).code);
    }
    const after = await explainer.classify(image);
    return { codes, same: t.relative(after.logits, before.logits) };
  });
  assert.deepEqual(codes, ['device-lost', 'device-lost']);
  assert.ok(same < 1e-5);
  await page.close();
});

test('a storage that never answers: models open as if there were none', { timeout: 120_000 }, async () => {
  const page = await here.browser.newPage();
  await page.addInitScript(() => {
    for (const name of ['has', 'open', 'delete', 'keys']) CacheStorage.prototype[name] = () => new Promise(() => {});
  });
  await here.open('/blank.html', page);
  const { label, kept, listed } = await page.evaluate(async () => {
    const listing = api.listCachedModels();
    const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-vit' }, device: 'cpu' });
    return { label: explainer.info.model.labels[0], kept: explainer.info.model.cached, listed: await listing };
  });
  assert.equal(label, 'amber');
  assert.equal(kept, null);
  assert.deepEqual(listed, []);
  await page.close();
});

describe('an end that the caller asks for', () => {
  test('createExplainer: at every stage of opening, and the next one works', { timeout: 120_000 }, async () => {
    const page = await open();
    const results = await page.evaluate(async () => {
      const model = { url: '/golden/packages/tiny-vit' };
      await api.createExplainer({ model, device: 'cpu' });
      const results = [];
      for (const stage of ['download', 'device', 'weights']) {
        const controller = new AbortController();
        let at;
        await api.deleteCachedModel(new URL('/golden/packages/tiny-vit', location).href);
        const failure = await t.failure(
          api.createExplainer({
            model,
            device: 'cpu',
            signal: controller.signal,
            onProgress: (progress) => {
              if (progress.stage !== stage || at !== undefined) return;
              at = performance.now();
              controller.abort();
            },
          }),
        );
        results.push({ stage, code: failure.code, reached: at !== undefined, ms: performance.now() - at });
      }
      const explainer = await api.createExplainer({ model, device: 'cpu' });
      await explainer.classify('/golden/photos/photo.png');
      return results;
    });
    for (const { stage, code, reached, ms } of results) {
      assert.ok(reached, `${stage} was never reached`);
      assert.equal(code, 'aborted', stage);
      assert.ok(ms < 300, `${stage}: answered after ${ms} ms`);
    }
    await page.close();
  });

  test('a large picture that is being decoded does not hold the next call up', { timeout: 120_000 }, async () => {
    const page = await open();
    const result = await page.evaluate(async () => {
      const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-vit' }, device: 'cpu' });
      const small = '/golden/photos/photo.png';
      await explainer.classify(small);
      // What takes a decoder long: as many pixels as are allowed, of noise.
      const canvas = new OffscreenCanvas(6000, 4000);
      const context = canvas.getContext('2d');
      const noise = context.createImageData(500, 500);
      for (let i = 0; i < noise.data.length; i++) noise.data[i] = i % 4 === 3 ? 255 : Math.imul(i, 2654435761) >>> 24;
      for (let y = 0; y < 4000; y += 500) for (let x = 0; x < 6000; x += 500) context.putImageData(noise, x, y);
      const large = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.95 });
      const began = performance.now();
      await explainer.classify(large);
      const whole = performance.now() - began;
      const controller = new AbortController();
      const failing = t.failure(
        explainer.classify(await canvas.convertToBlob({ type: 'image/png' }), { signal: controller.signal }),
      );
      await new Promise((done) => setTimeout(done, 100));
      const aborted = performance.now();
      controller.abort();
      const { code } = await failing;
      const told = performance.now() - aborted;
      await explainer.classify(small);
      return { code, told, next: performance.now() - aborted, whole };
    });
    console.log(`decoding: ${JSON.stringify(result)}`);
    assert.equal(result.code, 'aborted');
    assert.ok(result.told < 300 && result.next < 5000, JSON.stringify(result));
    await page.close();
  });

  test('idle calls give way to a person and come to the same numbers', { timeout: 60_000 }, async () => {
    const page = await open();
    const result = await page.evaluate(async () => {
      const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-vit' }, device: 'cpu' });
      const image = '/golden/photos/photo.png';
      const request = { method: 'integrated_gradients', nSteps: 1000, chunkSize: 1 };
      const alone = await explainer.attribute(image, request);
      const order = [];
      let started;
      const running = new Promise((done) => (started = done));
      const idle = explainer.attribute(image, { ...request, priority: 'idle', onProgress: () => started() });
      idle.then(() => order.push('idle'));
      await running;
      const person = await explainer.attribute(image, { method: 'grad_cam' });
      order.push('person');
      const { values } = await idle;
      const bad = await t.failure(explainer.classify(image, { priority: 'high' }));
      return { order, same: t.relative(values, alone.values), warnings: person.warnings.length, bad };
    });
    assert.deepEqual(result.order, ['person', 'idle']);
    assert.equal(result.same, 0);
    assert.equal(result.bad.code, 'bad-option');
    await page.close();
  });

  test('a listener that throws is reported, and its call goes on', async () => {
    const page = await open();
    const result = await page.evaluate(async () => {
      const reported = [];
      addEventListener('error', (event) => {
        reported.push(event.message);
        event.preventDefault();
      });
      const thrower = (what) => () => {
        throw new Error(what);
      };
      const explainer = await api.createExplainer({
        model: { url: '/golden/packages/tiny-vit' },
        device: 'cpu',
        onProgress: thrower('opening'),
      });
      const { values } = await explainer.attribute('/golden/photos/photo.png', {
        method: 'integrated_gradients',
        nSteps: 20,
        onProgress: thrower('progress'),
        onEstimate: thrower('estimate'),
      });
      return { values: values.length, reported: [...new Set(reported)] };
    });
    assert.ok(result.values > 0);
    assert.ok(
      result.reported.some((message) => message.includes('progress')),
      result.reported.join(),
    );
    assert.ok(
      result.reported.some((message) => message.includes('opening')),
      result.reported.join(),
    );
    await page.close();
  });
});

test('memory that a large picture took is given back while nothing runs; the model stays open', {
  timeout: 120_000,
}, async () => {
  const page = await open();
  const result = await page.evaluate(async () => {
    const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-vit' }, device: 'cpu' });
    const small = '/golden/photos/photo.png';
    const before = await explainer.classify(small);
    const worker = t.worker;
    const pixels = new ImageData(6000, 4000);
    await explainer.classify(pixels);
    const grown = await t.memory(worker);
    const opened = [];
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...more) {
      opened.push(message.op);
      return post.call(this, message, ...more);
    };
    const until = performance.now() + 20_000;
    while (t.worker === worker && performance.now() < until) await new Promise((done) => setTimeout(done, 200));
    const replaced = t.worker !== worker;
    await new Promise((done) => setTimeout(done, 1000));
    const reopened = opened.includes('open');
    const after = await explainer.classify(small);
    return { grown, replaced, reopened, kept: await t.memory(), same: t.relative(after.logits, before.logits) };
  });
  console.log(`memory: ${(result.grown / 1e6).toFixed(0)} MB, then ${(result.kept / 1e6).toFixed(0)} MB`);
  assert.ok(result.grown > 150e6 && result.kept < 60e6);
  assert.ok(result.replaced && result.reopened);
  assert.equal(result.same, 0);
  await page.close();
});
