// A short soak; `cargo xtask soak` does a long one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plot } from './plot.mjs';
import { csv, faults, slope, soak } from './soak.mjs';

test('a short run: workers and pending calls stay flat, and nothing unexpected is said', {
  timeout: 120_000,
}, async () => {
  // Memory settles only after hundreds of explanations; so many that each kind of thing happens.
  const { rows } = await soak({
    count: 150,
    every: 50,
    seed: 7,
    deaths: 0.1,
    models: ['builtin-scene-cnn', 'builtin-scene-vit'],
  });
  assert.deepEqual(faults(rows, {}), []);
  const sum = (key) => rows.reduce((all, row) => all + row[key], 0);
  for (const key of ['done', 'aborted', 'stopped', 'refused', 'deaths', 'created', 'disposed', 'loaded', 'closed'])
    assert.ok(sum(key) > 0, `nothing was ${key}`);
  console.log(csv(rows));
});

test('what grows, piles up or stays pending is a fault', () => {
  const flat = Array.from({ length: 20 }, (_, i) => ({
    explanations: 50 * (i + 1),
    heap: 5e6 + (i % 3) * 1e4,
    peak: i < 3 ? i * 1e7 : 8e7,
    rss: 9.8e8,
    rest: 9e8,
    workers: 1,
    pending: 0,
    unexpected: [],
  }));
  assert.deepEqual(faults(flat), []);
  const each = (change) => faults(flat.map((row, i) => ({ ...row, ...change(i) })));
  assert.match(each((i) => ({ heap: 5e6 + 50e3 * i }))[0], /heap grows by 1000 bytes/);
  assert.match(each((i) => ({ rest: 9e8 + 5e6 * i }))[0], /rest grows by 100000/);
  assert.match(each((i) => ({ peak: 8e7 + 2e6 * i }))[0], /peak grows by 40000/);
  assert.match(each((i) => ({ workers: i === 9 ? 2 : 1 }))[0], /2 workers after 500/);
  assert.match(each((i) => ({ pending: i === 19 ? 1 : 0 }))[0], /1 calls pending after 1000/);
  assert.match(each((i) => ({ unexpected: i ? [] : ['internal: x'] }))[0], /unexpected after 50/);
  assert.equal(slope(flat, 'rest'), 0);
  assert.match(plot(flat, 'a < b'), /^<svg [\s\S]*a &#60; b[\s\S]*<\/svg>\n$/);
});
