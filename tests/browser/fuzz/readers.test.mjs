// The readers in JavaScript for a few seconds, with seeded mutations; `cargo xtask fuzz` runs them
// for longer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../../fuzz/js/drive.mjs';
import { TARGETS } from '../../fuzz/js/targets.mjs';

for (const [name, target] of Object.entries(TARGETS))
  test(`${name}: refuses in words or reads, whatever it is given`, () => {
    const { executions, answers, finding } = run(target, 1, 20_000);
    console.log(`${name}: ${executions} executions, ${answers} kinds of answers`);
    assert.equal(finding, undefined, finding && `${finding.what}\n${JSON.stringify(finding.input)}`);
    assert.ok(answers > 3, 'the inputs are all of one kind');
  });

test('a planted fault behind four characters is found', () => {
  const planted = {
    run: (text) => {
      if (text.startsWith('SLX7') && text.length > 5) throw new Error('planted');
      return text.length > 4;
    },
    corpus: ['....'],
    words: ['SLX7'],
  };
  assert.match(run(planted, 1, 200_000).finding.what, /planted/);
});
