import { memory } from '../memory.mjs';

export const title = 'Memory over explanations in a row, and the peak of few and many steps, on the CPU';

export async function run({ quick, models }) {
  // Every explanation of a photo of 224 px takes some seconds: of those models few.
  const large = models
    .filter(({ side }) => side > 100 && !quick)
    .map(({ config }) => config.replace(/\/config\.json$/, ''));
  const built = models.filter(({ side, config }) => side <= 100 && config.startsWith('/pkg/')).map(({ id }) => id);
  const results = [await memory({ count: quick ? 100 : 500, models: built })];
  if (large.length)
    results.push(
      await memory({
        count: 60,
        every: 30,
        steps: [5, 50],
        models: large.filter((path) => path.startsWith('/shared/')),
      }),
    );
  const rows = results.flatMap((result) => result.rows);
  const mb = (bytes) => (bytes / 1e6).toFixed(2).padStart(7);
  for (const { name, weights, wasm, heap, workerHeap } of rows)
    console.log(
      `${name.padEnd(52)} wasm ${mb(wasm)} MB${heap === undefined ? '' : `, page ${mb(heap)}, worker ${mb(workerHeap)}`}; weights ${mb(weights)}`,
    );
  return { rows, browser: results[0].browser };
}
