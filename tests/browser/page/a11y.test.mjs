// Accessibility: axe on each state of the page, in light and dark, wide and narrow; the keyboard
// alone; reduced motion; paper; no JavaScript.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { explained, idle, openPage, root, screenshots, shot, site, violations } from '../harness.mjs';
import { states } from '../states.mjs';

const here = site();

const schemes = /** @type {const} */ (['light', 'dark']);
const widths = [1200, 360];

/** A page at a width, for whom nothing moves. */
const pageAt = (width) => here.browser.newPage({ reducedMotion: 'reduce', viewport: { width, height: 800 } });

/**
 * What is wrong with a page in each colour scheme: axe's violations, and a page that is too wide.
 */
async function examine(page, width, name, faults, picture) {
  for (const scheme of schemes) {
    await page.emulateMedia({ colorScheme: scheme });
    faults[scheme].push(...(await violations(page)).map((violation) => `${name}: ${violation}`));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    if (wide > width) faults[scheme].push(`${name} is ${wide} px wide`);
    if (picture) await shot(page, `a11y-${name.replace(/\W+/g, '-')}-${scheme}-${width}`);
  }
}

/** A test for each scheme of what `visit` finds in both: a state is reached once. */
function inBothSchemes(what, width, visit) {
  describe(`${what} at ${width} px`, () => {
    const faults = { light: [], dark: [] };
    before(
      async () => {
        const page = await pageAt(width);
        await visit(page, faults);
        await page.close();
      },
      { timeout: 180_000 },
    );
    for (const scheme of schemes)
      test(`axe finds nothing ${what}, ${scheme}, ${width} px`, () => assert.deepEqual(faults[scheme], []));
  });
}

for (const width of widths)
  inBothSchemes('in any state', width, async (page, faults) => {
    await page.goto(`${here.server.url}/`);
    await explained(page);
    for (const [name, reachState] of Object.entries(states)) {
      await reachState(page);
      await examine(page, width, name, faults, ['start', 'alert'].includes(name));
    }
  });

/**
 * The element by itself, in the states that a person meets: attributes, what to wait for, and what
 * is done then.
 */
const elements = {
  'with controls': [{ src: '/samples/cat.jpg', alt: 'A cat', controls: '' }, 'ready'],
  'in German, unfolded': [
    {
      src: '/samples/cat.jpg',
      alt: 'Eine Katze',
      controls: '',
      lang: 'de',
      method: 'integrated_gradients',
      options: '{"nSteps":4}',
    },
    'ready',
    (page) =>
      page
        .locator('sightline-explainer')
        .evaluate((e) => e.shadowRoot.querySelectorAll('details').forEach((d) => (d.open = true))),
  ],
  'to predict': [{ src: '/samples/cat.jpg', alt: 'A cat', predict: '' }, 'predicting'],
  predicted: [
    { src: '/samples/cat.jpg', alt: 'A cat', predict: '' },
    'predicting',
    async (page) => {
      await page.locator('sightline-explainer').locator('canvas.area').click();
      await page.locator('sightline-explainer').getByRole('button', { name: 'Show the map' }).click();
      await page.waitForFunction(() => document.querySelector('sightline-explainer').state === 'ready');
    },
  ],
  'that failed': [{ src: '/samples/none.jpg', alt: 'Nothing', controls: '' }, 'error'],
  'that waits': [{ src: '/samples/cat.jpg', alt: 'A cat', loading: 'lazy', style: 'margin-top: 5000px' }, 'waiting'],
};
const embeds = {
  'embed with controls': 'src=samples/cat.jpg&alt=A+cat&controls&caption=Look',
  'embed to predict': 'src=samples/cat.jpg&alt=A+cat&predict&locked',
  'embed, wrong option': 'src=samples/cat.jpg&opacity=7',
};

for (const width of widths)
  inBothSchemes('on the element, the embed page and the examples', width, async (page, faults) => {
    await page.route('**/examples/reveal/**', (route) =>
      route.fulfill({
        path: join(root, 'node_modules/reveal.js/dist', new URL(route.request().url()).pathname.split('/reveal/')[1]),
      }),
    );
    const examined = (name) => examine(page, width, name, faults, true);
    const reached = (state) =>
      page.waitForFunction(
        (state) => [...document.querySelectorAll('sightline-explainer')].some((e) => e.state === state),
        state,
      );
    for (const [name, [attributes, state, act]] of Object.entries(elements)) {
      await page.goto(`${here.server.url}/blank.html`);
      await page.evaluate(async (attributes) => {
        document.documentElement.lang = 'en';
        // A page of its host's own colours, which the element does not take.
        document.documentElement.style.colorScheme = 'light dark';
        await import('/pkg/element.js');
        const element = document.createElement('sightline-explainer');
        for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
        const title = Object.assign(document.createElement('h1'), { textContent: 'A page' });
        const main = document.createElement('main');
        main.append(title, element);
        document.body.append(main);
      }, attributes);
      await reached(state);
      await act?.(page);
      await examined(`element ${name}`);
    }
    for (const [name, query] of Object.entries(embeds)) {
      await page.goto(`${here.server.url}/embed.html?${query}`);
      if (name.includes('wrong')) await page.waitForSelector('[role=alert]');
      else await reached(name.includes('predict') ? 'predicting' : 'ready');
      await examined(name);
    }
    for (const name of ['index', 'plain', 'slides']) {
      await page.goto(`${here.server.url}/examples/${name}.html`);
      if (name === 'plain') await reached('ready');
      if (name === 'slides') {
        await page.waitForSelector('.reveal.ready');
        await page.keyboard.press('ArrowRight');
        await reached('predicting');
      }
      await examined(`example ${name}`);
    }
  });

test('axe sees faults where there are some', async () => {
  const page = await openPage(here);
  await page.evaluate(() => {
    document.querySelector('#pick').textContent = '';
    document.querySelector('#facts').style.color = '#eeeeee';
  });
  const found = await violations(page);
  for (const rule of ['button-name', 'color-contrast'])
    assert.ok(
      found.some((text) => text.startsWith(rule)),
      rule,
    );
  // Also inside the element.
  await page.goto(`${here.server.url}/embed.html?src=samples/cat.jpg&alt=A+cat&controls`);
  await page.waitForFunction(() => document.querySelector('sightline-explainer')?.state === 'ready');
  assert.deepEqual(await violations(page), []);
  await page.evaluate(() =>
    document.querySelector('sightline-explainer').shadowRoot.querySelector('select').removeAttribute('id'),
  );
  await page.evaluate(() => {
    for (const label of document.querySelector('sightline-explainer').shadowRoot.querySelectorAll('label'))
      label.replaceWith(...label.children);
  });
  assert.ok((await violations(page)).some((text) => text.startsWith('select-name')));
  await page.close();
});

describe('with the keyboard alone', () => {
  const focused = (page) => page.evaluate(() => document.activeElement.id);
  /** Presses Tab until the element has the focus, which must be seen at every stop. */
  async function tabTo(page, id, key = 'Tab') {
    for (let i = 0; i < 80; i++) {
      await page.keyboard.press(key);
      const at = await page.evaluate(() => {
        const active = document.activeElement;
        if (active === document.body) return { id: '', seen: true };
        const { width, height } = active.getBoundingClientRect();
        const { outlineStyle, outlineWidth } = getComputedStyle(active);
        return {
          id: active.id,
          tag: active.outerHTML.slice(0, 80),
          seen: width > 0 && height > 0 && outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 2,
        };
      });
      assert.ok(at.seen, `the focus on ${at.tag} is not seen`);
      if (at.id === id) return;
    }
    assert.fail(`${id} is not reached`);
  }

  test('a point on the heatmap: its value and place are said, at the borders it stays, Escape ends it', async () => {
    const page = await openPage(here);
    await tabTo(page, 'canvas');
    const said = () => page.textContent('#value-said');
    assert.equal(await said(), '');
    await page.keyboard.press('ArrowRight');
    const first = await said();
    assert.match(first, /^-?[\d.e-]+ in row 5, column 5 of 8 × 8$/);
    assert.equal(await page.textContent('#value'), first);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowUp');
    const second = await said();
    assert.match(second, /in row 4, column 6 of 8 × 8$/);
    // The mark is where the pointer reads the same.
    const mark = await page.locator('#mark').boundingBox();
    const frame = await page.locator('#canvas').boundingBox();
    const [x, y] = [mark.x + mark.width / 2 - frame.x, mark.y + mark.height / 2 - frame.y];
    await shot(page, 'a11y-point');
    for (let i = 0; i < 9; i++) await page.keyboard.press('ArrowLeft');
    assert.match(await said(), /in row 4, column 1 of 8 × 8$/);
    // Another map under the point: its value, on its own grid.
    await page.selectOption('#method', 'saliency');
    await page.waitForFunction(() => document.querySelector('#facts').textContent.startsWith('Saliency'));
    await idle(page);
    await page.locator('#canvas').focus();
    for (const key of ['ArrowUp', 'ArrowUp']) await page.keyboard.press(key);
    assert.match(await said(), /in row \d+, column \d+ of 64 × 64$/);
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('#mark').isVisible(), false);
    assert.equal(await said(), '');
    await page.selectOption('#method', 'grad_cam');
    await page.waitForFunction(() => document.querySelector('#facts').textContent.startsWith('Grad-CAM'));
    await idle(page);
    await page.hover('#canvas', { position: { x, y } });
    assert.equal(await page.textContent('#value'), second);
    assert.equal(await said(), '', 'a pointer is not followed aloud');
    await page.close();
  });

  test('from the start to a changed method and class, and back', async () => {
    const page = await openPage(here);
    const facts = () => page.textContent('#facts');
    const before = await facts();
    await tabTo(page, 'method');
    const method = await page.inputValue('#method');
    await page.keyboard.press('ArrowDown');
    await page.waitForFunction((old) => document.querySelector('#facts').textContent !== old, before);
    await idle(page);
    assert.notEqual(await page.inputValue('#method'), method);
    assert.equal(await focused(page), 'method', 'the focus stays');
    // To the second class, which is before it.
    for (let i = 0; i < 20; i++) {
      await page.keyboard.press('Shift+Tab');
      if (await page.evaluate(() => document.activeElement.matches('#predictions li:nth-child(2) button'))) break;
    }
    const label = await page.evaluate(() => document.activeElement.querySelector('.label').textContent);
    await page.keyboard.press('Enter');
    await page.waitForFunction((label) => document.querySelector('#facts').textContent.includes(`“${label}”`), label);
    await idle(page);
    assert.ok(
      await page.evaluate(() => document.activeElement.matches('#predictions [aria-pressed="true"]')),
      'the focus stays',
    );
    // And back: the first class, the first method.
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press(' ');
    await idle(page);
    await tabTo(page, 'method');
    await page.keyboard.press('ArrowUp');
    await page.waitForFunction(
      (old) => document.querySelector('#facts').textContent.split(':')[0] === old.split(':')[0],
      before,
    );
    await idle(page);
    assert.equal(await page.inputValue('#method'), method);
    await tabTo(page, 'network-line');
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('#reachable').isVisible(), true);
    assert.deepEqual(page.errors, []);
    await page.close();
  });
});

test('a screen reader hears each result once, and of what takes longer that it goes on', async () => {
  const page = await openPage(here);
  await page.evaluate(() => {
    globalThis.heard = [];
    const regions = document.querySelectorAll('[aria-live], [role=status], [role=alert]');
    for (const region of regions)
      new MutationObserver(
        () => region.checkVisibility() && region.textContent.trim() && heard.push(region.textContent.trim()),
      ).observe(region, {
        childList: true,
        characterData: true,
        subtree: true,
        attributes: true,
      });
  });
  await page.selectOption('#method', 'rise');
  await page.waitForFunction(() => document.querySelector('#facts').textContent.startsWith('RISE'), null, {
    timeout: 120_000,
  });
  await idle(page);
  const heard = await page.evaluate(() => heard);
  const [result, ...before] = heard.reverse();
  assert.equal(result, await page.textContent('#facts'));
  assert.ok(
    before.length <= 1 && before.every((text) => text === 'Computing RISE. This takes a moment.'),
    before.join(' | '),
  );
  await page.close();
});

test('nothing moves for who asks for reduced motion', async () => {
  const page = await here.browser.newPage({ reducedMotion: 'reduce' });
  await page.goto(`${here.server.url}/`);
  await explained(page);
  const moving = () =>
    page.$$eval('*', (all) =>
      all
        .filter((element) => {
          const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(element);
          return /[1-9]/.test(transitionDuration) || animationName !== 'none' || scrollBehavior === 'smooth';
        })
        .map(({ outerHTML }) => outerHTML.slice(0, 60)),
    );
  assert.deepEqual(await moving(), []);
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  assert.notEqual((await moving()).length, 0);
  await page.close();
});

test('on paper: the picture, the classes and how the map was made, and nothing to press', async () => {
  const page = await openPage(here);
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  const seen = await page.$$eval(
    '#canvas, #legend, #predictions, #facts, #model-facts, button:not(#predictions button), #samples, label, #network, .look',
    (all) => all.filter((e) => e.checkVisibility()).map((e) => e.id),
  );
  assert.deepEqual(seen, ['canvas', 'legend', 'predictions', 'facts', 'model-facts']);
  const ink = await page.$eval('body', (body) => getComputedStyle(body).color);
  assert.equal(ink, 'rgb(28, 29, 33)', 'dark ink on white paper, also from a dark screen');
  await page.pdf({ path: join(screenshots, 'print.pdf'), format: 'A4' });
  await page.setViewportSize({ width: 794, height: 1123 });
  await shot(page, 'print');
  await page.close();
});

test('without JavaScript the page is prose, and nothing that does nothing', async () => {
  const page = await here.browser.newPage({ javaScriptEnabled: false, viewport: { width: 360, height: 740 } });
  await page.goto(`${here.server.url}/`);
  const text = await page.innerText('body');
  assert.match(text, /where did it look\? .*needs JavaScript.*stay on your machine/s);
  for (const selector of ['button', 'select', 'canvas'])
    assert.equal(await page.locator(`${selector}:visible`).count(), 0, selector);
  await shot(page, 'noscript');
  await page.close();
});
