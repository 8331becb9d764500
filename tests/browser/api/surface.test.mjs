// What the package exports, against what was last announced: surface/. After a change that is
// meant, note it in
// CHANGELOG.md and run
// UPDATE=1 node --test tests/browser/api/surface.test.mjs
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { publicApi } from '../../../scripts/api.mjs';
import { dist, launch, serve, shot, violations } from '../harness.mjs';

const load = (name) => import(pathToFileURL(join(dist, 'pkg', name)));
const modules = await publicApi();
const { methods } = await load('wasm/registry.js');

const options = (all) => all.map((one) => `${one.id} ${one.type} ${one.default ?? 'automatic'}`).join(', ');
const surface = {
  ...Object.fromEntries(modules.map(({ name, report }) => [`${name}.api.md`, report])),
  'methods.txt': methods.map((one) => `${one.id} (${one.reads}, ${one.space}): ${options(one.options)}\n`).join(''),
};
for (const [name, text] of Object.entries(surface)) {
  test(`${name} is as announced; UPDATE=1 announces a change`, () => {
    const file = new URL(`surface/${name}`, import.meta.url);
    if (process.env.UPDATE) writeFileSync(file, text);
    assert.deepEqual(text.split('\n'), readFileSync(file, 'utf8').split('\n'));
  });
}

test('the types name what the modules export', async () => {
  for (const { name, entry } of modules) {
    const values = entry.members.filter(({ kind }) => ['Function', 'Class', 'Variable'].includes(kind));
    const declared = values.map(({ displayName }) => displayName);
    assert.deepEqual(Object.keys(await load(`${name}.js`)).sort(), declared.sort(), `${name}.js`);
  }
});

test('the API reference names every declaration and method, has no dead link, and axe finds nothing in it', async (context) => {
  const [server, browser] = await Promise.all([serve(), launch({ gpu: false })]);
  context.after(() => Promise.all([browser.close(), server.close()]));
  const page = await browser.newPage({ viewport: { width: 360, height: 740 } });
  await page.goto(`${server.url}/docs/`);
  const seen = await page.evaluate(() => ({
    ids: [...document.querySelectorAll('[id]')].map(({ id }) => id),
    links: [...document.querySelectorAll('a')]
      .map((a) => a.getAttribute('href'))
      .filter((href) => href.startsWith('#')),
    wide: document.documentElement.scrollWidth,
  }));
  await shot(page, 'docs');
  const declared = modules.flatMap(({ entry }) => entry.members.map(({ displayName }) => displayName));
  const wanted = [...declared, ...methods.map(({ id }) => `method-${id}`)];
  assert.deepEqual(
    wanted.filter((id) => !seen.ids.includes(id)),
    [],
  );
  assert.deepEqual(
    seen.links.filter((href) => !seen.ids.includes(href.slice(1))),
    [],
  );
  assert.equal(seen.wide, 360);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await violations(page), [], colorScheme);
  }
});
