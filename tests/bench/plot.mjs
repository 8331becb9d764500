// The plots of the results, as SVG.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { groups, MEASURES, modelName, origin, timeOf } from './report.mjs';

const COLOURS = { sightline: '#1f5fa8', tfjs: '#d1711a', onnxruntime: '#5a8a2a' };
const INK = '#222';
const FAINT = '#c8c8c8';

const escaped = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
const text = (x, y, words, { size = 12, anchor = 'start', fill = INK, bold = false } = {}) =>
  `<text x="${x}" y="${y}" font-size="${size}" text-anchor="${anchor}" fill="${fill}"${bold ? ' font-weight="600"' : ''}>${escaped(words)}</text>`;
const stroke = (x1, y1, x2, y2, colour = FAINT, width = 1) =>
  `<path d="M${x1.toFixed(1)} ${y1.toFixed(1)}L${x2.toFixed(1)} ${y2.toFixed(1)}" stroke="${colour}" stroke-width="${width}"/>`;
const dot = (x, y, colour) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="4.5" fill="${colour}"/>`;
const page = (width, height, label, body) =>
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(label)}" font-family="system-ui, sans-serif">
<rect width="${width}" height="${height}" fill="#fff"/>
${body.join('\n')}
</svg>
`;

/**
 * The others' times by Sightline's, on a logarithmic axis: to the right of 1 they are slower. Bars
 * reach from their fastest to their slowest sample.
 */
function speed(result) {
  const list = groups(result.rows).filter(({ of }) => of.sightline && Object.keys(of).length > 1);
  const [left, right, top, step] = [290, 30, 92, 21];
  const [width, height] = [860, top + list.length * step + 46];
  const ratios = list.flatMap(({ of }) =>
    Object.values(of).flatMap((row) => [timeOf(row).min, timeOf(row).max].map((v) => v / timeOf(of.sightline).median)),
  );
  const [low, high] = [Math.log2(Math.min(0.5, ...ratios)), Math.log2(Math.max(2, ...ratios))];
  const at = (ratio) => left + ((Math.log2(ratio) - low) / (high - low)) * (width - left - right);
  const body = [
    text(16, 24, result.title, { size: 15, bold: true }),
    ...origin(result).map((words, i) => text(16, 43 + 16 * i, words, { size: 11, fill: '#555' })),
  ];
  let place = left;
  for (const [name, colour] of Object.entries(COLOURS)) {
    body.push(dot(place, 78, colour), text(place + 9, 82, name));
    place += 110;
  }
  for (let power = Math.ceil(low); power <= Math.floor(high); power++) {
    const x = at(2 ** power);
    body.push(
      stroke(x, top, x, height - 40, power === 0 ? INK : FAINT),
      text(x, height - 25, `${2 ** power}`, { size: 11, anchor: 'middle' }),
    );
  }
  body.push(
    text(
      (left + width - right) / 2,
      height - 8,
      `${list[0]?.of.sightline.worked ? 'processor time' : 'time'} by Sightline's median: right of 1 is slower`,
      {
        size: 11,
        anchor: 'middle',
        fill: '#555',
      },
    ),
  );
  let before;
  list.forEach(({ model, side, measure, of }, i) => {
    const y = top + (i + 0.5) * step;
    if (model !== before) {
      if (i) body.push(stroke(16, y - step / 2, width - right, y - step / 2));
      body.push(text(16, y + 4, modelName({ model, side }), { bold: true }));
    }
    before = model;
    body.push(
      text(left - 12, y + 4, MEASURES[measure].replace('integrated gradients, a', 'IG'), { anchor: 'end', size: 11 }),
    );
    for (const [name, row] of Object.entries(of)) {
      const { min, median, max } = timeOf(row);
      const [a, b, c] = [min, median, max].map((v) => at(v / timeOf(of.sightline).median));
      body.push(stroke(a, y, c, y, COLOURS[name], 1.5), dot(b, y, COLOURS[name]));
    }
  });
  return page(width, height, `${result.title}: the others' times by Sightline's`, body);
}

const PANELS = {
  steps: 'steps of integrated gradients',
  masks: 'masks of RISE',
  pixels: 'pixels of the input, forward',
};

/** Time over steps, masks and pixels with the straight line through the medians. */
function cost(result) {
  const [width, height, top, bottom] = [860, 330, 92, 48];
  const body = [
    text(16, 24, result.title, { size: 15, bold: true }),
    ...origin(result).map((words, i) => text(16, 43 + 16 * i, words, { size: 11, fill: '#555' })),
  ];
  Object.entries(PANELS).forEach(([series, title], i) => {
    const rows = result.rows.filter((row) => row.series === series);
    const { slope, intercept, r2 } = result.fits.find(({ name }) => name === series);
    const [left, right] = [62 + i * 282, 62 + i * 282 + 208];
    const [most, longest] = [
      Math.max(...rows.map((row) => row.x)) * 1.05,
      Math.max(...rows.map((row) => row.max)) * 1.05,
    ];
    const x = (value) => left + (value / most) * (right - left);
    const y = (value) => height - bottom - (value / longest) * (height - bottom - top);
    body.push(
      stroke(left, y(0), right, y(0), INK),
      stroke(left, y(0), left, top, INK),
      text(left, top - 8, `ms, ${rows[0].model}`, { size: 11, fill: '#555' }),
    );
    for (const row of rows)
      body.push(
        text(x(row.x), y(0) + 15, row.x >= 1000 ? `${(row.x / 1000).toFixed(0)}k` : row.x, {
          size: 10,
          anchor: 'middle',
        }),
      );
    const grain = 10 ** Math.floor(Math.log10(longest));
    const tick = [5, 2, 1, 0.5].map((k) => k * grain).find((size) => longest / size >= 2);
    for (let value = tick; value < longest; value += tick)
      body.push(
        stroke(left, y(value), right, y(value)),
        text(left - 6, y(value) + 4, value.toFixed(tick < 1 ? 1 : 0), { size: 10, anchor: 'end' }),
      );
    body.push(stroke(x(0), y(Math.max(0, intercept)), x(most), y(intercept + slope * most), '#888'));
    for (const row of rows)
      body.push(
        stroke(x(row.x), y(row.min), x(row.x), y(row.max), COLOURS.sightline, 1.5),
        dot(x(row.x), y(row.median), COLOURS.sightline),
      );
    body.push(text((left + right) / 2, height - 12, `${title} (R² ${r2.toFixed(3)})`, { size: 11, anchor: 'middle' }));
  });
  return page(width, height, 'Time grows in a straight line with steps, masks and pixels', body);
}

/** Draws what results there are in `folder`. @param {string} folder */
export function plots(folder) {
  for (const [section, draw] of Object.entries({ cpu: speed, webgpu: speed, cost })) {
    const file = join(folder, `${section}.json`);
    if (!existsSync(file)) continue;
    writeFileSync(join(folder, `${section}.svg`), draw(JSON.parse(readFileSync(file, 'utf8'))));
    console.log(`plot: ${join(folder, `${section}.svg`)}`);
  }
}
