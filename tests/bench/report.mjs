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

/**
 * The straight line through the medians by least squares.
 * @param {{ x: number, median: number }[]} rows
 */
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
    const forward = rows.find(
      (row) => row.model === of[0].model && row.measure === 'forward' && row.contender === 'sightline',
    );
    return { ...of[0], of: Object.fromEntries(of.map((row) => [row.contender, row])), forward };
  });
}

/**
 * What ratios are made of: the time that a processor worked, where it is known, as it does not
 * depend on what else the machine does.
 */
export const timeOf = (row) => row.worked ?? row;
const ofMedian = (row) => timeOf(row).median;

/** Of integrated gradients a step's, without the baseline's forward pass. */
const inForwards = (row, forward) => (ofMedian(row) / ofMedian(forward) - (row.steps ? 1 : 0)) / (row.steps ?? 1);

/**
 * Times of each contender (median, min to max, in milliseconds), how many times Sightline's median
 * the others take, and Sightline's in its own forward passes.
 */
export function table(rows) {
  const contenders = [...new Set(rows.map(({ contender }) => contender))];
  const peers = contenders.filter((name) => name !== 'sightline');
  const lines = [
    [
      'model',
      'measure',
      ...contenders.map((name) => `${name}, ms${rows[0].worked ? ', worked' : ''}`),
      ...peers.map((name) => `${name} / sightline`),
      'in forwards',
    ],
  ];
  for (const { model, side, measure, steps = 1, of, forward } of groups(rows)) {
    const time = (row) =>
      row
        ? `${ms(row.median / steps)} (${ms(row.min / steps)} to ${ms(row.max / steps)})${row.worked ? ` ${ms(row.worked.median / steps)}` : ''}`
        : '-';
    const ours = of.sightline;
    const ratio = (row) => (row && ours ? (ofMedian(row) / ofMedian(ours)).toFixed(2) : '-');
    lines.push([
      modelName({ model, side }),
      MEASURES[measure],
      ...contenders.map((name) => time(of[name])),
      ...peers.map((name) => ratio(of[name])),
      ours && forward ? inForwards(ours, forward).toFixed(2) : '-',
    ]);
  }
  return aligned(lines);
}

/** Columns under each other: words to the left, numbers to the right. @param {string[][]} lines */
export function aligned(lines) {
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines
    .map((line) => line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '))
    .join('\n');
}

/** When, with what and where a result was measured, in two lines. */
export function origin({ section, date, machine, browser, versions, build, quick }) {
  const { cpu, cores, adapter } = machine;
  const peers = ['cpu', 'webgpu'].includes(section)
    ? [`tfjs ${versions.tfjs}`, `onnxruntime-web ${versions['onnxruntime-web']}`]
    : [];
  return [
    [date, `Sightline ${versions.sightline}`, ...peers, browser].filter(Boolean).join(', '),
    `${adapter ? `adapter: ${adapter}; ` : ''}${cpu}, ${cores} cores${build === 'release' ? '' : `; ${build} build`}${quick ? '; quick' : ''}`,
  ];
}

/**
 * What the project wants of a device's rows: [goal, model, the figure, whether it is reached]. A
 * figure of two contenders is a ratio of medians.
 */
export function goals(rows) {
  const lines = [];
  const add = (goal, row, figure, reached) => lines.push([reached ? 'yes' : 'NO', goal, modelName(row), figure]);
  for (const row of groups(rows)) {
    const { sightline, ...others } = row.of;
    const peers = Object.values(others).map(ofMedian);
    if (!sightline || !row.forward) continue;
    const { measure } = row;
    const forwards = inForwards(sightline, row.forward);
    const ahead = Math.min(...peers) / ofMedian(sightline);
    if (measure === 'forward' && peers.length)
      add('forward no slower than the faster other', row, ahead.toFixed(2), ahead >= 1);
    if (measure === 'gradCam') add('Grad-CAM at most 1.2 forwards', row, forwards.toFixed(2), forwards <= 1.2);
    if (measure === 'gradient' && peers.length) add('gradient no slower than tfjs', row, ahead.toFixed(2), ahead >= 1);
    if (measure === 'switchClass') add('another class under 50 ms', row, ms(sightline.median), sightline.median < 50);
    if (measure !== 'integrated') continue;
    add('a step of integrated gradients at most 2.5 forwards', row, forwards.toFixed(2), forwards <= 2.5);
    if (peers.length) add('integrated gradients at least 4 times as fast as tfjs', row, ahead.toFixed(2), ahead >= 4);
  }
  return lines.sort((a, b) => a[1].localeCompare(b[1]));
}
