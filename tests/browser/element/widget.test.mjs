// <sightline-explainer> and the embed page, as an author, a learner and a learning platform use
// them. The screenshots are there to be looked at.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { elementStrings } from '../../../pkg/element/strings.js';
import { collectErrors, dist, explained, idle, launch, serve, shot } from '../harness.mjs';

const it = {};
before(async () => {
  // The files, served as `cargo xtask serve` does; and another site that has none of them.
  it.server = await serve({ cors: true });
  it.elsewhere = await serve();
  it.browser = await launch({ gpu: false });
});
after(async () => {
  await it.browser?.close();
  await it.server?.close();
  await it.elsewhere?.close();
});

const SCENE = '/golden/scenes/03.png';

/** A page with this body. `log` on it holds the elements' events. */
async function open(
  body,
  { origin = it.server.url, assets = it.server.url, viewport = { width: 1200, height: 900 }, ready = true } = {},
) {
  const page = await it.browser.newPage({ viewport });
  collectErrors(page);
  await page.goto(`${origin}/blank.html`);
  await page.setContent(
    `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><body>${body}`,
  );
  await page.evaluate(() => {
    globalThis.log = [];
    for (const element of document.querySelectorAll('sightline-explainer')) listen(element);
    function listen(element) {
      for (const type of ['load', 'progress', 'attribution', 'error', 'quiz'])
        element.addEventListener(type, ({ detail }) => log.push({ type, id: element.id, detail }));
    }
  });
  if (ready) await page.evaluate((url) => import(url), `${assets}/pkg/element.js`);
  return page;
}
const reach = (page, state, selector = 'sightline-explainer') =>
  page.waitForFunction(
    ([state, selector]) => [...document.querySelectorAll(selector)].every((element) => element.state === state),
    [state, selector],
  );
const logged = (page, type, id = '') =>
  page.evaluate(([type, id]) => log.filter((e) => e.type === type && e.id === id).length, [type, id]);
const inside = (page, selector, read = (e) => e.textContent) =>
  page.locator('sightline-explainer').locator(selector).first().evaluate(read);

/** Waits until an element speaks a language. */
const speaks = (page, language) =>
  page.locator('sightline-explainer').locator(`[part=base][lang=${language}]`).first().waitFor();

// --- the score ------------------------------------------------------------------------------------------------------------------------

test('the overlap score: solved by hand, and against a slower twin', async () => {
  const { overlap } = await import(pathToFileURL(join(dist, 'pkg/report/overlap.js')));
  const map = (values, shape) => ({ values: Float32Array.from(values), shape, space: 'layer' });
  // Three quarters lie in the painted quarter, which is the strongest quarter; what is negative
  // counts as nothing.
  assert.deepEqual(overlap([0, 0, 0, 1], map([1, -5, 0, 3], [2, 2]), { rows: 2, columns: 2, top: 25 }), {
    area: 0.25,
    share: 0.75,
    iou: 1,
    top: 25,
    topArea: 0.25,
  });
  // Half of the strongest half is painted, and as much beside it.
  assert.equal(overlap([1, 0, 1, 0], map([4, 3, 2, 1], [2, 2]), { rows: 2, columns: 2, top: 50 }).iou, 1 / 3);
  // One cell on a grid of four: each has a quarter, and all are equally strong.
  assert.deepEqual(overlap([1, 0, 0, 0], map([8], [1, 1]), { rows: 2, columns: 2, top: 20 }), {
    area: 0.25,
    share: 0.25,
    iou: 0.25,
    top: 20,
    topArea: 1,
  });
  assert.deepEqual(overlap([1, 0, 0, 0], map([0, -1, 0, 0], [2, 2]), { rows: 2, columns: 2 }), {
    area: 0.25,
    share: null,
    iou: null,
    top: 20,
    topArea: 0,
  });
  // Where all is the same, all of it is strongest, whatever the grid makes of its cells.
  assert.equal(overlap(Array(32 * 32).fill(1), map(Array(49).fill(0.1), [7, 7]), { rows: 32, columns: 32 }).topArea, 1);
  for (const wrong of [
    { rows: 2, columns: 3 },
    { rows: 2, columns: 2, top: 0 },
    { rows: 0, columns: 2 },
  ])
    assert.throws(() => overlap([1, 0, 0, 0], map([1, 2, 3, 4], [2, 2]), wrong), { code: 'bad-option' });

  // The twin cuts everything into pieces so small that each lies in one cell of either grid.
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  for (const [h, w] of [
    [7, 7],
    [14, 5],
    [64, 48],
  ]) {
    const grid = 32;
    const plane = map(
      Array.from({ length: h * w }, () => random() - 0.4),
      [h, w],
    );
    const painted = Array.from({ length: grid * grid }, () => (random() < 0.3 ? 1 : 0));
    const [ny, nx] = [h * grid, w * grid];
    const on = new Float64Array(grid * grid);
    for (let y = 0; y < ny; y++) {
      for (let x = 0; x < nx; x++) {
        const value = plane.values[Math.floor(y / grid) * w + Math.floor(x / grid)];
        on[Math.floor(y / h) * grid + Math.floor(x / w)] += Math.max(value, 0) / (grid * grid);
      }
    }
    const total = on.reduce((a, b) => a + b);
    const share = on.reduce((a, v, i) => a + v * painted[i], 0) / total;
    const cut = [...on].sort((a, b) => b - a)[Math.ceil(0.2 * grid * grid) - 1] * (1 - 1e-9);
    const strong = on.map((v) => (v >= cut && v > 0 ? 1 : 0));
    const both = strong.reduce((a, v, i) => a + (v && painted[i]), 0);
    const iou = both / (strong.reduce((a, v) => a + v) + painted.reduce((a, b) => a + b) - both);
    const result = overlap(painted, plane, { rows: grid, columns: grid });
    assert.ok(
      Math.abs(result.share - share) < 1e-9 && Math.abs(result.iou - iou) < 1e-9,
      JSON.stringify([result, share, iou]),
    );
  }
});

test('importing it on a server defines nothing and fails nowhere', async () => {
  const { SightlineExplainer, overlap } = await import(pathToFileURL(join(dist, 'pkg/element.js')));
  assert.equal(typeof SightlineExplainer, 'function');
  assert.equal(typeof overlap, 'function');
  assert.equal(globalThis.customElements, undefined);
});

// --- on a page ------------------------------------------------------------------------------------------------------------------------

test('three on a page share a worker and each model; nothing leaks out; the one below the fold waits', async () => {
  it.server.hits.length = 0;
  const page = await open(`
    <style>canvas, button { outline: 7px solid lime !important }</style>
    <sightline-explainer id="a" src="/samples/cat.jpg" alt="A tabby cat" controls></sightline-explainer>
    <sightline-explainer id="b" src="/samples/coffee.jpg" alt="A cup" method="saliency" theme="dark"><span slot="caption">My own words</span></sightline-explainer>
    <div style="height: 4000px"></div>
    <sightline-explainer id="c" src="/samples/ladybug.jpg" alt="A ladybug" loading="lazy"></sightline-explainer>`);
  await reach(page, 'ready', '#a, #b');
  assert.equal(await page.getAttribute('#c', 'state'), 'waiting');
  const hits = (end) => it.server.hits.filter((path) => path.endsWith(end)).length;
  assert.equal(hits('ladybug.jpg'), 0);
  await page.locator('#c').scrollIntoViewIfNeeded();
  await reach(page, 'ready');
  assert.deepEqual(
    ['.wasm', 'worker.js', 'sightline-cnn/model.safetensors', 'ladybug.jpg', 'cat.jpg'].map(hits),
    [1, 1, 1, 1, 1],
  );
  assert.equal(page.workers().length, 1);
  for (const id of ['a', 'b', 'c']) {
    assert.equal(await logged(page, 'load', id), 1);
    assert.equal(await logged(page, 'attribution', id), 1);
    assert.equal(await logged(page, 'error', id), 0);
  }
  assert.ok((await logged(page, 'progress', 'a')) > 0);
  const detail = await page.evaluate(() => {
    const { attribution, predictions } = log.find(({ type, id }) => type === 'attribution' && id === 'a').detail;
    const a = document.querySelector('#a');
    return {
      method: attribution.method,
      same: a.attribution === attribution && a.predictions.length === predictions.length,
      label: predictions[0].label,
      model: a.info.model.id,
      said: a.shadowRoot.querySelector('[part=canvas]').ariaLabel,
      outline: getComputedStyle(a.shadowRoot.querySelector('[part=canvas]')).outlineStyle,
      sheets: document.styleSheets.length,
      caption: document.querySelector('#b').shadowRoot.querySelector('slot[name=caption]').assignedNodes()[0]
        .textContent,
    };
  });
  assert.deepEqual(
    { ...detail, said: undefined },
    {
      method: 'grad_cam',
      same: true,
      label: 'tabby',
      model: 'sightline-cnn',
      said: undefined,
      outline: 'none',
      sheets: 1,
      caption: 'My own words',
    },
  );
  assert.match(detail.said, /^A tabby cat: Grad-CAM for “tabby”\. .*%/);
  await page.evaluate(() => scrollTo(0, 0));
  await shot(page, 'widget-1200');
  await page.setViewportSize({ width: 360, height: 740 });
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
  await shot(page, 'widget-360');
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('a lazy one far below fetches nothing at all; its poster is there before the photo', async () => {
  const page = await open(
    `<div id="gap" style="height: 9000px"></div><sightline-explainer src="/samples/cat.jpg" poster="/samples/bananas.jpg" loading="lazy"></sightline-explainer>`,
  );
  await reach(page, 'waiting');
  await page.waitForTimeout(300);
  it.server.hits.length = 0;
  await page.waitForTimeout(300);
  assert.deepEqual(it.server.hits, []);
  // The photo comes late: meanwhile there is the poster.
  let go;
  const gate = new Promise((resolve) => (go = resolve));
  await page.route('**/cat.jpg', async (route) => (await gate, route.continue()));
  await page.evaluate(() => document.querySelector('#gap').remove());
  await page.waitForFunction(() => {
    const poster = document.querySelector('sightline-explainer').shadowRoot.querySelector('[part=poster]');
    return poster.complete && poster.naturalWidth > 0 && poster.getBoundingClientRect().height > 50;
  });
  assert.equal(await page.getAttribute('sightline-explainer', 'state'), 'loading');
  go();
  await reach(page, 'ready');
  assert.equal(await inside(page, '[part=poster]', (e) => e.hidden), true);
  await page.close();
});

test('attributes, properties and controls; looks compute nothing; a newer request replaces an older one', async () => {
  const page = await open(
    `<sightline-explainer src="${SCENE}" model="builtin-scene-cnn" controls></sightline-explainer>`,
  );
  await reach(page, 'ready');
  const before = it.server.hits.length;
  const painted = () => inside(page, '[part=canvas]', (e) => e.toDataURL());
  const first = await painted();
  await page.getByLabel('Opacity').fill('0.2');
  await page.getByLabel('Colours').selectOption('blue-white-red');
  assert.equal(await page.getAttribute('sightline-explainer', 'opacity'), '0.2');
  assert.match(await inside(page, '[part=legend]'), /against/);
  const second = await painted();
  assert.notEqual(second, first);
  assert.equal(await logged(page, 'attribution'), 1);
  // Reordering, moving and removing for a moment recompute nothing.
  await page.evaluate(async () => {
    const element = document.querySelector('sightline-explainer');
    element.remove();
    document.body.append(element);
    await 0;
    const box = document.body.appendChild(document.createElement('div'));
    box.append(element);
    element.remove();
    await new Promise((done) => setTimeout(done, 50));
    box.append(element);
    await new Promise((done) => setTimeout(done, 50));
  });
  assert.equal(await page.getAttribute('sightline-explainer', 'state'), 'ready');
  assert.equal(await logged(page, 'attribution'), 1);
  assert.equal(it.server.hits.length, before);

  await page.getByLabel('Method').selectOption('integrated_gradients');
  await page.waitForFunction(() => log.filter(({ type }) => type === 'attribution').length === 2);
  assert.equal(
    await page.evaluate(() => document.querySelector('sightline-explainer').attribution.method),
    'integrated_gradients',
  );
  await page.locator('sightline-explainer').locator('ol button').nth(1).click();
  await page.waitForFunction(() => log.filter(({ type }) => type === 'attribution').length === 3);
  const { target, index, pressed } = await page.evaluate(() => {
    const element = document.querySelector('sightline-explainer');
    return {
      target: element.attribution.target,
      index: element.predictions[1].index,
      pressed: element.shadowRoot.activeElement?.getAttribute('aria-pressed'),
    };
  });
  assert.deepEqual([target, pressed], [index, 'true'], 'the class that was clicked is explained and keeps the focus');

  const outcome = await page.evaluate(async () => {
    const element = document.querySelector('sightline-explainer');
    Object.assign(element, { method: 'smooth_grad', options: { nSamples: 500 }, target: null });
    const old = element.explain().catch(({ code }) => code);
    await new Promise((done) => setTimeout(done, 200));
    Object.assign(element, { method: 'grad_cam', options: null, target: '0 not 1' });
    const result = await element.explain();
    return {
      old: await old,
      target: result.target,
      same: element.attribution === result,
      again: (await element.explain()) === result,
    };
  });
  assert.deepEqual(outcome, { old: 'aborted', target: { contrast: [0, 1] }, same: true, again: true });

  // By label, whatever the case; several at once.
  const labels = await page.evaluate(() => document.querySelector('sightline-explainer').info.model.labels);
  const asked = await page.evaluate(
    async ([label]) => {
      const element = document.querySelector('sightline-explainer');
      element.target = label;
      const one = (await element.explain()).target;
      element.target = '0 or 2';
      return [one, (await element.explain()).target];
    },
    [labels[3].toUpperCase()],
  );
  assert.deepEqual(asked, [3, { group: [0, 2] }]);

  const png = await page.evaluate(async () => {
    const blob = await document.querySelector('sightline-explainer').exportPng({ what: 'overlay' });
    const text = new TextDecoder('latin1').decode(await blob.arrayBuffer());
    return { type: blob.type, named: text.includes('grad_cam'), png: text.slice(1, 4) };
  });
  assert.deepEqual(png, { type: 'image/png', named: true, png: 'PNG' });
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByText('Save as PNG').click()]);
  assert.equal(download.suggestedFilename(), 'sightline-grad_cam.png');

  // Locked: the controls are gone, what the author set still counts.
  await page.evaluate(() => (document.querySelector('sightline-explainer').locked = 'method target'));
  assert.deepEqual(await Promise.all(['Method', 'Opacity'].map((name) => page.getByLabel(name).isVisible())), [
    false,
    true,
  ]);
  assert.equal(await page.locator('sightline-explainer').locator('ol button').first().isVisible(), false);
  await page.evaluate(() => (document.querySelector('sightline-explainer').locked = true));
  assert.equal(await page.getByLabel('Opacity').isDisabled(), true);
  // Another language, as soon as its texts are there.
  await page.evaluate(() => document.documentElement.setAttribute('lang', 'de-CH'));
  await page.evaluate(() => (document.querySelector('sightline-explainer').alt = 'Eine Zeichnung'));
  await speaks(page, 'de');
  assert.match(
    await inside(page, '[part=canvas]', (e) => e.ariaLabel),
    /^Eine Zeichnung: .*Attribution.* (liegen|Verteilung)/,
  );
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('mounted, unmounted and mounted again while it loads; gone for good; a property set before the definition', async () => {
  const page = await open('<div id="root"></div>', { ready: false });
  await page.evaluate(async (url) => {
    const root = document.querySelector('#root');
    const element = document.createElement('sightline-explainer');
    globalThis.element = element;
    for (const type of ['load', 'attribution', 'error'])
      element.addEventListener(type, ({ detail }) => log.push({ type, id: '', detail }));
    element.src = '/samples/cat.jpg';
    element.controls = true;
    root.append(element);
    await import(url);
    root.replaceChildren();
    await new Promise((done) => setTimeout(done));
    root.append(element);
    root.replaceChildren();
    root.append(element);
    await new Promise((done) => setTimeout(done, 100));
    root.replaceChildren();
    await new Promise((done) => setTimeout(done, 100));
    root.append(element);
  }, `${it.server.url}/pkg/element.js`);
  await reach(page, 'ready');
  assert.deepEqual(await Promise.all(['load', 'attribution', 'error'].map((type) => logged(page, type))), [1, 1, 0]);
  assert.deepEqual(await page.evaluate(() => [element.getAttribute('src'), element.hasAttribute('controls')]), [
    '/samples/cat.jpg',
    true,
  ]);
  assert.equal(page.workers().length, 1);
  // Moved while it computes: it goes on.
  const moved = await page.evaluate(async () => {
    element.method = 'input_x_gradient';
    const running = element.explain();
    document.body.append(element);
    return (await running).method;
  });
  assert.equal(moved, 'input_x_gradient');
  // Gone while it computes: the promise says so, and nothing is thrown at the page.
  const code = await page.evaluate(async () => {
    element.method = 'saliency';
    const running = element.explain();
    element.remove();
    return running.catch(({ code }) => code);
  });
  assert.equal(code, 'aborted');
  assert.equal(await page.evaluate(() => element.explain().catch(({ code }) => code)), 'bad-option');
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('errors by code, said on the element; what is put right is tried again', async () => {
  const page = await open(`<sightline-explainer model="builtin-scene-cnn"></sightline-explainer>`);
  await reach(page, 'idle');
  const failure = (attributes) =>
    page.evaluate(async (attributes) => {
      const element = document.querySelector('sightline-explainer');
      for (const name of ['src', 'model', 'method', 'target', 'layer', 'options', 'device', 'saved'])
        element.removeAttribute(name);
      element.setAttribute('model', 'builtin-scene-cnn');
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
      log.length = 0;
      const code = await element.explain().then(
        () => 'none',
        ({ code }) => code,
      );
      const said = element.shadowRoot.querySelector('[part=error]');
      const told = log.filter(({ type }) => type === 'error').map(({ detail }) => detail.code);
      return { code, told, shown: !said.hidden && said.dataset.code, state: element.state, text: said.textContent };
    }, attributes);
  for (const [attributes, code] of [
    [{ src: '/samples/none.jpg' }, 'network'],
    [{ src: '/samples/samples.json' }, 'unsupported-image'],
    [{ src: 'http://[' }, 'bad-option'],
    [{ src: SCENE, model: 'no-such-model' }, 'bad-option'],
    [{ src: SCENE, model: '/nowhere/' }, 'network'],
    [{ src: SCENE, method: 'phrenology' }, 'bad-option'],
    [{ src: SCENE, target: 'unicorn' }, 'bad-option'],
    [{ src: SCENE, target: '9999' }, 'bad-option'],
    [{ src: SCENE, layer: 'attic' }, 'bad-option'],
    [{ src: SCENE, options: '[1]' }, 'bad-option'],
    [{ src: SCENE, method: 'smooth_grad', options: '{"nSamples": "many"}' }, 'bad-option'],
    [{ src: SCENE, device: 'abacus' }, 'bad-option'],
    [{ saved: '/samples/samples.json' }, 'bad-option'],
    [{ saved: SCENE }, 'bad-option'],
  ]) {
    const result = await failure(attributes);
    assert.deepEqual(
      { ...result, text: undefined },
      { code, told: [code], shown: code, state: 'error', text: undefined },
      JSON.stringify([attributes, result]),
    );
  }
  const { text } = await failure({ src: '/samples/none.jpg' });
  assert.match(text, /could not be fetched.*404.*Try again/);
  let missing = true;
  await page.route('**/late.jpg', (route) =>
    missing ? route.fulfill({ status: 404 }) : route.continue({ url: `${it.server.url}/samples/cat.jpg` }),
  );
  assert.equal((await failure({ src: '/samples/late.jpg' })).code, 'network');
  missing = false;
  await page.getByText('Try again').click();
  await reach(page, 'ready');
  assert.equal(await inside(page, '[part=error]', (e) => e.hidden), true);
  assert.deepEqual(page.errors, []);
  await page.close();
});

// --- saved attributions -----------------------------------------------------------------------------------------------------------------

/** What toJson makes of a computed map, and the picture of it. */
async function save(attributes) {
  const page = await open(`<sightline-explainer ${attributes}></sightline-explainer>`);
  await reach(page, 'ready');
  const saved = await page.evaluate(async (url) => {
    const { toJson } = await import(url);
    const element = document.querySelector('sightline-explainer');
    const canvas = element.shadowRoot.querySelector('[part=canvas]');
    return { json: toJson(element.attribution), picture: canvas.toDataURL(), label: canvas.ariaLabel };
  }, `${it.server.url}/pkg/index.js`);
  await page.close();
  return saved;
}

test('a saved attribution is shown without a model or wasm, as it was', async () => {
  const { json, picture, label } = await save(`src="${SCENE}" model="builtin-scene-cnn" method="input_x_gradient"`);
  it.server.hits.length = 0;
  const page = await open('<p>', {});
  await page.route('**/map.json', (route) => route.fulfill({ contentType: 'application/json', body: json }));
  await page.evaluate((src) => {
    const element = Object.assign(document.createElement('sightline-explainer'), { src, controls: true });
    element.setAttribute('saved', '/map.json');
    document.body.append(element);
  }, SCENE);
  await reach(page, 'ready');
  assert.equal(await inside(page, '[part=canvas]', (e) => e.toDataURL()), picture);
  assert.equal(await inside(page, '[part=canvas]', (e) => e.ariaLabel), label);
  assert.equal(await page.evaluate(() => document.querySelector('sightline-explainer').info), null);
  // As a property, as text and parsed; without a photo, too.
  const others = await page.evaluate(async (json) => {
    const results = [];
    for (const saved of [json, JSON.parse(json)]) {
      const element = document.body.appendChild(document.createElement('sightline-explainer'));
      element.saved = saved;
      const attribution = await element.explain();
      results.push([attribution.method, element.state, element.shadowRoot.querySelector('[part=canvas]').width > 0]);
    }
    return results;
  }, json);
  assert.deepEqual(others, Array(2).fill(['input_x_gradient', 'ready', true]));
  // What the core warned of is said.
  const warned = (lang, warning) =>
    page.evaluate(
      async ([json, lang, warning]) => {
        const element = document.body.appendChild(document.createElement('sightline-explainer'));
        element.lang = lang;
        element.saved = { ...JSON.parse(json), warnings: [warning] };
        await element.explain();
        const item = element.shadowRoot.querySelector('[part=warnings] li');
        return [item.textContent, item.querySelector('[lang=en]')?.textContent];
      },
      [json, lang, warning],
    );
  const partial = { code: 'partial', message: 'Stopped <i>early</i>.' };
  const values = { done: 4, total: 10_000 };
  assert.deepEqual(await warned('en', { ...partial, values }), [
    'stopped after 4 of 10000 samples: the map is an estimate',
    undefined,
  ]);
  assert.deepEqual(await warned('de', { ...partial, values }), [
    'Nach 4 von 10000 Stichproben beendet: Die Karte ist eine Schätzung.',
    undefined,
  ]);
  // An earlier version saved no values, and a later one may save what is not known yet.
  for (const code of ['partial', 'constructor'])
    assert.deepEqual(await warned('de', { ...partial, code }), Array(2).fill(partial.message));
  assert.deepEqual(
    it.server.hits.filter((path) => /\.wasm$|worker\.js|models|pkg\/index\.js|sightline\.js/.test(path)),
    [],
  );
  assert.equal(page.workers().length, 0);
  for (const hostile of [
    '{',
    '{"format":"sightline-attribution"}',
    '{"format":"sightline-attribution","formatVersion":1,"values":[1],"shape":[1e9,1e9]}',
  ]) {
    const code = await page.evaluate((saved) => {
      const element = document.querySelector('sightline-explainer');
      element.saved = saved;
      return element.explain().catch(({ code }) => code);
    }, hostile);
    assert.equal(code, 'bad-option', hostile);
  }
  assert.deepEqual(page.errors, []);
  await page.close();
});

// --- teaching ---------------------------------------------------------------------------------------------------------------------------

/** What the quiz event must say, from the attribution and the painted cells. */
const judge = (page, detail) =>
  page.evaluate(
    async ([url, { rows, columns, painted, top }]) => {
      const { overlap } = await import(url);
      const cells = new Uint8Array(rows * columns);
      for (const i of painted) cells[i] = 1;
      return overlap(cells, document.querySelector('sightline-explainer').attribution, { rows, columns, top });
    },
    [`${it.server.url}/pkg/element.js`, detail],
  );
const quiz = (page) => page.evaluate(() => log.filter(({ type }) => type === 'quiz').map(({ detail }) => detail));

test('predict with the pointer, then reveal: the map is hidden until then, the score is that of what was painted', async () => {
  // A page that scales its slides, as slide shows do.
  const page = await open(
    `<div style="transform: scale(0.8); transform-origin: 0 0"><sightline-explainer src="${SCENE}" model="builtin-scene-cnn" predict top="10" controls></sightline-explainer></div>`,
  );
  await reach(page, 'predicting');
  assert.equal(await logged(page, 'attribution'), 0);
  assert.equal(await inside(page, '[part=legend]', (e) => e.hidden), true);
  assert.equal(
    await page.evaluate(() =>
      document
        .querySelector('sightline-explainer')
        .exportPng()
        .catch(({ code }) => code),
    ),
    'bad-option',
  );
  assert.equal(await page.getByRole('button', { name: 'Show the map' }).isDisabled(), true);
  const box = await page.locator('sightline-explainer').locator('canvas.area').boundingBox();
  const at = (x, y) => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at(0.25, 0.5));
  await page.mouse.down();
  await page.mouse.move(...at(0.75, 0.5), { steps: 3 });
  await page.mouse.up();
  await page
    .getByLabel('Erase')
    .or(page.getByRole('button', { name: 'Erase' }))
    .click();
  await page.mouse.move(...at(0.5, 0.3));
  await page.mouse.down();
  await page.mouse.move(...at(0.5, 0.7), { steps: 2 });
  await page.mouse.up();
  await shot(page, 'widget-predict');
  await page.getByRole('button', { name: 'Show the map' }).click();
  await reach(page, 'ready');
  const [detail] = await quiz(page);
  const row = 16 * 32;
  assert.ok(detail.painted.includes(row + 9) && detail.painted.includes(row + 22), 'the line is painted to both ends');
  assert.ok(!detail.painted.includes(row + 16) && !detail.painted.includes(5 * 32 + 16), 'its middle is erased');
  const { area, share, iou, top, topArea } = detail;
  assert.deepEqual({ area, share, iou, top, topArea }, await judge(page, detail));
  assert.equal(area, detail.painted.length / 1024);
  assert.deepEqual([detail.attempt, detail.method, detail.model, top], [1, 'grad_cam', 'builtin-scene-cnn', 10]);
  const said = await inside(page, '[part=score]');
  assert.ok(
    said.includes(`${Math.round(share * 100)}%`) && said.includes(iou.toFixed(2)) && said.includes('10%'),
    said,
  );
  assert.equal(await logged(page, 'attribution'), 1);
  await shot(page, 'widget-revealed');
  // Another method shows its map and the score anew; what is told is what was asked for.
  await page.getByLabel('Method').selectOption('saliency');
  await page.waitForFunction(() => log.filter(({ type }) => type === 'attribution').length === 2);
  assert.notEqual(await inside(page, '[part=score]'), said);
  await page.getByText('Paint again').click();
  await reach(page, 'predicting');
  assert.equal(await inside(page, '[part=legend]', (e) => e.hidden), true);
  await page.mouse.click(...at(0.5, 0.5));
  await page.getByRole('button', { name: 'Show the map' }).click();
  await reach(page, 'ready');
  assert.deepEqual(
    (await quiz(page)).map(({ attempt, method }) => [attempt, method]),
    [
      [1, 'grad_cam'],
      [2, 'saliency'],
    ],
  );
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('predict with the keyboard alone, at the size of a phone, in German', async () => {
  const page = await open(
    `<sightline-explainer src="/samples/cat.jpg" alt="Eine Katze" lang="de" predict></sightline-explainer>`,
    {
      viewport: { width: 360, height: 740 },
    },
  );
  await reach(page, 'predicting');
  const focused = () =>
    page.evaluate(
      () =>
        document.querySelector('sightline-explainer').shadowRoot.activeElement?.ariaLabel ??
        document.querySelector('sightline-explainer').shadowRoot.activeElement?.textContent,
    );
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Malfläche');
  for (const key of ['Space', 'ArrowUp', 'Shift+ArrowLeft', 'Shift+ArrowLeft', '-', '-', 'ArrowDown', 'Delete'])
    await page.keyboard.press(key);
  assert.match(await inside(page, '.unseen'), /^Zeile \d+, Spalte \d+ von 32: nicht bemalt$/);
  await shot(page, 'widget-keyboard-360');
  for (let i = 0; i < 4; i++) await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Karte zeigen');
  await page.keyboard.press('Enter');
  await reach(page, 'ready');
  assert.equal(await focused(), 'Neu malen');
  const [detail] = await quiz(page);
  const cell = (row, column) => detail.painted.includes(row * 32 + column);
  // The brush of 5 moves by 3: painted around (16, 16), and on the way left from (13, 16); erased
  // is the single cell under the small brush.
  assert.deepEqual(
    [cell(16, 16), cell(13, 13), cell(13, 10), cell(10, 3), cell(14, 10)],
    [true, true, true, false, false],
  );
  const { area, share, iou, top, topArea } = detail;
  assert.deepEqual({ area, share, iou, top, topArea }, await judge(page, detail));
  assert.match(await inside(page, '[part=score]'), /Deine Fläche macht \d+\s%.*Überlappung/);
  await shot(page, 'widget-revealed-360');
  await page.keyboard.press('Enter');
  await reach(page, 'predicting');
  assert.equal(await focused(), 'Malfläche');
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
  assert.deepEqual(page.errors, []);
  await page.close();
});

// --- languages --------------------------------------------------------------------------------------------------------------------------

test('a language is fetched when an element asks for it, once for all; a question is put anew in it; without it the element speaks English', async () => {
  const page = await open(
    `<sightline-explainer id="one" src="/samples/cat.jpg" controls></sightline-explainer>
     <sightline-explainer id="two" src="/samples/cat.jpg" predict></sightline-explainer>`,
  );
  const german = () => it.server.hits.filter((path) => path === '/pkg/i18n/de.js').length;
  const before = german();
  await reach(page, 'ready', '#one');
  await reach(page, 'predicting', '#two');
  assert.equal(german(), before);
  await page.evaluate(() =>
    document.querySelectorAll('sightline-explainer').forEach((element) => element.setAttribute('lang', 'de')),
  );
  await page.locator('#two').locator('[part=base][lang=de]').waitFor();
  await page.locator('#one').locator('[part=base][lang=de]').waitFor();
  assert.equal(german(), before + 1);
  assert.match(
    await page.locator('#two').locator('[part=predict] p').first().textContent(),
    /^Das Modell sieht „.*Male die Stelle an/,
  );
  const colours = page.locator('#one').locator('select').last();
  assert.match(await colours.textContent(), /blau–weiß–rot/);
  await page.evaluate(() =>
    document.querySelectorAll('sightline-explainer').forEach((element) => element.setAttribute('lang', 'en')),
  );
  await page.locator('#two').locator('[part=base][lang=en]').waitFor();
  assert.match(
    await page.locator('#two').locator('[part=predict] p').first().textContent(),
    /^The model sees “.*Paint there/,
  );
  assert.match(await colours.textContent(), /blue–white–red/);
  assert.equal(german(), before + 1);
  assert.deepEqual(page.errors, []);
  await page.close();

  const without = await open(`<sightline-explainer lang="de" src="/samples/cat.jpg"></sightline-explainer>`, {
    ready: false,
  });
  await without.route('**/pkg/i18n/de.js', (route) => route.abort());
  await without.evaluate(() => import('/pkg/element.js'));
  await reach(without, 'ready');
  assert.match(await inside(without, '[part=caption]'), /^The model says “/);
  assert.equal(await inside(without, '[part=base]', (e) => e.lang), 'en');
  assert.deepEqual(without.errors, []);
  await without.close();
});

// --- elsewhere --------------------------------------------------------------------------------------------------------------------------

test('from another origin, with a Content-Security-Policy that allows no inline styles', async () => {
  const assets = it.server.url;
  const page = await it.browser.newPage();
  await page.goto(`${it.elsewhere.url}/blank.html`);
  const policy = `default-src 'none'; script-src ${assets} 'wasm-unsafe-eval' 'unsafe-inline'; connect-src ${assets}; worker-src blob:; style-src 'self'`;
  await page.setContent(
    `<!doctype html><meta http-equiv="Content-Security-Policy" content="${policy}"><script type="module" src="${assets}/pkg/element.js"></script>
     <sightline-explainer lang="de" src="${assets}/samples/cat.jpg" method="saliency"></sightline-explainer>`,
  );
  await reach(page, 'ready');
  assert.match(await inside(page, '[part=caption]'), /^Das Modell sagt „.*Saliency für „/);
  assert.equal(await inside(page, '[part=base]', (e) => getComputedStyle(e).display), 'grid');
  assert.equal(page.workers().length, 1);
  await page.close();
});

/** A page elsewhere with an iframe of the embed page; `heard` on it holds the messages. */
async function embed(query, { sandbox = 'allow-scripts', host = false, told = true } = {}) {
  const page = await it.browser.newPage({ viewport: { width: 700, height: 900 } });
  collectErrors(page);
  await page.goto(`${it.elsewhere.url}/blank.html`);
  await page.evaluate(() => {
    globalThis.heard = [];
    addEventListener('message', ({ data, origin }) => heard.push({ ...data, origin }));
    addEventListener('sightline-quiz', ({ detail, target }) =>
      heard.push({ type: 'event', on: target.localName, detail }),
    );
  });
  if (host) await page.evaluate((url) => import(url), `${it.server.url}/embed-host.js`);
  await page.evaluate(
    ([src, sandbox]) => {
      const frame = document.createElement('iframe');
      if (sandbox !== null) frame.setAttribute('sandbox', sandbox);
      Object.assign(frame, { src, width: '360', height: '200' });
      document.body.append(frame);
    },
    [`${it.server.url}/embed.html?${query}`, sandbox],
  );
  if (told) await page.waitForFunction(() => heard.some(({ type }) => type === 'sightline:resize'));
  const shown = await page.waitForSelector('iframe');
  const frame = await shown.contentFrame();
  await frame.waitForSelector('#main *');
  return { page, frame };
}
const heard = (page, type) => page.evaluate((type) => heard.filter((m) => m.type === type), type);

test('embedded in a sandboxed iframe: it runs, asks for its height, and tells results to the named origin alone', async () => {
  const query = (origin) =>
    new URLSearchParams({
      src: SCENE,
      model: 'builtin-scene-cnn',
      predict: '',
      locked: '',
      caption: '<b>Where?</b>',
      lang: 'de',
      ...(origin && { origin }),
    });
  const answer = async (frame) => {
    await frame.waitForFunction(() => document.querySelector('sightline-explainer')?.state === 'predicting');
    await frame.locator('canvas.area').click();
    await frame.getByRole('button', { name: 'Karte zeigen' }).click();
    await frame.waitForFunction(() => document.querySelector('sightline-explainer').state === 'ready');
  };
  const { page, frame } = await embed(query(it.elsewhere.url), { host: true });
  await answer(frame);
  assert.equal(await frame.evaluate(() => globalThis.origin), 'null');
  await page.waitForFunction(() => heard.some(({ type }) => type === 'event'));
  const [message] = await heard(page, 'sightline:quiz');
  assert.deepEqual(
    [message.origin, message.method, message.attempt, message.painted.length > 0],
    ['null', 'grad_cam', 1, true],
  );
  const [event] = await heard(page, 'event');
  assert.deepEqual([event.on, event.detail.iou], ['iframe', message.iou]);
  const { height, wanted } = await page.evaluate(() => ({
    height: document.querySelector('iframe').getBoundingClientRect().height,
    wanted: heard.filter(({ type }) => type === 'sightline:resize').at(-1).height,
  }));
  assert.ok(wanted > 300 && Math.abs(height - wanted) <= 6, `${height} ${wanted}`);
  assert.equal(await frame.textContent('h1'), (await elementStrings('de')).page);
  // Text stays text.
  assert.equal(await frame.locator('[slot=caption]').textContent(), '<b>Where?</b>');
  await shot(page, 'widget-embedded');
  assert.deepEqual(page.errors, []);
  await page.close();

  // Nobody is named: no result leaves. Somebody else is named: nothing at all arrives here.
  for (const [origin, sandbox] of [
    [undefined, 'allow-scripts'],
    ['https://course.example', null],
  ]) {
    const { page, frame } = await embed(query(origin), { sandbox, told: !origin });
    await answer(frame);
    await page.waitForTimeout(200);
    assert.deepEqual(await heard(page, 'sightline:quiz'), []);
    assert.equal((await heard(page, 'sightline:resize')).length > 0, !origin);
    await page.close();
  }
});

test('the embed page takes no option that it does not know, and none with a hostile value', async () => {
  const page = await it.browser.newPage();
  const errors = collectErrors(page);
  const outside = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(it.server.url)) outside.push(request.url());
  });
  const good = `src=${encodeURIComponent('samples/cat.jpg')}`;
  for (const query of [
    '',
    'src=',
    `${good}&asset-base-url=https://evil.example/`,
    `${good}&assetBaseUrl=https://evil.example/`,
    `${good}&onload=alert(1)`,
    `${good}&style=display:none`,
    `${good}&__proto__=1`,
    `${good}&src=samples/coffee.jpg`,
    'src=javascript:alert(1)',
    'src=data:text/html,x',
    'src=blob:x',
    'src=file:///etc/passwd',
    `src=${encodeURIComponent('https://me:secret@evil.example/')}`,
    `${good}&poster=javascript:alert(1)`,
    `${good}&model=data:,x`,
    `${good}&method=%3Cimg%20src=x%3E`,
    `${good}&options=%5B1%5D`,
    `${good}&options=${encodeURIComponent(JSON.stringify({ x: 'y'.repeat(3000) }))}`,
    `${good}&target=${'9'.repeat(300)}`,
    `${good}&opacity=2`,
    `${good}&opacity=1e-1`,
    `${good}&top=0`,
    `${good}&theme=neon`,
    `${good}&locked=everything`,
    `${good}&controls=no`,
    `${good}&lang=${encodeURIComponent('"><script>')}`,
    `${good}&origin=*`,
    `${good}&origin=null`,
    `${good}&origin=${encodeURIComponent('https://course.example/path')}`,
    `${good}&origin=${encodeURIComponent('javascript://course.example')}`,
    `${good}&alt=${'x'.repeat(1001)}`,
  ]) {
    await page.goto(`${it.server.url}/embed.html?${query}`);
    await page
      .waitForSelector('[role=alert][data-code=bad-option]', { timeout: 5000 })
      .catch(() => assert.fail(`taken: ${query}`));
    assert.equal(await page.locator('sightline-explainer').count(), 0, query);
    assert.equal(await page.locator('#main *').count(), 1, query);
  }
  assert.deepEqual(outside, []);
  assert.deepEqual(errors, []);
  // And one with all that it knows.
  const all = new URLSearchParams({
    src: 'samples/cat.jpg',
    poster: './samples/coffee.jpg',
    model: 'builtin-scene-cnn',
    method: 'smooth_grad',
    target: '1',
    options: '{"nSamples":2}',
    device: 'cpu',
    alt: 'A cat',
    caption: 'Here',
    controls: '',
    locked: 'method target',
    loading: 'eager',
    theme: 'dark',
    lang: 'de',
    colormap: 'viridis',
    opacity: '0.5',
    scale: 'positive',
    interpolation: 'cells',
    top: '15',
  });
  await page.goto(`${it.server.url}/embed.html?${all}`);
  await reach(page, 'ready');
  assert.equal(await page.getAttribute('html', 'lang'), 'de');
  assert.equal(await page.textContent('h1'), (await elementStrings('de')).page);
  assert.equal(await page.evaluate(() => document.querySelector('sightline-explainer').attribution.target), 1);
  await page.close();
});

test('the page gives the code: what is pasted elsewhere shows the same', async () => {
  const context = await it.browser.newContext({
    viewport: { width: 1200, height: 900 },
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  await page.goto(`${it.server.url}/`);
  await explained(page);
  await page.locator('#predictions li button').nth(1).click();
  await page.selectOption('#method', 'smooth_grad');
  await idle(page);
  await page.locator('#options-box summary').click();
  await page.fill('[data-option=nSamples]', '3');
  await page.locator('[data-option=nSamples]').dispatchEvent('change');
  await page.waitForTimeout(50);
  await idle(page);
  const shown = await page.evaluate(() => document.querySelector('#canvas').ariaLabel);
  await page.locator('#embed summary').click();
  const copied = async (kind) => {
    await page.selectOption('#embed-kind', kind);
    // The clipboard is for the page in front; one of an earlier test may be.
    await page.bringToFront();
    await page.click('#embed-copy');
    await page.waitForFunction(() => document.querySelector('#embed [role=status]').textContent.startsWith('Copied'));
    return page.evaluate(() => navigator.clipboard.readText());
  };
  const element = await copied('element');
  await page.check('#embed-predict');
  const iframe = await copied('iframe');
  await page.locator('#embed').scrollIntoViewIfNeeded();
  await shot(page, 'embed-code');
  // A photo of the user's own has no address yet; the page says so.
  await page.setInputFiles('#file', join(dist, 'samples/cat.jpg'));
  await page.waitForFunction(() => document.querySelector('#embed-text').value.includes('your-photo.jpg'));
  assert.match(await page.textContent('#embed [role=status]'), /your own site/);
  await context.close();

  const other = await it.browser.newPage({ viewport: { width: 800, height: 900 } });
  await other.goto(`${it.elsewhere.url}/blank.html`);
  await other.setContent(element + iframe);
  await reach(other, 'ready');
  const { method, label, options } = await other.evaluate(() => {
    const { attribution, info } = document.querySelector('sightline-explainer');
    return {
      method: attribution.method,
      label: info.model.labels[attribution.target],
      options: attribution.provenance.options,
    };
  });
  assert.ok(shown.includes(label) && shown.includes('SmoothGrad'), `${shown} ${label}`);
  assert.deepEqual([method, options.nSamples], ['smooth_grad', 3]);
  const handle = await other.waitForSelector('iframe');
  await handle.scrollIntoViewIfNeeded();
  const frame = await handle.contentFrame();
  await frame.waitForFunction(() => document.querySelector('sightline-explainer')?.state === 'predicting');
  await other.waitForFunction(() => document.querySelector('iframe').style.height !== '');
  assert.equal(
    await frame.evaluate(() => document.querySelector('sightline-explainer').getAttribute('options')),
    '{"nSamples":3}',
  );
  await other.close();
});
