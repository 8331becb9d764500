import { start } from '../start.mjs';

export const title = 'From opening the page to the first heatmap, and to another one, on the CPU';

export async function run({ quick }) {
  const { rows, browser } = await start({ runs: quick ? 3 : 9 });
  for (const { name, unit, min, median, max } of rows)
    console.log(`${name.padEnd(54)} ${median} ${unit} (${min} to ${max})`);
  return { rows, browser };
}
