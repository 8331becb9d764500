// Sightline beside the others on one device: agreement first, then times.
import { cosine, spread, table } from './report.mjs';

const CONTENDERS = ['sightline', 'tfjs', 'onnxruntime'];
const PHOTOS = ['/samples/cat.jpg', '/samples/school-bus.jpg'];
/** How far what is computed may differ: logits by their range, maps by the angle between them. */
const SAME = { logits: 1e-3, map: 0.999 };

/**
 * @param {any} world @param {'cpu' | 'webgpu'} device
 * @param {(model: any) => { least: number, most: number, budget: number, warm: number, steps: number, measures: string[] } | undefined} plan
 */
export async function compare(world, device, plan) {
  const page = await world.browser.newPage();
  page.on('pageerror', (error) => console.error('page error:', error.message));
  if (process.env.VERBOSE) page.on('console', (message) => console.error('console:', message.text()));
  await page.goto(`${world.url}/blank.html`);
  await page.evaluate(
    async ([names, device]) => {
      const { Bench } = await import('/bench/contenders.js');
      globalThis.bench = new Bench();
      await bench.start(names, device);
    },
    [CONTENDERS, device],
  );
  const [rows, agreement, skipped] = [[], [], []];
  for (const model of world.models) {
    const planned = plan(model);
    if (!planned) {
      skipped.push(model.id);
      continue;
    }
    const { measures, ...options } = planned;
    world.log(`${model.id}: loading`);
    const devices = await page.evaluate(([source, photos]) => bench.load(source, photos), [model, PHOTOS]);
    world.log(
      `${model.id}: ${Object.entries(devices)
        .map((pair) => pair.join(' on '))
        .join('; ')}`,
    );
    let classes;
    for (const measure of measures) {
      const few = { ...options, classes, steps: Math.min(options.steps, 3) };
      const numbers = await page.evaluate(([measure, options]) => bench.numbers(measure, options), [measure, few]);
      if (measure === 'forward') {
        const order = numbers.sightline.map((_, k) => k).sort((a, b) => numbers.sightline[b] - numbers.sightline[a]);
        classes = order.slice(0, 2);
      }
      for (const [contender, values] of Object.entries(numbers)) {
        if (contender === 'sightline') continue;
        const difference = disagreement(measure, numbers.sightline, values);
        agreement.push({ name: `${model.id} ${measure} ${contender}`, ...difference });
        if (!difference.same) throw new Error(`${contender} computes something else than Sightline: ${JSON.stringify(agreement.at(-1))}`);
      }
      const times = await page.evaluate(([measure, options]) => bench.time(measure, options), [measure, { ...options, classes }]);
      for (const [contender, samples] of Object.entries(times)) {
        rows.push({
          name: `${model.id} ${measure} ${contender}`,
          model: model.id,
          side: model.side,
          measure,
          contender,
          ...(measure === 'integrated' && { steps: options.steps }),
          ...spread(samples),
          unit: 'ms',
          samples: samples.length,
        });
      }
      world.log(
        `${model.id} ${measure}: ${Object.entries(times)
          .map(([name, samples]) => `${name} ${spread(samples).median.toFixed(1)}`)
          .join(', ')} ms`,
      );
    }
  }
  await page.close();
  console.log(`\n${table(rows)}`);
  return { rows, agreement, ...(skipped.length && { skipped }) };
}

function disagreement(measure, ours, theirs) {
  if (ours.length !== theirs.length) return { same: false, lengths: [ours.length, theirs.length] };
  if (measure !== 'forward') {
    const map = cosine(ours, theirs);
    return { same: map >= SAME.map, cosine: map };
  }
  const worst = ours.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i])), 0);
  const relative = worst / (Math.max(...ours) - Math.min(...ours));
  return { same: relative <= SAME.logits, relative };
}
