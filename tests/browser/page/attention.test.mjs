// Methods that read attention and the head table: through the public API on every device that was
// built, and on the page with pointer and keys.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dist, idle, openPage, shot, site } from '../harness.mjs';

const here = site();
const devices = JSON.parse(readFileSync(join(dist, 'pkg/wasm/builds.json'))).webgpu ? ['cpu', 'webgpu'] : ['cpu'];

test('maps and the head table are the same on every device; a convolutional net has none', async () => {
  const page = await here.open();
  const result = await page.evaluate(async (devices) => {
    const image = t.input((await t.tensors('/golden/packages/tiny-vit/golden.safetensors')).input);
    const of = [];
    for (const device of devices) {
      const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-vit' }, device });
      const maps = {};
      for (const method of ['attention_rollout', 'chefer', 'raw_attention', 'token_cut'])
        maps[method] = (await explainer.attribute(image, { method, target: 1 })).values;
      const progress = [];
      const heads = await explainer.heads(image, { target: 1, onProgress: (p) => progress.push([p.loaded, p.total]) });
      const gone = new AbortController();
      const withdrawn = t.failure(explainer.heads(image, { signal: gone.signal }));
      gone.abort();
      const refused = [
        (await withdrawn).code,
        (await t.failure(explainer.heads(image, { target: 99 }))).code,
        (await t.failure(explainer.heads(image, { target: Number.NaN }))).code,
        (await t.failure(explainer.heads(image, { block: 1 }))).code,
      ];
      of.push({ maps, heads, progress, refused, attention: explainer.info.model.attention });
      explainer.dispose();
    }
    const [cpu, gpu] = of;
    const cnn = await api.createExplainer({ model: { url: '/golden/packages/tiny-cnn' }, device: 'cpu' });
    const { input } = await t.tensors('/golden/packages/tiny-cnn/golden.safetensors');
    const numbers = ({ heads }) => heads.heads.flatMap((h) => [h.importance, h.distance, h.entropy, h.specialShare]);
    return {
      cosines: gpu ? Object.keys(cpu.maps).map((m) => t.cosine(cpu.maps[m], gpu.maps[m])) : [],
      heads: gpu ? t.relative(numbers(gpu), numbers(cpu)) : 0,
      cpu: { ...cpu, maps: undefined },
      refused: of.map((o) => o.refused),
      cnn: await t.failure(cnn.heads(t.input(input))),
    };
  }, devices);
  assert.ok(
    result.cosines.every((c) => c >= 0.999),
    JSON.stringify(result.cosines),
  );
  assert.ok(result.heads < 1e-3, `heads differ by ${result.heads}`);
  const { heads, progress, attention } = result.cpu;
  assert.equal(heads.heads.length, attention.blocks * attention.heads);
  assert.deepEqual(progress.at(-1), [heads.heads.length, heads.heads.length]);
  assert.deepEqual([heads.target, heads.output, heads.device], [1, 'logit', 'cpu']);
  assert.ok(heads.passes.forward > heads.heads.length / 2);
  for (const head of heads.heads) {
    assert.ok(head.distance > 0 && head.distancePixels > head.distance && head.entropy > 0, JSON.stringify(head));
    assert.ok(head.specialShare > 0 && head.specialShare < 1 && Number.isFinite(head.importance), JSON.stringify(head));
  }
  for (const refused of result.refused)
    assert.deepEqual(refused, ['aborted', 'bad-option', 'bad-option', 'bad-option']);
  assert.equal(result.cnn.code, 'unsupported');
  await page.close();
});

test('pointing at a patch, or the arrow keys, show what it looks at; the heads are ranked', async () => {
  const page = await openPage(here);
  assert.equal(await page.locator('#heads').isVisible(), false);
  await page.selectOption('#model', 'builtin-scene-vit');
  await page.waitForFunction(() => document.querySelector('#facts').textContent.includes('blocks.3.norm1'));
  await page.selectOption('#method', 'raw_attention');
  await page.waitForFunction(() =>
    document.querySelector('#facts').textContent.includes('of the class token in block 3'),
  );
  await idle(page);
  const facts = () => page.textContent('#facts');
  const says = (text) =>
    page.waitForFunction((text) => document.querySelector('#facts').textContent.includes(text), text);
  const box = await page.locator('#canvas').boundingBox();
  // The newest of many places is the one that is shown.
  for (let i = 0; i < 40; i++)
    await page.mouse.move(box.x + box.width * (0.3 + i / 100), box.y + box.height * (0.2 + i / 100));
  await idle(page);
  await page.waitForFunction(() => {
    const said = document.querySelector('#facts').textContent.match(/row (\d+), column (\d+)/);
    const asked = Number(document.querySelector('[data-option="query"]').value);
    return said && (said[1] - 1) * 8 + (said[2] - 1) === asked;
  });
  await idle(page);
  const [, row, column] = (await facts()).match(/row (\d+), column (\d+)/).map(Number);
  await page.focus('#canvas');
  await page.keyboard.press('ArrowLeft');
  await says(`row ${row}, column ${column - 1}`);
  await idle(page);
  await page.keyboard.press('ArrowUp');
  await says(`row ${row - 1}, column ${column - 1}`);
  await idle(page);
  await shot(page, 'raw-attention');
  await page.keyboard.press('Escape');
  await says('of the class token');
  await idle(page);

  await page.click('#heads summary');
  await page.click('#heads-go');
  await page.waitForSelector('#heads-found:not([hidden]) tbody tr');
  await idle(page);
  const column3 = async () => (await page.locator('#heads tbody td:nth-child(3)').allTextContents()).map(Number);
  const importance = await column3();
  assert.deepEqual(
    importance,
    [...importance].sort((a, b) => b - a),
  );
  await shot(page, 'heads');
  await page.click('#heads th:first-child button');
  assert.equal(await page.getAttribute('#heads th:first-child', 'aria-sort'), 'ascending');
  assert.notDeepEqual(await column3(), importance);
  // They are of one class.
  await page.selectOption('#method', 'chefer');
  await page.click('#predictions li:nth-child(2) button');
  await page.waitForSelector('#heads-found', { state: 'hidden' });
  await idle(page);
  assert.equal(await page.locator('#method-hint').isVisible(), false);
  assert.deepEqual(page.errors, []);
  await page.close();
});
