// docs/faults.md: every cell of the matrix has a test that exists, or a reason. Needs no browser.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from '../harness.mjs';
import { PARTS, WAYS } from './faults.mjs';

const cells = Object.entries(PARTS).flatMap(([part, row]) => WAYS.map((way) => ({ part, way, cell: row[way] })));
const tests = (name) => join(root, 'tests', name);
/** Whether a file has the test, and does not leave it out. */
function has(text, file, name) {
  if (file.endsWith('.rs')) return new RegExp(`#\\[test\\]\\n(\\s*#\\[.*\\n)*\\s*fn ${name}\\(`).test(text);
  // The title of a test, or of a case that begins a line of a table of them.
  const title = ["'", '"', '`'].map((quote) => escaped(`${quote}${name.replaceAll(quote, `\\${quote}`)}${quote}`));
  return new RegExp(`(^|\\n)\\s*(\\w+\\.)?(test\\(|\\[)?(${title.join('|')}),`).test(text);
}
const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

test('every cell of the matrix of faults has a test that exists, or a reason', () => {
  assert.ok(Object.keys(PARTS).length >= 10);
  for (const { part, way, cell } of cells) {
    assert.ok(cell, `${part}, ${way}: neither a test nor a reason`);
    if ('never' in cell) assert.match(cell.never, /^[A-Z“].{20,}\.$/, `${part}, ${way}`);
    else {
      const [fault, expected, file, name] = cell;
      for (const text of [fault, expected]) assert.ok(text && !/[|\n]/.test(text), `${part}, ${way}: ${text}`);
      assert.ok(has(readFileSync(tests(file), 'utf8'), file, name), `${part}, ${way}: ${file} has no test “${name}”`);
    }
  }
  for (const [part, row] of Object.entries(PARTS))
    for (const way of Object.keys(row)) assert.ok(WAYS.includes(way), `${part} has no column ${way}`);
});

test('the check sees a test that is not there, and one that is left out', () => {
  const rust = '#[test]\n#[ignore = "needs"]\nfn here() {}\nfn not_one() {}\n';
  assert.ok(has(rust, 'a.rs', 'here') && !has(rust, 'a.rs', 'not_one') && !has(rust, 'a.rs', 'her'));
  const script = "test('it’s here', () => 1);\ntest(`$" + '{name}: twice`, f);\n// not this one';
  assert.ok(has(script, 'a.mjs', 'it’s here') && has(script, 'a.mjs', '$'.concat('{name}: twice')));
  assert.ok(!has("test.skip('out', f);\nconst a = f('out', 1);", 'a.mjs', 'out'));
  assert.ok(!has(script, 'a.mjs', 'not this one') && !has(script, 'a.mjs', 'it’s'));
});

test('docs/faults.md is what the matrix says; UPDATE=1 writes it', () => {
  const path = join(root, 'docs/faults.md');
  const made = page();
  if (process.env.UPDATE === '1') writeFileSync(path, made);
  assert.equal(readFileSync(path, 'utf8'), made);
});

function page() {
  const lines = [
    '# What goes wrong, on purpose',
    '',
    'Each part of Sightline fails in each of these ways in a test, or the table says why it cannot. What is expected is what the test sees: it fails otherwise. This page is made of `tests/browser/faults/faults.mjs`, and a test checks that every test named here exists.',
    '',
    `| |${WAYS.map((way) => ` ${way} |`).join('')}`,
    `|---|${WAYS.map(() => '---|').join('')}`,
  ];
  const mark = (cell) => ('never' in cell ? '–' : '✓');
  for (const [part, row] of Object.entries(PARTS))
    lines.push(
      `| [${part}](#${part.replaceAll(' ', '-').toLowerCase()}) |${WAYS.map((way) => ` ${mark(row[way])} |`).join('')}`,
    );
  lines.push('', '✓ a test, – cannot be.');
  for (const [part, row] of Object.entries(PARTS)) {
    lines.push('', `## ${part}`, '', '| | fault | expected and seen | test |', '|---|---|---|---|');
    for (const way of WAYS) {
      const cell = row[way];
      if ('never' in cell) lines.push(`| ${way} | cannot be | ${cell.never} | |`);
      else {
        const [fault, expected, file, name] = cell;
        lines.push(
          `| ${way} | ${fault} | ${expected} | [${file.split('/').pop()}](../tests/${file}): ${name.replaceAll('|', '\\|')} |`,
        );
      }
    }
  }
  return `${lines.join('\n')}\n`;
}
