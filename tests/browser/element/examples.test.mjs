// The examples of www/examples/, run as their readers would: the frameworks are the real ones, from
// the development dependencies.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { collectErrors, launch, root, serve, shot } from '../harness.mjs';

const SITE = 'http://localhost:8080';
const example = (name) => readFileSync(join(root, 'www/examples', name), 'utf8');
const installed = (name) => join(root, 'node_modules', name);
const here = {};
before(async () => {
  here.server = await serve({ cors: true });
  here.elsewhere = await serve();
  here.browser = await launch({ gpu: false });
});
after(async () => {
  await here.browser?.close();
  await here.server?.close();
  await here.elsewhere?.close();
});

async function newPage(viewport = { width: 1200, height: 900 }) {
  const page = await here.browser.newPage({ viewport });
  collectErrors(page);
  page.on('console', (message) => message.type() === 'error' && page.errors.push(message.text()));
  return page;
}
const ready = (page, selector = 'sightline-explainer', state = 'ready') =>
  page.waitForFunction(
    ([selector, state]) => {
      const found = [...document.querySelectorAll(selector)];
      return found.length > 0 && found.every((element) => element.state === state);
    },
    [selector, state],
  );
/** Without what a browser says about files that are not there on purpose. */
const faults = (page) => page.errors.filter((text) => !/404|adapter/i.test(text));
/** Serves a folder or a text at an address of the page. */
const mount = (page, pattern, path, at) =>
  page.route(pattern, (route) =>
    route.fulfill({ path: join(path, new URL(route.request().url()).pathname.split(at)[1]) }),
  );
const script = (page, pattern, body) =>
  page.route(pattern, (route) => route.fulfill({ contentType: 'text/javascript', body }));

test('plain HTML: the element, a question whose score the page gets, and an iframe of the height it asks for', async () => {
  const page = await newPage();
  await page.goto(`${here.server.url}/examples/plain.html`);
  await ready(page, 'sightline-explainer:not([predict])');
  await page.locator('#question').scrollIntoViewIfNeeded();
  await ready(page, '#question', 'predicting');
  await page.locator('#question').locator('canvas.area').click();
  await page.locator('#question').getByRole('button', { name: 'Show the map' }).click();
  await page.waitForFunction(() => /^\d\.\d\d$/.test(document.querySelector('#attempts').textContent));
  await page.locator('#frame').scrollIntoViewIfNeeded();
  const frame = await (await page.waitForSelector('#frame')).contentFrame();
  await frame.waitForFunction(() => document.querySelector('sightline-explainer')?.state === 'ready');
  await page.waitForFunction(() => document.querySelector('#frame').style.height !== '');
  await shot(page, 'example-plain');
  assert.deepEqual(faults(page), []);
  await page.close();
});

test('a Quarto or Markdown page: its raw HTML in a page of another site', async () => {
  const blocks = [...example('lesson.qmd').matchAll(/```\{=html\}\n(.*?)```/gs)].map(([, html]) =>
    html.replaceAll(SITE, here.server.url),
  );
  assert.equal(blocks.length, 2);
  const page = await newPage();
  await page.goto(`${here.elsewhere.url}/blank.html`);
  await page.setContent(blocks.join('\n'));
  await ready(page, 'sightline-explainer', 'predicting');
  await page.locator('iframe').scrollIntoViewIfNeeded();
  const frame = await (await page.waitForSelector('iframe')).contentFrame();
  await frame.waitForFunction(() => document.querySelector('sightline-explainer')?.state === 'ready');
  assert.deepEqual(faults(page), []);
  await page.close();
});

const notebook = () => {
  const { cells } = JSON.parse(example('notebook.ipynb'));
  return cells.flatMap(({ outputs = [] }) => outputs.map(({ data }) => data['text/html'].join('')));
};
const python = (input, code) => spawnSync('python3', ['-c', code], { input, encoding: 'utf8' });
const iPython = python('', 'import IPython').status === 0;

test('a notebook: what its cells give is what it holds', { skip: !iPython && 'needs IPython' }, () => {
  // Executed like a notebook does it: the last expression of a cell is its output.
  const program = `
import ast, json, sys
scope = {}
given = []
for cell in json.load(sys.stdin)["cells"]:
    if cell["cell_type"] == "code":
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), scope)
        if last is not None:
            given.append(eval(compile(ast.Expression(last.value), "cell", "eval"), scope)._repr_html_())
print(json.dumps(given))`;
  const { stdout, stderr } = python(example('notebook.ipynb'), program);
  assert.deepEqual(JSON.parse(stdout || stderr), notebook());
});

test('a notebook: each of its outputs runs', async () => {
  const stored = notebook();
  assert.equal(stored.length, 3);
  const page = await newPage();
  await page.goto(`${here.elsewhere.url}/blank.html`);
  await page.setContent(stored.join('\n').replaceAll(SITE, here.server.url));
  await ready(page, 'sightline-explainer:not([saved])', 'predicting');
  await ready(page, 'sightline-explainer[saved]');
  const said = await page.evaluate(
    () => document.querySelector('[saved]').shadowRoot.querySelector('[part=canvas]').ariaLabel,
  );
  assert.match(said, /a bell curve for “an example”/);
  const frame = await (await page.waitForSelector('iframe')).contentFrame();
  await frame.waitForFunction(() => document.querySelector('sightline-explainer')?.state === 'ready');
  await shot(page, 'example-notebook');
  assert.deepEqual(faults(page), []);
  await page.close();
});

test('reveal.js slides: a slide’s own keys and the brush’s do not disturb each other', async () => {
  const page = await newPage({ width: 1280, height: 720 });
  await mount(page, '**/examples/reveal/**', installed('reveal.js/dist'), '/reveal/');
  await page.goto(`${here.server.url}/examples/slides.html`);
  await page.waitForSelector('.reveal.ready');
  const slide = () =>
    page.evaluate(() =>
      [...document.querySelectorAll('.slides > section')].findIndex((s) => s.classList.contains('present')),
    );
  assert.equal(await slide(), 0);
  await page.keyboard.press('ArrowRight');
  await page.waitForFunction(() => document.querySelectorAll('.slides > section')[1].classList.contains('present'));
  const second = 'section:nth-child(2) > sightline-explainer';
  await ready(page, second, 'predicting');
  // The slide is scaled: what is painted is where the pointer was.
  await page.waitForTimeout(900);
  const box = await page.locator(second).locator('canvas.area').boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  for (const key of ['ArrowRight', 'ArrowLeft', 'ArrowLeft', 'Space']) await page.keyboard.press(key);
  assert.equal(await slide(), 1);
  const quiz = page.evaluate(
    (selector) =>
      new Promise((told) =>
        document.querySelector(selector).addEventListener('quiz', ({ detail }) => told(detail.painted)),
      ),
    second,
  );
  await page.locator(second).getByRole('button', { name: 'Show the map' }).click();
  const painted = await quiz;
  assert.ok(
    painted.includes(16 * 32 + 16) && painted.includes(16 * 32 + 12) && !painted.includes(8 * 32 + 16),
    String(painted),
  );
  await ready(page, second);
  const { bottom, width } = await page
    .locator(second)
    .evaluate((e) => ({ bottom: e.getBoundingClientRect().bottom, width: innerWidth }));
  assert.ok(bottom > 0 && width === 1280);
  await shot(page, 'example-slides');
  await page.locator(second).evaluate((e) => e.shadowRoot.activeElement?.blur());
  await page.keyboard.press('ArrowRight');
  await page.waitForFunction(() => document.querySelectorAll('.slides > section')[2].classList.contains('present'));
  await ready(page, 'section:nth-child(3) > sightline-explainer');
  assert.deepEqual(faults(page), []);
  await page.close();

  // Without reveal.js the slides stand one below the other.
  const plain = await newPage();
  await plain.goto(`${here.server.url}/examples/slides.html`);
  await ready(plain, 'section:nth-child(2) > sightline-explainer', 'predicting');
  await plain.close();
});

/** React's CommonJS files as modules. */
const CJS = {
  react: 'react/cjs/react.development.js',
  'react/jsx-runtime': 'react/cjs/react-jsx-runtime.development.js',
  'react-dom': 'react-dom/cjs/react-dom.development.js',
  'react-dom/client': 'react-dom/cjs/react-dom-client.development.js',
  scheduler: 'scheduler/cjs/scheduler.development.js',
};
const reactAsModule = () => `
  const process = { env: { NODE_ENV: 'development' } };
  const loaded = {};
  const files = { ${Object.entries(CJS).map(([name, file]) => `'${name}': (module, exports, require) => {\n${readFileSync(installed(file), 'utf8')}\n}`)} };
  const require = (name) => {
    if (!loaded[name]) files[name]((loaded[name] = { exports: {} }), loaded[name].exports, require);
    return loaded[name].exports;
  };
  export const { useState, StrictMode, createElement } = require('react');
  export const { jsx, jsxs, Fragment } = require('react/jsx-runtime');
  export const { createRoot } = require('react-dom/client');`;

/** A page of dist/examples/ with an import map. */
async function framework(imports) {
  const page = await newPage();
  await page.route('**/examples/test.html', (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<!doctype html><meta charset="utf-8"><script type="importmap">${JSON.stringify({ imports })}</script><div id="root"></div>`,
    }),
  );
  return page;
}
const said = (page, text) =>
  page.waitForFunction((text) => document.querySelector('figcaption')?.textContent === text, text);

test('React in its strict mode: properties, events, mounted twice', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sightline-react-'));
  const to = [
    '--jsx',
    'react-jsx',
    '--module',
    'esnext',
    '--target',
    'es2022',
    '--allowJs',
    '--noCheck',
    '--ignoreConfig',
    '--outDir',
    folder,
  ];
  execFileSync(process.execPath, [installed('typescript/bin/tsc'), join(root, 'www/examples/react.jsx'), ...to], {
    cwd: folder,
  });
  const built = readFileSync(join(folder, 'react.js'), 'utf8');
  rmSync(folder, { recursive: true });
  const page = await framework({
    react: './react-all.js',
    'react/jsx-runtime': './react-all.js',
    'react-dom/client': './react-all.js',
  });
  await script(page, '**/examples/react-all.js', reactAsModule());
  await script(page, '**/examples/built.js', built);
  await page.goto(`${here.server.url}/examples/test.html`);
  await page.evaluate(async () => {
    const { createRoot } = await import('react-dom/client');
    const { createElement, StrictMode } = await import('react');
    const { Explained } = await import('./built.js');
    globalThis.rendered = createRoot(document.querySelector('#root'));
    globalThis.show = (props) =>
      rendered.render(props && createElement(StrictMode, null, createElement(Explained, props)));
    show({ src: '/samples/cat.jpg', alt: 'A cat' });
  });
  await said(page, 'tabby, by grad_cam');
  const attributes = () =>
    page.evaluate(() =>
      ['src', 'alt', 'controls', 'options'].map((name) =>
        document.querySelector('sightline-explainer').getAttribute(name),
      ),
    );
  assert.deepEqual(await attributes(), ['/samples/cat.jpg', 'A cat', '', null]);
  await page.evaluate(() => show({ src: '/samples/cat.jpg', alt: 'A cat', method: 'smooth_grad' }));
  await said(page, 'tabby, by smooth_grad');
  assert.deepEqual(await attributes(), ['/samples/cat.jpg', 'A cat', '', '{"nSamples":10}']);
  await page.evaluate(() => show({ src: '/samples/none.jpg', alt: 'Nothing' }));
  await said(page, 'It failed: network');
  await page.evaluate(async () => {
    show(null);
    await new Promise((done) => setTimeout(done, 50));
    show({ src: '/samples/coffee.jpg', alt: 'A cup' });
  });
  await said(page, 'espresso, by grad_cam');
  assert.equal(page.workers().length, 1);
  assert.deepEqual(faults(page), []);
  await page.close();
});

test('Vue: bindings and events', async () => {
  const page = await framework({ vue: './vue-all.js' });
  await script(page, '**/examples/vue-all.js', readFileSync(installed('vue/dist/vue.esm-browser.js'), 'utf8'));
  page.on(
    'console',
    (message) => message.type() === 'warning' && /\[Vue/.test(message.text()) && page.errors.push(message.text()),
  );
  await page.goto(`${here.server.url}/examples/test.html`);
  await page.evaluate(async () => {
    const { createApp, h, reactive } = await import('vue');
    const { Explained } = await import('./vue.js');
    globalThis.props = reactive({ src: '/samples/cat.jpg', alt: 'A cat' });
    createApp({ render: () => h(Explained, { ...props }) }).mount('#root');
  });
  await said(page, 'tabby, by grad_cam');
  await page.evaluate(() => Object.assign(props, { src: '/samples/coffee.jpg', method: 'saliency' }));
  await said(page, 'espresso, by saliency');
  await page.evaluate(() => Object.assign(props, { src: '/samples/none.jpg' }));
  await said(page, 'It failed: network');
  assert.deepEqual(faults(page), []);
  await page.close();
});
