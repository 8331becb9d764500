// What the package exports, against what was last announced: surface.txt. After a change that is meant, note it in CHANGELOG.md and run
// UPDATE=1 node --test tests/browser/api/surface.test.mjs
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { declarations, withoutComments } from '../../../scripts/declarations.mjs';
import { dist, launch, root, serve, shot } from '../harness.mjs';

const load = (name) => import(pathToFileURL(join(dist, 'pkg', name)));
const declared = (name) => declarations(readFileSync(join(root, 'pkg', `${name}.d.ts`), 'utf8')).all;

test('the public surface is the one that was announced', async () => {
  const { methods } = await load('wasm/registry.js');
  const lines = [];
  for (const name of ['index', 'element']) {
    lines.push(`# ${name}`);
    const flat = ({ code }) => withoutComments(code).replace(/\s+/g, ' ').trim();
    lines.push(...declared(name).map(flat).sort());
  }
  lines.push('# methods');
  for (const { id, reads, space, options } of methods) {
    lines.push(`${id} (${reads}, ${space}): ${options.map((o) => `${o.id} ${o.type} ${o.default ?? 'automatic'}`).join(', ')}`);
  }
  const file = new URL('surface.txt', import.meta.url);
  const surface = `${lines.join('\n')}\n`;
  if (process.env.UPDATE) writeFileSync(file, surface);
  const announced = readFileSync(file, 'utf8').split('\n');
  const found = surface.split('\n');
  const changes = [
    ...announced.filter((line) => !found.includes(line)).map((line) => `- ${line}`),
    ...found.filter((line) => !announced.includes(line)).map((line) => `+ ${line}`),
  ];
  assert.deepEqual(changes, [], 'the public surface changed: note it in CHANGELOG.md, then run this test with UPDATE=1');
});

test('the types name what the modules export', async () => {
  for (const name of ['index', 'element']) {
    const values = declared(name).filter(({ kind }) => ['function', 'class', 'const'].includes(kind));
    assert.deepEqual(Object.keys(await load(`${name}.js`)).sort(), values.map((one) => one.name).sort(), `${name}.js`);
  }
});

test('the API reference names every declaration and method, and has no dead link', async (context) => {
  const { methods } = await load('wasm/registry.js');
  const [server, browser] = await Promise.all([serve(), launch({ gpu: false })]);
  context.after(() => Promise.all([browser.close(), server.close()]));
  const page = await browser.newPage({ viewport: { width: 360, height: 740 } });
  await page.goto(`${server.url}/docs/`);
  const seen = await page.evaluate(() => ({
    ids: [...document.querySelectorAll('[id]')].map(({ id }) => id),
    links: [...document.querySelectorAll('a')].map((a) => a.getAttribute('href')).filter((href) => href.startsWith('#')),
    wide: document.documentElement.scrollWidth,
  }));
  await shot(page, 'docs');
  const wanted = [...[...declared('index'), ...declared('element')].map(({ name }) => name), ...methods.map(({ id }) => `method-${id}`)];
  assert.deepEqual(
    wanted.filter((id) => !seen.ids.includes(id)),
    [],
  );
  assert.deepEqual(
    seen.links.filter((href) => !seen.ids.includes(href.slice(1))),
    [],
  );
  assert.equal(seen.wide, 360);
});
