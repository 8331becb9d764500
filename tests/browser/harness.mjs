// A loopback server for dist/ and the test files, and a Chromium with a software WebGPU adapter.
import assert from 'node:assert/strict';
import { createReadStream, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { extname, join, normalize, resolve } from 'node:path';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import { chromium } from 'playwright-core';
import { policy } from '../../www/policy.js';

const here = fileURLToPath(new URL('.', import.meta.url));
export const root = resolve(here, '../..');
export const dist = process.env.SIGHTLINE_DIST ?? join(root, 'dist');
export const golden = join(root, 'tests/golden');
export const shared = join(root, '../shared');
/** For a test's `skip`: why it cannot run here, or false. */
export const needsShared = existsSync(shared) ? false : 'needs ../shared';
export const screenshots = join(here, 'screenshots');
mkdirSync(screenshots, { recursive: true });

const AXE_TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** Where the WebGPU build is served, and below dist/ lies. */
export const GPU = '/pkg/wasm/webgpu/sightline_bg.wasm';
const types = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.svg': 'image/svg+xml',
};

/**
 * A server of another origin than any other. One that a failed test leaves open holds nothing up.
 * @param {import('node:http').RequestListener} answer
 */
export async function listen(answer) {
  const server = createServer(answer);
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  server.unref();
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((done) => (server.close(done), server.closeAllConnections())),
  };
}

/**
 * Serves dist/ (or `folder`) at / and at /deep/er/, tests/golden at /golden/, ../shared at
 * /shared/, an empty page at /blank.html, and `others` ([path, folder] each) before these. With
 * `copies`, what has a .br file beside it goes as that file, as `cargo xtask serve` sends it. With
 * a `list` of models, that list in place of models.json and the pages with the policy that the
 * build makes from it.
 */
export async function serve({ cors = false, folder: site = dist, list, others = [], copies = false } = {}) {
  const mounts = [...others, ['/golden/', golden], ['/shared/', shared], ['/deep/er/', site], ['/', site]];
  const hits = [];
  const server = await listen((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://x').pathname);
    hits.push(path);
    if (cors) response.setHeader('Access-Control-Allow-Origin', '*');
    if (path === '/blank.html') {
      response.writeHead(200, { 'content-type': 'text/html' });
      return response.end('<!doctype html><meta charset=utf-8><title>blank</title>');
    }
    if (list && ['/', '/embed.html'].includes(path)) {
      response.writeHead(200, { 'content-type': 'text/html' });
      const built = readFileSync(join(dist, path === '/' ? 'index.html' : path), 'utf8');
      return response.end(built.replace(/(http-equiv="Content-Security-Policy" content=")[^"]*/, `$1${policy(list)}`));
    }
    if (list && path === '/pkg/models/models.json') {
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end(JSON.stringify(list));
    }
    if (path === '/page-instead/config.json') {
      response.writeHead(200, { 'content-type': 'text/html' });
      return response.end('<!doctype html>not a model');
    }
    const [prefix, folder] = mounts.find(([at]) => path.startsWith(at));
    let file = join(folder, normalize(path.slice(prefix.length)));
    if (file.startsWith(folder) && existsSync(file) && statSync(file).isDirectory()) file = join(file, 'index.html');
    if (!file.startsWith(folder) || !existsSync(file)) {
      response.writeHead(404, { 'content-type': 'text/plain' });
      return response.end('not found');
    }
    const headers = { 'content-type': types[extname(file)] ?? 'application/octet-stream' };
    if (copies && /\bbr\b/.test(request.headers['accept-encoding']) && existsSync(`${file}.br`)) {
      file += '.br';
      headers['content-encoding'] = 'br';
    }
    response.writeHead(200, { ...headers, 'content-length': statSync(file).size });
    createReadStream(file).pipe(response);
  });
  return { hits, ...server };
}

/**
 * Its pages have no service worker unless they ask: what one keeps would hide what a test serves.
 * `flags` choose another adapter.
 * @param {{ gpu?: boolean, flags?: string[] }} [options]
 */
export async function launch({ gpu = true, flags = ['--use-webgpu-adapter=swiftshader'] } = {}) {
  const args = [
    '--no-sandbox',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
    '--disable-quic',
  ];
  if (gpu) args.push('--enable-unsafe-webgpu', ...flags);
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium', args });
  const newPage = browser.newPage.bind(browser);
  return Object.assign(browser, { newPage: (options) => newPage({ serviceWorkers: 'block', ...options }) });
}

/** A server and a browser for the tests of a file. */
export function site() {
  const it = {
    /** @param {string} [path] @param {object} [page] one to load anew */
    open: (path, page) => openApi(it.browser, it.server.url, path, page),
  };
  before(async () => {
    it.server = await serve();
    it.browser = await launch();
  });
  after(async () => {
    await it.browser?.close();
    await it.server?.close();
  });
  return it;
}

/** What the page throws from now on, also at `page.errors`. @returns {string[]} */
export function collectErrors(page) {
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(error.message));
  return page.errors;
}

/** The page, when it shows its first explanation; `page.errors` collects what it throws. */
export async function openPage({ browser, server }, viewport = { width: 1200, height: 900 }) {
  const page = await browser.newPage({ viewport });
  collectErrors(page);
  await page.goto(`${server.url}/`);
  await explained(page);
  return page;
}

/** Waits until the page shows an explanation and nothing runs. */
export async function explained(page) {
  await page.waitForSelector('#predictions button');
  await page.waitForSelector('#legend:not([hidden])');
  await idle(page);
}
export const idle = (page) => page.waitForFunction(() => document.body.dataset.state === 'idle');
export const shot = (page, name) => page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });

/**
 * Runs `script`, a function that needs nothing around it, in the page's worker before its own
 * program.
 */
export async function beforeWorker(page, script) {
  const body = `(${script})();\n${readFileSync(join(dist, 'pkg/engine/worker.js'), 'utf8')}`;
  await page.route('**/pkg/engine/worker.js', (route) => route.fulfill({ contentType: 'text/javascript', body }));
}

/** Tells the page that its adapter, which is a software one that `auto` refuses, is not. */
export const asHardware = (page) =>
  page.addInitScript(() => {
    const info = { vendor: 'test', architecture: '', device: '', description: '', isFallbackAdapter: false };
    Object.defineProperty(GPUAdapter.prototype, 'info', { get: () => info });
  });

/** Drops files as a person does: a DataTransfer with real files, dispatched on the page. */
export async function drop(page, files) {
  const list = files.map(({ name, path, data, type }) => ({
    name,
    type,
    data: (data ?? readFileSync(path)).toString('base64'),
  }));
  await page.evaluate((list) => {
    const transfer = new DataTransfer();
    for (const { name, type, data } of list) {
      transfer.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name, { type }));
    }
    for (const kind of ['dragenter', 'dragover', 'drop'])
      dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }, list);
}

/** A blank page with the public API at `api` and what tests share at `t`. */
export async function openApi(browser, url, path = '/blank.html', page = undefined) {
  page ??= await browser.newPage();
  page.on('pageerror', (error) => console.error('page error:', error.message));
  if (process.env.VERBOSE) page.on('console', (message) => console.error('console:', message.text()));
  await page.goto(url + path);
  await page.evaluate(async (base) => {
    globalThis.api = await import(`${base}/pkg/index.js`);
    globalThis.t = {
      bytes: async (path) => (await fetch(path)).arrayBuffer(),
      cosine(a, b) {
        let [ab, aa, bb] = [0, 0, 0];
        for (let i = 0; i < a.length; i++) [ab, aa, bb] = [ab + a[i] * b[i], aa + a[i] ** 2, bb + b[i] ** 2];
        return ab / Math.sqrt(aa * bb);
      },
      /** Largest difference over the range of the second. */
      relative(a, b) {
        let worst = 0;
        for (let i = 0; i < a.length; i++) worst = Math.max(worst, Math.abs(a[i] - b[i]));
        return worst / (Math.max(...b) - Math.min(...b));
      },
      /** The code of what a promise rejects with, and its message. */
      failure: (promise) =>
        promise.then(
          () => ({ code: 'nothing' }),
          ({ code, message, name }) => ({ code, message, name }),
        ),
      /** f32 tensors of a safetensors file. */
      async tensors(path) {
        const buffer = await t.bytes(path);
        const length = Number(new DataView(buffer).getBigUint64(0, true));
        const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
        const read = ({ shape, data_offsets: [a, b] }) => ({
          shape,
          data: new Float32Array(buffer.slice(8 + length + a, 8 + length + b)),
        });
        return Object.fromEntries(
          Object.entries(header)
            .filter(([k]) => k !== '__metadata__')
            .map(([k, v]) => [k, read(v)]),
        );
      },
      input: (tensor) => ({ data: tensor.data, shape: tensor.shape.slice(-3) }),
      /** Bytes of a worker's wasm memory: it answers a call that nobody else waits for. */
      memory: (worker = t.worker) =>
        new Promise((done) => {
          worker.addEventListener('message', function heard({ data }) {
            if (data.call !== -1) return;
            worker.removeEventListener('message', heard);
            done(data.result);
          });
          worker.postMessage({ call: -1, op: 'memory' });
        }),
    };
    // `t.worker` is the last one that was started. A proxy, so that what a test changes in the
    // prototype holds for earlier ones too.
    globalThis.Worker = new Proxy(Worker, { construct: (...how) => (t.worker = Reflect.construct(...how)) });
  }, url);
  return page;
}

/**
 * What axe finds on the page: rule, and the first elements that break it.
 * @returns {Promise<string[]>}
 */
export async function violations(page) {
  if (!(await page.evaluate(() => 'axe' in globalThis)))
    await page.evaluate(readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
  return page.evaluate(async (values) => {
    const { violations } = await axe.run(document, { runOnly: { type: 'tag', values } });
    return violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes.slice(0, 3).map(({ target, failureSummary }) => `${target} ${failureSummary}`)}`,
    );
  }, AXE_TAGS);
}

/** The text chunks of a PNG, every chunk's checksum checked. */
export function pngTexts(png) {
  const texts = {};
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const [type, data] = [png.subarray(at + 4, at + 8), png.subarray(at + 8, at + 8 + length)];
    assert.equal(
      png.readUInt32BE(at + 8 + length),
      crc32(png.subarray(at + 4, at + 8 + length)),
      `checksum of ${type}`,
    );
    if (type.toString() === 'iTXt') {
      const end = data.indexOf(0);
      assert.deepEqual([...data.subarray(end, end + 5)], [0, 0, 0, 0, 0]);
      texts[data.subarray(0, end)] = data.subarray(end + 5).toString();
    }
    at += length + 12;
  }
  return texts;
}
