// The page's languages: index.html says what the English texts say, everything that is shown
// follows the choice, and nothing is lost by it.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { elementStrings } from '../../../pkg/element/strings.js';
import { stringsFor } from '../../../pkg/i18n/strings.js';
import { strings as de } from '../../../www/i18n/de.js';
import { strings as en } from '../../../www/i18n/en.js';
import {
  asHardware,
  beforeWorker,
  collectErrors,
  dist,
  drop,
  explained,
  GPU,
  golden,
  idle,
  root,
  shot,
  site,
} from '../harness.mjs';
import { states } from '../states.mjs';

const here = site();
const { methods } = await import(pathToFileURL(join(dist, 'pkg/wasm/registry.js')));
const read = (name) => readFileSync(join(root, name), 'utf8');
const { models } = JSON.parse(read('www/models/models.json'));
const languages = { en, de };

const german = (await stringsFor('de')).texts;
/** All texts of an object. */
const texts = (value) => (typeof value === 'string' ? [value] : Object.values(value).flatMap(texts));

test('index.html says in English what the English strings say', async () => {
  const page = await here.browser.newPage();
  await page.goto(`${here.server.url}/blank.html`);
  const [found, options] = await page.evaluate(async () => {
    const text = await (await fetch('/index.html')).text();
    const html = new DOMParser().parseFromString(text, 'text/html');
    const collapse = (text) => text.replace(/\s+/g, ' ').trim();
    const woven = (element) => {
      let n = 0;
      return collapse(
        [...element.childNodes].map((node) => (node.nodeType === 1 ? `{${(n += 1)}}` : node.textContent)).join(''),
      );
    };
    const of = (name, read) =>
      [...html.querySelectorAll(`[data-${name}]`)].map((e) => [e.getAttribute(`data-${name}`), read(e)]);
    return [
      [
        ...of('string', woven),
        ...of('label', (e) => e.getAttribute('aria-label')),
        ...of('content', (e) => e.getAttribute('content')),
      ],
      [...html.querySelectorAll('#language option')].map((e) => [e.value, e.lang, e.textContent]),
    ];
  });
  await page.close();
  for (const [key, text] of found) {
    const wanted = en.page[key];
    // An element inside that the text does not name comes behind it.
    assert.ok(text === wanted || text === `${wanted} {1}`, `${key}: “${text}” and “${wanted}”`);
  }
  assert.deepEqual([...new Set(found.map(([key]) => key))].sort(), Object.keys(en.page).sort());
  assert.deepEqual(options.map(([value]) => value).sort(), Object.keys(languages).sort());
  for (const [value, lang, name] of options) {
    assert.equal(lang, value);
    assert.equal(name, new Intl.DisplayNames(value, { type: 'language' }).of(value));
  }
});

/** Waits until the page is in a language: its texts are fetched while the page goes on. */
const shownIn = (page, language) => page.waitForFunction((lang) => document.documentElement.lang === lang, language);
const choose = async (page, language) => {
  await page.selectOption('#language', language);
  await shownIn(page, language);
};

/** What is shown that is not marked as English: texts, choices, and what is read out. */
const shown = (page) =>
  page.evaluate(() => {
    const found = [];
    const foreign = (e) => e.closest(':not(html)[lang="en"], script, style, noscript, textarea, code');
    for (const element of document.querySelectorAll('body *')) {
      if (foreign(element)) continue;
      const choice = element.matches('option');
      if (!(choice ? element.closest('select') : element).checkVisibility()) continue;
      if (choice || element.matches('optgroup')) found.push(element.label);
      else for (const node of element.childNodes) if (node.nodeType === 3) found.push(node.textContent);
      for (const name of ['aria-label', 'alt', 'title', 'placeholder']) found.push(element.getAttribute(name) ?? '');
    }
    return [...found, document.title];
  });
const words = (text) => text.replace(/\b[\da-f]{64}\b/g, '').match(/\p{L}{2,}/gu) ?? [];
/** Of any language: names, and what models say. */
const data = new Set(
  words(
    [
      ...methods.flatMap(({ name, citation, arxiv, shape }) => [name, citation, arxiv, shape]),
      ...models.map(({ id, hub, path }) => `${id} ${hub} ${path ? read(`www/models/${path}/config.json`) : ''}`),
      ...models.filter(({ path }) => !path).map(({ title }) => title),
      readFileSync(join(dist, 'index.html'), 'utf8').match(/Content-Security-Policy" content="[^"]*/)[0],
      'viridis inferno cividis ms kB MB English Deutsch timm in1k Sightline hub localhost arXiv doi',
    ].join(' '),
  ),
);
/** A text, and as it begins a sentence. */
const either = (text) => `${text} ${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
const germanWords = new Set(
  [de, await stringsFor('de'), await elementStrings('de')].flatMap((strings) =>
    texts(strings).flatMap((text) => words(either(text))),
  ),
);
/** Words that the German page shows and that neither its texts nor the data have. */
const strangers = async (page, allowed = new Set()) =>
  [...new Set((await shown(page)).flatMap(words))].filter(
    (word) => !germanWords.has(word) && !data.has(word) && !allowed.has(word),
  );

test('in German no word is shown that is not of the German texts, in any state', async () => {
  const page = await here.browser.newPage({ viewport: { width: 1200, height: 800 } });
  collectErrors(page);
  await page.goto(`${here.server.url}/?lang=de`);
  await explained(page);
  await shownIn(page, 'de');
  // Layers and architectures are names.
  const names = () => page.$$eval('#layer option, #model option', (all) => all.map(({ value }) => value).join(' '));
  for (const [state, reach] of Object.entries(states)) {
    await reach(page);
    assert.deepEqual(await strangers(page, new Set(words(`${await names()} nobody config json`))), [], state);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 1200, `${state} is too wide`);
  }
  await shot(page, 'german');
  // Every method's card and options.
  for (const { id } of methods) {
    if (await page.$eval(`#method option[value="${id}"]`, (option) => option.disabled)) continue;
    await page.selectOption('#method', id);
    assert.deepEqual(await strangers(page, new Set(words(`${await names()} nobody config json`))), [], id);
    await page.evaluate(() => document.querySelector('#cancel').click());
  }
  assert.deepEqual(page.errors, []);
  // The same walk sees English where it is.
  await choose(page, 'en');
  const english = await strangers(page);
  for (const word of ['Photo', 'Language', 'Method', 'Save']) assert.ok(english.includes(word), word);
  await page.close();
});

test('the German page fits a phone', async () => {
  const page = await here.browser.newPage({ viewport: { width: 360, height: 740 } });
  await page.goto(`${here.server.url}/?lang=de`);
  await explained(page);
  await shownIn(page, 'de');
  await page.$$eval('details', (all) => all.forEach((box) => (box.open = true)));
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360);
  await shot(page, 'german-phone');
  await page.close();
});

test('another language takes nothing away: photo, map, options, comparison, what is open', async () => {
  const page = await here.browser.newPage({ viewport: { width: 1200, height: 800 } });
  await page.goto(`${here.server.url}/`);
  await explained(page);
  await drop(page, [
    {
      name: 'mine.png',
      path: join(golden, 'scenes', JSON.parse(read('tests/golden/scenes/scenes.json'))[0].file),
      type: 'image/png',
    },
  ]);
  await page.waitForFunction(() => document.querySelector('#canvas').ariaLabel.startsWith('mine.png: Grad-CAM'));
  await idle(page);
  await page.selectOption('#question', 'contrast');
  await idle(page);
  await page.selectOption('#method', 'integrated_gradients');
  await page.click('#options-box summary');
  await page.fill('[data-option="nSteps"]', '7');
  await page.press('[data-option="nSteps"]', 'Tab');
  await idle(page);
  await page.click('#open-model summary');
  await page.fill('#model-url', 'half typed');
  await page.click('#compare-go');
  await page.waitForFunction(() => /maps computed/.test(document.querySelector('#compare-status').textContent));
  await page.fill('#threshold', '30');
  const kept = () =>
    page.evaluate(() => ({
      pixels: [...document.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL()),
      fields: [...document.querySelectorAll('input, select:not(#language)')].map((e) =>
        e.type === 'checkbox' ? e.checked : e.value,
      ),
      open: [...document.querySelectorAll('details')].map((e) => e.open),
      focus: document.activeElement.id,
      scroll: scrollY,
    }));
  await page.focus('#language');
  // What was set last is painted with the next frame.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const before = await kept();
  const [facts, sentence, requests] = [
    await page.textContent('#facts'),
    await page.textContent('#sentence'),
    here.server.hits.length,
  ];
  await choose(page, 'de');
  assert.deepEqual(await kept(), before);
  assert.equal(await page.title(), de.page.title);
  assert.match(
    await page.textContent('#facts'),
    /^Integrated gradients für „.*“ und nicht „.*“: .*Bewertung \(Differenz der Logits\) -?\d+,\d\d\.$/,
  );
  assert.match(await page.textContent('#sentence'), /positiven Attribution für „/);
  assert.match(await page.textContent('#threshold-text'), /^30 %$/);
  assert.match(await page.textContent('#compare-status'), /Karten berechnet/);
  assert.match(await page.textContent('#completeness'), /Summe der Karte-?\d+,\d{3}/);
  await choose(page, 'en');
  assert.deepEqual(await kept(), before);
  assert.deepEqual([await page.textContent('#facts'), await page.textContent('#sentence')], [facts, sentence]);
  assert.equal(await page.evaluate(() => document.body.dataset.state), 'idle');
  await choose(page, 'de');
  assert.deepEqual(
    here.server.hits.slice(requests).sort(),
    ['/i18n/de.js', '/pkg/i18n/de.js'],
    'the texts are fetched, once',
  );
  await page.close();
});

test('the address comes before what was chosen here, and that before the browser’s languages; without storage the page goes on', async () => {
  const context = await here.browser.newContext({ locale: 'de-AT', serviceWorkers: 'block' });
  const page = await context.newPage();
  const lang = async (query = '') => {
    await page.goto(`${here.server.url}/${query}`);
    await page.waitForFunction(async () => {
      const { greeted } = await import('./language.js');
      await greeted;
      return document.querySelector('#version').textContent;
    });
    return page.getAttribute('html', 'lang');
  };
  assert.equal(await lang(), 'de');
  assert.equal(await page.inputValue('#language'), 'de');
  assert.equal(await lang('?lang=en'), 'en');
  assert.equal(await lang('?lang=xx'), 'de');
  await choose(page, 'en');
  assert.equal(await lang(), 'en', 'remembered');
  assert.equal(await lang('?lang=de'), 'de');
  // A choice is not undone by the address when the page is loaded again.
  await choose(page, 'en');
  await page.waitForURL(/\?lang=en/);
  await context.close();

  const closed = await here.browser.newPage();
  await closed.addInitScript(() =>
    Object.defineProperty(window, 'localStorage', {
      get() {
        throw new DOMException('not here', 'SecurityError');
      },
    }),
  );
  await closed.goto(`${here.server.url}/`);
  await explained(closed);
  await choose(closed, 'de');
  assert.match(await closed.textContent('#facts'), / für „/);
  await closed.close();
});

test('an English visitor fetches no other language, and of two that are chosen the later one is shown', async () => {
  const page = await here.browser.newPage();
  collectErrors(page);
  here.server.hits.length = 0;
  await page.goto(`${here.server.url}/?lang=en`);
  await explained(page);
  assert.deepEqual(here.server.hits.filter((path) => path.includes('i18n')).sort(), [
    '/i18n/en.js',
    '/pkg/i18n/en.js',
    '/pkg/i18n/strings.js',
  ]);
  await page.selectOption('#language', 'de');
  await page.selectOption('#language', 'en');
  await shownIn(page, 'en');
  await page.waitForTimeout(200);
  assert.equal(await page.inputValue('#language'), 'en');
  assert.equal(await page.getAttribute('html', 'lang'), 'en');
  assert.deepEqual(page.errors, []);
  await page.close();
});

for (const file of ['/i18n/de.js', '/pkg/i18n/de.js'])
  test(`without ${file} the page stays in its language and says why; the next choice fetches it`, async () => {
    const page = await here.browser.newPage();
    collectErrors(page);
    await page.route(here.server.url + file, (route) => route.abort());
    await page.goto(`${here.server.url}/?lang=de`);
    await page.waitForSelector('#alert[data-code="network"]:not([hidden])');
    assert.match(await page.textContent('#alert-text'), /^The texts of the language "de" could not be fetched/);
    assert.deepEqual([await page.inputValue('#language'), await page.getAttribute('html', 'lang')], ['en', 'en']);
    await explained(page);
    await page.unroute(here.server.url + file);
    await choose(page, 'de');
    assert.match(await page.textContent('#facts'), / für „/);
    assert.deepEqual(page.errors, []);
    await page.close();
  });

test('why WebGPU did not take over is said in German, what the device said in English', {
  skip: !existsSync(join(dist, GPU)) && 'no WebGPU build',
}, async () => {
  const page = await here.browser.newPage();
  collectErrors(page);
  const fails = () => {
    GPUAdapter.prototype.requestDevice = async () => Promise.reject(new Error('none left'));
  };
  await beforeWorker(page, fails);
  await asHardware(page);
  await page.goto(`${here.server.url}/?lang=de#model=builtin-scene-cnn`);
  await explained(page);
  const reason = page.locator('#device-reason');
  await reason.locator('[lang="en"]').waitFor({ timeout: 120_000 });
  const detail = await reason.locator('[lang="en"]').textContent();
  assert.match(detail, /^WebGPU is not available: [^\n()]*none left; use the CPU$/);
  assert.equal(
    await reason.textContent(),
    `Läuft auf der CPU (CPU, WebAssembly SIMD, ein Thread): WebGPU lief hier nicht an (${detail}).`,
  );
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('what goes wrong is said in German by its code, with the core’s English behind it', async () => {
  const page = await here.browser.newPage();
  await page.goto(`${here.server.url}/?lang=de`);
  await explained(page);
  await shownIn(page, 'de');
  await drop(page, [{ name: 'text.jpg', path: join(golden, 'photos/text.jpg'), type: 'image/jpeg' }]);
  await page.waitForSelector('#alert[data-code="unsupported-image"]:not([hidden])');
  const detail = await page.textContent('#alert-text [lang="en"]');
  assert.ok(detail.length > 20);
  assert.equal(await page.textContent('#alert-text'), `${german['error.unsupported-image']} (${detail})`);
  // Switched, the alert stays and is the English one.
  await choose(page, 'en');
  assert.equal(await page.textContent('#alert-text'), detail);
  assert.equal(await page.locator('#alert').isVisible(), true);
  await page.close();

  const widget = await here.browser.newPage();
  await widget.goto(`${here.server.url}/blank.html`);
  await widget.setContent(
    '<script type="module" src="/pkg/element.js"></script><sightline-explainer lang="de" src="/no.jpg"></sightline-explainer>',
  );
  const error = widget.locator('sightline-explainer [part="error"]');
  await error.waitFor();
  const inner = await error.locator('[lang="en"]').textContent();
  assert.ok((await error.textContent()).startsWith(`${german['error.network']} (${inner})`), await error.textContent());
  await widget.close();
});

test('a warning is said in German with its numbers, as the page writes numbers', async () => {
  const page = await here.browser.newPage();
  await page.goto(`${here.server.url}/?lang=de`);
  await explained(page);
  await shownIn(page, 'de');
  await page.selectOption('#method', 'integrated_gradients');
  await idle(page);
  await page.click('#options-box summary');
  for (const [option, value] of Object.entries({ nSteps: '1', maxSteps: '2', tolerance: '0.00001' })) {
    await page.fill(`[data-option="${option}"]`, value);
    await page.press(`[data-option="${option}"]`, 'Tab');
  }
  const warning = page.locator('#warnings li');
  await warning.filter({ hasText: 'Nach 2 Schritten' }).waitFor();
  const number = String.raw`-?\d+(,\d+)?(e-?\d+)?`;
  const german = `^Nach 2 Schritten verfehlt die Attribution die Differenz der Bewertungen, ${number}, noch um ${number} `;
  assert.match(
    await warning.textContent(),
    new RegExp(`${german}und damit um mehr als die Toleranz von 1,0e-5; erhöhe maxSteps\\.$`),
  );
  assert.equal(await warning.locator('[lang="en"]').count(), 0);
  await shot(page, 'german-warning');
  await choose(page, 'en');
  assert.match(
    await warning.textContent(),
    /^after 2 steps the attribution .* the tolerance of 1\.0e-5; raise maxSteps$/,
  );
  await page.close();
});
