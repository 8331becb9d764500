// Numbers in words and tables.
export const MEASURES = {
  forward: 'forward',
  gradCam: 'forward + Grad-CAM',
  switchClass: 'Grad-CAM of another class',
  gradient: 'forward + input gradient',
  integrated: 'integrated gradients, a step',
};

/** The name of a row's model, with the side of its input. */
export const modelName = ({ model, side }) => `${model.replace(/-\d+$/, '')}, ${side} px`;

export function cosine(a, b) {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) [ab, aa, bb] = [ab + a[i] * b[i], aa + a[i] ** 2, bb + b[i] ** 2];
  return ab / Math.sqrt(aa * bb);
}

/** Smallest, middle and largest value. @param {number[]} samples */
export function spread(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  const [min, mid, max] = [sorted[0], median, sorted.at(-1)].map((v) => Number(v.toFixed(3)));
  return { min, median: mid, max };
}

/** The straight line through the medians by least squares. @param {{ x: number, median: number }[]} rows */
export function line(rows) {
  const mean = (values) => values.reduce((sum, v) => sum + v, 0) / values.length;
  const [x, y] = [mean(rows.map((row) => row.x)), mean(rows.map((row) => row.median))];
  const sum = (f) => rows.reduce((total, row) => total + f(row.x - x, row.median - y), 0);
  const slope = sum((dx, dy) => dx * dy) / sum((dx) => dx * dx);
  const rest = sum((dx, dy) => (dy - slope * dx) ** 2);
  return { slope, intercept: y - slope * x, r2: 1 - rest / sum((_, dy) => dy * dy) };
}

const ms = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

/** Rows of one model and measure, by contender, with the row of Sightline's forward pass. */
export function groups(rows) {
  const keys = [...new Set(rows.map(({ model, measure }) => `${model} ${measure}`))];
  return keys.map((key) => {
    const of = rows.filter(({ model, measure }) => `${model} ${measure}` === key);
    const forward = rows.find((row) => row.model === of[0].model && row.measure === 'forward' && row.contender === 'sightline');
    return { ...of[0], of: Object.fromEntries(of.map((row) => [row.contender, row])), forward };
  });
}

/** Times of each contender (median, min to max, in milliseconds), how many times Sightline's median the others take, and Sightline's in its own forward passes. */
export function table(rows) {
  const contenders = [...new Set(rows.map(({ contender }) => contender))];
  const peers = contenders.filter((name) => name !== 'sightline');
  const lines = [
    ['model', 'measure', ...contenders.map((name) => `${name}, ms`), ...peers.map((name) => `${name} / sightline`), 'in forwards'],
  ];
  for (const { model, side, measure, steps = 1, of, forward } of groups(rows)) {
    const time = (row) => (row ? `${ms(row.median / steps)} (${ms(row.min / steps)} to ${ms(row.max / steps)})` : '-');
    const ours = of.sightline;
    const ratio = (row) => (row && ours ? (row.median / ours.median).toFixed(2) : '-');
    lines.push([
      modelName({ model, side }),
      MEASURES[measure],
      ...contenders.map((name) => time(of[name])),
      ...peers.map((name) => ratio(of[name])),
      ours && forward ? (ours.median / steps / forward.median).toFixed(2) : '-',
    ]);
  }
  return aligned(lines);
}

/** Columns under each other: words to the left, numbers to the right. @param {string[][]} lines */
export function aligned(lines) {
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines.map((line) => line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ')).join('\n');
}
