// What is written can be read again, and says the same: links of the page, options of the embed
// page, saved attributions.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromJson, toJson } from '../../../pkg/report/json.js';
import { fill } from '../../../pkg/util/text.js';
import { methods } from '../../../pkg/wasm/registry.js';
import { fromHash, toHash } from '../../../www/permalink.js';

globalThis.document ??= { baseURI: 'https://page.example/embed.html' };
const { readOptions } = await import('../../../www/embed-options.js');

/** The same cases in each run. */
const holds = (...parts) => fc.assert(fc.property(...parts), { seed: 1, numRuns: 1000 });

const word = fc.string({ minLength: 1, maxLength: 30, unit: 'grapheme' }).filter((text) => text.trim() !== '');
const classIndex = fc.integer({ min: 0, max: 999_999 });
const target = fc.oneof(
  classIndex,
  fc.tuple(classIndex, classIndex).map((contrast) => ({ contrast })),
  fc.uniqueArray(classIndex, { minLength: 2, maxLength: 5 }).map((group) => ({ group })),
);
/** Values that an option takes. */
const anyOf = ({ type, min = -1e6, max = 1e6, choices = [] }) =>
  type === 'integer'
    ? fc.integer({ min, max: Math.min(max, 2 ** 31 - 1) })
    : type === 'number'
      ? fc.double({ min, max, noNaN: true })
      : type === 'boolean'
        ? fc.boolean()
        : choices.length
          ? fc.constantFrom(...choices)
          : undefined;
const method = fc.constantFrom(...methods).chain((spec) => {
  const options = spec.options.filter((option) => option.type !== 'tensor' && anyOf(option));
  const values = Object.fromEntries(options.map((option) => [option.id, anyOf(option)]));
  return fc.record({ method: fc.constant(spec.id), options: fc.record(values, { requiredKeys: [] }) });
});

test('a link says what it was made of', () => {
  const state = fc
    .tuple(
      method,
      fc.record(
        { model: word, photo: fc.constantFrom('cup.webp', 'cat.webp'), target, layer: word },
        { requiredKeys: [] },
      ),
      fc.dictionary(fc.stringMatching(/^[a-z]{1,12}$/), fc.string({ maxLength: 40 }), { maxKeys: 5 }),
    )
    .map(([chosen, rest, looks]) => ({ ...rest, ...chosen, looks }));
  holds(state, (made) => {
    // A sign of zero, and the prototype of a dictionary, are nothing that a link keeps.
    const plain = (value) => JSON.parse(JSON.stringify(value));
    const read = fromHash(toHash(made), { samples: ['cup.webp', 'cat.webp'], methods });
    assert.deepEqual(plain(read), plain(made));
  });
});

test('options of the embed page say what they were made of', () => {
  const query = fc.record(
    {
      src: fc.constantFrom('photo.jpg', 'https://a.example/b.png', 'deep/er/ü.webp'),
      method: fc.constantFrom(...methods.map(({ id }) => id)),
      target: fc.string({ maxLength: 200 }),
      layer: fc.string({ maxLength: 200 }),
      alt: fc.string({ maxLength: 1000, unit: 'grapheme' }).filter((text) => text.length <= 1000),
      options: fc.dictionary(fc.string({ maxLength: 9 }), fc.integer(), { maxKeys: 4 }).map((o) => JSON.stringify(o)),
      theme: fc.constantFrom('light', 'dark'),
      opacity: fc.integer({ min: 0, max: 100 }).map((percent) => String(percent / 100)),
      caption: fc.string({ maxLength: 500 }),
    },
    { requiredKeys: ['src'] },
  );
  holds(query, (made) => {
    const { attributes, caption } = readOptions(`?${new URLSearchParams(made)}`);
    const src = new URL(made.src, document.baseURI).href;
    const { caption: expected, ...rest } = made;
    assert.deepEqual({ ...attributes }, { ...rest, src });
    assert.equal(caption, expected);
  });
});

test('an attribution keeps every float32', () => {
  const attribution = fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }), target)
    .chain(([h, w, target]) =>
      fc.record({
        method: fc.constantFrom(...methods.map(({ id }) => id)),
        target: fc.constant(target),
        output: fc.constantFrom('logit', 'log_probability'),
        layer: fc.option(word),
        layers: fc.constant([]),
        values: fc
          .array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: h * w, maxLength: h * w })
          .map((values) => Float32Array.from(values)),
        shape: fc.constant([h, w]),
        space: fc.constant('layer'),
        score: fc.double({ noNaN: true, noDefaultInfinity: true }),
        completeness: fc.constant(null),
        details: fc.constant(null),
        crop: fc.constant(null),
        passes: fc.constant({ forward: 1, backward: 0 }),
        elapsedMs: fc.constant(1),
        device: fc.constantFrom('cpu', 'webgpu'),
        warnings: fc.constant([]),
      }),
    );
  holds(attribution, (made) => {
    const read = fromJson(toJson(made));
    assert.deepEqual(
      read.values.map((value) => value + 0),
      made.values.map((value) => value + 0),
    );
    for (const key of ['method', 'target', 'output', 'layer', 'shape', 'device'])
      assert.deepEqual(read[key], made[key], key);
    assert.equal(read.score + 0, made.score + 0);
  });
});

test('a template takes each of its values, whatever is in them', () => {
  holds(fc.dictionary(fc.stringMatching(/^[a-z]{1,9}$/), fc.string()), (values) => {
    const names = Object.keys(values);
    assert.equal(fill(names.map((name) => `{${name}}`).join('|'), values), names.map((name) => values[name]).join('|'));
  });
});
