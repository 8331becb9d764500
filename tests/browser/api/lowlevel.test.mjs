// The low-level doors: activations, gradients, batches, and the iterator of estimates.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { site } from '../harness.mjs';

const here = site();

for (const name of ['tiny-cnn', 'tiny-vit']) {
  test(`${name}: activations and gradients are those that Grad-CAM and the score are made of`, async () => {
    const page = await here.open();
    const seen = await page.evaluate(async (name) => {
      const golden = await t.tensors(`/golden/packages/${name}/golden.safetensors`);
      const image = t.input(golden.input);
      const of = {};
      for (const device of ['cpu', 'webgpu']) {
        const explainer = await api.createExplainer({ model: { url: `/golden/packages/${name}` }, device });
        const { defaultLayer, layers, inputSize } = explainer.info.model;
        const a = await explainer.activations(image);
        const g = await explainer.gradients(image, { layer: defaultLayer });
        const cam = await explainer.attribute(image, { method: 'grad_cam' });
        // Grad-CAM by hand: channels weighted by their mean gradients.
        // Of a transformer without its class token, which is not on the grid.
        const [h, w] = cam.shape;
        const tokens = a.shape.length === 2;
        const [cells, channels] = [h * w, tokens ? a.shape[1] : a.shape[0]];
        const at = ({ values, shape }, c, i) => values[tokens ? (shape[0] - cells + i) * channels + c : c * cells + i];
        const map = new Float32Array(cells);
        for (let c = 0; c < channels; c++) {
          let weight = 0;
          for (let i = 0; i < cells; i++) weight += at(g, c, i) / cells;
          for (let i = 0; i < cells; i++) map[i] += weight * at(a, c, i);
        }
        const first = await explainer.activations(image, layers[0].id);
        const x = await explainer.gradients(image, { target: 2 });
        of[device] = {
          layers: await Promise.all(
            Object.entries(golden)
              .filter(([key]) => /^(activation|gradient)\./.test(key))
              .map(async ([key, { data }]) => {
                const [, what, layer] = /^(\w+)\.(.+)$/.exec(key);
                const found =
                  what === 'activation'
                    ? await explainer.activations(image, layer)
                    : await explainer.gradients(image, { layer });
                return found.values.length === data.length ? t.relative(found.values, data) : Infinity;
              }),
          ),
          captum: t.relative((await explainer.gradients(image)).values, golden.input_gradient.data),
          cam: t.relative(map, cam.values),
          layer: [a.layer === defaultLayer, g.layer === defaultLayer, x.layer],
          shapes: [
            a.shape,
            g.shape,
            layers.find(({ id }) => id === defaultLayer).shape,
            first.shape,
            layers[0].shape,
            x.shape,
            inputSize,
          ],
          score: [x.score, (await explainer.classify(image)).logits[2]],
          target: [x.target, x.output, g.target === cam.target],
          values: [a, g, x],
          passes: a.passes.forward,
          bad: [
            await t.failure(explainer.activations(image, 'nowhere')),
            await t.failure(explainer.activations(image, 3)),
            await t.failure(explainer.gradients(image, { method: 'grad_cam' })),
            await t.failure(explainer.gradients(image, { target: 99 })),
            await t.failure(explainer.gradients(image, { layer: ['a'] })),
          ].map(({ code }) => code),
          late: (await t.failure(explainer.gradients(image, { signal: AbortSignal.abort() }))).code,
        };
        explainer.dispose();
      }
      const { cpu, webgpu } = of;
      const cosines = cpu.values.map(({ values }, i) => t.cosine(values, webgpu.values[i].values));
      delete cpu.values;
      return { cpu, cosines };
    }, name);
    const { cpu, cosines } = seen;
    assert.ok(
      cpu.layers.length === 4 && Math.max(...cpu.layers) < 1e-4,
      `layers differ from PyTorch's by ${cpu.layers}`,
    );
    assert.ok(cpu.captum < 1e-4, `the input gradient differs from PyTorch's by ${cpu.captum}`);
    assert.ok(cpu.cam < 1e-4, `Grad-CAM by hand differs by ${cpu.cam}`);
    assert.deepEqual(cpu.layer, [true, true, null]);
    const [a, g, listed, first, listedFirst, x, input] = cpu.shapes;
    assert.deepEqual([a, g, first, x], [listed, listed, listedFirst, input]);
    assert.ok(Math.abs(cpu.score[0] - cpu.score[1]) < 1e-4, `${cpu.score}`);
    assert.deepEqual(cpu.target, [2, 'logit', true]);
    assert.ok(cpu.passes > 0);
    assert.deepEqual(cpu.bad, Array(5).fill('bad-option'));
    assert.equal(cpu.late, 'aborted');
    for (const cosine of cosines) assert.ok(cosine > 0.9999, `WebGPU against CPU: cosine ${cosine}`);
    await page.close();
  });
}

test('a batch goes on after a photo that cannot be read, reports, stops and aborts', async () => {
  const page = await here.open();
  const seen = await page.evaluate(async () => {
    const explainer = await api.createExplainer({ model: 'builtin-scene-cnn', device: 'cpu' });
    const bad = new Blob(['no picture']);
    const told = [];
    const onProgress = ({ stage, loaded, total, item }) =>
      told.push([stage, loaded, total, item.index, item.error?.code ?? null]);
    const photos = ['/samples/cat.jpg', bad, '/samples/none.jpg', '/samples/bananas.jpg'];
    const items = await explainer.attributeAll(photos, { method: 'grad_cam', onProgress });
    const alone = await explainer.attribute('/samples/bananas.jpg', { method: 'grad_cam' });
    const stop = new AbortController();
    const stopped = await explainer.attributeAll(new Set(photos), {
      method: 'grad_cam',
      stop: stop.signal,
      onProgress: () => stop.abort(),
    });
    const signal = new AbortController();
    const aborted = explainer.attributeAll(photos, {
      method: 'grad_cam',
      signal: signal.signal,
      onProgress: () => signal.abort(),
    });
    return {
      told,
      items: items.map(({ index, attribution, error }) => [
        index,
        attribution?.shape.length ?? null,
        error instanceof api.SightlineError,
      ]),
      same: t.relative(items[3].attribution.values, alone.values),
      stopped: stopped.length,
      aborted: (await t.failure(aborted)).code,
      none: await explainer.attributeAll([], { method: 'grad_cam' }),
    };
  });
  assert.deepEqual(seen.items, [
    [0, 2, false],
    [1, null, true],
    [2, null, true],
    [3, 2, false],
  ]);
  assert.deepEqual(seen.told, [
    ['batch', 1, 4, 0, null],
    ['batch', 2, 4, 1, 'unsupported-image'],
    ['batch', 3, 4, 2, 'network'],
    ['batch', 4, 4, 3, null],
  ]);
  assert.equal(seen.same, 0);
  assert.equal(seen.stopped, 1);
  assert.equal(seen.aborted, 'aborted');
  assert.deepEqual(seen.none, []);
  await page.close();
});

test('estimates come one by one, can be painted, and end with the attribution; leaving the loop ends the call', async () => {
  const page = await here.open();
  const seen = await page.evaluate(async () => {
    const explainer = await api.createExplainer({ model: 'sightline-cnn', device: 'cpu' });
    const options = { method: 'rise', nSamples: 300 };
    const canvas = document.createElement('canvas');
    const image = '/samples/cat.jpg';
    const picture = await createImageBitmap(await (await fetch(image)).blob());
    const items = [];
    for await (const estimate of explainer.estimates(image, options)) {
      items.push({ ...estimate, empty: api.renderHeatmap(canvas, picture, estimate).empty });
    }
    const last = items.at(-1);
    const start = performance.now();
    for await (const estimate of explainer.estimates(image, options)) if (!estimate.attribution) break;
    const broke = performance.now() - start;
    const after = await explainer.classify(image);
    const single = [];
    for await (const { attribution } of explainer.estimates(image, { method: 'grad_cam' }))
      single.push(attribution?.method);
    const failed = async () => {
      for await (const _ of explainer.estimates(image, { method: 'phrenology' }));
    };
    const signal = new AbortController();
    const aborted = async () => {
      for await (const _ of explainer.estimates(image, { ...options, signal: signal.signal })) signal.abort();
    };
    return {
      count: items.length,
      full: items.map(({ attribution }) => attribution?.method ?? null),
      crops: items.every(({ crop }) => JSON.stringify(crop) === JSON.stringify(last.attribution.crop)),
      spaces: [...new Set(items.map(({ space }) => space))],
      empty: last.empty,
      near: t.cosine(items.at(-2).values, last.values),
      broke,
      whole: last.attribution.elapsedMs,
      after: after.predictions.length,
      single,
      failed: (await t.failure(failed())).code,
      aborted: (await t.failure(aborted())).code,
    };
  });
  assert.ok(seen.count > 2, `${seen.count} items`);
  assert.equal(seen.full.at(-1), 'rise');
  assert.ok(seen.full.slice(0, -1).every((method) => method === null));
  assert.ok(seen.crops);
  assert.deepEqual(seen.spaces, ['input']);
  assert.equal(seen.empty, false);
  assert.ok(seen.near > 0.9, `the last estimate and the result: cosine ${seen.near}`);
  assert.ok(seen.broke < seen.whole, `${seen.broke} ms until the first estimate, ${seen.whole} ms for the whole`);
  assert.equal(seen.after, 5);
  assert.deepEqual(seen.single, ['grad_cam']);
  assert.equal(seen.failed, 'bad-option');
  assert.equal(seen.aborted, 'aborted');
  console.log(`RISE: ${seen.count} items, the last estimate against the result: cosine ${seen.near.toFixed(4)}`);
  await page.close();
});
