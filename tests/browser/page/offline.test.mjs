// The page and the network: it works without a connection after one visit, reaches no host outside
// its list, and says what it fetched.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { covered, policy, reach, sources } from '../../../www/policy.js';
import { collectErrors, dist, explained, golden, idle, listen, root, serve, shot, site } from '../harness.mjs';

const here = site();
const list = JSON.parse(readFileSync(join(root, 'www/models/models.json'), 'utf8'));
const temporary = [];
after(() => temporary.forEach((folder) => rmSync(folder, { recursive: true })));

/** A page that may have a service worker. */
async function visit(url, { path = '/' } = {}) {
  const page = await here.browser.newPage({ serviceWorkers: 'allow', viewport: { width: 1200, height: 900 } });
  collectErrors(page);
  await page.goto(url + path);
  await explained(page);
  return page;
}
const keptPage = (page) =>
  page.waitForFunction(() => document.querySelector('#offline').textContent.includes('works without a connection'));
const cacheNames = (page) => page.evaluate(() => caches.keys());
const keptFiles = (page) =>
  page.evaluate(async () => {
    const [name] = (await caches.keys()).filter((name) => name.startsWith('sightline-page:'));
    return (await (await caches.open(name)).keys()).map(({ url }) => url);
  });

/** Waits until so many files are kept: the page's next message has the worker tidy up. */
async function untilKept(page, count, why) {
  for (let files = [], i = 0; ; i++) {
    files = await keptFiles(page);
    if (files.length === count) return files;
    if (i === 60) assert.equal(files.length, count, why);
    await page.evaluate(() => navigator.serviceWorker.controller.postMessage({ used: [] }));
    await page.waitForTimeout(250);
  }
}

/** A copy of the site that a test may change as a new version would. */
function copy() {
  const folder = mkdtempSync(join(tmpdir(), 'sightline-site-'));
  temporary.push(folder);
  cpSync(dist, folder, { recursive: true });
  const change = (name, edit) => {
    const before = readFileSync(join(folder, name));
    const text = edit(before.toString());
    assert.notEqual(text, before.toString());
    writeFileSync(join(folder, name), text);
    return [before, text].map((bytes) => createHash('sha256').update(bytes).digest('hex'));
  };
  return {
    folder,
    /** Changes a file, and its hash in the service worker. */
    release(name, edit) {
      const [old, now] = change(name, edit);
      change('sw.js', (worker) => worker.replace(old, now));
    },
    change,
  };
}

describe('without a connection', () => {
  for (const path of ['/', '/deep/er/'])
    test(`after the first visit the page at ${path} opens, with every model that comes with it`, async () => {
      const server = await serve();
      const page = await visit(server.url, { path });
      await keptPage(page);
      await page.evaluate(async () => {
        const cache = await caches.open('sightline:owner/model');
        const record = {
          id: 'owner/model',
          url: 'https://hub.invalid/',
          config: '',
          complete: false,
          date: new Date().toISOString(),
        };
        await cache.put('https://sightline.invalid/record', Response.json(record));
      });
      await server.close();
      await page.reload();
      await explained(page);
      const first = await page.textContent('#predictions');
      for (const { id } of list.models.filter((model) => model.path)) {
        await page.selectOption('#model', id);
        await page.waitForFunction((id) => document.querySelector('#model').value === id, id);
        await idle(page);
        assert.equal(await page.locator('#alert').isVisible(), false, id);
      }
      assert.notEqual(await page.textContent('#predictions'), first);
      await page.click('#samples button:nth-child(2)');
      await page.waitForFunction(() =>
        document.querySelector('#canvas').ariaLabel.startsWith(document.querySelectorAll('#samples img')[1].alt),
      );
      await idle(page);
      // Every language is kept, whichever was read.
      await page.selectOption('#language', 'de');
      await page.waitForFunction(() => document.documentElement.lang === 'de');
      assert.match(await page.textContent('#offline'), /funktioniert ohne Verbindung/);
      assert.equal(await page.locator('#alert').isVisible(), false);
      assert.deepEqual(page.errors, []);
      assert.ok((await cacheNames(page)).includes('sightline:owner/model'), "the models' own caches are left alone");
      if (path === '/') await shot(page, 'offline');
      await page.close();
    });

  test('what is kept is what the lists name: the WebGPU program only once it was used, documents and examples never', async () => {
    const site = copy();
    // A build for the CPU alone has no such file: it is the service worker's doing that is tested
    // here.
    const name = 'pkg/wasm/webgpu/sightline_bg.wasm';
    const wasm = Buffer.from('not run here');
    const hash = createHash('sha256').update(wasm).digest('hex');
    // The files of a full build are in the service worker's list.
    if (!existsSync(join(site.folder, name)))
      cpSync(join(site.folder, 'pkg/wasm/cpu'), join(site.folder, 'pkg/wasm/webgpu'), { recursive: true });
    writeFileSync(join(site.folder, name), wasm);
    site.change('sw.js', (worker) =>
      worker.replace(/const ONCE_USED = \{[^}]*\};/, `const ONCE_USED = ${JSON.stringify({ [name]: hash })};`),
    );
    const server = await serve({ folder: site.folder });
    const page = await visit(server.url);
    await keptPage(page);
    const told = async () => Number(/([\d.]+) MB/.exec(await page.textContent('#network-line'))[1]);
    assert.ok((await told()) > 15, `the page and its copy are ${await told()} MB`);
    const has = async () => (await keptFiles(page)).some((url) => url.includes(name));
    assert.equal(await has(), false);
    assert.ok(!server.hits.includes(`/${name}`));
    const files = await keptFiles(page);
    assert.ok(files.some((url) => url.includes('/pkg/models/sightline-cnn/model.safetensors?sha256=')));
    assert.ok(!files.some((url) => /\/examples\/|\.d\.ts|\/sw\.js/.test(url)), files.join('\n'));
    await page.evaluate(async (name) => (await fetch(name)).arrayBuffer(), `./${name}`);
    for (let i = 0; i < 50 && !(await has()); i++) await page.waitForTimeout(50);
    assert.equal(await has(), true);
    await server.close();
    assert.equal(await page.evaluate(async (name) => (await fetch(name)).text(), `./${name}`), String(wasm));
    await page.close();
  });

  test('a new version is offered, takes over when it is asked to, and fetches what changed alone', async () => {
    const site = copy();
    const server = await serve({ folder: site.folder });
    const page = await visit(server.url);
    await keptPage(page);
    const before = await keptFiles(page);
    site.release('index.html', (html) => html.replace('<h1>Sightline</h1>', '<h1>Sightline, anew</h1>'));
    server.hits.length = 0;
    await page.reload();
    await explained(page);
    assert.equal(await page.textContent('h1'), 'Sightline', 'a page does not mix two versions');
    await page.waitForSelector('#update:not([hidden])');
    await shot(page, 'offline-update');
    await page.click('#update-go');
    await page.waitForFunction(() => document.querySelector('h1').textContent === 'Sightline, anew');
    await explained(page);
    assert.match(
      await page.textContent('#network-line'),
      /: \d+\.\d kB, from this site alone$/,
      'next to nothing was fetched',
    );
    const heavy = server.hits.filter((path) => /wasm$|safetensors$/.test(path));
    assert.deepEqual(heavy, [], 'unchanged files are not fetched again');
    const files = await untilKept(page, before.length, 'the old files are gone');
    assert.equal(files.filter((url) => !before.includes(url)).length, 1);
    assert.equal(await page.locator('#update').isVisible(), false);
    await page.close();
    await server.close();
  });

  test('two tabs: each has the files of its own version until it is loaded anew', { timeout: 120_000 }, async () => {
    const site = copy();
    const server = await serve({ folder: site.folder });
    const context = await here.browser.newContext({ serviceWorkers: 'allow', viewport: { width: 1200, height: 900 } });
    const [asks, stays] = [await context.newPage(), await context.newPage()];
    for (const page of [asks, stays]) {
      collectErrors(page);
      await page.goto(`${server.url}/`);
      await explained(page);
      await keptPage(page);
    }
    const before = await keptFiles(asks);
    await stays.evaluate(() => (globalThis.sameDocument = true));
    const glue = 'pkg/wasm/cpu/sightline.js';
    site.release('index.html', (html) => html.replace('<h1>Sightline</h1>', '<h1>Sightline, anew</h1>'));
    site.release('i18n/de.js', (text) => text.replace("pick: '", "pick: 'NEU "));
    site.release('pkg/engine/worker.js', (text) => `${text}\npostMessage({ saw: 'new worker' });\n`);
    site.release(glue, (text) => `${text}\nglobalThis.postMessage?.({ saw: 'new glue' });\n`);
    /** What a worker that the page starts says of its version, and of what it imports. */
    const saw = (page) =>
      page.evaluate(async (glue) => {
        // The page takes no worker's address but from here.
        const { scriptUrl } = await import('./pkg/util/trusted.js');
        return new Promise((done) => {
          const seen = [];
          const url = new URL('./pkg/engine/worker.js', location.href);
          const worker = new Worker(scriptUrl(url), { type: 'module' });
          worker.addEventListener('message', ({ data }) => {
            if (data.saw) seen.push(data.saw);
            if (data.ready) {
              worker.postMessage({ op: 'import', url: new URL(glue, location.href).href });
              setTimeout(() => (worker.terminate(), done(seen)), 700);
            }
          });
        });
      }, glue);
    await asks.reload();
    await explained(asks);
    assert.equal(await asks.textContent('h1'), 'Sightline');
    await asks.waitForSelector('#update:not([hidden])');
    await asks.click('#update-go');
    await asks.waitForFunction(() => document.querySelector('h1').textContent === 'Sightline, anew');
    await explained(asks);
    assert.deepEqual(await saw(asks), ['new worker', 'new glue']);

    // The other tab was not loaded anew, also when its service worker starts afresh.
    const devtools = await context.newCDPSession(stays);
    await devtools.send('ServiceWorker.enable');
    for (const restart of [false, true]) {
      if (restart) await devtools.send('ServiceWorker.stopAllWorkers');
      assert.equal(await stays.evaluate(() => globalThis.sameDocument), true);
      assert.deepEqual(await saw(stays), [], restart ? 'after a restart' : 'after the other tab asked');
    }
    const pick = () => stays.textContent('#pick');
    await stays.selectOption('#language', 'de');
    await stays.waitForFunction(() => document.documentElement.lang === 'de');
    assert.doesNotMatch(await pick(), /NEU/);
    await stays.selectOption('#method', 'saliency');
    await idle(stays);
    assert.equal(await stays.locator('#alert').isVisible(), false);
    assert.equal(await stays.locator('#update').isVisible(), true, 'it says that there is a newer version');
    await shot(stays, 'offline-second-tab');
    await stays.click('#update-go');
    await stays.waitForFunction(() => document.querySelector('#pick').textContent.includes('NEU'));
    await explained(stays);
    assert.deepEqual(await saw(stays), ['new worker', 'new glue']);
    const files = await untilKept(stays, before.length, 'the old files are gone');
    assert.equal(files.filter((url) => !before.includes(url)).length, 4);
    assert.deepEqual([...asks.errors, ...stays.errors], []);
    await context.close();
    await server.close();
  });

  test('a file that this version does not find any more is refused, not replaced by a newer one', async () => {
    const site = copy();
    const server = await serve({ folder: site.folder });
    const page = await visit(server.url);
    await keptPage(page);
    // As where a browser dropped what was kept.
    const name = 'i18n/de.js';
    await page.evaluate(async (name) => {
      const [cache] = (await caches.keys()).filter((one) => one.startsWith('sightline-page:'));
      const kept = await caches.open(cache);
      const [entry] = (await kept.keys()).filter(({ url }) => url.includes(`/${name}?`));
      await kept.delete(entry);
    }, name);
    site.release(name, (text) => text.replace("pick: '", "pick: 'NEU "));
    const status = await page.evaluate(async (name) => (await fetch(name)).status, name);
    assert.equal(status, 410);
    await page.waitForSelector('#update:not([hidden])');
    await page.close();
    await server.close();
  });

  test('a file that is not the one of the list is not kept, and the page says that it has no copy', async () => {
    const site = copy();
    site.change('style.css', (css) => `${css}\n/* not in the list */\n`);
    const server = await serve({ folder: site.folder });
    const page = await visit(server.url);
    await page.waitForFunction(() => document.querySelector('#offline').textContent.includes('no copy'));
    assert.ok(!(await keptFiles(page)).some((url) => url.includes('style.css')));
    assert.equal(await page.evaluate(() => navigator.serviceWorker.controller), null);
    await page.close();
    await server.close();
  });
});

/** Runs in a page: the ways to reach another host, and to run a text, that work there. */
async function meansThatWork(origin) {
  const loaded = (element, properties) =>
    new Promise((yes, no) => {
      document.head.append(Object.assign(element, { onload: yes, onerror: no, ...properties }));
    });
  const means = {
    fetch: async () => (await fetch(`${origin}/fetch`, { mode: 'no-cors' })) && true,
    picture: () => loaded(new Image(), { src: `${origin}/picture` }),
    style: () => loaded(document.createElement('link'), { rel: 'stylesheet', href: `${origin}/style.css` }),
    frame: () =>
      new Promise((_, no) => {
        const frame = Object.assign(document.createElement('iframe'), { src: `${origin}/frame` });
        frame.onload = () => {
          // A refused frame holds an error page: what counts is what the other host was asked.
          frame.remove();
          no();
        };
        document.body.append(frame);
      }),
    script: () => import(`${origin}/script.js`),
    'script in a blob': () => import(URL.createObjectURL(new Blob(['export {}'], { type: 'text/javascript' }))),
    beacon: async () => {
      navigator.sendBeacon(`${origin}/beacon`, 'x');
      throw new Error('beacons do not tell');
    },
    request: () =>
      new Promise((yes, no) => {
        const request = Object.assign(new XMLHttpRequest(), { onload: yes, onerror: no });
        request.open('GET', `${origin}/xhr`);
        request.send();
      }),
    socket: () =>
      new Promise((yes, no) =>
        Object.assign(new WebSocket(`${origin.replace('http', 'ws')}/ws`), { onopen: yes, onerror: no }),
      ),
    'a worker of a blob': async () => {
      const text = `fetch('${origin}/worker', { mode: 'no-cors' }).then(() => postMessage(1), () => postMessage(0))`;
      const address = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
      // Under Trusted Types the package's own way is left.
      const { scriptUrl } = await import('./pkg/util/trusted.js');
      const worker = new Worker(scriptUrl(address));
      const told = await new Promise((yes, no) => Object.assign(worker, { onmessage: yes, onerror: no }));
      globalThis.toldByWorker = told.data;
      if (!told.data) throw new Error('the worker was refused');
    },
    eval: async () => new Function('return 1')(),
  };
  const worked = [];
  for (const [name, run] of Object.entries(means))
    await Promise.resolve()
      .then(run)
      .then(
        () => worked.push(name),
        () => {},
      );
  return worked;
}

describe('the policy', () => {
  test('it holds the hub, the hosts and the addresses of the list, and refuses what is none', () => {
    const made = policy({
      hub: 'https://hub.example/{name}/x/',
      hosts: ['https://*.cdn.example', 'http://127.0.0.1:8000'],
      models: [{ path: 'a' }, { url: 'https://far.example/model' }, { url: './near' }],
    });
    const origins = ['https://hub.example', 'https://far.example', 'https://*.cdn.example', 'http://127.0.0.1:8000'];
    assert.deepEqual(reach(made), origins);
    assert.doesNotMatch(made, /unsafe-inline|'unsafe-eval'|\*[ ;]/);
    assert.match(made, /default-src 'none'/);
    for (const host of [
      '*',
      'https://*',
      'https:',
      "'unsafe-eval'",
      'https://x; script-src *',
      'https://x/path',
      'data:',
      'https://a b',
    ])
      assert.throws(() => sources({ hosts: [host] }), /no host/, host);
    for (const [url, is] of [
      ['https://hub.example/x', true],
      ['http://hub.example/x', false],
      ['https://hub.example:444/x', false],
      ['https://a.cdn.example/', true],
      ['https://a.b.cdn.example/', true],
      ['https://cdn.example/', false],
      ['https://evilcdn.example/', false],
      ['https://hub.example.evil.example/', false],
    ])
      assert.equal(covered(origins, new URL(url)), is, url);
  });

  test('the pages as built have the policy of models.json, first in their head, and the page runs under it without a violation', async () => {
    for (const name of ['index.html', 'embed.html', 'examples/index.html']) {
      const html = readFileSync(join(dist, name), 'utf8');
      const [, text] =
        /^<!doctype html>\n<html lang="en">\n<head>\n {2}<meta charset="utf-8">\n {2}<meta http-equiv="Content-Security-Policy" content="([^"]*)">/.exec(
          html,
        ) ?? [];
      assert.equal(text, policy(list), name);
    }
    const page = await here.browser.newPage();
    const violations = [];
    page.on('console', (message) => /Content Security Policy/.test(message.text()) && violations.push(message.text()));
    await page.goto(`${here.server.url}/`);
    await explained(page);
    for (const value of await page.$$eval('#method option:not(:disabled)', (all) =>
      all.slice(0, 4).map((o) => o.value),
    )) {
      await page.selectOption('#method', value);
      await idle(page);
    }
    assert.deepEqual(violations, []);
    await page.close();
  });

  test('no other host is reached, by whatever means; an address outside the list is refused in words before any request', async () => {
    const asked = [];
    const other = await listen((request, response) => {
      asked.push(request.url);
      response.setHeader('access-control-allow-origin', '*').end('here');
    });
    const origin = other.url;
    const page = await here.browser.newPage();
    await page.goto(`${here.server.url}/`);
    await explained(page);
    const worked = await page.evaluate(meansThatWork, origin);
    assert.deepEqual(worked, []);
    assert.deepEqual(asked, []);
    assert.equal(await page.evaluate(() => globalThis.toldByWorker), 0, 'the worker ran, and was refused');

    await page.click('#open-model summary');
    await page.fill('#model-url', `${origin}/model`);
    await page.press('#model-url', 'Enter');
    await page.waitForSelector('#offer[data-code="bad-option"]');
    const said = await page.textContent('#offer-text');
    assert.match(
      said,
      /^127\.0\.0\.1:\d+ is none of the hosts that this page can reach \(its own site, huggingface\.co, .*Nothing was requested/,
    );
    assert.ok(said.includes(`add "${origin}" to "hosts" in models/models.json`), said);
    assert.deepEqual(asked, []);
    await shot(page, 'policy-refused');
    await page.close();

    // With that host in the list the same address is asked.
    const open = await here.browser.newPage();
    const server = await serve({ list: { ...list, hosts: [origin] } });
    await open.goto(`${server.url}/`);
    await explained(open);
    await open.click('#open-model summary');
    await open.fill('#model-url', `${origin}/model`);
    await open.press('#model-url', 'Enter');
    await open.waitForSelector('#offer[data-code]');
    assert.ok(asked.includes('/model/config.json'));
    await open.close();
    await server.close();
    await other.close();
  });

  for (const sandbox of ['allow-scripts', null])
    test(`the embed page ${sandbox ? 'in a sandboxed frame of another site' : 'in a frame of another site'} works, and reaches no other host`, async () => {
      const asked = [];
      const photo = readFileSync(join(dist, 'samples/cat.jpg'));
      const other = await listen((request, response) => {
        asked.push(request.url);
        response.setHeader('access-control-allow-origin', '*').end(request.url === '/cat.jpg' ? photo : 'here');
      });
      const origin = other.url;
      const page = await here.browser.newPage();
      const violations = [];
      page.on(
        'console',
        (message) => /Content Security Policy/.test(message.text()) && violations.push(message.text()),
      );
      const shown = async (site, query) => {
        const elsewhere = await serve();
        await page.goto(`${elsewhere.url}/blank.html`);
        await page.evaluate(
          ([src, sandbox]) => {
            const frame = document.createElement('iframe');
            if (sandbox !== null) frame.setAttribute('sandbox', sandbox);
            document.body.append(Object.assign(frame, { src }));
          },
          [`${site.url}/embed.html?${new URLSearchParams(query)}`, sandbox],
        );
        const frame = await (await page.waitForSelector('iframe')).contentFrame();
        await frame.waitForSelector('#main *');
        return frame;
      };
      const ready = (frame) =>
        frame.waitForFunction(() => document.querySelector('sightline-explainer')?.state === 'ready');
      const open = await serve({ cors: true });
      const frame = await shown(open, { src: 'samples/cat.jpg', method: 'saliency', controls: '' });
      await ready(frame);
      assert.equal(await frame.evaluate(() => globalThis.origin), sandbox ? 'null' : open.url);
      assert.deepEqual(violations, []);
      assert.deepEqual(await frame.evaluate(meansThatWork, origin), []);
      assert.deepEqual(asked, []);
      assert.ok(violations.length > 5, 'what was tried was refused');

      for (const [name, query] of [
        ['src', { src: `${origin}/cat.jpg` }],
        ['model', { src: 'samples/cat.jpg', model: `${origin}/model/` }],
      ]) {
        const refused = await shown(open, query);
        assert.match(
          await refused.textContent('[role=alert][data-code=bad-option]'),
          new RegExp(
            `^The option “${name}” is on 127\\.0\\.0\\.1:\\d+, which is none of the hosts .*huggingface\\.co.*add “${origin}” to “hosts”`,
          ),
        );
      }
      assert.deepEqual(asked, []);

      // With that host in the list its photo is shown.
      const listed = await serve({ cors: true, list: { ...list, hosts: [origin] } });
      await ready(await shown(listed, { src: `${origin}/cat.jpg`, method: 'saliency' }));
      assert.ok(asked.includes('/cat.jpg'));
      await page.close();
      await other.close();
    });
});

test('the line about the network counts what came, by host, and tells a redirect that the policy refused', async () => {
  const files = join(golden, 'packages/tiny-vit');
  const config = readFileSync(join(files, 'config.json'));
  const weights = readFileSync(join(files, 'model.safetensors'));
  let redirect = '';
  const hub = await listen((request, response) => {
    response.setHeader('access-control-allow-origin', '*');
    if (request.url.endsWith('config.json')) return response.end(config);
    if (redirect) return response.writeHead(302, { location: redirect }).end();
    response.writeHead(200, { 'content-length': weights.length });
    response.end(weights);
  });
  const origin = hub.url;
  const page = await here.browser.newPage({ viewport: { width: 360, height: 740 } });
  const server = await serve({ list: { hub: `${origin}/{name}/`, models: list.models } });
  await page.goto(`${server.url}/`);
  await explained(page);
  const line = () => page.textContent('#network-line');
  await page.waitForFunction(() => /from this site alone$/.test(document.querySelector('#network-line').textContent));
  // What comes from the page's own host is in the browser's timings, and not counted a second time.
  await page.evaluate(async () => {
    (await import('./offline.js')).count(location.host, 5e7);
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  });
  assert.match(await line(), /^Network since load: \d+\.\d MB, from this site alone$/);
  // The program and the model are most of it, and the photo stays.
  const least = ['pkg/wasm/cpu/sightline_bg.wasm', 'pkg/models/sightline-cnn/model.safetensors'].reduce(
    (sum, name) => sum + readFileSync(join(dist, name)).length,
    0,
  );
  const told = Number(/([\d.]+) MB/.exec(await line())[1]) * 1e6;
  assert.ok(told >= least - 5e4 && told < least + 4e6, `${told} of at least ${least}`);
  await page.click('#network summary');
  assert.match(
    await page.textContent('#reachable'),
    new RegExp(`its own site and ${new URL(origin).host}, and no other host`),
  );

  const look = async () => {
    await page.fill('#model-url', 'owner/model');
    await page.press('#model-url', 'Enter');
  };
  redirect = 'http://elsewhere.invalid/model.safetensors';
  await page.click('#open-model summary');
  await look();
  await page.waitForSelector('#offer[data-code="network"]', { timeout: 60_000 });
  assert.match(
    await page.textContent('#offer-text'),
    /127\.0\.0\.1:\d+ sent the request on to a host that the policy refuses: "hosts" in models\/models\.json/,
  );
  await page.waitForFunction(() =>
    document
      .querySelector('#network-hosts')
      .textContent.includes("sent a request on to: refused by this page's policy"),
  );
  redirect = '';
  await look();
  await page.waitForFunction(() => document.querySelector('#offer-go').textContent === 'Download');
  await page.click('#offer-go');
  await page.waitForFunction(() => document.querySelector('#model-facts').textContent.includes('kept copy'));
  await page.waitForFunction(
    (host) => document.querySelector('#network-line').textContent.endsWith(`from this site and ${host}`),
    new URL(origin).host,
  );
  const item = (await page.$$eval('#network-hosts li', (all) => all.map((li) => li.textContent))).find((text) =>
    text.startsWith(new URL(origin).host),
  );
  assert.match(
    item,
    new RegExp(`: \\d+ requests, ${(weights.length / (weights.length < 1e5 ? 1e3 : 1e6)).toFixed(1)} [kM]B`),
  );
  await shot(page, 'network-phone');
  await page.close();
  await server.close();
  await hub.close();
});
