// What the WebGPU build asks of the GPU: kernel launches, submissions, readbacks, shaders and
// buffers, counted in the worker. Counts, not times: they are the same on every adapter.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beforeWorker, openApi, site } from '../harness.mjs';

const here = site();

/** Runs in the worker before its own script: counts what passes through WebGPU's prototypes. */
function probe() {
  const counts = { launches: 0, submits: 0, maps: 0, waits: 0, modules: 0, pipelines: 0, buffers: 0, bytes: 0 };
  const sources = new Map();
  const sizes = new WeakMap();
  const after = (type, name, then) => {
    const original = type.prototype[name];
    type.prototype[name] = function (...args) {
      const result = original.apply(this, args);
      then.call(this, result, ...args);
      return result;
    };
  };
  const launched = () => counts.launches++;
  after(GPUComputePassEncoder, 'dispatchWorkgroups', launched);
  after(GPUComputePassEncoder, 'dispatchWorkgroupsIndirect', launched);
  after(GPUQueue, 'submit', () => counts.submits++);
  after(GPUQueue, 'onSubmittedWorkDone', () => counts.waits++);
  after(GPUBuffer, 'mapAsync', () => counts.maps++);
  after(GPUDevice, 'createShaderModule', (_, { code }) => {
    counts.modules++;
    sources.set(code, (sources.get(code) ?? 0) + 1);
  });
  after(GPUDevice, 'createComputePipeline', () => counts.pipelines++);
  after(GPUDevice, 'createComputePipelineAsync', () => counts.pipelines++);
  after(GPUDevice, 'createBuffer', (buffer, { size }) => {
    counts.buffers++;
    counts.bytes += size;
    sizes.set(buffer, size);
  });
  after(GPUBuffer, 'destroy', function () {
    if (!sizes.has(this)) return;
    counts.buffers--;
    counts.bytes -= sizes.get(this);
    sizes.delete(this);
  });
  globalThis.gpuCounts = () => ({ ...counts, twice: [...sources.values()].filter((n) => n > 1).length });
}

/**
 * A page whose worker counts, with the model `name` open on WebGPU as `explainer`; what a call of
 * `run` adds to the counts.
 */
async function open(name) {
  const page = await here.browser.newPage();
  await beforeWorker(page, probe);
  await openApi(here.browser, here.server.url, '/blank.html', page);
  await page.evaluate(async (name) => {
    const golden = await t.tensors(`/golden/packages/${name}/golden.safetensors`);
    const image = t.input(golden.input);
    globalThis.photo = (by) => ({ ...image, data: image.data.map((v) => v * by) });
    globalThis.explainer = await api.createExplainer({ model: { url: `/golden/packages/${name}` }, device: 'webgpu' });
  }, name);
  const [worker] = page.workers();
  const counts = () => worker.evaluate(() => gpuCounts());
  const run = async (call, ...args) => {
    const before = await counts();
    const result = await page.evaluate(call, args);
    const now = await counts();
    return { result, now, added: Object.fromEntries(Object.keys(now).map((key) => [key, now[key] - before[key]])) };
  };
  return { page, run, counts };
}

const classify = ([by]) => explainer.classify(photo(by)).then(({ passes }) => passes);
const attribute = ([by, method, more]) =>
  explainer.attribute(photo(by), { method, ...more }).then(({ passes }) => passes);

/**
 * Kernel launches of a warm forward pass, of Grad-CAM behind it, and of integrated gradients with
 * one step, which is two forward passes and one back.
 */
const LAUNCHES = {
  'tiny-cnn': { forward: 67, gradCam: 25, step: 257 },
  'tiny-vit': { forward: 54, gradCam: 62, step: 210 },
};

for (const [name, limits] of Object.entries(LAUNCHES)) {
  test(`${name}: launches, one readback per result, no shader twice, no buffers that stay`, {
    timeout: 600_000,
  }, async () => {
    const { page, run } = await open(name);
    const ig = { nSteps: 1 };
    // Compiles.
    await run(classify, 1);
    await run(attribute, 1, 'grad_cam');
    await run(attribute, 1, 'integrated_gradients', ig);

    const forward = await run(classify, 0.9);
    assert.equal(forward.result.forward, 1);
    const cam = await run(attribute, 0.9, 'grad_cam');
    assert.ok(cam.result.forward < 1 && cam.result.backward < 1, 'the front is not run again');
    const step = await run(attribute, 0.9, 'integrated_gradients', ig);
    console.log(
      `${name}: launches ${forward.added.launches} forward, ${cam.added.launches} Grad-CAM, ${step.added.launches} integrated gradients of one step; submits ${[forward, cam, step].map(({ added }) => added.submits)}; ${step.now.modules} shaders, ${step.now.pipelines} pipelines`,
    );
    assert.ok(forward.added.launches <= limits.forward, `${forward.added.launches} launches forward`);
    assert.ok(cam.added.launches <= limits.gradCam, `${cam.added.launches} launches for Grad-CAM`);
    assert.ok(step.added.launches <= limits.step, `${step.added.launches} launches for a step of integrated gradients`);
    for (const { added } of [forward, cam, step]) {
      assert.equal(added.modules, 0, 'warm calls compile nothing');
      assert.equal(added.pipelines, 0, 'warm calls make no pipelines');
    }
    for (const { added } of [forward, cam]) assert.equal(added.maps, 1, 'one readback per result');
    // The baseline's score and the map.
    assert.equal(step.added.maps, 2);
    assert.equal(step.now.twice, 0, 'no shader is compiled twice');

    const rounds = async (from) => {
      for (let i = 0; i < 10; i++) {
        await run(classify, from - i / 50);
        await run(attribute, from - i / 50, 'grad_cam');
        await run(attribute, from - i / 50, 'integrated_gradients', ig);
      }
      return (await run(classify, from)).now;
    };
    const settled = await rounds(0.8);
    const last = await rounds(0.6);
    // Now and then burn's pool replaces a page, and drops the old one without destroying it; what
    // leaks would be one buffer for each explanation at least.
    assert.ok(last.buffers - settled.buffers < 10, `${settled.buffers} buffers became ${last.buffers}`);
    assert.ok(last.bytes < 1.1 * settled.bytes, `${settled.bytes} bytes became ${last.bytes}`);
    assert.equal(last.twice, 0);
    await page.close();
  });
}

test('integrated gradients: one readback per chunk, none beside', { timeout: 600_000 }, async () => {
  const { page, run } = await open('tiny-vit');
  const ig = { nSteps: 8, chunkSize: 2 };
  await run(attribute, 1, 'integrated_gradients', ig);
  const { added } = await run(attribute, 1, 'integrated_gradients', ig);
  // Four chunks, of which the last brings the map, and the baseline's score.
  assert.equal(added.maps, 5);
  assert.equal(added.modules, 0);
  await page.close();
});
