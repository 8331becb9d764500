// A picture by its link: typed, pasted and dropped; every way in which one cannot be had; and what
// a long task says of itself.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { explained, golden, idle, listen, openPage, root, serve, shot, site } from '../harness.mjs';

const here = site();
const cat = readFileSync(join(root, 'www/samples/cat.jpg'));
const list = JSON.parse(readFileSync(join(root, 'www/models/models.json'), 'utf8'));

/** A host of pictures, with every fault that one can have. */
const host = { asked: [], held: new Set() };
before(async () => {
  const server = await listen((request, response) => {
    host.asked.push(request.url);
    const send = (status, headers, body) =>
      response.writeHead(status, { 'access-control-allow-origin': '*', ...headers }).end(body);
    const path = request.url.split('?')[0];
    const jpeg = { 'content-type': 'image/jpeg' };
    if (path === '/cat.jpg') return send(200, { ...jpeg, 'content-length': cat.length }, cat);
    if (path === '/octets') return send(200, { 'content-type': 'application/octet-stream' }, cat);
    if (path === '/private.jpg') return response.writeHead(200, jpeg).end(cat);
    if (path === '/page')
      return send(200, { 'content-type': 'text/html; charset=utf-8' }, '<!doctype html><img src="/cat.jpg">');
    if (path === '/data.json') return send(200, { 'content-type': 'application/json' }, '{}');
    if (path === '/text.jpg') return send(200, jpeg, 'no picture at all');
    if (path === '/forbidden.jpg') return send(403);
    if (path === '/fault.jpg') return send(503);
    if (path === '/elsewhere.jpg') return send(302, { location: 'http://elsewhere.invalid/cat.jpg' });
    if (path === '/huge.jpg') return send(200, { ...jpeg, 'content-length': 101 << 20 });
    if (path === '/broken.jpg') {
      response.writeHead(200, { 'access-control-allow-origin': '*', ...jpeg, 'content-length': cat.length });
      response.write(cat.subarray(0, 1000));
      return setTimeout(() => response.destroy(), 100);
    }
    if (path === '/endless.jpg') {
      response.writeHead(200, { 'access-control-allow-origin': '*', ...jpeg });
      const piece = Buffer.alloc(8 << 20);
      const more = () => response.destroyed || response.write(piece, () => setImmediate(more));
      return more();
    }
    if (path === '/slow.jpg') {
      response.writeHead(200, { 'access-control-allow-origin': '*', ...jpeg, 'content-length': cat.length });
      response.write(cat.subarray(0, cat.length / 2));
      host.held.add(response);
      return response.on('close', () => host.held.delete(response));
    }
    send(404);
  });
  host.url = server.url;
  host.server = await serve({ list: { ...list, hosts: [...list.hosts, host.url] } });
});
after(async () => {
  await host.server?.close();
});

/** The page, whose policy lets it ask the host of pictures. */
const visit = (viewport) => openPage({ browser: here.browser, server: host.server }, viewport);
const photo = (page) => page.evaluate(() => document.querySelector('#canvas').toDataURL());
const named = (page, name) =>
  page.waitForFunction((name) => document.querySelector('#canvas').ariaLabel.startsWith(`${name}: Grad-CAM`), name);
const type = async (page, link) => {
  await page.$eval('#from-link', (box) => (box.open = true));
  await page.fill('#photo-url', link);
  await page.press('#photo-url', 'Enter');
};
const paste = (page, text, selector = 'body') =>
  page.$eval(
    selector,
    (target, text) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', text);
      target.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    },
    text,
  );
const drop = (page, data) =>
  page.evaluate((data) => {
    const dataTransfer = new DataTransfer();
    for (const [type, text] of Object.entries(data)) dataTransfer.setData(type, text);
    for (const kind of ['dragenter', 'dragover', 'drop'])
      dispatchEvent(new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true }));
  }, data);
/** Back to the first photo. */
const coffee = async (page) => {
  await page.click('#samples button:first-child');
  await page.waitForFunction(() => document.querySelector('#canvas').ariaLabel.includes('espresso on'));
  await idle(page);
};
const dataUrl = (bytes, type = 'image/jpeg') => `data:${type};base64,${bytes.toString('base64')}`;

test('typed, pasted, dropped: from this site, from a host of the list, and held in the link itself', async () => {
  const page = await visit();
  const ways = {
    'cat.jpg': [
      () => type(page, './samples/cat.jpg'),
      () => type(page, ` ${host.url}/cat.jpg?size=large#part `),
      () => paste(page, `${host.url}/cat.jpg\n`),
      () => drop(page, { 'text/uri-list': `# comment\r\n${host.url}/cat.jpg\r\n` }),
      // A picture within a link: the picture is meant.
      () =>
        drop(page, {
          'text/uri-list': `${host.url}/page`,
          'text/html': `<a href="${host.url}/page"><img src="${host.url}/cat.jpg"></a>`,
        }),
      () => drop(page, { 'text/plain': `${host.url}/cat.jpg` }),
    ],
    octets: [() => type(page, `${host.url}/octets`)],
    'image/jpeg': [
      () => type(page, dataUrl(cat)),
      () => type(page, `data:image/jpeg,${[...cat].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')}`),
      () => drop(page, { 'text/html': `<img src="${dataUrl(cat)}">` }),
    ],
    'image/png': [() => paste(page, dataUrl(readFileSync(join(golden, 'photos/photo.png')), 'image/png'))],
  };
  for (const [name, all] of Object.entries(ways))
    for (const [k, go] of all.entries()) {
      await coffee(page);
      const [before, requests] = [await photo(page), host.asked.length + host.server.hits.length];
      await go();
      await named(page, name);
      await idle(page);
      assert.notEqual(await photo(page), before, `${name} ${k}`);
      if (name !== 'image/png')
        assert.match(await page.textContent('#predictions li:first-child'), /tabby/, `${name} ${k}`);
      const made = host.asked.length + host.server.hits.length - requests;
      if (name.startsWith('image/')) assert.equal(made, 0, 'nothing is asked for what is here');
    }
  const line = new RegExp(`from this site and ${new URL(host.url).host}$`);
  assert.match(await page.textContent('#network-line'), line);
  await page.click('#link');
  await page.waitForFunction(() =>
    /Your photo is not in the link/.test(document.querySelector('#link-note').textContent),
  );
  assert.equal(await page.locator('#alert').isVisible(), false);
  // What is pasted into a field, and what is no link, is left alone.
  await coffee(page);
  const asked = host.asked.length;
  await paste(page, `${host.url}/cat.jpg`, '#model-url');
  await paste(page, `look at ${host.url}/cat.jpg`);
  await drop(page, { 'text/plain': 'just words' });
  await page.waitForTimeout(200);
  assert.equal(host.asked.length, asked);
  assert.match(await page.getAttribute('#canvas', 'aria-label'), /espresso on/);
  assert.deepEqual(page.errors, []);
  await shot(page, 'link');
  await page.close();
});

test('a link that comes while the page starts is not lost, nor does a bad one lose the first photo', async () => {
  const page = await here.browser.newPage();
  await page.goto(`${host.server.url}/`);
  await page.waitForSelector('#samples button');
  await type(page, `${host.url}/cat.jpg`);
  await explained(page);
  await named(page, 'cat.jpg');
  await page.reload();
  await page.waitForSelector('#samples button');
  await type(page, `${host.url}/nothing.jpg`);
  await page.waitForSelector('#alert[data-code="network"]:not([hidden])');
  await explained(page);
  assert.match(await page.getAttribute('#canvas', 'aria-label'), /espresso on.*heatmap/);
  await page.close();
});

describe('a link that cannot be had is told in plain words, and the photo stays', () => {
  const cases = [
    [
      'a page',
      () => `${host.url}/page`,
      'unsupported-image',
      /is a web page, not a picture\. Open it, copy the address of the picture itself/,
    ],
    ['another file', () => `${host.url}/data.json`, 'unsupported-image', /no picture but application\/json/],
    ['no picture after all', () => `${host.url}/text.jpg`, 'unsupported-image', /./],
    ['not there', () => `${host.url}/nothing.jpg`, 'network', /nothing\.jpg is not there \(404\): check the link/],
    ['forbidden', () => `${host.url}/forbidden.jpg`, 'network', /refuses to give this picture out \(403\)/],
    ['a fault of the server', () => `${host.url}/fault.jpg`, 'network', /answered with status 503/],
    [
      'kept from other sites',
      () => `${host.url}/private.jpg`,
      'network',
      /does not let other sites read its pictures \(CORS\)\. Download/,
    ],
    [
      'sent on to a host outside',
      () => `${host.url}/elsewhere.jpg`,
      'network',
      /sends the request on to a host that this page cannot reach/,
    ],
    ['larger than it may be, as announced', () => `${host.url}/huge.jpg`, 'image-too-large', /larger than 100 MB/],
    ['larger than it may be, as it comes', () => `${host.url}/endless.jpg`, 'image-too-large', /larger than 100 MB/],
    ['broken off', () => `${host.url}/broken.jpg`, 'network', /broken\.jpg broke off\. Try again/],
    ['a damaged data link', () => 'data:image/png;base64,ab*d', 'unsupported-image', /data in this link is damaged/],
    ['a data link of text', () => 'data:,hello', 'unsupported-image', /no picture but text\/plain/],
    ['a file of this machine', () => 'file:///home/cat.jpg', 'bad-option', /no link to a picture on the web/],
    ['no address', () => 'https://', 'bad-option', /no link to a picture on the web/],
  ];
  for (const [what, link, code, words] of cases)
    test(what, async () => {
      const page = await visit();
      const before = [await photo(page), await page.textContent('#facts'), await page.textContent('#predictions')];
      await type(page, link());
      await page.waitForSelector(`#alert[data-code="${code}"]:not([hidden])`);
      assert.match(await page.textContent('#alert-text'), words);
      await idle(page);
      assert.deepEqual(
        [await photo(page), await page.textContent('#facts'), await page.textContent('#predictions')],
        before,
      );
      assert.deepEqual(page.errors, []);
      await page.close();
    });

  test('a host outside the list, and one that does not answer', async () => {
    const page = await here.browser.newPage({ viewport: { width: 360, height: 740 } });
    await page.goto(`${here.server.url}/`);
    await explained(page);
    const before = [await photo(page), host.asked.length];
    await type(page, `${host.url}/cat.jpg`);
    await page.waitForSelector('#alert[data-code="bad-option"]:not([hidden])');
    const said = await page.textContent('#alert-text');
    const { host: name, origin } = new URL(host.url);
    assert.ok(said.startsWith(`This page cannot reach ${name}`), said);
    assert.match(
      said,
      /nothing was requested\. Download the picture and drop it here; or add "http:.*" to "hosts" in models\/models\.json/,
    );
    assert.ok(said.includes(origin));
    assert.deepEqual([await photo(page), host.asked.length], before);
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    await shot(page, 'link-outside-phone');
    await page.close();

    const silent = await serve({ list: { ...list, hosts: ['http://127.0.0.1:9'] } });
    const other = await openPage({ browser: here.browser, server: silent });
    await type(other, 'http://127.0.0.1:9/cat.jpg');
    await other.waitForSelector('#alert[data-code="network"]:not([hidden])');
    assert.match(await other.textContent('#alert-text'), /127\.0\.0\.1:9 does not answer/);
    await other.context().setOffline(true);
    await type(other, 'http://127.0.0.1:9/cat.jpg');
    await other.waitForFunction(() =>
      /this machine is offline/.test(document.querySelector('#alert-text').textContent),
    );
    await other.close();
    await silent.close();
  });

  test('a slow one shows its progress and can be cancelled, and is dropped for another photo', async () => {
    const page = await visit();
    const before = await photo(page);
    for (const leave of [
      async () => {
        await page.click('#cancel');
        await idle(page);
        assert.equal(await photo(page), before);
      },
      async () => {
        await page.click('#samples button:nth-child(3)');
        await page.waitForFunction(() => /^(ladybug)/.test(document.querySelector('#predictions .label').textContent));
      },
    ]) {
      await type(page, `${host.url}/slow.jpg`);
      await page.waitForSelector('#working:not([hidden])');
      assert.equal(await page.textContent('#progress-text'), 'Fetching the picture');
      await page.waitForFunction(() => document.querySelector('#progress').value > 1000);
      assert.equal(host.held.size, 1);
      await leave();
      await idle(page);
      for (let i = 0; i < 50 && host.held.size; i++) await page.waitForTimeout(20);
      assert.equal(host.held.size, 0, 'the request is ended');
      assert.equal(await page.locator('#alert').isVisible(), false);
    }
    assert.match(await page.getAttribute('#canvas', 'aria-label'), /ladybug/);
    await page.close();
  });
});

test('a long explanation says how long it takes once it can, and is announced once', async () => {
  const page = await openPage(here);
  await page.evaluate(() => {
    globalThis.heard = [];
    globalThis.said = [];
    const busy = document.querySelector('#busy');
    new MutationObserver(() => busy.textContent && heard.push(busy.textContent)).observe(busy, { childList: true });
    const text = document.querySelector('#progress-text');
    new MutationObserver(() => said.push(text.textContent)).observe(text, { childList: true });
  });
  await page.selectOption('#method', 'layer_cam');
  await idle(page);
  assert.deepEqual(
    await page.evaluate(() => said.filter((text) => /left/.test(text))),
    [],
    'nothing to say of what is quick',
  );
  await page.selectOption('#method', 'rise');
  await idle(page);
  await page.evaluate(() => ((heard.length = 0), (said.length = 0)));
  await page.$eval('#options-box', (box) => (box.open = true));
  await page.fill('[data-option="nSamples"]', '20000');
  await page.press('[data-option="nSamples"]', 'Tab');
  await page.waitForFunction(() => said.some((text) => / left$/.test(text)), null, { timeout: 120_000 });
  const { said, heard } = await page.evaluate(() => ({ said, heard }));
  assert.equal(said[0], 'Computing RISE', 'nothing before there is something to go by');
  assert.match(said.at(-1), /^Computing RISE: (a few seconds|about (\d+ seconds|a minute|\d+ minutes)) left$/);
  assert.deepEqual(heard, ['Computing RISE. This takes a moment.']);
  await shot(page, 'time-left');
  await page.click('#cancel');
  await idle(page);
  assert.equal(await page.textContent('#busy'), '');

  const told = await page.evaluate(async () => {
    const { estimator, leftInWords } = await import('./progress.js');
    const run = (events) => {
      const left = estimator();
      return events.map(([stage, loaded, total, at]) => left({ stage, loaded, total }, at)).at(-1) ?? null;
    };
    return {
      left: [
        run([['compute', 0, 100, 0]]),
        run([
          ['compute', 0, 100, 0],
          ['compute', 10, 100, 1000],
        ]),
        run([
          ['compute', 0, 100, 0],
          ['compute', 1, 100, 5000],
        ]),
        run([
          ['compute', 0, 100, 0],
          ['compute', 25, 100, 5000],
        ]),
        // A stage of its own is measured by itself.
        run([
          ['download', 0, 100, 0],
          ['download', 100, 100, 60_000],
          ['compute', 20, 100, 60_000],
          ['compute', 60, 100, 64_000],
        ]),
        run([['wasm', 0, undefined, 0]]),
      ],
      words: [0, 7000, 12_000, 57_000, 58_000, 89_000, 91_000, 600_000].map(leftInWords),
    };
  });
  assert.deepEqual(told.left, [null, null, null, 15_000, 4000, null]);
  assert.deepEqual(told.words, [
    'a few seconds left',
    'a few seconds left',
    'about 10 seconds left',
    'about 55 seconds left',
    'about a minute left',
    'about a minute left',
    'about 2 minutes left',
    'about 10 minutes left',
  ]);
  await page.close();
});
