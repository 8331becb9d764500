// Numbers in words and tables.
const TITLES = {
  forward: 'forward',
  gradCam: 'forward + Grad-CAM',
  switchClass: 'another class (Grad-CAM)',
  gradient: 'forward + input gradient',
  integrated: 'integrated gradients, a step',
};

export function cosine(a, b) {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) [ab, aa, bb] = [ab + a[i] * b[i], aa + a[i] ** 2, bb + b[i] ** 2];
  return ab / Math.sqrt(aa * bb);
}

const ms = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

/** Times of each contender (min, median, max in milliseconds), and how many times Sightline's median the others take. */
export function table(rows) {
  const contenders = [...new Set(rows.map(({ contender }) => contender))];
  const lines = [['model', 'measure', ...contenders.map((name) => `${name}, ms`), ...contenders.slice(1).map((name) => `${name} / sightline`), 'in forwards']];
  const keys = [...new Set(rows.map(({ model, measure }) => `${model} ${measure}`))];
  for (const key of keys) {
    const of = Object.fromEntries(rows.filter(({ model, measure }) => `${model} ${measure}` === key).map((row) => [row.contender, row]));
    const { model, side, measure, steps = 1 } = Object.values(of)[0];
    const time = (row) => (row ? `${ms(row.median / steps)} (${ms(row.min / steps)} to ${ms(row.max / steps)})` : '-');
    const ours = of.sightline;
    const forward = rows.find((row) => row.model === model && row.measure === 'forward' && row.contender === 'sightline');
    const ratio = (row) => (row && ours ? (row.median / ours.median).toFixed(2) : '-');
    lines.push([
      `${model.replace(/-\d+$/, '')} ${side}`,
      TITLES[measure],
      ...contenders.map((name) => time(of[name])),
      ...contenders.slice(1).map((name) => ratio(of[name])),
      ours && forward ? (ours.median / steps / forward.median).toFixed(2) : '-',
    ]);
  }
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines.map((line) => line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')).join('\n');
}
