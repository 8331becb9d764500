// Writes the API reference, one page, from the public declarations and the core's registry.
// usage: node scripts/docs.mjs FOLDER        (after pkg/wasm/registry.js was made)
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { families, methods, version } from '../pkg/wasm/registry.js';
import { publicApi } from './api.mjs';
import { escaped, reference } from './reference.mjs';

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('usage: node scripts/docs.mjs FOLDER');
const prose = (text) => escaped(text).replace(/`([^`]+)`/g, '<code>$1</code>');
const modules = await publicApi();

const option = ({ id, type, default: usual, min, max, choices, help, unit }) => {
  const range = choices?.join(', ') ?? (min === undefined && max === undefined ? '' : `${min ?? ''} to ${max ?? ''}`);
  const cells = [
    `<code>${id}</code>`,
    type,
    usual === null || usual === undefined ? 'automatic' : String(usual),
    range,
    unit ?? '',
    prose(help),
  ];
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`;
};
const method = ({
  id,
  name,
  summary,
  caveat,
  cost,
  citation,
  arxiv,
  space,
  shape,
  sign,
  options,
}) => `<section id="method-${id}">
<h3><a href="#method-${id}">${escaped(name)}</a> <small>${id}</small></h3>
<p>${prose(summary)} ${prose(caveat)}</p>
<p>${escaped(shape)}, ${space} space, ${sign}. ${prose(cost)} ${escaped(citation)},
${arxiv.startsWith('10.') ? 'doi' : 'arXiv'} ${escaped(arxiv)}.</p>
${
  options.length === 0
    ? ''
    : `<div class="wide" tabindex="0"><table><thead><tr>${['option', 'type', 'default', 'range', 'unit', 'what it does'].map((h) => `<th scope="col">${h}</th>`).join('')}</tr></thead>
<tbody>${options.map(option).join('\n')}</tbody></table></div>`
}
</section>`;

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sightline ${version}: API reference</title>
<link rel="stylesheet" href="./docs.css">
<link rel="icon" href="data:,">
</head>
<body>
<main>
<h1>Sightline ${version}: API reference</h1>
<p><a href="../">The page</a>. The package: <a href="#sightline">declarations</a>,
<a href="#methods">methods and their options</a>, <a href="#families">model families</a>.
How to begin is in the package's README.</p>
<div id="sightline">
${reference(modules)}
</div>
<h2 id="methods">Methods</h2>
${methods.map(method).join('\n')}
<h2 id="families">Model families</h2>
<ul>
${families.map(({ title, names, checkedAgainst }) => `<li>${escaped(title)}: <code>${names.map(escaped).join('</code>, <code>')}</code>; checked against ${escaped(checkedAgainst)}</li>`).join('\n')}
</ul>
</main>
</body>
</html>
`;
const style = `:root { color-scheme: light dark; color: CanvasText; background: Canvas;
  font: 16px/1.5 system-ui, sans-serif; }
body { margin: 0; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
section { border-top: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
h3 a { color: inherit; text-decoration: none; }
h3 a:hover { text-decoration: underline; }
small { font-weight: normal; opacity: 0.75; }
pre { padding: 0.75rem; white-space: pre-wrap; background: color-mix(in srgb, currentColor 7%, transparent);
  font-size: 0.85rem; }
.members { padding: 0 0.75rem; list-style: none; }
.members pre { margin: 0; padding: 0; background: none; }
.members p { margin: 0 0 0.5rem 1.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.9rem; overflow-wrap: normal; }
th, td { padding: 0.2rem 0.6rem 0.2rem 0; text-align: left; vertical-align: top; }
`;
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'index.html'), page);
writeFileSync(join(folder, 'docs.css'), style);
const declared = modules.reduce((sum, { entry }) => sum + entry.members.length, 0);
console.log(`API reference: ${declared} declarations, ${methods.length} methods`);
