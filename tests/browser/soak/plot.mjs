// A soak as a picture: one panel for each thing that has to stay flat.

const [WIDTH, HEIGHT, LEFT, TOP] = [640, 110, 70, 34];
const PANELS = [
  ['rss', 'memory of all processes, MB', 1e6],
  ['wasm', 'wasm memory, MB', 1e6],
  ['heap', 'heap of the page, MB', 1e6],
  ['workers', 'workers', 1],
  ['pending', 'calls pending', 1],
];

/** @param {Record<string, number>[]} rows @param {string} title plain text @returns {string} SVG */
export function plot(rows, title) {
  const last = rows.at(-1)?.explanations ?? 1;
  const escaped = title.replace(/[<>&]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const x = (explanations) => (LEFT + ((WIDTH - LEFT - 20) * explanations) / last).toFixed(1);
  const panels = PANELS.map(([key, name, unit], i) => {
    const [top, height] = [TOP + i * HEIGHT + 18, HEIGHT - 40];
    const most = Math.max(1, ...rows.map((row) => row[key] / unit));
    const y = (value) => (top + height - (height * value) / most).toFixed(1);
    const points = rows.map((row) => `${x(row.explanations)},${y(row[key] / unit)}`).join(' ');
    return `<text x="${LEFT}" y="${top - 6}">${name}</text>
<path d="M${LEFT} ${top}V${top + height}H${WIDTH - 20}" fill="none" stroke="#888"/>
<text x="${LEFT - 6}" y="${top + 8}" text-anchor="end">${most >= 10 ? Math.round(most) : most.toFixed(1)}</text>
<text x="${LEFT - 6}" y="${top + height}" text-anchor="end">0</text>
<polyline points="${points}" fill="none" stroke="#c2410c" stroke-width="1.5"/>`;
  });
  const bottom = TOP + PANELS.length * HEIGHT;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 24}" font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="#fff"/>
<text x="${LEFT}" y="18" font-weight="bold">${escaped}</text>
${panels.join('\n')}
<text x="${WIDTH - 20}" y="${bottom + 6}" text-anchor="end">${last} explanations</text>
</svg>
`;
}
