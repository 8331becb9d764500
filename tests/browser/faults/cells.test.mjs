// Cells of the matrix of faults (faults.mjs) that belong to no other test file.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fromHash, toHash } from '../../../www/permalink.js';
import { collectErrors, explained, launch, openApi, serve } from '../harness.mjs';

describe('in Chromium', () => {
  const it = {};
  before(async () => {
    it.server = await serve();
    it.browser = await launch({ gpu: false });
  });
  after(async () => {
    await it.browser?.close();
    await it.server?.close();
  });

  test('a worker whose script is not there or is none', async () => {
    for (const answer of [
      { status: 404, body: 'not found' },
      { contentType: 'text/html', body: '<!doctype html>a page' },
      { contentType: 'text/javascript', body: 'throw new Error("of another program")' },
    ]) {
      const page = await it.browser.newPage();
      await page.route('**/pkg/engine/worker.js', (route) => route.fulfill(answer));
      await openApi(it.browser, it.server.url, '/blank.html', page);
      const model = { url: '/golden/packages/tiny-cnn' };
      const ask = () => page.evaluate((model) => t.failure(api.createExplainer({ model, device: 'cpu' })), model);
      const { code, message } = await ask();
      assert.equal(code, 'internal', message);
      assert.match(message, /worker/);
      // Where it was a passing fault, the next call works.
      await page.unroute('**/pkg/engine/worker.js');
      assert.equal((await ask()).code, 'nothing');
      await page.close();
    }
  });

  const kept = (page) => page.waitForFunction(() => /works without|has no copy/.test(offline.textContent));
  const said = (page) => page.textContent('#offline');
  /** The page, in a context of its own that may have a service worker. */
  async function openKept(server, script = () => undefined) {
    const page = await it.browser.newPage({ serviceWorkers: 'allow' });
    collectErrors(page);
    await page.addInitScript(script);
    await page.goto(`${server.url}/`);
    await explained(page);
    return page;
  }

  test('without a service worker, and with one that never answers, the page works', async () => {
    const refused = () => {
      ServiceWorkerContainer.prototype.register = () => Promise.reject(new DOMException('no', 'SecurityError'));
    };
    const silent = () => {
      ServiceWorkerContainer.prototype.register = () => new Promise(() => undefined);
    };
    for (const [script, words] of [
      [refused, /no copy/],
      [silent, /^$/],
    ]) {
      const page = await openKept(it.server, script);
      assert.match(await said(page), words);
      await page.selectOption('#method', 'saliency');
      await page.waitForFunction(() => /^Saliency/.test(facts.textContent));
      assert.deepEqual(page.errors, []);
      await page.context().close();
    }
  });

  test('a service worker whose files break off, or that is removed', async () => {
    const broken = await serve({ others: [['/pkg/labels/', '/nowhere/']] });
    const page = await openKept(broken);
    await kept(page);
    assert.match(await said(page), /no copy/);
    await page.context().close();
    await broken.close();

    const other = await openKept(it.server);
    await kept(other);
    assert.match(await said(other), /works without/);
    await other.evaluate(async () => {
      for (const registration of await navigator.serviceWorker.getRegistrations()) await registration.unregister();
      for (const name of await caches.keys()) await caches.delete(name);
    });
    await other.selectOption('#model', 'builtin-scene-cnn');
    await other.waitForFunction(() => facts.textContent.includes('at bn2'));
    assert.deepEqual(other.errors, []);
    await other.context().close();
  });
});

test('links: cut off anywhere, huge, with a part twice', () => {
  const methods = [
    { id: 'grad_cam', options: [] },
    { id: 'rise', options: [{ id: 'nSamples', type: 'integer', min: 1, max: 100 }] },
  ];
  const read = (text) => fromHash(text, { samples: ['cat.jpg'], methods });
  const whole = toHash({
    model: 'sightline-cnn',
    photo: 'cat.jpg',
    method: 'rise',
    target: { contrast: [3, 4] },
    options: { nSamples: 12 },
    looks: { colormap: 'viridis' },
    comparison: { kind: 'classes', rows: ['rise'], columns: ['3'], shared: true },
  });
  assert.deepEqual(read(whole).options, { nSamples: 12 });
  for (let end = 0; end < whole.length; end++) {
    const state = read(whole.slice(0, end));
    // What was cut is left out or shorter, never anything else.
    assert.ok([undefined, 'rise'].includes(state?.method), whole.slice(0, end));
    assert.ok([undefined, 1, 12].includes(state?.options.nSamples), whole.slice(0, end));
  }
  for (const end of ['%', '%E', '%E4%', '\ud800']) assert.equal(read(`method=rise&layer=${end}`).method, 'rise');
  assert.equal(read(`method=rise&${'x'.repeat(1 << 20)}`), null);
  const many = read(
    `compare=classes&${'row=a&'.repeat(50)}${Array.from({ length: 600 }, (_, i) => `row=${i}`).join('&')}`,
  );
  assert.ok(many === null || many.comparison.rows.length <= 64);
  assert.equal(read('method=rise&method=grad_cam').method, 'rise');
});
