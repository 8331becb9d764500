// Thousands of explanations in a row: what memory, workers and pending calls do over time.
// usage: node tests/browser/soak/soak.mjs [--minutes N] [--count N] [--seed N] [--webgpu]
//   [--deaths SHARE]
// writes target/soak/soak.csv and soak.svg; fails where something grows
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { beforeWorker, launch, openApi, root, serve } from '../harness.mjs';
import { plot } from './plot.mjs';
import { work } from './work.mjs';

const MODELS = ['builtin-scene-cnn', 'builtin-scene-vit', 'sightline-cnn', 'sightline-vit'];
const PHOTOS = ['/samples/cat.jpg', '/samples/ladybug.jpg', '/golden/scenes/03.png', '/golden/photos/photo.png'];
/** All calls of a batch have to settle within so many ms. */
const PATIENCE = 120_000;

/**
 * What may grow by how much with each explanation, in bytes, and not at all: workers, calls. The
 * heap of the page after a collection; the most wasm memory that any worker had; the memory of the
 * browser's processes without that of wasm, which fluctuates by tens of MB.
 */
export const LIMITS = { heap: 500, peak: 20e3, rest: 40e3 };
const MOST_WORKERS = 1;

/** The median of the slopes between any two samples of the second half: the first one warms up. */
export function slope(rows, key) {
  const settled = rows.slice(Math.floor(rows.length / 2));
  const slopes = settled.flatMap((a, i) =>
    settled.slice(i + 1).map((b) => (b[key] - a[key]) / (b.explanations - a.explanations)),
  );
  return slopes.sort((a, b) => a - b)[slopes.length >> 1] ?? 0;
}

/** What is wrong with a run, in words. */
export function faults(rows, limits = LIMITS) {
  const found = [];
  for (const { explanations, workers, pending, unexpected } of rows) {
    const at = `after ${explanations} explanations`;
    if (workers > MOST_WORKERS) found.push(`${workers} workers ${at}`);
    if (pending) found.push(`${pending} calls pending ${at}`);
    found.push(...unexpected.map((what) => `unexpected ${at}: ${what}`));
  }
  for (const [key, limit] of Object.entries(limits)) {
    const grows = slope(rows, key);
    if (grows > limit) found.push(`${key} grows by ${Math.round(grows)} bytes with each explanation, ${limit} allowed`);
  }
  return found;
}

/** In a worker: its device can be taken away. */
function losable() {
  const devices = [];
  const request = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await request.call(this, descriptor);
    devices.push(device);
    return device;
  };
  addEventListener('message', (event) => {
    if (event.data.op !== 'destroy') return;
    event.stopImmediatePropagation();
    for (const device of devices) device.destroy();
  });
}

/** The resident memory of a process and its children, in bytes; 0 where there is no /proc. */
function resident(pid) {
  const children = new Map();
  const memory = new Map();
  try {
    for (const name of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const status = readFileSync(`/proc/${name}/status`, 'utf8');
        const number = (key) => Number(new RegExp(`^${key}:\\s*(\\d+)`, 'm').exec(status)?.[1] ?? 0);
        memory.set(Number(name), 1024 * number('VmRSS'));
        children.set(number('PPid'), [...(children.get(number('PPid')) ?? []), Number(name)]);
      } catch {
        // It ended meanwhile.
      }
    }
  } catch {
    return 0;
  }
  const sum = (id) => (memory.get(id) ?? 0) + (children.get(id) ?? []).reduce((all, child) => all + sum(child), 0);
  return sum(pid);
}

/**
 * Runs until `count` explanations are done, or `minutes` over. One row for each `every`.
 * @param {{ count?: number, minutes?: number, every?: number, seed?: number, device?: 'cpu' |
 *   'webgpu', models?: string[], deaths?: number, onRow?: (row: object) => void
 *   }} [options]
 */
export async function soak({
  count = 2000,
  minutes = Infinity,
  every = 50,
  seed = 1,
  device = 'cpu',
  models = MODELS,
  deaths = 0.02,
  onRow = () => undefined,
} = {}) {
  const server = await serve();
  const browser = await launch({ gpu: device === 'webgpu' });
  try {
    const page = await browser.newPage();
    if (device === 'webgpu') await beforeWorker(page, losable);
    await openApi(browser, server.url, '/blank.html', page);
    const cdp = await page.context().newCDPSession(page);
    const started = performance.now();
    const rows = [];
    while ((rows.at(-1)?.explanations ?? 0) < count && performance.now() - started < 60_000 * minutes) {
      const how = {
        count: every,
        seed: seed + rows.length,
        device,
        models,
        photos: PHOTOS,
        deaths,
        patience: PATIENCE,
      };
      const { unexpected, pending, ...happened } = await page.evaluate(work, how);
      await cdp.send('HeapProfiler.collectGarbage');
      const { usedSize: heap } = await cdp.send('Runtime.getHeapUsage');
      // A worker that does not answer leaves calls pending, too.
      const wasm = await page.evaluate(() =>
        Promise.race([t.memory(), new Promise((done) => setTimeout(done, 10_000, 0))]),
      );
      const rss = resident(process.pid);
      const row = {
        explanations: (rows.at(-1)?.explanations ?? 0) + every,
        seconds: Math.round((performance.now() - started) / 1000),
        heap,
        wasm,
        peak: Math.max(wasm, rows.at(-1)?.peak ?? 0),
        rss,
        rest: rss - wasm,
        workers: page.workers().length,
        pending,
        ...happened,
        unexpected,
      };
      rows.push(row);
      onRow(row);
      if (pending) break;
    }
    return { rows, browser: browser.version() };
  } finally {
    await browser.close();
    await server.close();
  }
}

export function csv(rows) {
  const keys = Object.keys(rows[0]).filter((key) => key !== 'unexpected');
  return `${[keys, ...rows.map((row) => keys.map((key) => row[key]))].map((line) => line.join(',')).join('\n')}\n`;
}

async function main() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string' },
      count: { type: 'string' },
      seed: { type: 'string', default: '1' },
      webgpu: { type: 'boolean', default: false },
      deaths: { type: 'string', default: '0.02' },
    },
  });
  const number = (text, otherwise) => (text === undefined ? otherwise : Number(text));
  const mb = (bytes) => (bytes / 1e6).toFixed(1);
  const { rows, browser } = await soak({
    count: number(values.count, values.minutes ? Infinity : 2000),
    minutes: number(values.minutes, Infinity),
    seed: Number(values.seed),
    device: values.webgpu ? 'webgpu' : 'cpu',
    deaths: Number(values.deaths),
    onRow: ({ explanations, seconds, heap, wasm, rss, workers, pending, deaths }) =>
      console.log(
        `${explanations} in ${seconds} s: heap ${mb(heap)}, wasm ${mb(wasm)}, processes ${mb(rss)} MB, ${workers} workers, ${pending} pending, ${deaths} deaths`,
      ),
  });
  const folder = join(root, 'target/soak');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'soak.csv'), csv(rows));
  writeFileSync(join(folder, 'soak.svg'), plot(rows, `Chromium ${browser}, seed ${values.seed}`));
  for (const key of Object.keys(LIMITS)) console.log(`${key}: ${Math.round(slope(rows, key))} bytes per explanation`);
  const found = faults(rows);
  for (const fault of found) console.error(`error: ${fault}`);
  console.log(`${rows.at(-1).explanations} explanations; the plot is ${join(folder, 'soak.svg')}`);
  process.exitCode = found.length ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
