// Model cards are Markdown by strangers: whatever is in one, only known elements come out, and
// links to the web alone.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { site } from '../harness.mjs';

const here = site();
const EXECUTIONS = 2000;

test('a card becomes nothing but text, tables, lists and links', { timeout: 60_000 }, async () => {
  const page = await here.browser.newPage();
  await page.goto(`${here.server.url}/`);
  const seeds = [
    readFileSync(new URL('../../../www/models/sightline-cnn/README.md', import.meta.url), 'utf8').slice(0, 1500),
    '# a\n\n| a | b |\n|---|---|\n| [x](https://a.example "t") | ![p](q.png) |\n\n- one\n  - two\n1. `c`\n\n> *q* **s** ***x***\n',
    '[a](javascript:alert(1)) <script>x</script> ![x](data:,) [b](//evil.example) [c]: d\n```\n<b>\n```\n',
  ];
  const { executions, faults } = await page.evaluate(
    async ({ seeds, executions }) => {
      const { renderMarkdown } = await import('/cards.js');
      const words = [
        '[',
        '](',
        ')',
        '![',
        '`',
        '```\n',
        '|',
        '\n|---|\n',
        '# ',
        '> ',
        '- ',
        '1. ',
        '**',
        '*',
        '_',
        '<',
        '\n',
        '\n\n',
        '\\',
        'javascript:',
        'data:text/html,',
        'https://',
        '//',
        '&lt;',
        '\u0000',
        '\u202e',
        '---\n',
      ];
      const allowed = new Set(
        'H3 H4 H5 H6 P UL OL LI TABLE THEAD TBODY TR TH TD DIV PRE CODE BLOCKQUOTE STRONG EM A SPAN BR'.split(' '),
      );
      let state = 1;
      const below = (end) => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return Math.floor((state / 2 ** 32) * end);
      };
      const faults = [];
      for (let i = 0; i < executions && faults.length < 3; i++) {
        let text = seeds[below(seeds.length)];
        for (let change = 1 + below(12); change > 0; change--) {
          const at = below(text.length + 1);
          const cut = below(3) === 0 ? below(40) : 0;
          text =
            text.slice(0, at) + words[below(words.length)].repeat(below(20) === 0 ? 2000 : 1) + text.slice(at + cut);
        }
        const began = performance.now();
        try {
          const made = renderMarkdown(text.slice(0, 100_000), 'https://base.example/m/');
          for (const element of made.querySelectorAll('*')) {
            if (!allowed.has(element.tagName)) faults.push(`<${element.tagName}> of ${text.slice(0, 300)}`);
            for (const { name, value } of element.attributes)
              if (
                name.startsWith('on') ||
                (name === 'href' && !/^https?:/.test(new URL(value, location.href).protocol))
              )
                faults.push(`${name}=${value} of ${text.slice(0, 300)}`);
          }
        } catch (error) {
          faults.push(`${error} of ${text.slice(0, 300)}`);
        }
        const took = performance.now() - began;
        if (took > 2000) faults.push(`${took} ms for ${text.length} characters: ${text.slice(0, 300)}`);
      }
      return { executions, faults };
    },
    { seeds, executions: EXECUTIONS },
  );
  console.log(`cards: ${executions} executions`);
  assert.deepEqual(faults, []);
  await page.close();
});
