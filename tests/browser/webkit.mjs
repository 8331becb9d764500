// A smoke test in WebKit, by hand: Debian's MiniBrowser, driven by WebDriver. It needs a screen;
// docs/browsers.md has the command.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { screenshots, serve } from './harness.mjs';

const PORT = 4567;
/** Debian's. */
const program = process.env.WEBKIT_PATH ?? '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser';
const server = await serve();
const driver = spawn('WebKitWebDriver', [`--port=${PORT}`], { stdio: 'inherit' });

/** @param {string} method @param {string} path @param {object} [body] */
async function ask(method, path, body) {
  const response = await fetch(`http://127.0.0.1:${PORT}${path}`, { method, body: body && JSON.stringify(body) });
  const { value } = await response.json();
  if (!response.ok) throw new Error(`${path}: ${value.error}: ${value.message}`);
  return value;
}
const started = async () => {
  for (let tries = 0; tries < 50; tries++, await delay(100)) if (await ask('GET', '/status').catch(() => null)) return;
  throw new Error('WebKitWebDriver does not answer');
};

try {
  await started();
  const browserOptions = { binary: program, args: ['--automation'] };
  const { sessionId, capabilities } = await ask('POST', '/session', {
    capabilities: { alwaysMatch: { 'webkitgtk:browserOptions': browserOptions } },
  });
  const session = `/session/${sessionId}`;
  await ask('POST', `${session}/timeouts`, { script: 120_000 });
  /** Runs an async function in the page. @param {(...args: any[]) => Promise<any>} script */
  const run = async (script, ...args) => {
    const answer = await ask('POST', `${session}/execute/async`, {
      script: `const done = arguments[arguments.length - 1];
        (${script})(...arguments).then((value) => done({ value }), (e) => done({ error: String(e) + e.stack }));`,
      args,
    });
    if (answer.error) throw new Error(answer.error);
    return answer.value;
  };

  await ask('POST', `${session}/url`, { url: `${server.url}/blank.html` });
  const found = await run(async (base) => {
    const { createExplainer } = await import(`${base}/pkg/index.js`);
    const explainer = await createExplainer({ model: { url: '/golden/packages/tiny-vit' } });
    const seen = await explainer.classify('/golden/photos/photo.png');
    const cam = await explainer.attribute('/golden/photos/photo.png', { method: 'grad_cam' });
    const broken = await explainer.classify('/golden/photos/truncated.jpg').catch(({ code }) => code);
    return { device: explainer.info.device, label: seen.predictions[0].label, shape: cam.shape, broken };
  }, server.url);
  assert.equal(found.device.kind, 'cpu');
  assert.equal(found.broken, 'unsupported-image');
  console.log(JSON.stringify(found));

  await ask('POST', `${session}/url`, { url: `${server.url}/?lang=en` });
  const facts = await run(async () => {
    const { body } = document;
    const isDone = () => body.dataset.state === 'idle' && document.querySelector('#legend').checkVisibility();
    for (const end = Date.now() + 100_000; !isDone() && Date.now() < end; )
      await new Promise((done) => setTimeout(done, 100));
    return document.querySelector('#facts').textContent;
  });
  assert.match(facts, /^Grad-CAM for/);
  const file = join(screenshots, 'webkit.png');
  writeFileSync(file, Buffer.from(await ask('GET', `${session}/screenshot`), 'base64'));
  console.log(`${capabilities.browserName} ${capabilities.browserVersion}: ${facts}\n${file}`);
  await ask('DELETE', session);
} finally {
  driver.kill();
  await server.close();
}
