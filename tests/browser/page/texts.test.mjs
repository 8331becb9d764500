// The texts of every language against the English ones, and against what needs them: methods,
// options, warnings, errors, and the program itself. Needs no browser. Sightline falls back to
// English for a key that a language lacks; the languages that come with it lack none.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { dist, root } from '../harness.mjs';

const load = (name) => import(pathToFileURL(join(dist, 'pkg', name)));
const read = (name) => readFileSync(join(root, name), 'utf8');
const languagesIn = (folder, others) =>
  readdirSync(join(root, folder)).flatMap((name) => (others.includes(name) ? [] : [name.replace(/\.js$/, '')]));

const { methods, warnings } = await load('wasm/registry.js');
const { nearest, stringsFor } = await load('i18n/strings.js');
const { english: elementEnglish } = await load('element/strings.js');
const english = await stringsFor('en');
const { strings: pageEnglish } = await import('../../../www/i18n/en.js');
const samples = JSON.parse(read('www/samples/samples.json'));
const { models } = JSON.parse(read('www/models/models.json'));
const languages = languagesIn('pkg/i18n', ['en.js', 'strings.js']);

/** All texts of an object, by their place in it. */
function flat(value, at = '') {
  if (typeof value === 'string') return { [at]: value };
  return Object.assign({}, ...Object.entries(value).map(([key, inside]) => flat(inside, at ? `${at}.${key}` : key)));
}
const names = (text) => [...new Set(text.match(/\{\w+\}/g))].sort().join(' ');

/** What is wrong with a translation, both flat. `optional` keys may be missing. */
function faults(english, translated, optional = () => false) {
  const missing = Object.keys(english).filter((key) => translated[key] === undefined && !optional(key));
  const unknown = Object.keys(translated).filter((key) => english[key] === undefined);
  const both = Object.keys(english).filter((key) => translated[key] !== undefined);
  const differing = both.filter((key) => names(english[key]) !== names(translated[key]));
  const empty = both.filter((key) => (english[key] === '') !== (translated[key] === ''));
  return Object.entries({ missing, unknown, differing, empty }).flatMap(([fault, keys]) =>
    keys.map((key) => `${fault}: ${key}`),
  );
}

test('the check finds missing keys, unknown keys, other placeholders and empty texts', () => {
  const one = { a: '{x} of {y}', b: 'text', c: 'text', d: 'Smith 2020' };
  assert.deepEqual(
    faults(one, { a: '{y} von {x}', b: 'Text', c: 'Text' }, (key) => key === 'd'),
    [],
  );
  assert.deepEqual(faults(one, { a: '{x}', b: '', e: 'Text' }), [
    'missing: c',
    'missing: d',
    'unknown: e',
    'differing: a',
    'empty: b',
  ]);
});

test('the package and the page are there in the same languages, and each can be chosen', () => {
  assert.ok(languages.includes('de'));
  assert.deepEqual(languagesIn('www/i18n', ['en.js']), languages);
  for (const language of languages) assert.equal(nearest(`${language}-XX`), language);
  const options = [...read('www/index.html').matchAll(/<option value="(\w+)" lang="\1">/g)].map(
    ([, language]) => language,
  );
  assert.deepEqual(options.sort(), ['en', ...languages].sort());
});

/** Names and years alone are the same everywhere. */
const isNames = (key) => /^texts\.method\.\w+\.citation$/.test(key) && /^[A-Z]/.test(flat(english)[key]);

for (const language of languages) {
  test(`${language}: the package says all that it says in English, with the same placeholders`, async () => {
    const { strings, element } = await load(`i18n/${language}.js`);
    const { shared, ...own } = elementEnglish;
    assert.deepEqual(faults(flat(english), flat(strings), isNames), []);
    assert.deepEqual(faults(flat(own), flat(element)), []);
  });

  test(`${language}: the page says all that it says in English, with the same placeholders`, async () => {
    const { strings } = await import(`../../../www/i18n/${language}.js`);
    const own = ({ fault, models, credits, ...rest }) => flat(rest);
    assert.deepEqual(faults(own(pageEnglish), own(strings)), []);
    // These stand in English in the lists of models and samples.
    const titled = models.filter(({ path }) => path).map(({ id }) => id);
    assert.deepEqual(Object.keys(strings.models).sort(), titled.sort());
    assert.deepEqual(Object.keys(strings.credits).sort(), samples.map(({ file }) => file).sort());
  });
}

test('every method, option, warning and error code has its text in every language', async () => {
  const [, union] = /export type ErrorCode =([^;]+);/.exec(readFileSync(join(dist, 'pkg/index.d.ts'), 'utf8'));
  const codes = [...union.matchAll(/'([\w-]+)'/g)].map(([, code]) => code);
  assert.ok(codes.length > 12 && methods.length > 30 && warnings['warning.zero-map.saturated']);
  const needed = [
    ...codes.map((code) => `error.${code}`),
    ...Object.keys(warnings),
    // Of the package itself: a model that cannot be kept.
    ...['warning.quota', 'warning.internal'],
    ...methods.flatMap(({ id, classFree, options }) => [
      ...['summary', 'caveat', 'cost', 'citation', ...(classFree ? ['values'] : [])].map(
        (part) => `method.${id}.${part}`,
      ),
      ...options.flatMap(({ id: option, unit, choices = [] }) => [
        `method.${id}.option.${option}`,
        ...(unit ? [`method.${id}.option.${option}.unit`] : []),
        ...choices.map((choice) => `choice.${choice}`),
      ]),
    ]),
  ];
  for (const language of ['en', ...languages]) {
    const { texts } = await stringsFor(language);
    assert.deepEqual(
      needed.filter((key) => !texts[key]),
      [],
      language,
    );
  }
  // And none that nothing needs any more.
  const isNeeded = (key) => !/^(error|warning|method|choice)\./.test(key) || needed.includes(key);
  assert.deepEqual(
    Object.keys(english.texts).filter((key) => !isNeeded(key)),
    [],
  );
});

test('what a language does not say is said in English, and a language that there is not is English', async () => {
  assert.equal((await stringsFor('de-AT')).locale, 'de');
  for (const tag of ['xx', '', 'english', 'constructor', undefined]) assert.deepEqual(await stringsFor(tag), english);
  const citation = 'method.grad_cam.citation';
  assert.equal((await load('i18n/de.js')).strings.texts[citation], undefined);
  assert.equal((await stringsFor('de')).texts[citation], english.texts[citation]);
});

test('the samples are said in English as their list says it', () => {
  assert.deepEqual(pageEnglish.samples, Object.fromEntries(samples.map(({ file, alt }) => [file, alt])));
});

/** The program without its texts. */
function sources(folder, without) {
  const files = readdirSync(join(root, folder), { recursive: true }).filter(
    (name) => name.endsWith('.js') && !without.test(name),
  );
  return files.map((name) => read(join(folder, name))).join('\n');
}
const escaped = (text) => text.replace(/[.\\[\]]/g, '\\$&');

/**
 * Of flat keys those that no program names: in full, by the last name in a destructuring pattern,
 * or by a variable, if that name is a word elsewhere.
 */
function unsaid(keys, program) {
  return keys.filter((key) => {
    const [, parent = '', last] = /^(?:(.+)\.)?([^.]+)$/.exec(key);
    const object = parent ? `\\.${escaped(parent)}` : '(t|words|strings|shared|#strings)';
    const whole = `\\.${escaped(key)}\\b(?!['-])`;
    const pattern = `\\{[^{}]*\\b${last}\\b[^{}]*\\}(\\) =>| = [^;]*${object};)`;
    const variable = `${object}\\[|(keys|entries)\\([^()]*${object}\\)`;
    const says = (expression) => new RegExp(expression).test(program);
    return !(says(whole) || says(pattern) || (parent && says(variable) && says(`\\b${last}\\b`)));
  });
}

test('no text is left that nothing says', () => {
  const pkg = sources('pkg', /^(i18n|wasm)\/|element\/strings\.js/);
  const { shared, ...own } = elementEnglish;
  const { texts, ...templates } = english;
  const lists = /\.\d+$/;
  const keys = (strings) =>
    [...new Set(Object.keys(flat(strings)).map((key) => key.replace(lists, '')))].filter((key) => key !== 'locale');
  assert.deepEqual(
    unsaid(['most.nobody', 'nobody', 'parts.nobody'], pkg),
    ['most.nobody', 'nobody', 'parts.nobody'],
    'the check finds them',
  );
  assert.deepEqual(unsaid(keys(templates), pkg), []);
  assert.deepEqual(unsaid(keys(own), `${pkg}\n${read('www/embed.js')}`), []);
  const named = Object.keys(texts).filter((key) => /^(device|colormap)\./.test(key));
  const quoted = `${pkg}\n${sources('www', /^i18n\//)}`;
  assert.deepEqual(
    named.filter((key) => !quoted.includes(`'${key}'`) && !quoted.includes(`'${key.replace(/^colormap\./, '')}'`)),
    [],
  );
  // Those of index.html are checked against it in language.test.mjs.
  const { page, samples, models, credits, groups, ...rest } = pageEnglish;
  assert.deepEqual(unsaid(keys(rest), quoted), []);
  assert.deepEqual(Object.keys(groups).sort(), [...new Set(methods.map(({ group }) => group))].sort());
});
