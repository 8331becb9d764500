// Options that are none, or cannot be read, at every call that takes them; without a browser.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Explainer, inspectModel } from '../../../pkg/index.js';

const explainer = new Explainer(/** @type {any} */ ({ queue: Promise.resolve(), idle: Promise.resolve() }), {});
/** @type {Record<string, (options: any) => Promise<unknown>>} */
const calls = {
  classify: (options) => explainer.classify('http://[', options),
  attribute: (options) => explainer.attribute('http://[', options),
  heads: (options) => explainer.heads('http://[', options),
  activations: (options) => explainer.activations('http://[', undefined, options),
  gradients: (options) => explainer.gradients('http://[', options),
  preprocess: (options) => explainer.preprocess('http://[', options),
  load: (options) => explainer.load('http://[', options),
};

for (const [name, call] of Object.entries(calls)) {
  test(`${name}: options of null are none`, () =>
    assert.rejects(call(null), ({ code, message }) => code === 'bad-option' && message.startsWith('image')));
  test(`${name}: options that throw when they are read are refused`, () => {
    const thrower = Object.defineProperty({}, 'priority', { enumerable: true, get: () => assert.fail('read') });
    return assert.rejects(call(thrower), { code: 'bad-option', message: /options could not be read/ });
  });
}

test('attributeAll: what is no list is refused', () =>
  assert.rejects(explainer.attributeAll(/** @type {any} */ (3), {}), { code: 'bad-option', message: /^images/ }));

test('inspectModel: options of null are none', () =>
  assert.rejects(inspectModel(/** @type {any} */ (3), /** @type {any} */ (null)), { code: 'bad-option' }));
