// Method cards and model cards: what they say is what the registry and the packages say; a card
// from outside is text.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { dist, explained, golden, idle, listen, openPage, root, screenshots, serve, shot, site } from '../harness.mjs';

const here = site();
const { methods } = await import(pathToFileURL(join(dist, 'pkg/wasm/registry.js')));
const list = JSON.parse(readFileSync(join(root, 'www/models/models.json'), 'utf8'));
const flat = (text) => text.replace(/\s+/g, ' ').trim();

test('every method has a card with what it asks, what it cannot tell, its cost and its paper; a card’s button chooses it', async () => {
  const page = await openPage(here, { width: 360, height: 740 });
  const read = (within) =>
    page.$$eval(`${within} dl.card`, (all) =>
      all.map((card) => ({
        said: [...card.querySelectorAll('dd')].map((dd) => dd.textContent),
        to: card.querySelector('a').href,
      })),
    );
  const [first] = await read('#method-card');
  const cam = methods.find(({ id }) => id === 'grad_cam');
  assert.deepEqual(first.said.slice(0, 3), [cam.summary, cam.caveat, cam.cost]);
  assert.equal(first.to, 'https://arxiv.org/abs/1610.02391');

  await page.click('#method-cards summary');
  await page.waitForSelector('#method-cards article');
  const cards = await read('#method-cards');
  assert.equal(cards.length, methods.length);
  for (const { summary, caveat, cost, arxiv } of methods) {
    const card = cards.find(({ said }) => said[0] === summary && said[1] === caveat);
    assert.equal(card?.said[2], cost, summary);
    assert.ok(card.to.endsWith(arxiv) && /^https:\/\/(arxiv|doi)\.org\//.test(card.to), card.to);
  }
  // Those that need attention are told from those that work here.
  const disabled = await page.$$eval('#method-cards button:disabled', (all) => all.length);
  assert.equal(disabled, await page.$$eval('#method option:disabled', (all) => all.length));
  assert.ok(disabled > 0 && disabled < methods.length);
  await page.locator('#method-cards').getByRole('button', { name: 'Use LayerCAM' }).click();
  await page.waitForFunction(() => document.querySelector('#facts').textContent.startsWith('LayerCAM'));
  assert.equal(await page.inputValue('#method'), 'layer_cam');
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
  await page.locator('#method-card').scrollIntoViewIfNeeded();
  await page.screenshot({ path: join(screenshots, 'cards-method-phone.png') });
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('the open model’s card, accuracy and classes, for every model that comes with the page', async () => {
  const page = await openPage(here);
  await page.click('#model-card > summary');
  for (const { id, path } of list.models.filter((model) => model.path)) {
    const card = readFileSync(join(root, 'www/models', path, 'README.md'), 'utf8');
    const { top1, top5 } = JSON.parse(readFileSync(join(root, 'www/models', path, 'figures.json'), 'utf8'));
    await page.selectOption('#model', id);
    await page.waitForFunction((name) => document.querySelector('#model-card h3')?.textContent === name, path);
    await idle(page);
    const text = flat(await page.innerText('#model-card .readme'));
    assert.ok(text.includes('Licence: that of the project.'), id);
    assert.doesNotMatch(text, /\*\*|`|\|---/, id);
    assert.equal(
      await page.locator('#model-card td').count(),
      (card.match(/^\| (?!class)\w.*$/gm) ?? []).length * 8,
      id,
    );
    await page.waitForSelector('#accuracy:not([hidden])');
    const shares = (await page.textContent('#accuracy')).match(/[\d.]+(?= ?%)/g).map(Number);
    assert.deepEqual(
      shares,
      [top1, top5].filter((v) => v !== undefined).map((v) => Math.round(v * 1000) / 10),
    );
    const labels = JSON.parse(readFileSync(join(root, 'www/models', path, 'config.json'), 'utf8')).label_names;
    assert.equal(await page.textContent('#model-card details p'), labels.join(', '));
    await shot(page, `cards-${path}`);
  }
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('a card on another host is fetched when it is asked for, and shown as text', async () => {
  const evil = '<img src=x onerror=globalThis.owned=1>';
  const files = join(golden, 'packages/tiny-vit');
  const asked = [];
  const hub = await listen((request, response) => {
    asked.push(request.url);
    response.setHeader('access-control-allow-origin', '*');
    const name = new URL(request.url, 'http://x').pathname.split('/').at(-1);
    if (name === 'README.md')
      return response.end(`---\nlicense: x\n---\n# ${evil}\n\n[here](javascript:globalThis.owned=1) ${evil}\n`);
    response.end(readFileSync(join(files, name)));
  });
  // The address of a folder may lack its slash, and have a query.
  const server = await serve({ list: { hub: `${hub.url}/{name}?token=1`, models: list.models } });
  const page = await here.browser.newPage();
  await page.goto(`${server.url}/`);
  await explained(page);
  await page.click('#open-model summary');
  await page.fill('#model-url', 'owner/tiny');
  await page.press('#model-url', 'Enter');
  await page.waitForFunction(() => document.querySelector('#offer-go').textContent === 'Download');
  await page.click('#offer-go');
  await page.waitForFunction(() => document.querySelector('#model-facts').textContent.includes('vit'));
  await idle(page);
  assert.equal(await page.locator('#accuracy').isVisible(), false);
  await page.click('#model-card > summary');
  const button = page.locator('#model-card button');
  assert.match(await button.textContent(), /^Fetch the card from 127\.0\.0\.1:\d+$/);
  assert.ok(!asked.some((url) => url.endsWith('README.md')));
  await button.click();
  await page.waitForSelector('#model-card h3');
  assert.equal(await page.textContent('#model-card h3'), evil);
  assert.ok(asked.includes('/owner/tiny/README.md?token=1'), asked.join(' '));
  assert.equal(flat(await page.textContent('#model-card .readme > div')), flat(`${evil}here ${evil}`));
  assert.equal(await page.locator('#model-card :is(img, a)').count(), 0);
  assert.equal(await page.evaluate(() => globalThis.owned), undefined);
  assert.doesNotMatch(await page.innerText('#model-card'), /license/);
  await page.close();
  await server.close();
  await hub.close();
});

test('Markdown, form by form, and hostile text in time', async () => {
  const page = await openPage(here);
  const html = (text, base) =>
    page.evaluate(
      async ([text, base]) => {
        const { renderMarkdown } = await import('./cards.js');
        const box = document.createElement('div');
        box.append(renderMarkdown(text, base));
        return box.innerHTML;
      },
      [text, base],
    );
  const link = (href, text) => `<a href="${href}" rel="noreferrer">${text}</a>`;
  for (const [text, expected] of [
    ['# A\n### B\ntext\nmore', '<h3>A</h3><h4>B</h4><p>text more</p>'],
    ['#### deep', '<h3>deep</h3>'],
    [
      '* one\n  more\n* **two**\n\n1. x\n2. y',
      '<ul><li>one more</li><li><strong>two</strong></li></ul><ol><li>x</li><li>y</li></ol>',
    ],
    ['`a*b*` _c_ snake_case_name 2 * 3 * 4', '<p><code>a*b*</code> <em>c</em> snake_case_name 2 * 3 * 4</p>'],
    [
      '[t](https://a.example/x) <https://b.example>',
      `<p>${link('https://a.example/x', 't')} ${link('https://b.example/', 'https://b.example/')}</p>`,
    ],
    [
      '[f](other.md) ![alt](https://a.example/x.png)',
      `<p>${link('https://c.example/m/other.md', 'f')} <span>Picture: alt</span></p>`,
    ],
    ['[x](javascript:alert(1)) [y](data:text/html,z) [z](JavaScript:q)', '<p>[x](javascript:alert(1)) y z</p>'],
    ['<script>alert(1)</script>', '<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>'],
    [
      '```\n<b>\n# no\n```\n> said\n> on',
      '<pre tabindex="0"><code>&lt;b&gt;\n# no</code></pre><blockquote><p>said on</p></blockquote>',
    ],
  ])
    assert.equal(await html(text, 'https://c.example/m/'), expected);
  const table = await html('| a | b |\n|---|:-:|\n| 1 | `2` |\n| 3 |\n\nend');
  assert.match(table, /<thead><tr><th scope="col">a<\/th><th scope="col">b<\/th><\/tr><\/thead>/);
  assert.match(
    table,
    /<tbody><tr><td>1<\/td><td><code>2<\/code><\/td><\/tr><tr><td>3<\/td><td><\/td><\/tr><\/tbody>.*<p>end<\/p>$/,
  );
  // Long and hostile: read to its end, and what is no form is there as it was.
  const squeezed = (text) => text.replace(/\s/g, '');
  for (const [part, plain] of [
    ['[', true],
    ['](', true],
    ['![', true],
    ['<', true],
    ['_a', true],
    ['[a](', true],
    ['`', false],
    ['**a ', false],
    ['*', false],
    ['| - ', false],
    ['# ', false],
  ]) {
    const text = `${part.repeat(Math.floor(60_000 / part.length))}\n\nend`;
    const seen = await page.evaluate(async (text) => {
      const { renderMarkdown } = await import('./cards.js');
      return renderMarkdown(text).textContent;
    }, text);
    assert.ok(seen.endsWith('end'), part);
    if (plain) assert.ok(squeezed(seen) === squeezed(text), part);
  }
  await page.close();
});
