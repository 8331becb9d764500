// The camera: Chromium's fake devices, one that plays two samples in turn, and every way in which
// there is none.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { collectErrors, explained, idle, launch, root, serve, shot, violations } from '../harness.mjs';

const here = {};
const folder = mkdtempSync(join(tmpdir(), 'sightline-camera-'));
const film = join(folder, 'film.mjpeg');
const FAKE = ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream=fps=20'];

before(async () => {
  // A film is one JPEG after the other: a bus, then bananas, each for a second and a half.
  const pictures = ['school-bus.jpg', 'bananas.jpg'].map((name) => readFileSync(join(root, 'www/samples', name)));
  writeFileSync(film, Buffer.concat(pictures.flatMap((picture) => Array(30).fill(picture))));
  here.server = await serve();
  here.browser = await launch({ flags: [...FAKE, `--use-file-for-fake-video-capture=${film}`] });
});
after(async () => {
  await here.browser?.close();
  await here.server?.close();
  rmSync(folder, { recursive: true });
});

/**
 * The page, which notes the streams that it is given and the frames that it shows.
 * @param {object} [options] of the page
 */
async function visit({ browser = here.browser, url = here.server.url, script = () => {}, ...options } = {}) {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options });
  collectErrors(page);
  await page.addInitScript(() => {
    globalThis.tracks = [];
    const devices = navigator.mediaDevices;
    const ask = devices?.getUserMedia.bind(devices);
    if (ask)
      devices.getUserMedia = async (wanted) => {
        const stream = await ask(wanted);
        tracks.push(...stream.getTracks());
        return stream;
      };
    // Explanations that the worker has not answered yet.
    globalThis.asked = { now: 0, most: 0, all: 0 };
    const post = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...rest) {
      if (message?.op === 'attribute') {
        asked.all += 1;
        asked.now += 1;
        asked.most = Math.max(asked.most, asked.now);
        const ended = ({ data }) => {
          if (data.call !== message.call || !(data.result || data.error)) return;
          asked.now -= 1;
          this.removeEventListener('message', ended);
        };
        this.addEventListener('message', ended);
      }
      return post.call(this, message, ...rest);
    };
  });
  await page.addInitScript(script);
  await page.goto(`${url}/`);
  await explained(page);
  return page;
}
const states = (page) => page.evaluate(() => tracks.map(({ readyState }) => readyState));
const status = (page) => page.textContent('#camera-status');
const says = (page, text) =>
  page.waitForFunction((text) => document.querySelector('#camera-status').textContent.includes(text), text);
const turnOn = async (page) => {
  await page.click('#camera-open');
  await page.waitForSelector('#camera-take:enabled');
};
const live = async (page) => {
  await turnOn(page);
  await page.click('#camera-live');
  await page.waitForFunction(() => /\d frames per second/.test(document.querySelector('#camera-rate').textContent));
};
const first = (page) => page.textContent('#predictions li:first-child .label');
/** Waits until the likeliest class is `label`. */
const sees = (page, label) =>
  page.waitForFunction(
    (label) => document.querySelector('#predictions li:first-child .label').textContent === label,
    label,
  );
const facts = (page) => page.textContent('#facts');

test('a frame on click is explained as a dropped photo is; the camera is asked for on click alone and released', async () => {
  const page = await visit();
  assert.deepEqual(await states(page), []);
  await turnOn(page);
  assert.deepEqual(await states(page), ['live']);
  assert.match(await status(page), /camera is on/);
  assert.match(await page.getAttribute('#canvas', 'aria-label'), /espresso/, 'the photo stays');
  assert.equal(await page.locator('#camera label').isVisible(), false, 'nothing to choose among one camera');
  await page.click('#camera-take');
  await page.waitForFunction(() =>
    document.querySelector('#canvas').ariaLabel.startsWith('A frame of the camera: Grad-CAM'),
  );
  await idle(page);
  assert.match(await first(page), /^(school bus|banana)$/);
  assert.match(await facts(page), /Grad-CAM for “(school bus|banana)”/);
  // The frame is explained by other methods too, and compared.
  await page.selectOption('#method', 'saliency');
  await page.waitForFunction(() => document.querySelector('#facts').textContent.startsWith('Saliency'));
  await page.click('#compare-go');
  await page.waitForFunction(() => /maps computed/.test(document.querySelector('#compare-status').textContent));
  assert.deepEqual(await states(page), ['live'], 'for the next frame');
  await shot(page, 'camera-frame');
  await page.click('#samples button:nth-child(2)');
  await sees(page, 'tabby');
  await idle(page);
  assert.deepEqual(await states(page), ['ended']);
  assert.equal(await page.locator('#camera').isVisible(), false);
  assert.match(await status(page), /another photo/);
  await turnOn(page);
  await page.click('#camera-open');
  assert.deepEqual(await states(page), ['ended', 'ended']);
  assert.equal(await page.textContent('#camera-open'), 'Use the camera');
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('live: the newest frame alone is explained, settings apply, a class freezes the picture, a stop releases the camera', async () => {
  const page = await visit();
  await live(page);
  assert.match(await status(page), /Live with Grad-CAM/);
  for (const label of ['school bus', 'banana', 'school bus']) await sees(page, label);
  assert.match(await facts(page), /Grad-CAM for “school bus”/);
  assert.equal(await page.getAttribute('#facts', 'aria-live'), 'off', 'a screen reader is not flooded');
  await shot(page, 'camera-live');
  await page.selectOption('#method', 'saliency');
  await page.waitForFunction(() => document.querySelector('#facts').textContent.startsWith('Saliency'));
  await sees(page, 'banana');
  assert.equal(await page.textContent('#camera-live'), 'Pause live');
  const { most, all } = await page.evaluate(() => asked);
  assert.equal(most, 1, 'nothing is queued');
  assert.ok(all > 10, `${all} explanations`);

  await page.click('#camera-live');
  await says(page, 'paused');
  await idle(page);
  assert.equal(await page.getAttribute('#facts', 'aria-live'), 'polite');
  const label = await first(page);
  await page.selectOption('#method', 'grad_cam');
  await page.waitForFunction(() => document.querySelector('#facts').textContent.startsWith('Grad-CAM'));
  assert.ok((await facts(page)).includes(`“${label}”`), 'the last frame is the photo');

  // A method of many passes gives way to one that can be live; a class is asked about on the frame
  // that is shown.
  await page.selectOption('#method', 'rise');
  await page.click('#camera-live');
  await page.waitForFunction(() => /\d frames per second/.test(document.querySelector('#camera-rate').textContent));
  assert.equal(await page.inputValue('#method'), 'grad_cam');
  // As long as a finger takes, over several frames.
  await page.click('#predictions li:nth-child(2) button', { delay: 400 });
  await says(page, 'paused');
  await idle(page);
  const second = await page.textContent('#predictions li:nth-child(2) .label');
  assert.ok((await facts(page)).includes(`“${second}”`), await facts(page));
  assert.deepEqual(await states(page), ['live']);

  await page.click('#camera-live');
  await page.waitForFunction(() => /\d frames per second/.test(document.querySelector('#camera-rate').textContent));
  await page.click('#camera-open');
  await idle(page);
  assert.deepEqual(await states(page), ['ended']);
  assert.match(await status(page), /The camera is off/);
  const count = await page.evaluate(() => asked.all);
  await page.waitForTimeout(300);
  assert.equal(await page.evaluate(() => asked.all), count, 'nothing goes on');
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('live: another photo, another model and a hidden page end it', async () => {
  const page = await visit();
  await live(page);
  await page.selectOption('#model', 'builtin-scene-cnn');
  await says(page, 'paused');
  await page.waitForFunction(() => document.querySelector('#facts').textContent.includes('at bn2'));
  await idle(page);
  assert.match(await page.getAttribute('#canvas', 'aria-label'), /^A frame of the camera/);
  await page.click('#camera-live');
  await page.waitForFunction(() => /\d frames per second/.test(document.querySelector('#camera-rate').textContent));
  await page.click('#samples button:nth-child(2)');
  await page.waitForFunction(() => document.querySelector('#canvas').ariaLabel.includes('tabby cat'));
  await idle(page);
  assert.deepEqual(await states(page), ['ended']);
  await page.waitForTimeout(200);
  assert.match(await page.getAttribute('#canvas', 'aria-label'), /tabby cat.*heatmap/, 'no late frame comes over it');
  await live(page);
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await idle(page);
  assert.deepEqual(await states(page), ['ended', 'ended']);
  assert.match(await status(page), /released when the page was hidden/);
  await page.evaluate(() => delete document.hidden);
  await turnOn(page);
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide')));
  assert.deepEqual(await states(page), ['ended', 'ended', 'ended']);
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('where the device does not keep up, live mode says its rate and gives way to single frames', async () => {
  const page = await visit({
    script: () => {
      // As a slow device would: its answers come late.
      const listen = Worker.prototype.addEventListener;
      Worker.prototype.addEventListener = function (kind, listener, ...rest) {
        const late = (event) => (event.data?.result?.values ? setTimeout(() => listener(event), 800) : listener(event));
        return listen.call(this, kind, kind === 'message' ? late : listener, ...rest);
      };
    },
  });
  await turnOn(page);
  await page.click('#camera-live');
  await says(page, 'Live needs 2 frames per second');
  await idle(page);
  const [, rate] = /Grad-CAM explains ([\d.]+)\. Take single frames/.exec(await status(page));
  assert.ok(Number(rate) > 0 && Number(rate) < 2, rate);
  assert.equal(await page.textContent('#camera-live'), 'Explain live');
  assert.deepEqual(await states(page), ['live']);
  await shot(page, 'camera-slow');
  await page.click('#camera-take');
  await idle(page);
  assert.match(await first(page), /^(school bus|banana)$/);
  const measured = await page.evaluate(async () => {
    const { pace } = await import('./camera.js');
    const run = (times) => {
      const measure = pace();
      return times.map((ms) => measure(ms)).at(-1);
    };
    return [
      run([400]),
      run(Array(30).fill(400)),
      run(Array(30).fill(600)),
      run([5000]),
      run([...Array(20).fill(100), 1500]),
      run([...Array(20).fill(100), ...Array(10).fill(700)]),
    ];
  });
  assert.deepEqual(
    measured.map(({ slow }) => slow),
    [false, false, true, true, false, true],
    JSON.stringify(measured),
  );
  assert.deepEqual(
    measured.slice(0, 4).map(({ rate }) => Math.round(rate * 100)),
    [250, 250, 167, 20],
  );
  await page.close();
});

test('who asks for less motion gets stills', async () => {
  const page = await visit({ reducedMotion: 'reduce' });
  await page.evaluate(() => {
    globalThis.shown = [];
    new MutationObserver(() => shown.push(performance.now())).observe(document.querySelector('#camera-rate'), {
      childList: true,
    });
  });
  await live(page);
  assert.match(await status(page), /a still every 2 seconds, as this system asks for less motion/);
  await page.waitForFunction(() => shown.length >= 3);
  const [, , ...gaps] = await page.evaluate(() => shown.map((at, k) => at - shown[k - 1]));
  assert.ok(
    gaps.every((ms) => ms > 1900),
    String(gaps),
  );
  await page.close();
});

test('several cameras: one is open at a time, and the keyboard stays where it was', async (context) => {
  const browser = await launch({ flags: [FAKE[0], '--use-fake-device-for-media-stream=fps=20,device-count=2'] });
  context.after(() => browser.close());
  const page = await visit({ browser, viewport: { width: 360, height: 740 } });
  await turnOn(page);
  const names = await page.$$eval('#camera-which option', (all) => all.map(({ text }) => text));
  assert.equal(names.length, 2);
  assert.ok(names.every((name) => name.length > 3) && names[0] !== names[1], names.join());
  const open = () =>
    page.evaluate(() => tracks.filter(({ readyState }) => readyState === 'live').map((t) => t.getSettings().deviceId));
  const [before] = await open();
  assert.equal(await page.inputValue('#camera-which'), before);
  await page.focus('#camera-which');
  await page.keyboard.press(
    (await page.evaluate(() => document.querySelector('#camera-which').selectedIndex)) ? 'ArrowUp' : 'ArrowDown',
  );
  await page.waitForFunction(
    (before) => tracks.length === 2 && document.querySelector('#camera-which').value !== before,
    before,
  );
  await page.waitForSelector('#camera-take:enabled');
  const now = await open();
  assert.equal(now.length, 1);
  assert.notEqual(now[0], before);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'camera-which');
  await shot(page, 'camera-two-phone');
});

test('with the keyboard, at 360 px, in light and dark, and axe finds nothing', async () => {
  for (const colorScheme of ['light', 'dark'])
    for (const width of [360, 1280]) {
      const page = await visit({ viewport: { width, height: 800 }, colorScheme });
      await page.focus('#camera-open');
      await page.keyboard.press('Enter');
      await page.waitForSelector('#camera-take:enabled');
      assert.equal(await page.getAttribute('#camera-open', 'aria-expanded'), 'true');
      await page.$eval('#from-link', (box) => (box.open = true));
      await shot(page, `camera-open-${colorScheme}-${width}`);
      assert.deepEqual(await violations(page), []);
      for (let i = 0; i < 10 && (await page.evaluate(() => document.activeElement.id)) !== 'camera-live'; i++)
        await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await page.waitForFunction(() => /\d frames per second/.test(document.querySelector('#camera-rate').textContent));
      await sees(page, 'banana');
      await shot(page, `camera-live-${colorScheme}-${width}`);
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width);
      assert.deepEqual(await violations(page), []);
      await page.keyboard.press('Enter');
      await says(page, 'paused');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'camera-live');
      await page.keyboard.press('Shift+Tab');
      await page.keyboard.press('Enter');
      await page.waitForFunction(() =>
        document.querySelector('#canvas').ariaLabel.startsWith('A frame of the camera: Grad-CAM'),
      );
      await idle(page);
      await page.focus('#camera-open');
      await page.keyboard.press(' ');
      assert.deepEqual(await states(page), ['ended']);
      await page.close();
    }
});

describe('no camera, in plain words, and the photo stays', () => {
  /** @param {object} page @param {RegExp} words */
  async function refused(page, words, name) {
    const [said, photo] = [await facts(page), await page.evaluate(() => document.querySelector('#canvas').toDataURL())];
    await page.click('#camera-open');
    await page.waitForSelector('#alert[data-code="device-unavailable"]:not([hidden])');
    assert.match(await page.textContent('#alert-text'), words);
    assert.match(await page.textContent('#alert-text'), /or choose a photo$/);
    assert.equal(await page.locator('#camera').isVisible(), false);
    assert.equal(await page.textContent('#camera-open'), 'Use the camera');
    assert.equal(await status(page), '');
    assert.equal(await facts(page), said);
    assert.equal(await page.evaluate(() => document.querySelector('#canvas').toDataURL()), photo);
    assert.deepEqual(page.errors, []);
    if (name) await shot(page, name);
    await page.close();
  }

  test('denied', async (context) => {
    const browser = await launch({ flags: ['--use-fake-ui-for-media-stream=deny', FAKE[1]] });
    context.after(() => browser.close());
    await refused(await visit({ browser }), /may not use the camera. Allow it beside the address/, 'camera-denied');
  });
  test('none', async (context) => {
    const browser = await launch({ flags: [FAKE[0]] });
    context.after(() => browser.close());
    await refused(await visit({ browser }), /No camera was found/);
  });
  test('in use by another program', async () => {
    const script = () => {
      navigator.mediaDevices.getUserMedia = () =>
        Promise.reject(new DOMException('Could not start video source', 'NotReadableError'));
    };
    await refused(await visit({ script }), /another program may be using it/);
  });
  test('pulled out', async () => {
    const page = await visit();
    await turnOn(page);
    await page.evaluate(() => tracks[0].dispatchEvent(new Event('ended')));
    assert.match(await page.textContent('#alert-text'), /camera is gone/);
    assert.deepEqual(await states(page), ['ended']);
    await page.close();
  });
  test('an old browser', async () => {
    const script = () => Object.defineProperty(Navigator.prototype, 'mediaDevices', { value: undefined });
    await refused(await visit({ script }), /browser gives pages no camera/);
  });
  test('no https', async (context) => {
    const browser = await launch({ flags: [...FAKE, '--host-resolver-rules=MAP plain.test 127.0.0.1'] });
    context.after(() => browser.close());
    const url = here.server.url.replace('127.0.0.1', 'plain.test');
    await refused(await visit({ browser, url }), /pages with an https address only/);
  });
  test('stopped before the browser has asked: what is given then is released', async () => {
    const script = () => {
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = (wanted) =>
        new Promise((done) => {
          globalThis.answer = () => done(ask(wanted));
        });
    };
    const page = await visit({ script });
    await page.click('#camera-open');
    await says(page, 'The browser asks');
    await page.click('#camera-open');
    assert.match(await status(page), /The camera is off/);
    await page.evaluate(() => answer());
    await page.waitForFunction(() => tracks.length === 1 && tracks[0].readyState === 'ended');
    assert.equal(await page.locator('#camera').isVisible(), false);
    await page.close();
  });
});
