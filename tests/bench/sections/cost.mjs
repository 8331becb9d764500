import { tellWork } from '../clock.mjs';
import { line, spread } from '../report.mjs';

export const title = 'Cost by steps, masks and pixels: Sightline on the CPU';
export const device = 'cpu';

const MODEL = 'sightline-vit';
const STEPS = [5, 10, 20, 30, 40];
const MASKS = [20, 40, 80, 120, 160];
/** A convolutional net takes any size. */
const ANY_SIZE = 'sightline-cnn';
const SIDES = [64, 96, 128, 160, 192, 224];
const PHOTO = '/samples/cat.jpg';

export async function run(world) {
  const page = await world.browser.newPage();
  await tellWork(world.browser, page);
  await page.goto(`${world.url}/blank.html`);
  const series = {
    steps: STEPS.map((nSteps) => ({ x: nSteps, model: MODEL, request: { method: 'integrated_gradients', nSteps } })),
    masks: MASKS.map((nSamples) => ({ x: nSamples, model: MODEL, request: { method: 'rise', nSamples } })),
    pixels: SIDES.map((side) => ({ x: side * side, model: ANY_SIZE, side })),
  };
  const jobs = Object.entries(series).flatMap(([name, points]) => points.map((point) => ({ series: name, ...point })));
  const samples = await page.evaluate(measure, { jobs, photo: PHOTO, rounds: world.quick ? 3 : 5 });
  await page.close();
  const rows = jobs.map(({ series, x, model }, i) => ({
    name: `${series} ${x}`,
    series,
    x,
    model,
    ...spread(samples[i]),
    unit: 'ms',
    samples: samples[i].length,
  }));
  const fits = Object.keys(series).map((name) => ({ name, ...line(rows.filter((row) => row.series === name)) }));
  for (const { name, slope, intercept, r2 } of fits)
    console.log(
      `${name.padEnd(6)}  ${(slope * (name === 'pixels' ? 1e4 : 1)).toFixed(2)} ms ${name === 'pixels' ? 'for 10,000' : 'each'}, ${intercept.toFixed(1)} ms besides, R² ${r2.toFixed(4)}`,
    );
  return { rows, fits };
}

/**
 * In the page: milliseconds of each job in every round, after one that warms up; a processor's,
 * where they can be known.
 */
async function measure({ jobs, photo, rounds }) {
  const api = await import('/pkg/index.js');
  const clock = globalThis.workedMs ?? (() => performance.now());
  const open = async (model, side) => {
    if (!side) return api.createExplainer({ model, device: 'cpu' });
    const folder = `/pkg/models/${model}`;
    const config = await (await fetch(`${folder}/config.json`)).json();
    config.pretrained_cfg.input_size = [3, side, side];
    return api.createExplainer({
      model: { config, weights: await (await fetch(`${folder}/model.safetensors`)).blob() },
      device: 'cpu',
    });
  };
  const opened = new Map();
  const runs = [];
  for (const { model, side, request } of jobs) {
    const key = `${model} ${side}`;
    if (!opened.has(key)) {
      const explainer = await open(model, side);
      opened.set(key, { explainer, input: await explainer.preprocess(photo) });
    }
    const { explainer, input } = opened.get(key);
    const other = { ...input, data: input.data.map((v) => -v) };
    if (request) runs.push({ before: () => explainer.classify(input), run: () => explainer.attribute(input, request) });
    else runs.push({ before: () => explainer.classify(other), run: () => explainer.classify(input) });
  }
  const samples = jobs.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (const [i, { before, run }] of runs.entries()) {
      await before();
      const start = await clock();
      await run();
      const ms = (await clock()) - start;
      if (round >= 0) samples[i].push(ms);
    }
  }
  for (const { explainer } of opened.values()) explainer.dispose();
  return samples;
}
