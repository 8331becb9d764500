// Every attribution method through the public API, on the CPU and on WebGPU; what requests may hold
// beside numbers.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { site } from '../harness.mjs';

const here = site();

/** Few samples and steps: the software adapter is slow, and every one more is alike. */
const quick = { nSamples: 3, nSteps: 3, maxSteps: 6, maxChannels: 4, nSegments: 6, chunkSize: 3 };

describe('every method, on both devices', () => {
  for (const name of ['tiny-vit', 'tiny-cnn']) {
    test(`${name}: finite, the same twice, and the devices agree`, { timeout: 900_000 }, async () => {
      const page = await here.open();
      const { rows, refused, working } = await page.evaluate(
        async ([name, quick]) => {
          const golden = await t.tensors(`/golden/packages/${name}/golden.safetensors`);
          const image = t.input(golden.input);
          const model = { url: `/golden/packages/${name}` };
          const [cpu, webgpu] = await Promise.all(
            ['cpu', 'webgpu'].map((device) => api.createExplainer({ model, device })),
          );
          const rows = [];
          const refused = [];
          for (const method of api.listMethods()) {
            const request = { method: method.id, target: { contrast: [1, 2] } };
            for (const { id } of method.options) if (id in quick) request[id] = quick[id];
            try {
              const a = await cpu.attribute(image, request);
              const again = await cpu.attribute(image, request);
              const b = await webgpu.attribute(image, request);
              rows.push({
                id: method.id,
                finite: [a, b].every(({ values }) => values.every(Number.isFinite)),
                twice: t.relative(a.values, again.values),
                cosine: t.cosine(a.values, b.values),
                flat: a.values.every((v) => v === a.values[0]),
                shapes: [a.shape, b.shape],
                passes: [a.passes, b.passes],
              });
            } catch ({ code, message }) {
              refused.push({ id: method.id, code, message });
            }
          }
          return { rows, refused, working: cpu.info.model.methods };
        },
        [name, quick],
      );
      console.log(`${name}: ${rows.map(({ id, cosine }) => `${id} ${cosine.toFixed(6)}`).join(', ')}`);
      for (const { id, finite, twice, cosine, flat, shapes, passes } of rows) {
        assert.ok(finite, id);
        assert.equal(twice, 0, `${id}: twice`);
        assert.ok(!flat, `${id} is flat`);
        assert.ok(cosine >= 0.999, `${id}: the devices' maps have a cosine of ${cosine}`);
        assert.deepEqual(shapes[0], shapes[1], id);
        assert.deepEqual(passes[0], passes[1], id);
      }
      assert.deepEqual(rows.map(({ id }) => id).sort(), [...working].sort(), 'info.model.methods tells which work');
      for (const { id, code, message } of refused) {
        assert.equal(code, 'unsupported', `${id}: ${message}`);
        assert.match(message, /these do: /);
      }
      await page.close();
    });
  }
});

describe('what a request may hold', () => {
  test('pictures as baselines, lists of them, groups, log-probabilities, several layers', async () => {
    const page = await here.open();
    const result = await page.evaluate(async () => {
      const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-cnn' }, device: 'cpu' });
      const photo = await t.bytes('/golden/photos/photo.png');
      const grey = new ImageData(new Uint8ClampedArray(64 * 64 * 4).fill(255), 64, 64);
      const ig = (more) => explainer.attribute(photo, { method: 'integrated_gradients', nSteps: 3, ...more });
      const [white, picture, both, black] = [
        await ig({ baseline: 'white' }),
        await ig({ baseline: grey }),
        await ig({ baseline: ['black', grey] }),
        await ig({ baseline: 'black' }),
      ];
      const mean = white.values.map((v, i) => (v + black.values[i]) / 2);
      const { predictions, logits } = await explainer.classify(photo);
      const [first] = predictions;
      const sum = (list) => Math.log(list.reduce((all, l) => all + Math.exp(l), 0));
      const probability = await explainer.attribute(photo, {
        method: 'grad_cam',
        target: first.index,
        output: 'log_probability',
      });
      const group = await explainer.attribute(photo, { method: 'grad_cam', target: { group: [0, 3] } });
      const layers = await explainer.attribute(photo, { method: 'grad_cam', layer: 'all' });
      const codes = [];
      for (const more of [
        { baseline: 'pink' },
        { baseline: 7 },
        { baseline: { data: [1], shape: [1] } },
        { target: { contrast: [1, 1] } },
        { output: 'odds' },
        { method: 'grad_cam', layer: ['nowhere'] },
        { stop: 1 },
        { onEstimate: 1 },
      ])
        codes.push((await t.failure(ig(more))).code);
      return {
        picture: t.relative(picture.values, white.values),
        both: t.relative(both.values, mean),
        probability: Math.abs(probability.score - (logits[first.index] - sum([...logits]))),
        group: Math.abs(
          group.score - (sum([logits[0], logits[3]]) - sum([...logits].filter((_, k) => k !== 0 && k !== 3))),
        ),
        target: group.target,
        ids: layers.layers.map(({ id }) => id),
        wanted: explainer.info.model.layers.map(({ id }) => id),
        kinds: layers.layers.every(
          ({ values, shape }) => values instanceof Float32Array && values.length === shape[0] * shape[1],
        ),
        passes: layers.passes,
        codes,
      };
    });
    assert.ok(result.picture < 1e-5 && result.both < 1e-5, `${result.picture}, ${result.both}`);
    assert.ok(result.probability < 1e-5 && result.group < 1e-5, `${result.probability}, ${result.group}`);
    assert.deepEqual(result.target, { group: [0, 3] });
    assert.deepEqual(result.ids, result.wanted);
    assert.ok(result.kinds);
    assert.ok(result.passes.forward <= 1 && result.passes.backward <= 1);
    assert.deepEqual(new Set(result.codes), new Set(['bad-option']));
    await page.close();
  });

  test('a method that estimates shows the map so far, and stopping keeps it', { timeout: 120_000 }, async () => {
    const page = await here.open();
    const result = await page.evaluate(async () => {
      const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-cnn' }, device: 'cpu' });
      const photo = await t.bytes('/golden/photos/photo.png');
      const stop = new AbortController();
      const estimates = [];
      const a = await explainer.attribute(photo, {
        method: 'rise',
        nSamples: 8000,
        chunkSize: 4,
        stop: stop.signal,
        onEstimate: (estimate) => {
          estimates.push(estimate);
          if (estimates.length === 2) stop.abort();
        },
      });
      const early = new AbortController();
      early.abort();
      const b = await explainer.attribute(photo, { method: 'rise', nSamples: 8000, chunkSize: 4, stop: early.signal });
      return {
        count: estimates.length,
        shapes: estimates.map(({ values, shape }) => [values.length, ...shape]),
        near: t.cosine(estimates.at(-1).values, a.values),
        passes: a.passes.forward,
        warnings: [a.warnings, b.warnings].map((list) => list.map(({ code }) => code)),
        early: b.passes.forward,
      };
    });
    assert.ok(result.count >= 2);
    assert.deepEqual(result.shapes[0], [64 * 64, 1, 64, 64]);
    assert.ok(result.near > 0.5, `${result.near}`);
    assert.ok(result.passes < 8000 && result.early < 8000);
    assert.deepEqual(result.warnings, [['partial'], ['partial']]);
    await page.close();
  });
});
