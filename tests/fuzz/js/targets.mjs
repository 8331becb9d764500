// The readers in JavaScript of what anyone may have written, as plain functions of text. Each may
// refuse with its own kind of error, and nothing else.
import { fromJson, toJson } from '../../../pkg/report/json.js';
import { SightlineError } from '../../../pkg/util/errors.js';
import { methods } from '../../../pkg/wasm/registry.js';
import { fromHash, toHash } from '../../../www/permalink.js';

// The embed page's options read the page's own address.
globalThis.document ??= { baseURI: 'https://page.example/embed.html' };
const { OptionError, readOptions } = await import('../../../www/embed-options.js');

const attribution = {
  format: 'sightline-attribution',
  formatVersion: 1,
  method: 'grad_cam',
  target: 3,
  output: 'logit',
  layer: 'layer4',
  layers: [],
  values: [0, 1.5, -2, null],
  shape: [2, 2],
  space: 'layer',
  score: 1.25,
  completeness: null,
  crop: { x: 0, y: 0, width: 8, height: 8, photoWidth: 8, photoHeight: 8 },
  passes: { forward: 1, backward: 1 },
  elapsedMs: 3,
  device: 'cpu',
  warnings: [{ code: 'zero-map', cause: 'saturated', key: 'warning.zero-map.saturated', values: {}, message: 'x' }],
  provenance: {
    model: { id: 'm', architecture: 'a', sha256: '0' },
    photo: null,
    version: '1',
    options: { a: 1 },
    labels: { 3: 'x' },
  },
};

const refused = (kind, work) => {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof kind)) throw error;
    if (error.message.length > 2000) throw new Error(`a message of ${error.message.length} characters`);
    return `refused: ${error.message}`;
  }
};

/** @type {Record<string, { run: (text: string) => unknown, corpus: string[], words: string[] }>} */
export const TARGETS = {
  attribution: {
    run: (text) =>
      refused(SightlineError, () => {
        const read = fromJson(text);
        if (read.values.length !== read.shape.reduce((a, b) => a * b, 1)) throw new Error('values and shape differ');
        // What was read can be written and read again.
        const [once, twice] = [toJson(read), toJson(fromJson(toJson(read)))];
        if (once !== twice) throw new Error('it changes when it is kept');
        return 'read';
      }),
    corpus: [
      JSON.stringify(attribution),
      JSON.stringify({ ...attribution, shape: [1, 2, 2], space: 'input', target: { contrast: [1, 2] } }),
      JSON.stringify({ ...attribution, layers: [{ id: 'a', shape: [1, 1], values: [1] }], target: { group: [1, 2] } }),
    ],
    words: [
      '"shape":',
      '"values":',
      '[1e9,1e9]',
      '[-1]',
      '__proto__',
      'constructor',
      '"layers":',
      'null',
      '1e999',
      '[[[[',
    ],
  },
  permalink: {
    run: (text) => {
      const known = { samples: ['cup.webp'], methods };
      const state = fromHash(text, known);
      if (!state) return 'nothing';
      const again = fromHash(toHash(state), known);
      // What a link says it says again, but for links that grow too long on the way.
      if (again && JSON.stringify(again) !== JSON.stringify(state)) throw new Error('it changes when it is written');
      return Object.keys(state).join();
    },
    corpus: [
      '#model=sightline-cnn&photo=cup.webp&method=grad_cam&target=1-not-2&look.alpha=0.5',
      'method=integrated_gradients&option.nSteps=20&option.baseline=blur&target=3-or-4',
      'method=rise&compare=classes&row=1&row=2&column=grad_cam&shared=1&layer=layer4',
    ],
    words: [
      '__proto__',
      'constructor',
      'option.',
      'look.',
      '&',
      '=',
      '%',
      '%00',
      '%ff',
      '-not-',
      '-or-',
      'row=',
      '1e9',
      'NaN',
    ],
  },
  embed: {
    run: (text) =>
      refused(OptionError, () => {
        const { attributes } = readOptions(text);
        for (const name of ['src', 'saved', 'poster'])
          if (attributes[name] !== undefined && !/^https?:$/.test(new URL(attributes[name]).protocol))
            throw new Error(`${name} is ${attributes[name]}`);
        return Object.keys(attributes).join();
      }),
    corpus: [
      '?src=photo.jpg&method=grad_cam&opacity=0.5&target=3',
      '?saved=map.json&controls&theme=dark&lang=de&origin=https://course.example',
      '?src=https://a.example/x.png&model=sightline-vit&options={"nSteps":5}&locked=method target',
    ],
    words: [
      'javascript:',
      'data:text/html,',
      '//',
      '\\\\',
      'src=',
      '&',
      '%0a',
      '%00',
      '@',
      '__proto__',
      'constructor',
      'http://',
    ],
  },
};
