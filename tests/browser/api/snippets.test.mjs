// The snippets of pkg/README.md, run from its own text in pages that map the package's name to
// dist/pkg/.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { collectErrors, dist, launch, root, serve } from '../harness.mjs';

const readme = readFileSync(join(root, 'pkg/README.md'), 'utf8');
const snippets = [...readme.matchAll(/^### (\d+)\. (.+)\n\n```(js|html)\n([\s\S]*?)^```$/gm)].map(
  ([, number, title, kind, text]) => ({
    number: Number(number),
    title,
    kind,
    text,
  }),
);
const photo = readFileSync(join(root, 'www/samples/cat.jpg'));
const model = join(root, 'www/models/scene-cnn');

/** What each prints, as lines; `painted`: whether its canvas holds a picture. */
const expected = {
  1: { painted: true, lines: [] },
  2: { lines: [/^tabby (0\.\d\d|1\.00)$/, / 0\.\d\d$/, / 0\.\d\d$/] },
  3: { painted: true, lines: [/% of/] },
  4: { lines: [/^(wasm|device|weights) \d+/, /^aborted$/] },
  5: { painted: true, lines: [/^done 2\d\d/] },
  6: { lines: [/^1 of 3$/, /^2 of 3$/, /^3 of 3$/, /^0 -?\d/, /^1 .*missing\.jpg/, /^2 -?\d/] },
  7: { lines: [/^\S+ .*\d/, /^\d+ bytes that numpy/] },
  8: { lines: [/^\S+ \d+$/, /^\d+ [0-9a-f]{64} 1$/, /^\S+$/] },
  9: { lines: [/^image\/png \d{4,}$/, /^grad_cam$/] },
  10: { lines: [] },
};

let server;
let browser;
before(async () => {
  [server, browser] = await Promise.all([serve(), launch({ gpu: false })]);
});
after(async () => {
  await browser?.close();
  await server?.close();
});

test('there are ten, and the first takes less than ten lines', () => {
  assert.deepEqual(
    snippets.map(({ number }) => number),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  assert.ok(snippets[0].text.trim().split('\n').length < 10);
  // Nothing that looks like JavaScript goes untested.
  assert.equal(readme.match(/^```(js|html|ts|jsx)/gm).length, 10);
});

for (const { number, title, kind, text } of snippets) {
  test(`${number}. ${title}`, { timeout: 120_000 }, async () => {
    // Its own context: nothing is kept from one to the next.
    const context = await browser.newContext();
    const page = await context.newPage();
    const lines = [];
    page.on('console', (message) => message.type() === 'log' && lines.push(message.text()));
    const errors = collectErrors(page);
    const imports = { sightline: '/pkg/index.js', 'sightline/element': '/pkg/element.js' };
    const head = `<!doctype html><meta charset=utf-8><link rel=icon href=data:,><script type=importmap>${JSON.stringify({ imports })}</script>`;
    const body = kind === 'html' ? text : `<canvas></canvas><script type=module src=snippet.js></script>`;
    await page.route('**/app/**', (route) => {
      const name = new URL(route.request().url()).pathname.slice('/app/'.length);
      if (name === '') return route.fulfill({ contentType: 'text/html', body: head + body });
      if (name === 'snippet.js')
        return route.fulfill({ contentType: 'text/javascript', body: `${text}\nglobalThis.finished = true;` });
      if (name === 'photo.jpg') return route.fulfill({ contentType: 'image/jpeg', body: photo });
      if (/^my-model\/(config\.json|model\.safetensors)$/.test(name))
        return route.fulfill({ body: readFileSync(join(model, name.slice('my-model/'.length))) });
      return route.fulfill({ status: 404, body: '' });
    });
    await page.goto(`${server.url}/app/`);
    if (kind === 'html') {
      await page.waitForFunction(() => document.querySelector('sightline-explainer').state === 'ready', null, {
        timeout: 60_000,
      });
    } else {
      const failed = new Promise((_, reject) => page.on('pageerror', reject));
      await Promise.race([page.waitForFunction(() => globalThis.finished, null, { timeout: 100_000 }), failed]);
    }
    const painted = await page.evaluate(() => {
      const canvas = document.querySelector('canvas');
      if (!canvas) return false;
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size > 500;
    });
    await context.close();
    assert.deepEqual(errors, []);
    const { painted: wanted = false, lines: patterns } = expected[number];
    assert.equal(painted, wanted);
    if (number === 4) lines.splice(1, lines.length - 2);
    assert.equal(lines.length, patterns.length, lines.join('\n'));
    patterns.forEach((pattern, i) => assert.match(lines[i], pattern));
  });
}

test('the package of dist/ has this README', () => {
  assert.equal(readFileSync(join(dist, 'pkg/README.md'), 'utf8'), readme);
});
