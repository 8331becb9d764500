// Sightline beside the others on one device: agreement first, then times.
import { tellWork } from './clock.mjs';
import { aligned, cosine, goals, groups, spread, table } from './report.mjs';

export const PEERS = ['sightline', 'tfjs', 'onnxruntime'];
const PHOTOS = ['/samples/cat.jpg', '/samples/school-bus.jpg'];
/** How far what is computed may differ: logits by their range, maps by the angle between them. */
const SAME = { logits: 1e-3, map: 0.999 };

/**
 * @param {any} world @param {'cpu' | 'webgpu'} device
 * @param {(model: any) => { least: number, most: number, budget: number, warm: number, steps:
 *   number, measures: string[] } | undefined} plan
 * @param {string[]} [contenders] the first is Sightline
 */
export async function compare(world, device, plan, contenders = PEERS) {
  const page = await world.browser.newPage();
  page.on('pageerror', (error) => console.error('page error:', error.message));
  if (process.env.VERBOSE) page.on('console', (message) => console.error('console:', message.text()));
  if (device === 'cpu') await tellWork(world.browser, page);
  await page.goto(`${world.url}/blank.html`);
  await page.evaluate(
    async ([names, device]) => {
      const { Bench } = await import('/bench/contenders.js');
      globalThis.bench = new Bench();
      await bench.start(names, device);
    },
    [contenders, device],
  );
  const [rows, agreement, skipped] = [[], [], []];
  for (const model of world.models) {
    const planned = plan(model);
    if (!planned) {
      skipped.push(model.id);
      continue;
    }
    const { measures, least, most, budget, ...options } = planned;
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
        if (!difference.same)
          throw new Error(`${contender} computes something else than Sightline: ${JSON.stringify(agreement.at(-1))}`);
      }
    }
    await page.evaluate(([measures, options]) => bench.warmUp(measures, options), [measures, { ...options, classes }]);
    const start = performance.now();
    let rounds = 0;
    for (; rounds < least || (rounds < most && performance.now() - start < budget); rounds++)
      await page.evaluate(() => bench.round());
    for (const { contender, measure, samples } of await page.evaluate(() => bench.times)) {
      rows.push({
        name: `${model.id} ${measure} ${contender}`,
        model: model.id,
        side: model.side,
        measure,
        contender,
        ...(measure === 'integrated' && { steps: options.steps }),
        ...spread(samples.map(({ ms }) => ms)),
        ...(samples[0].worked !== undefined && { worked: spread(samples.map(({ worked }) => worked)) }),
        unit: 'ms',
        samples: rounds,
      });
    }
    const found = groups(rows.filter((row) => row.model === model.id));
    const line = ({ measure, of }) =>
      `${measure} ${Object.values(of)
        .map((row) => row.median.toFixed(1))
        .join('/')}`;
    world.log(`${model.id}: ${rounds} rounds, ms: ${found.map(line).join(', ')}`);
  }
  await page.close();
  const verdicts = contenders === PEERS ? `\n\n${aligned([['met', 'goal', 'model', 'figure'], ...goals(rows)])}` : '';
  console.log(`\n${table(rows)}${verdicts}`);
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
