// Memory over many explanations in a row, of mixed methods and photos: the wasm memory, the
// JavaScript heaps of page and worker after a garbage collection, and on WebGPU the buffers alive;
// and the peak that each model takes, and that many steps take in place of few. usage: node
// tests/bench/memory.mjs [COUNT] [DEVICE] [MODEL...], models by id or address        prints JSON, {
// section, browser, rows }; on the dist/ of SIGHTLINE_DIST
import { pathToFileURL } from 'node:url';
import { launch, openApi, serve } from '../browser/harness.mjs';

const PHOTOS = ['bananas', 'cat', 'coffee', 'ladybug', 'rocket', 'school-bus'].map((name) => `/samples/${name}.jpg`);
/** Few passes for each explanation: a leak shows in the calls, not in their length. */
const SHORT = { nSteps: 8, nSamples: 16, maxChannels: 16, window: 32, stride: 32 };

/** In a worker: counts the buffers that were made and not destroyed or collected. */
function countBuffers() {
  const alive = new Set();
  globalThis.buffersAlive = () => alive.size;
  if (!globalThis.GPUDevice) return;
  let next = 0;
  const gone = new FinalizationRegistry((id) => alive.delete(id));
  const ids = new WeakMap();
  const { createBuffer } = GPUDevice.prototype;
  GPUDevice.prototype.createBuffer = function (...args) {
    const buffer = createBuffer.apply(this, args);
    const id = next++;
    alive.add(id);
    ids.set(buffer, id);
    gone.register(buffer, id);
    return buffer;
  };
  const { destroy } = GPUBuffer.prototype;
  GPUBuffer.prototype.destroy = function () {
    alive.delete(ids.get(this));
    return destroy.apply(this);
  };
}

/**
 * Commands to the page's worker, once it has one.
 * @param {import('playwright-core').CDPSession} cdp
 */
async function workerSession(cdp) {
  let session;
  let next = 0;
  const open = new Map();
  cdp.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
    if (targetInfo.type === 'worker') session = sessionId;
  });
  cdp.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result } = JSON.parse(message);
    open.get(id)?.(result);
    open.delete(id);
  });
  await cdp.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  return (method) => {
    const id = ++next;
    const answer = new Promise((done) => open.set(id, done));
    return cdp
      .send('Target.sendMessageToTarget', { sessionId: session, message: JSON.stringify({ id, method }) })
      .then(() => answer);
  };
}

/**
 * A blank page whose memory can be asked for.
 * @param {import('playwright-core').Browser} browser
 * @param {string} url
 */
async function measured(browser, url) {
  const page = await browser.newPage();
  page.on('worker', (worker) => worker.evaluate(countBuffers).catch(() => undefined));
  await openApi(browser, url, '/blank.html', page);
  const cdp = await page.context().newCDPSession(page);
  const toWorker = await workerSession(cdp);
  const heapOf = async (/** @type {(method: string) => Promise<any>} */ send) => {
    await send('HeapProfiler.enable');
    await send('HeapProfiler.collectGarbage');
    return (await send('Runtime.getHeapUsage')).usedSize;
  };
  const read = async () => {
    const heap = await heapOf((method) => cdp.send(method));
    const workerHeap = await heapOf(toWorker);
    const buffers = await page.workers()[0].evaluate(() => globalThis.buffersAlive());
    const wasm = await page.evaluate(() => t.memory());
    return { wasm, heap, workerHeap, buffers };
  };
  return { page, read };
}

/**
 * Explains on the page, from the `from`-th of a fixed series on: each method (or of `only`) in
 * turn, and with each round another photo and class.
 */
const explain = (page, { model, device, from, count, only = [] }) =>
  page.evaluate(
    async ({ model, device, from, count, only, photos, short }) => {
      globalThis.held ??= new Map();
      if (!held.has(model))
        held.set(model, await api.createExplainer({ model: model.startsWith('/') ? { url: model } : model, device }));
      const explainer = held.get(model);
      const wanted = only.length ? only : explainer.info.model.methods;
      const methods = api.listMethods().filter(({ id }) => wanted.includes(id));
      for (let i = from; i < from + count; i++) {
        const { id, options } = methods[i % methods.length];
        const few = Object.fromEntries(options.filter((o) => o.id in short).map((o) => [o.id, short[o.id]]));
        const round = Math.floor(i / methods.length);
        await explainer.attribute(photos[(i + round) % photos.length], { method: id, target: i % 4, ...few });
      }
    },
    { model, device, from, count, only, photos: PHOTOS, short: SHORT },
  );

/** Memory after each `every` of `count` explanations. */
export async function series(browser, url, { model, device, count, every, only }) {
  const { page, read } = await measured(browser, url);
  const rows = [];
  for (let from = 0; from < count; from += every) {
    await explain(page, { model, device, from, count: Math.min(every, count - from), only });
    rows.push({ explanations: Math.min(from + every, count), ...(await read()) });
  }
  const { bytes } = await page.evaluate((model) => held.get(model).info.model, model);
  await page.close();
  return { rows, weights: bytes };
}

/** The wasm memory after integrated gradients with so many steps, in a worker of its own. */
export async function peak(browser, url, { model, device, nSteps }) {
  const { page, read } = await measured(browser, url);
  await page.evaluate(
    async ({ model, device, nSteps, photo }) => {
      const explainer = await api.createExplainer({ model: model.startsWith('/') ? { url: model } : model, device });
      await explainer.attribute(photo, { method: 'integrated_gradients', nSteps });
    },
    { model, device, nSteps, photo: PHOTOS[0] },
  );
  const { wasm } = await read();
  await page.close();
  return wasm;
}

/**
 * @param {{ count?: number, every?: number, steps?: number[], device?: 'cpu' | 'webgpu', models?:
 *   string[] }} [options]
 */
export async function memory({
  count = 500,
  every = 50,
  steps = [50, 500],
  device = 'cpu',
  models = ['sightline-cnn', 'sightline-vit'],
} = {}) {
  const server = await serve();
  const browser = await launch();
  const rows = [];
  for (const model of models) {
    const { rows: found, weights } = await series(browser, server.url, { model, device, count, every });
    rows.push(
      ...found.map((row) => ({ name: `${model}, ${device}: ${row.explanations} explanations`, weights, ...row })),
    );
    for (const nSteps of steps)
      rows.push({
        name: `${model}, ${device}: integrated gradients, ${nSteps} steps`,
        weights,
        wasm: await peak(browser, server.url, { model, device, nSteps }),
      });
  }
  const version = `Chromium ${browser.version()}`;
  await browser.close();
  await server.close();
  return { section: 'memory', browser: version, rows };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [count = '500', device = 'cpu', ...models] = process.argv.slice(2);
  const found = await memory({ count: Number(count), device, ...(models.length ? { models } : {}) });
  console.log(JSON.stringify(found, null, 2));
}
