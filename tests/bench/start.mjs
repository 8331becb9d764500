// How long the page takes: from opening it to the first heatmap with nothing kept (cold) and on the
// next visit (warm), to the heatmap of another class of the same photo, and to paint with another
// opacity or other colours. Times in milliseconds. usage: node tests/bench/start.mjs [RUNS]
// prints JSON, { section, browser, rows }; on the dist/ of SIGHTLINE_DIST
import { pathToFileURL } from 'node:url';
import { explained, idle, launch, serve } from '../browser/harness.mjs';
import { spread } from './report.mjs';

/** In the page: when it painted what, and when the worker was asked and answered. */
function watch() {
  const marks = { worker: [] };
  globalThis.marks = marks;
  const Real = Worker;
  globalThis.Worker = class extends Real {
    constructor(...args) {
      super(...args);
      marks.worker.push(['start', performance.now()]);
      this.addEventListener('message', ({ data }) => {
        if (data.ready) marks.worker.push(['ready', performance.now()]);
        else if ('result' in data) marks.worker.push([this.asked?.get(data.call), performance.now()]);
      });
    }
    postMessage(data, ...rest) {
      this.asked ??= new Map();
      this.asked.set(data.call, data.op);
      marks.worker.push([`> ${data.op}`, performance.now()]);
      super.postMessage(data, ...rest);
    }
  };
  const seen = (selector, name) => {
    const look = () => {
      if (marks[name] !== undefined || !document.querySelector(selector)) return;
      // After the frame that shows it.
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => (marks[name] ??= performance.now());
        port2.postMessage(null);
      });
    };
    new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
  };
  seen('#predictions button', 'predictions');
  seen('#legend:not([hidden])', 'heatmap');
}

/** Opens the page and says when it had painted. */
async function visit(context, url) {
  const page = await context.newPage();
  await page.addInitScript(watch);
  await page.goto(url);
  await explained(page);
  await page.waitForFunction(() => globalThis.marks.heatmap !== undefined);
  const told = await page.evaluate(() => ({
    ...globalThis.marks,
    files: performance
      .getEntriesByType('resource')
      .map(({ name, startTime, responseEnd, transferSize, encodedBodySize }) => ({
        name: new URL(name).pathname,
        startTime,
        responseEnd,
        transferSize,
        encodedBodySize,
      })),
  }));
  return { page, told };
}

/** Time from an event to the frame that shows what it asked for. */
const switched = (page, nth) =>
  page.evaluate(async (nth) => {
    const button = document.querySelectorAll('#predictions button')[nth];
    const from = performance.now();
    button.click();
    while (document.body.dataset.state !== 'idle') await new Promise((done) => setTimeout(done));
    const computed = performance.now();
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    return { computed: computed - from, shown: performance.now() - from };
  }, nth);

/** What the page's work for a control costs within the frame that it waits for. */
const painted = (page, id, value) =>
  page.evaluate(
    async ([id, value]) => {
      const control = document.getElementById(id);
      await new Promise((done) => requestAnimationFrame(done));
      control.value = value;
      control.dispatchEvent(new Event('input', { bubbles: true }));
      control.dispatchEvent(new Event('change', { bubbles: true }));
      // The page's own callback stands before this one.
      return new Promise((done) => requestAnimationFrame((frame) => done(performance.now() - frame)));
    },
    [id, value],
  );

/** @param {{ runs?: number, log?: boolean }} [options] */
export async function start({ runs = 5, log = false } = {}) {
  const server = await serve({ copies: true });
  const browser = await launch({ gpu: false });
  const url = `${server.url}/`;
  const times = {
    cold: [],
    coldPredictions: [],
    warm: [],
    warmPredictions: [],
    computed: [],
    shown: [],
    alpha: [],
    colormap: [],
  };
  const bytes = [];
  for (let run = 0; run < runs; run++) {
    // A new context has an empty cache.
    const context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
    const cold = await visit(context, url);
    times.cold.push(cold.told.heatmap);
    times.coldPredictions.push(cold.told.predictions);
    bytes.push(cold.told.files.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0));
    for (const nth of [1, 2, 1, 2]) {
      const { computed, shown } = await switched(cold.page, nth);
      times.computed.push(computed);
      times.shown.push(shown);
    }
    for (const value of ['0.3', '0.8']) times.alpha.push(await painted(cold.page, 'alpha', value));
    for (const value of ['viridis', 'inferno']) times.colormap.push(await painted(cold.page, 'colormap', value));
    await idle(cold.page);
    await cold.page.waitForFunction(() =>
      document.querySelector('#offline').textContent.includes('without a connection'),
    );
    await cold.page.close();
    const warm = await visit(context, url);
    times.warm.push(warm.told.heatmap);
    times.warmPredictions.push(warm.told.predictions);
    if (log && run === 0) for (const one of [cold, warm]) console.error(timeline(one.told));
    await context.close();
  }
  const version = `Chromium ${browser.version()}`;
  await browser.close();
  await server.close();
  const row = (name, values) => ({ name, unit: 'ms', samples: values.length, ...spread(values) });
  return {
    section: 'start',
    browser: version,
    rows: [
      row('cold: page open to predictions', times.coldPredictions),
      row('cold: page open to first heatmap', times.cold),
      row('warm: page open to predictions', times.warmPredictions),
      row('warm: page open to first heatmap', times.warm),
      row('another class: click to result', times.computed),
      row('another class: click to frame', times.shown),
      row('another opacity: work in its frame', times.alpha),
      row('other colours: work in their frame', times.colormap),
      { name: 'cold: bytes of its files, as sent', unit: 'bytes', samples: bytes.length, ...spread(bytes) },
    ],
  };
}

/** For a person who looks for what takes long. */
function timeline({ worker, files, predictions, heatmap }) {
  const events = [
    ...files.map(({ name, startTime, responseEnd, transferSize }) => [
      startTime,
      `${name} until ${responseEnd.toFixed(0)}, ${transferSize} B`,
    ]),
    ...worker.map(([what, at]) => [at, `worker: ${what}`]),
    [predictions, 'PREDICTIONS'],
    [heatmap, 'HEATMAP'],
  ];
  return events
    .sort(([a], [b]) => a - b)
    .map(([at, what]) => `${at.toFixed(0).padStart(6)} ${what}`)
    .join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [runs] = process.argv.slice(2);
  console.log(JSON.stringify(await start({ runs: Number(runs ?? 5), log: Boolean(process.env.VERBOSE) }), null, 2));
}
