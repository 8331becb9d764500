// Trusted Types: the pages require them, the package needs but one policy of its own for that, and
// nothing of either is refused.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { collectErrors, explained, idle, launch, openApi, serve } from '../harness.mjs';

const it = {};
const folder = mkdtempSync(join(tmpdir(), 'sightline-pages-'));
before(async () => {
  it.server = await serve({ cors: true, others: [['/pages/', folder]] });
  it.elsewhere = await serve({ others: [['/pages/', folder]] });
  it.browser = await launch({ gpu: false });
});
after(async () => {
  await it.browser?.close();
  await it.server?.close();
  await it.elsewhere?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A page that tells what its policy refuses. */
async function watched(options) {
  const page = await it.browser.newPage(options);
  page.refused = [];
  await page.exposeFunction('refusal', (what) => page.refused.push(what));
  await page.addInitScript(() =>
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, sample, blockedURI }) =>
      globalThis.refusal(`${violatedDirective}: ${blockedURI} ${sample}`),
    ),
  );
  collectErrors(page);
  return page;
}
const dropped = (page, html) =>
  page.evaluate((html) => {
    const data = new DataTransfer();
    data.setData('text/html', html);
    dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  }, html);

test('the page starts, keeps itself, reads a dropped link and runs nothing of it, without a violation', async () => {
  const page = await watched({ serviceWorkers: 'allow' });
  await page.goto(`${it.server.url}/`);
  await explained(page);
  await page.waitForFunction(() => /works without/.test(document.querySelector('#offline').textContent));
  await page.selectOption('#method', 'saliency');
  await page.waitForFunction(() => /^Saliency/.test(document.querySelector('#facts').textContent));
  await idle(page);
  assert.deepEqual([page.refused, page.errors], [[], []]);

  await dropped(
    page,
    `<img src="${it.server.url}/golden/photos/photo.png" onload="globalThis.ran = 1"><script>globalThis.ran = 1</script>`,
  );
  await page.waitForFunction(() => document.querySelector('#canvas').ariaLabel.startsWith('photo.png'));
  await idle(page);
  // The handler in what was dropped, and nothing of the page’s own.
  assert.deepEqual([page.refused, page.errors], [['script-src-attr: inline '], []]);
  // What it forbids: text as HTML, as a worker's address, and other policies.
  const thrown = await page.evaluate(() => {
    const tries = [
      () => (document.createElement('p').innerHTML = '<b>x</b>'),
      () => new Worker('./pkg/engine/worker.js'),
      () => globalThis.trustedTypes.createPolicy('another', {}),
      () => globalThis.trustedTypes.createPolicy('sightline', {}),
    ];
    return tries.map((attempt) => {
      try {
        return void attempt();
      } catch ({ name }) {
        return name;
      }
    });
  });
  assert.deepEqual(thrown, Array(4).fill('TypeError'));
  assert.equal(await page.evaluate(() => globalThis.ran), undefined);
  await page.context().close();
});

test('the embed page, without a violation', async () => {
  const page = await watched();
  await page.goto(`${it.server.url}/embed.html?src=samples/cat.jpg&alt=A+cat&model=builtin-scene-cnn`);
  await page.waitForFunction(() => document.querySelector('sightline-explainer')?.state === 'ready');
  assert.deepEqual([page.refused, page.errors], [[], []]);
  await page.close();
});

test('the element on a page that requires Trusted Types, also from another origin', async () => {
  const base = it.server.url;
  for (const [name, origin, types] of [
    ['own', base, 'trusted-types sightline'],
    ['other', it.elsewhere.url, 'trusted-types sightline'],
    // Where any name may be taken, and where none may but nothing is required.
    ['any', base, ''],
    ['none', base, "trusted-types 'none'"],
  ]) {
    const required = name === 'none' ? '' : "require-trusted-types-for 'script'; ";
    const policy = `default-src 'none'; script-src ${base} 'wasm-unsafe-eval'; connect-src ${base}; img-src ${base} blob:; worker-src ${base} blob:; ${required}${types}`;
    writeFileSync(
      join(folder, `${name}.html`),
      `<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><title>x</title>
      <sightline-explainer src="${base}/golden/scenes/03.png" alt="x" model="builtin-scene-cnn"></sightline-explainer>
      <script type="module" src="${base}/pkg/element.js"></script>`,
    );
    const page = await watched();
    await page.goto(`${origin}/pages/${name}.html`);
    await page.waitForFunction(() => ['ready', 'error'].includes(document.querySelector('sightline-explainer').state));
    const state = await page.evaluate(() => document.querySelector('sightline-explainer').state);
    assert.equal(state, 'ready', `${name}: ${page.refused}`);
    // A policy that the page forbids is asked for once, and done without.
    const refused = name === 'none' ? page.refused.filter((what) => !/trusted-types/.test(what)) : page.refused;
    assert.deepEqual([refused, page.errors], [[], []], name);
    await page.close();
  }
});

test('the package’s policy makes addresses of scripts alone', async () => {
  const page = await openApi(it.browser, it.server.url);
  const made = await page.evaluate(async () => {
    const { scriptUrl } = await import('/pkg/util/trusted.js');
    const of = (url) => {
      try {
        return scriptUrl(url).constructor.name;
      } catch ({ name }) {
        return name;
      }
    };
    return [
      new URL('/a.js', location.href),
      URL.createObjectURL(new Blob([])),
      'data:text/javascript,1',
      'javascript:1',
      'no address',
    ].map(of);
  });
  assert.deepEqual(made, ['TrustedScriptURL', 'TrustedScriptURL', 'TypeError', 'TypeError', 'TypeError']);
  await page.close();
});
