// The packed package as its users have it: installed from the tarball, built by each bundler, run
// in Chromium under a strict policy.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launch, listen, root, screenshots } from '../browser/harness.mjs';

const tarball = process.env.SIGHTLINE_TARBALL;
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
/**
 * What an extension's pages may: WebAssembly, but no eval and no script, worker or request from
 * elsewhere.
 */
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src 'self'; style-src 'self'";
const TYPES = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.jpg': 'image/jpeg',
};

const folder = mkdtempSync(join(tmpdir(), 'sightline-app-'));
const installed = join(folder, 'node_modules/sightline');
let browser;

before(async () => {
  assert.ok(
    tarball && existsSync(tarball),
    'SIGHTLINE_TARBALL has to be the path of the packed package: run `cargo xtask test`',
  );
  cpSync(new URL('app', import.meta.url), folder, { recursive: true });
  cpSync(join(root, 'www/samples/cat.jpg'), join(folder, 'public/cat.jpg'));
  execFileSync(npm, ['install', '--offline', '--no-audit', '--no-fund', '--no-save', tarball], {
    cwd: folder,
    stdio: 'pipe',
  });
  browser = await launch({ gpu: false });
});
after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Serves a built app below /some/where/ under the policy. @param {string} built */
async function serve(built) {
  const missing = [];
  const server = await listen((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://x').pathname);
    const file = join(built, normalize(path.replace(/^\/some\/where\//, '/').replace(/\/$/, '/index.html')));
    if (
      !path.startsWith('/some/where/') ||
      !file.startsWith(built) ||
      !existsSync(file) ||
      statSync(file).isDirectory()
    ) {
      if (path === '/favicon.ico') return response.writeHead(204).end();
      missing.push(path);
      return response.writeHead(404).end();
    }
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-security-policy': POLICY,
    });
    response.end(readFileSync(file));
  });
  return { ...server, missing, url: `${server.url}/some/where/` };
}

/**
 * Opens a built app on a desk and on a phone and waits for its heatmap.
 * @param {string} built
 * @param {string} name
 */
async function runs(built, name) {
  for (const [device, width, height] of [
    ['desktop', 1280, 800],
    ['phone', 360, 640],
  ])
    await shows(built, `${name}-${device}`, { width, height });
}

/**
 * @param {string} built
 * @param {string} name
 * @param {{ width: number, height: number }} viewport
 */
async function shows(built, name, viewport) {
  const server = await serve(built);
  const page = await browser.newPage({ viewport });
  const said = [];
  page.on('console', (message) => message.type() === 'error' && said.push(message.text()));
  page.on('pageerror', (error) => said.push(error.message));
  await page.goto(server.url);
  await page.waitForFunction(() => document.body.dataset.state, null, { timeout: 60_000 });
  const seen = await page.evaluate(() => {
    const canvas = document.querySelector('canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Set();
    for (let i = 0; i < data.length; i += 4) colours.add((data[i] << 16) | (data[i + 1] << 8) | data[i + 2]);
    const fits = document.documentElement.scrollWidth <= innerWidth;
    return {
      state: document.body.dataset.state,
      text: document.querySelector('output').textContent,
      colours: colours.size,
      fits,
    };
  });
  await page.screenshot({ path: join(screenshots, `bundler-${name}.png`) });
  await page.close();
  await server.close();
  assert.deepEqual([seen.state, said, server.missing], ['done', [], []], seen.text);
  assert.ok(seen.colours > 500, `the canvas has ${seen.colours} colours`);
  assert.match(seen.text, /^tabby, from http.* der positiven Attribution für „tabby“/);
  assert.ok(seen.fits, 'the app is wider than its window');
}

describe('a heatmap in an app made with', () => {
  test('Vite', { timeout: 180_000 }, async () => {
    const { build } = await import('vite');
    const outDir = join(folder, 'out-vite');
    // A file below Vite's limit would become a data: address, which the policy forbids to fetch.
    await build({
      root: folder,
      base: './',
      configFile: false,
      logLevel: 'error',
      build: { outDir, target: 'es2022', assetsInlineLimit: 0 },
    });
    await runs(outDir, 'vite');
  });

  test('webpack', { timeout: 180_000 }, async () => {
    const { default: webpack } = await import('webpack');
    const path = join(folder, 'out-webpack');
    const config = {
      mode: 'production',
      context: folder,
      entry: './main.js',
      output: { path, filename: 'main.js' },
      performance: false,
    };
    const stats = await new Promise((resolve, reject) =>
      webpack(config, (error, found) => (error ? reject(error) : resolve(found))),
    );
    assert.ok(!stats.hasErrors() && !stats.hasWarnings(), stats.toString({ all: false, errors: true, warnings: true }));
    for (const name of ['index.html', 'style.css', 'public/cat.jpg'])
      cpSync(join(folder, name), join(path, name.replace('public/', '')));
    assert.ok(
      !readFileSync(join(path, 'main.js'), 'utf8').includes(folder),
      'the bundle names a folder of this machine',
    );
    await runs(path, 'webpack');
  });

  test('esbuild, with the files beside the bundle and assetBaseUrl', { timeout: 180_000 }, async () => {
    const { build } = await import('esbuild');
    const path = join(folder, 'out-esbuild');
    mkdirSync(path);
    await build({
      absWorkingDir: folder,
      entryPoints: ['main.js'],
      bundle: true,
      minify: true,
      format: 'esm',
      outfile: join(path, 'main.js'),
      define: { ASSETS: '"./sightline/"' },
      logLevel: 'silent',
    });
    for (const name of ['index.html', 'style.css', 'public/cat.jpg'])
      cpSync(join(folder, name), join(path, name.replace('public/', '')));
    cpSync(installed, join(path, 'sightline'), { recursive: true });
    await runs(path, 'esbuild');
  });
});

describe('the package', () => {
  const described = () => JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));

  test('has what it promises, runs nothing when it is installed, and needs no other', () => {
    const { version, license, scripts, dependencies, exports } = described();
    assert.equal(version, JSON.parse(readFileSync(join(root, 'pkg/package.json'), 'utf8')).version);
    assert.deepEqual([license, scripts, dependencies], ['MIT', undefined, undefined]);
    const named = Object.values(exports).flatMap((one) => (typeof one === 'string' ? [one] : Object.values(one)));
    const files = [
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
      'engine/worker.js',
      'wasm/builds.json',
      'wasm/cpu/sightline_bg.wasm',
      'models/models.json',
    ];
    for (const file of [...named, ...files]) assert.ok(existsSync(join(installed, file)), file);
    for (const file of ['wasm/cpu/build.stamp', 'node_modules', 'tests'])
      assert.ok(!existsSync(join(installed, file)), file);
  });

  test('can be imported where there is no browser', () => {
    const script = `const s = await import('sightline'); await import('sightline/element');
      if (!s.listMethods().length || typeof s.createExplainer !== 'function') throw new Error('it exports nothing');
      await s.createExplainer({ model: 'x' }).then(() => { throw new Error('how?'); }, (e) => { if (!e.code) throw e; });`;
    execFileSync(process.execPath, ['--input-type=module', '--eval', script], { cwd: folder, stdio: 'pipe' });
  });

  test('would be published as it is', () => {
    const said = execFileSync(npm, ['publish', '--dry-run', '--offline', '--json', tarball], {
      cwd: folder,
      stdio: 'pipe',
      encoding: 'utf8',
    });
    assert.match(said, /"name": "sightline"/);
  });
});
