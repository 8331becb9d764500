// Memory does not grow with what was explained. Bytes of wasm memory, which only ever grows, tell
// the peak, and are the same in each run.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { peak, series } from '../../bench/memory.mjs';
import { dist, launch, serve } from '../harness.mjs';

/** Beside three times the weights. */
const ROOM = 150e6;
/**
 * What garbage collections leave of a heap differs by less, and wasm memory by what is left between
 * photos of other sizes: eight pages at most, after which 240 explanations needed no more.
 */
const [NOISE, GAPS] = [300e3, 8 * 65_536];

let server;
let browser;
before(async () => {
  server = await serve();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await server?.close();
});

const told = ({ explanations, wasm, heap, workerHeap, buffers }) => {
  const mb = (bytes) => (bytes / 1e6).toFixed(2);
  return `after ${explanations}: wasm ${mb(wasm)}, page ${mb(heap)}, worker ${mb(workerHeap)} MB, ${buffers} buffers`;
};

describe('80 explanations of mixed methods and photos', () => {
  for (const model of ['sightline-cnn', 'sightline-vit'])
    test(`${model}: nothing grows after the first 40`, { timeout: 300_000 }, async () => {
      const { rows, weights } = await series(browser, server.url, { model, device: 'cpu', count: 80, every: 40 });
      for (const row of rows) console.log(`${model} ${told(row)}`);
      const [first, last] = rows;
      assert.ok(last.wasm <= first.wasm + GAPS);
      for (const heap of ['heap', 'workerHeap']) assert.ok(last[heap] < first[heap] + NOISE, heap);
      assert.ok(last.wasm < 3 * weights + ROOM);
    });

  test('on WebGPU: no buffer more after the first two rounds of methods', {
    timeout: 300_000,
    skip: !existsSync(join(dist, 'pkg/wasm/webgpu/sightline_bg.wasm')) && 'no WebGPU build',
  }, async () => {
    const only = ['grad_cam', 'saliency'];
    const { rows } = await series(browser, server.url, {
      model: 'builtin-scene-cnn',
      device: 'webgpu',
      count: 12,
      every: 4,
      only,
    });
    for (const row of rows) console.log(told(row));
    const [first, ...more] = rows;
    assert.ok(first.buffers > 0, 'no buffer was counted');
    for (const row of more) assert.ok(row.buffers <= 1.05 * first.buffers && row.wasm <= first.wasm + GAPS, told(row));
  });
});

test('integrated gradients with 500 steps peak as with 50', { timeout: 300_000 }, async () => {
  const model = 'builtin-scene-cnn';
  const of = (nSteps) => peak(browser, server.url, { model, device: 'cpu', nSteps });
  const [few, many] = [await of(50), await of(500)];
  assert.ok(many <= few + GAPS, `${few} and ${many} bytes`);
});
