// Every message that the package can end a call with: listed in docs/errors.md with its code, and
// saying what to do. Needs no browser.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { collect, helps, isCovered, table } from '../../../scripts/errors.mjs';
import { dist, root } from '../harness.mjs';

const messages = collect();
const load = (name) => import(pathToFileURL(join(dist, 'pkg', name)));

test('docs/errors.md has them all; UPDATE=1 writes it', () => {
  const file = join(root, 'docs/errors.md');
  if (process.env.UPDATE) writeFileSync(file, table(messages));
  assert.equal(
    readFileSync(file, 'utf8'),
    table(messages),
    'run UPDATE=1 node --test tests/browser/page/errors.test.mjs',
  );
});

test('the collection is of every kind: thrown, made by a helper, either of two, sent by the worker, of the core', () => {
  for (const [code, message] of [
    ['bad-option', 'priority must be user or idle'],
    [
      'bad-option',
      'model: "{name}" is not a name on a hub; give owner/name, with letters, digits, dots, dashes and underscores',
    ],
    ['bad-option', 'attribution: {name} must be {count} numbers, as its shape says'],
    ['network', '{name} was not found (404); check the address'],
    ['bad-model', '{file} could not be read ({message}); choose it again'],
    ['quota', 'the browser could not store the weights ({message}); free disk space or use a smaller model'],
    ['out-of-memory', 'the computation ran out of memory; use a smaller model or image'],
    ['internal', 'the worker ended unexpectedly: the browser or another script stopped it; try again'],
    ['device-unavailable', 'this build does not include WebGPU; use the CPU'],
    ['bad-option', 'topK must be at least 1'],
  ])
    assert.ok(
      messages.some((one) => one.code === code && one.message === message),
      `${code}: ${message}`,
    );
  const [, union] = /export type ErrorCode =([^;]+);/.exec(readFileSync(join(root, 'pkg/index.d.ts'), 'utf8'));
  const codes = [...union.matchAll(/'([\w-]+)'/g)].map(([, code]) => code);
  assert.deepEqual([...new Set(messages.map(({ code }) => code))].sort(), codes.sort());
});

test('what is thrown is in the list', async () => {
  const { exportPng, fromJson, inspectModel, listModels, sharedScale, renderColorbar } = await load('index.js');
  const patterns = messages.map(({ code, message }) => [
    code,
    new RegExp(
      `^${message
        .split(/\{\w*\}/)
        .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        .join('.*')}$`,
      's',
    ),
  ]);
  const saved = { format: 'sightline-attribution', formatVersion: 1, space: 'layer', shape: [1, 1], values: [1] };
  for (const attempt of [
    () => fromJson('{'),
    () => fromJson({}),
    () => fromJson({ ...saved, formatVersion: 2 }),
    () => fromJson({ ...saved, space: 'other' }),
    () => fromJson({ ...saved, shape: [0] }),
    () => fromJson({ ...saved, values: [] }),
    () => fromJson({ ...saved, method: 3 }),
    () => sharedScale([], { percentile: 0 }),
    () => sharedScale([{ values: new Float32Array(1), shape: [1, 1] }], { scale: 'other' }),
    () => sharedScale([{ values: new Float32Array(1), shape: [2, 2] }]),
    () => renderColorbar({}, 'other'),
    () => exportPng([], null),
    () => exportPng([1], null, { what: 'other' }),
    () => inspectModel(7, { assetBaseUrl: 'http://127.0.0.1:9/' }),
    () => inspectModel({ url: 'http://[' }),
    () => inspectModel({ weights: 7 }),
    () => inspectModel({ weights: new Uint8Array(0) }),
    () => inspectModel('a', { signal: {} }),
    () => listModels({ assetBaseUrl: 'http://127.0.0.1:9/' }),
  ]) {
    const error = await (async () => attempt())().then(
      () => assert.fail(`${attempt} did not fail`),
      (error) => error,
    );
    assert.ok(
      patterns.some(([code, pattern]) => code === error.code && pattern.test(error.message)),
      `${attempt}: ${error.code}: ${error.message}`,
    );
  }
});

test('every message says what to do', () => {
  assert.equal(
    helps({ code: 'bad-option', message: 'the value is wrong' }),
    false,
    'the check finds those that do not',
  );
  assert.deepEqual(
    messages
      .filter((one) => one.from.startsWith('pkg') && one.code !== 'internal' && !helps(one))
      .map(({ code, message }) => `${code}: ${message}`),
    [],
  );
  assert.deepEqual(
    messages.filter((one) => !isCovered(one)).map(({ code, message }) => `${code}: ${message}`),
    [],
  );
});
