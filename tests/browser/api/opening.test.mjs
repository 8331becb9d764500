// Opening models from a hub or an address, and from files. A server of this file's own plays the
// hub, with every fault that a download can meet.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  collectErrors,
  drop,
  explained,
  golden,
  idle,
  listen,
  openPage,
  root,
  screenshots,
  serve,
  shot,
  site,
} from '../harness.mjs';
import { hostile, savedVit, stateDict } from '../torch.mjs';

const here = site();
const small = (name) => ({
  config: readFileSync(join(golden, 'packages', name, 'config.json')),
  weights: readFileSync(join(golden, 'packages', name, 'model.safetensors')),
});
const large = vit(256, 3);

/**
 * A package of a small ViT whose weights, seeded and meaningless, fill several pieces of a
 * download.
 */
function vit(dim, depth) {
  const shapes = {
    cls_token: [1, 1, dim],
    pos_embed: [1, 17, dim],
    'patch_embed.proj.weight': [dim, 3, 8, 8],
    'patch_embed.proj.bias': [dim],
  };
  const linear = (name, out, into) =>
    Object.assign(shapes, { [`${name}.weight`]: [out, into], [`${name}.bias`]: [out] });
  const norm = (name) => Object.assign(shapes, { [`${name}.weight`]: [dim], [`${name}.bias`]: [dim] });
  for (let i = 0; i < depth; i++) {
    const block = `blocks.${i}`;
    norm(`${block}.norm1`);
    linear(`${block}.attn.qkv`, 3 * dim, dim);
    linear(`${block}.attn.proj`, dim, dim);
    norm(`${block}.norm2`);
    linear(`${block}.mlp.fc1`, 4 * dim, dim);
    linear(`${block}.mlp.fc2`, dim, 4 * dim);
  }
  norm('norm');
  linear('head', 5, dim);
  let end = 0;
  const header = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const begin = end;
      end += 4 * shape.reduce((a, b) => a * b);
      return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }];
    }),
  );
  const text = Buffer.from(JSON.stringify(header));
  const weights = Buffer.alloc(8 + text.length + end);
  weights.writeBigUInt64LE(BigInt(text.length));
  text.copy(weights, 8);
  for (let i = 8 + text.length, seed = 1; i < weights.length; i += 4) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    weights.writeFloatLE((seed / 2 ** 32 - 0.5) / 8, i);
  }
  const model_args = { img_size: 32, patch_size: 8, embed_dim: dim, depth, num_heads: 4 };
  const config = {
    architecture: 'vit_tiny_patch16_224',
    num_classes: 5,
    model_args,
    pretrained_cfg: { input_size: [3, 32, 32] },
  };
  return { config: Buffer.from(JSON.stringify(config)), weights };
}
const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/**
 * A hub on another origin with one package. `faults` are taken by the coming requests for its
 * weights, one each; `requests` are those it had, with the bytes that each was sent.
 */
async function openHub({ config, weights }) {
  const hub = { config, weights, etag: '"v1"', extra: {}, faults: [], requests: [], configs: 0 };
  const server = await listen(async (request, response) => {
    response.setHeader('access-control-allow-origin', '*');
    response.setHeader('access-control-expose-headers', 'ETag, Content-Range, X-Linked-ETag');
    if (request.method === 'OPTIONS') return response.writeHead(405).end();
    const name = request.url.split('/').pop();
    if (name === 'config.json') {
      hub.configs += 1;
      return hub.config ? response.end(hub.config) : response.writeHead(404).end('no');
    }
    if (name !== 'model.safetensors') return response.writeHead(404).end('no');
    const closed = once(response, 'close');
    const { range } = request.headers;
    const entry = { range, bytes: 0 };
    const probe = range === 'bytes=0-0';
    if (!probe) hub.requests.push(entry);
    const from = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0);
    const to = probe ? 1 : hub.weights.length;
    const send = async (status, body, headers = {}, { stop = body.length, pause = 0 } = {}) => {
      const all = { 'content-length': body.length, etag: hub.etag, ...hub.extra, ...headers };
      response.writeHead(status, all);
      response.flushHeaders();
      for (let at = 0; at < stop && !response.destroyed; at += 65536) {
        const part = body.subarray(at, Math.min(at + 65536, stop));
        entry.bytes += part.length;
        await Promise.race([new Promise((sent) => response.write(part, sent)), closed]);
        if (pause) await sleep(pause);
      }
      if (stop === body.length) return response.end();
      await sleep(100);
      response.destroy();
    };
    const part = (options, start = from) =>
      send(
        206,
        hub.weights.subarray(start, to),
        { 'content-range': `bytes ${start}-${to - 1}/${hub.weights.length}` },
        options,
      );
    const whole = (options) => send(200, hub.weights, {}, options);
    const usual = (options) =>
      range && from < hub.weights.length ? part(options) : range ? send(416, Buffer.alloc(0)) : whole(options);
    const fault = probe ? undefined : hub.faults.shift();
    return fault ? fault({ request, response, send, part, whole, usual, from }) : usual();
  });
  return Object.assign(hub, server, {
    model: { url: `${server.url}/owner/model` },
    sent: () => hub.requests.reduce((sum, { bytes }) => sum + bytes, 0),
  });
}
/** Sends so much and hangs up. */
const breakAfter = (stop) => (the) => the.usual({ stop });
/** Sends 64 KB every few ms: the whole takes seconds. */
const slowly = (the) => the.usual({ pause: 20 });
const status = (code, headers) => (the) =>
  the.send(code, Buffer.from('no'), { 'content-type': 'text/plain', ...headers });

/** Runs a test with a page and a hub. */
const withHub = (pack, run) => async () => {
  const hub = await openHub(pack);
  const page = await here.open();
  try {
    await run(page, hub);
  } finally {
    await page.close();
    await hub.close();
  }
};

/** Opens a model in the page and says what came of it. */
const openModel = (page, model, { abortAt } = {}) =>
  page.evaluate(
    async ([model, abortAt]) => {
      const seen = [];
      const controller = new AbortController();
      const onProgress = ({ stage, loaded, total }) => {
        if (stage === 'download') seen.push([loaded, total]);
        if (stage === 'download' && abortAt && loaded > abortAt) controller.abort();
      };
      try {
        const explainer = await api.createExplainer({ model, device: 'cpu', signal: controller.signal, onProgress });
        const { predictions } = await explainer.classify('/golden/photos/photo.png');
        explainer.dispose();
        return { code: 'nothing', info: explainer.info, seen, label: predictions[0].label };
      } catch ({ code, message }) {
        return { code, message, seen };
      }
    },
    [model, abortAt],
  );
const inspect = (page, model) =>
  page.evaluate((model) => api.inspectModel(model).catch(({ code, message }) => ({ code, message })), model);

/** The list of models as whoever serves the page has edited it. */
const listWith = (page, list) => page.route('**/models/models.json', (route) => route.fulfill({ json: list }));

describe('what it takes is known before it starts', () => {
  test(
    'a name on the hub, through the address in models.json',
    withHub(large, async (page, hub) => {
      const entry = { id: 'listed', title: 'Listed', hub: 'owner/model.v1' };
      await listWith(page, { hub: `${hub.url}/{name}/resolve/main/`, models: [entry] });
      const found = await inspect(page, { hub: 'owner/model.v1' });
      assert.equal(hub.requests.length, 0, 'none of the weights is fetched');
      assert.deepEqual(found, {
        id: 'owner/model.v1',
        url: `${hub.url}/owner/model.v1/resolve/main/`,
        bytes: hub.weights.length,
        files: [
          { name: 'config.json', bytes: hub.config.length },
          { name: 'model.safetensors', bytes: hub.weights.length },
        ],
        architecture: 'vit_tiny_patch16_224',
        numClasses: 5,
        cached: null,
      });
      const { info, seen } = await openModel(page, 'listed');
      assert.equal(info.model.id, 'owner/model.v1');
      assert.equal(info.model.sha256, sha256(hub.weights));
      assert.equal(info.model.bytes, hub.weights.length);
      assert.deepEqual(info.warnings, []);
      assert.ok(Date.now() - Date.parse(info.model.cached) < 60_000);
      assert.deepEqual(seen.at(-1), [hub.weights.length, hub.weights.length]);
      assert.ok(
        seen.length > 5 &&
          seen.every(([loaded, total], i) => total === hub.weights.length && (i === 0 || loaded > seen[i - 1][0])),
      );
      assert.equal(hub.requests.length, 1);
    }),
  );

  test(
    'what is no name asks nobody',
    withHub(small('tiny-vit'), async (page, hub) => {
      await listWith(page, { hub: `${hub.url}/{name}/`, models: [] });
      for (const name of [
        'resnet18',
        'a/b/c',
        '../model',
        'owner/..',
        'owner/mo del',
        'owner/m?x',
        'owner/m#x',
        '/model',
        'o/m%2f',
        7,
      ]) {
        const { code, message } = await openModel(page, { hub: name });
        assert.equal(code, 'bad-option', `${name}: ${message}`);
        assert.match(message, /owner\/name/);
      }
      await listWith(page, { models: [] });
      assert.match((await openModel(page, { hub: 'owner/model' })).message, /names no hub/);
      assert.equal(hub.configs, 0);
    }),
  );

  test(
    'an architecture that is not supported, and weights beyond the limit, are refused before the download',
    withHub(small('tiny-vit'), async (page, hub) => {
      hub.config = Buffer.from(hub.config.toString().replace('vit_tiny_patch16_224', 'no_such_net'));
      assert.equal((await openModel(page, hub.model)).code, 'unsupported-architecture');
      assert.equal(hub.requests.length, 0);
      hub.config = small('tiny-vit').config;
      hub.faults.push(({ response }) => {
        response.writeHead(200, { 'content-length': 3e9 });
        response.write('x');
      });
      const { code, message } = await openModel(page, hub.model);
      assert.equal(code, 'bad-model');
      assert.match(message, /3\.0 GB; the limit is 2\.0 GB/);
      const files = await page.evaluate(async () => {
        const weights = new Blob(Array(600).fill(new Blob([new Uint8Array(4 << 20)])));
        return t.failure(
          api.createExplainer({ model: { config: '{}', weights, name: 'huge.safetensors' }, device: 'cpu' }),
        );
      });
      assert.equal(files.code, 'bad-model');
      assert.match(files.message, /huge\.safetensors has 2\.5 GB/);
    }),
  );
});

describe('a download that is interrupted goes on', () => {
  const close = (hub, more = 1e6) =>
    assert.ok(
      hub.sent() < hub.weights.length + more,
      `${hub.sent()} bytes were sent of a file of ${hub.weights.length}`,
    );

  test(
    'after broken connections and faults of the server, by itself',
    withHub(large, async (page, hub) => {
      hub.faults.push(breakAfter(3e6), status(503), breakAfter(2.5e6), status(429, { 'retry-after': '1' }), (the) =>
        the.request.socket.destroy(),
      );
      const { code, message, info, seen } = await openModel(page, hub.model);
      assert.equal(code, 'nothing', message);
      assert.equal(info.model.sha256, sha256(hub.weights));
      assert.equal(hub.requests.length, 6);
      assert.equal(hub.requests[0].range, undefined);
      assert.ok(hub.requests.slice(1).every(({ range }) => /^bytes=\d+-$/.test(range) && range !== 'bytes=0-'));
      close(hub);
      assert.ok(
        seen.every(([loaded], i) => i === 0 || loaded >= seen[i - 1][0]),
        'progress never goes back',
      );
    }),
  );

  test(
    'after an abort',
    withHub(large, async (page, hub) => {
      hub.faults.push(slowly);
      assert.equal((await openModel(page, hub.model, { abortAt: 5e6 })).code, 'aborted');
      const { cached } = await inspect(page, hub.model);
      assert.ok(!cached.complete && cached.bytes > 5e6 && cached.bytes < hub.weights.length);
      const { info, seen } = await openModel(page, hub.model);
      assert.equal(info.model.sha256, sha256(hub.weights));
      assert.equal(hub.requests[1].range, `bytes=${cached.bytes}-`);
      assert.deepEqual(seen[0], [cached.bytes, hub.weights.length]);
      close(hub, 2e6);
    }),
  );

  test(
    'after a reload in its midst',
    withHub(large, async (page, hub) => {
      hub.faults.push(slowly);
      await page.evaluate(
        (model) => void api.createExplainer({ model, device: 'cpu' }).catch(() => undefined),
        hub.model,
      );
      const kept = () => page.evaluate(async () => (await api.listCachedModels())[0]?.bytes ?? 0);
      while ((await kept()) === 0) await sleep(20);
      const again = await here.open('/blank.html', page);
      const { info } = await openModel(again, hub.model);
      assert.equal(info.model.sha256, sha256(hub.weights));
      assert.match(hub.requests[1].range, /^bytes=[4-9]\d{6}-$/);
    }),
  );

  test(
    'a server that knows no ranges, sends another one, has another file meanwhile or a shorter one: from the start',
    withHub(large, async (page, hub) => {
      const shorter = vit(256, 2);
      const other = Buffer.from(large.weights);
      other.writeFloatLE(0.25, other.length - 4);
      const cases = {
        'no ranges': [breakAfter(5e6), (the) => the.whole()],
        'another range': [breakAfter(5e6), (the) => the.part({}, the.from - 4)],
        'another file': [
          breakAfter(5e6),
          (the) => {
            [hub.weights, hub.etag] = [other, '"v2"'];
            return the.part();
          },
        ],
        'a shorter file': [
          breakAfter(9e6),
          (the) => {
            [hub.config, hub.weights, hub.etag] = [shorter.config, shorter.weights, '"v3"'];
            return the.send(416, Buffer.alloc(0));
          },
        ],
      };
      for (const [name, faults] of Object.entries(cases)) {
        hub.faults.push(...faults);
        hub.requests.length = 0;
        const { code, message, info } = await openModel(page, hub.model);
        // The config of the shorter file came too late for it.
        if (name === 'a shorter file') assert.equal(code, 'bad-model', message);
        else assert.equal(info?.model.sha256, sha256(hub.weights), `${name}: ${message}`);
        assert.match(hub.requests[1].range, /^bytes=/);
        if (hub.requests[2]) assert.equal(hub.requests[2].range, undefined, name);
        assert.equal(hub.faults.length, 0);
        await page.evaluate(async () => {
          for (const { id } of await api.listCachedModels()) await api.deleteCachedModel(id);
        });
      }
    }),
  );

  test(
    'a file that changed since the page was reloaded: from the start',
    withHub(large, async (page, hub) => {
      hub.faults.push(slowly);
      await openModel(page, hub.model, { abortAt: 5e6 });
      hub.weights = Buffer.from(hub.weights);
      hub.weights.writeFloatLE(0.25, hub.weights.length - 4);
      hub.etag = '"v2"';
      const { info } = await openModel(page, hub.model);
      assert.equal(info.model.sha256, sha256(hub.weights));
      assert.deepEqual(
        hub.requests.slice(1).map(({ range }) => Boolean(range)),
        [true, false],
      );
    }),
  );
});

describe('what goes wrong is said', () => {
  const always = (fault) => Array(4).fill(fault);
  for (const [name, faults, words, requests] of [
    [
      'a web page',
      [(the) => the.send(200, Buffer.from('<!doctype html>'), { 'content-type': 'text/html; charset=utf-8' })],
      /is a web page/,
      1,
    ],
    ['no weights', [status(404)], /not found \(404\).*\.pth or \.bin/, 1],
    ['a gated repository', [status(401)], /denied \(401\).*is private, or needs an account/, 1],
    ['a forbidden one', [status(403)], /denied \(403\).*is private, or needs an account/, 1],
    ['too many requests', always(status(429)), /rate-limited \(429\); try again in a few minutes/, 4],
    ['a server with a fault', always(status(502)), /its server reported an error \(502\)/, 4],
    ['a body that always ends early', always(breakAfter(0)), /interrupted after 0 of \d+ bytes/, 4],
    ['a part that nobody asked for', [(the) => the.part({}, 4)], /part of the file \(206\)/, 1],
  ]) {
    test(
      name,
      { timeout: 60_000 },
      withHub(small('tiny-vit'), async (page, hub) => {
        hub.faults.push(...faults);
        const { code, message } = await openModel(page, hub.model);
        assert.equal(code, 'network', message);
        assert.match(message, words);
        assert.ok(message.includes(hub.url), message);
        assert.equal(hub.requests.length, requests);
        // Nothing of it lasts.
        const after = await openModel(page, hub.model);
        assert.equal(after.code, 'nothing', after.message);
      }),
    );
  }

  test(
    'a missing folder, an unreachable server, one that allows no other page, a machine that is offline',
    withHub(small('tiny-vit'), async (page, hub) => {
      const { config } = hub;
      hub.config = undefined;
      assert.match((await inspect(page, hub.model)).message, /config\.json was not found \(404\)/);
      hub.config = Buffer.from('{"architecture"');
      assert.equal((await inspect(page, hub.model)).code, 'bad-model');
      hub.config = config;
      const either = /does not respond.*or it does not allow requests from this page \(CORS\)/;
      const closed = await listen((_, response) => response.end('{}'));
      for (const url of ['http://127.0.0.1:9/model', `${closed.url}/model`]) {
        const { code, message } = await openModel(page, { url });
        assert.equal(code, 'network');
        assert.match(message, either);
      }
      await closed.close();
      assert.equal((await openModel(page, hub.model)).code, 'nothing');
      await page.context().setOffline(true);
      const { code, message } = await openModel(page, { url: `${hub.url}/other` });
      assert.equal(code, 'network');
      assert.match(message, /offline/);
    }),
  );

  test(
    'weights that were damaged on their way or in storage',
    withHub(small('tiny-vit'), async (page, hub) => {
      hub.extra = { 'x-linked-etag': `"${'0'.repeat(64)}"` };
      const damaged = await openModel(page, hub.model);
      assert.equal(damaged.code, 'network');
      assert.match(damaged.message, /damaged/);
      assert.deepEqual(await page.evaluate(() => api.listCachedModels()), []);
      hub.extra = { 'x-linked-etag': `"${sha256(hub.weights)}"` };
      assert.equal((await openModel(page, hub.model)).code, 'nothing');
      // A byte falls over in the kept copy.
      await page.evaluate(async () => {
        const cache = await caches.open((await caches.keys())[0]);
        const key = (await cache.keys()).find(({ url }) => /\/0$/.test(url));
        const bytes = new Uint8Array(await (await cache.match(key)).arrayBuffer());
        bytes[bytes.length - 2] ^= 1;
        await cache.put(key, new Response(bytes));
      });
      const fallen = await openModel(page, hub.model);
      assert.equal(fallen.code, 'network');
      assert.match(fallen.message, /damaged/);
      assert.equal((await openModel(page, hub.model)).code, 'nothing');
    }),
  );
});

describe('files', () => {
  const { config, weights } = small('tiny-cnn');
  const vit = small('tiny-vit');
  /** Opens files in the page; what is known of them and the logits of a photo, or the refusal. */
  const openFiles = (page, files) =>
    page.evaluate(
      async ({ config, weights, name }) => {
        const bytes = Uint8Array.from(atob(weights), (c) => c.charCodeAt(0));
        try {
          const explainer = await api.createExplainer({
            model: { config, weights: new File([bytes], name) },
            device: 'cpu',
          });
          const { logits } = await explainer.classify('/golden/photos/photo.png');
          explainer.dispose();
          return { code: 'nothing', model: explainer.info.model, logits: [...logits] };
        } catch ({ code, message }) {
          return { code, message };
        }
      },
      { ...files, config: files.config?.toString(), weights: files.weights.toString('base64') },
    );

  test('weights alone: the architecture by the tensors, what is assumed, the same numbers from either format', async () => {
    const page = await here.open();
    const lone = await openFiles(page, { weights, name: 'lone.safetensors' });
    assert.equal(lone.code, 'nothing', lone.message);
    assert.equal(lone.model.architecture, 'mobilenetv2_035');
    assert.equal(lone.model.labels.length, 10);
    assert.match(lone.model.assumed, /no config\.json; judging by its tensors, this is mobilenetv2_035\..*224 pixels/);
    assert.equal(lone.model.sha256, sha256(weights));
    const pth = stateDict(weights);
    const saved = await openFiles(page, { weights: pth, name: 'lone.pth' });
    assert.equal(saved.model?.assumed, lone.model.assumed, saved.message);
    assert.deepEqual(saved.logits, lone.logits);
    assert.equal(saved.model.sha256, sha256(pth));
    // With its config nothing is assumed, and here it is another model: its padding and the
    // pictures' size cannot be seen in the tensors.
    const whole = await openFiles(page, { config, weights: pth, name: 'whole.pth' });
    assert.equal(whole.model.assumed, null);
    assert.notDeepEqual(whole.logits, lone.logits);
    assert.deepEqual(whole.logits, (await openFiles(page, { config, weights, name: 'model.safetensors' })).logits);
    // PyTorch's own file.
    const own = await openFiles(page, { config: vit.config, weights: savedVit(), name: 'vit.pt' });
    assert.deepEqual(own.logits, (await openFiles(page, { ...vit, name: 'model.safetensors' })).logits);
    await page.close();
  });

  test('what cannot be opened is refused by its name', async () => {
    const page = await here.open();
    const pth = stateDict(weights);
    const saved = (name) => readFileSync(join(golden, 'pth', `${name}.pth`));
    for (const [name, weights, words, config] of [
      ['vit.safetensors', vit.weights, /no supported architecture.*config\.json/],
      ['plain.pth', saved('plain'), /no supported architecture.*config\.json/],
      ['hostile.pth', hostile('echo it ran'), /posix\.system.*none of it was run/],
      ['hostile.pth', hostile('echo it ran'), /posix\.system/, vit.config],
      ['whole.pth', saved('whole'), /whole pickled model, not a state dict.*state_dict\(\)/],
      ['namespace.pth', saved('namespace'), /argparse\.Namespace.*none of it was run/],
      ['script.pth', saved('script'), /TorchScript/],
      ['legacy.pth', saved('legacy'), /before PyTorch 1\.6/],
      ['cut.pth', pth.subarray(0, -1000), /truncated|damaged/],
      ['text.pth', Buffer.from('This is nothing of the kind.'), /not a weights file/],
      ['text.safetensors', Buffer.from('This is nothing of the kind.'), /not a weights file/],
      ['empty.safetensors', Buffer.alloc(0), /not a weights file/],
      ['empty.pt', Buffer.alloc(0), /not a PyTorch file/],
    ]) {
      const { code, message } = await openFiles(page, { config, weights, name });
      assert.equal(code, 'bad-model', `${name}: ${message}`);
      assert.match(message, words);
      assert.ok(message.startsWith(`${name}: `), message);
    }
    assert.equal((await openFiles(page, { weights, name: 'good.safetensors' })).code, 'nothing');
    await page.close();
  });
});

describe('kept on the machine', () => {
  test(
    'opens after a reload with the server gone, is listed, and is gone when deleted',
    withHub(large, async (page, hub) => {
      const first = await openModel(page, hub.model);
      await hub.close();
      const again = await here.open('/blank.html', page);
      const found = await inspect(again, hub.model);
      const { date } = found.cached;
      assert.deepEqual(found.cached, { bytes: hub.weights.length, complete: true, date, sha256: sha256(hub.weights) });
      const { info, label, seen } = await openModel(again, hub.model);
      assert.deepEqual([info.model.sha256, info.model.cached, label], [first.info.model.sha256, date, first.label]);
      assert.deepEqual(seen, []);
      const { id, url } = found;
      const entry = { id, url, bytes: hub.weights.length, date, complete: true, sha256: sha256(hub.weights) };
      assert.deepEqual(await again.evaluate(() => api.listCachedModels()), [
        { ...entry, architecture: 'vit_tiny_patch16_224', numClasses: 5 },
      ]);
      assert.deepEqual(
        await again.evaluate((id) => Promise.all([api.deleteCachedModel(id), api.deleteCachedModel('nothing')]), id),
        [true, false],
      );
      assert.deepEqual(await again.evaluate(() => api.listCachedModels()), []);
      assert.equal((await openModel(again, hub.model)).code, 'network');
    }),
  );

  test(
    'an explainer outlives the deletion of its copy, also when its worker is replaced',
    withHub(large, async (page, hub) => {
      const same = await page.evaluate(async (model) => {
        await api.createExplainer({ model, device: 'cpu' });
        const explainer = await api.createExplainer({ model, device: 'cpu' });
        const before = await explainer.classify('/golden/photos/photo.png');
        for (const { id } of await api.listCachedModels()) await api.deleteCachedModel(id);
        t.worker.dispatchEvent(new MessageEvent('messageerror'));
        return t.relative((await explainer.classify('/golden/photos/photo.png')).logits, before.logits);
      }, hub.model);
      assert.equal(same, 0);
      assert.equal(hub.requests.length, 1);
    }),
  );

  test(
    'without room the model opens and says that it is not kept',
    withHub(large, async (page, hub) => {
      const devtools = await page.context().newCDPSession(page);
      await devtools.send('Storage.overrideQuotaForOrigin', { origin: here.server.url, quotaSize: 6e6 });
      const { info } = await openModel(page, hub.model);
      assert.equal(info.model.sha256, sha256(hub.weights));
      assert.equal(info.model.cached, null);
      assert.equal(info.warnings[0].code, 'quota');
      assert.match(info.warnings[0].message, /no storage left/);
      assert.deepEqual(await page.evaluate(() => api.listCachedModels()), []);
    }),
  );

  test(
    'without Cache Storage, in a sandboxed frame, everything else works',
    withHub(small('tiny-vit'), async (page, hub) => {
      const elsewhere = await serve({ cors: true });
      const said = await page.evaluate(
        async ([base, model]) => {
          const framed = new Promise((done) => addEventListener('message', ({ data }) => done(data), { once: true }));
          const frame = document.createElement('iframe');
          frame.setAttribute('sandbox', 'allow-scripts');
          frame.srcdoc = `<script type="module">
            try {
              const api = await import(${JSON.stringify(`${base}/pkg/index.js`)});
              const { info } = await api.createExplainer({ model: ${JSON.stringify(model)}, device: 'cpu' });
              const { model, warnings } = info;
              parent.postMessage([model.labels[0], model.cached, warnings, await api.listCachedModels()], '*');
            } catch (e) { parent.postMessage(e.code + ': ' + e.message, '*'); }
          </script>`;
          document.body.append(frame);
          return framed;
        },
        [elsewhere.url, hub.model],
      );
      await elsewhere.close();
      assert.deepEqual(said, ['amber', null, [], []]);
    }),
  );
});

test(
  'memory after ten switches is that after the first of each',
  { timeout: 120_000 },
  withHub(large, async (page, hub) => {
    const [measured, held] = await page.evaluate(async (model) => {
      const models = [model, 'builtin-scene-cnn', model, 'builtin-scene-vit', { url: '/golden/packages/tiny-cnn' }];
      const bytes = [];
      let shown;
      for (let i = 0; i <= 10; i++) {
        const next = await api.createExplainer({ model: models[i % models.length], device: 'cpu' });
        shown?.dispose();
        shown = next;
        await shown.attribute('/golden/photos/photo.png', { method: 'grad_cam' });
        await shown.attribute('/golden/photos/photo.png', { method: 'integrated_gradients', nSteps: 4 });
        bytes.push(await t.memory());
      }
      // What is not disposed of does show.
      for (let i = 0; i < 4; i++) await api.createExplainer({ model, device: 'cpu' });
      return [bytes, await t.memory()];
    }, hub.model);
    const mb = (bytes) => (bytes / 1e6).toFixed(1);
    console.log(`wasm memory after each model: ${measured.map(mb).join(', ')} MB; with four more held: ${mb(held)} MB`);
    // A model is opened before the last one is let go, and weights are laid out when they are first
    // used: after the first round all of them have met.
    const first = Math.max(...measured.slice(0, 5));
    assert.ok(measured.slice(5).every((bytes) => bytes <= 1.1 * first));
    assert.ok(held > 1.5 * first);
  }),
);

test('a photo that comes late is not overtaken by a later call', async () => {
  const page = await here.open();
  await page.route('**/photo.png', async (route) => (await sleep(500), route.continue()));
  const order = await page.evaluate(async () => {
    const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-vit' }, device: 'cpu' });
    const done = [];
    const blob = await (await fetch('/golden/photos/photo.avif')).blob();
    const controller = new AbortController();
    await Promise.all([
      explainer.classify('/golden/photos/photo.png').then(() => done.push('late')),
      explainer.classify(blob).then(() => done.push('by the browser')),
      t
        .failure(explainer.classify('/golden/photos/photo.png', { signal: controller.signal }))
        .then(({ code }) => done.push(code)),
      t.failure(explainer.classify('/nowhere.png')).then(({ code }) => done.push(code)),
      explainer.preprocess(blob).then(() => done.push('last')),
      Promise.resolve().then(() => controller.abort()),
    ]);
    return done;
  });
  assert.deepEqual(order, ['aborted', 'network', 'late', 'by the browser', 'last']);
  await page.close();
});

describe('on the page', () => {
  const offered = (page, words) =>
    page.waitForFunction((w) => document.querySelector('#offer-text').textContent.includes(w), words);
  const button = (page, label) =>
    page.waitForFunction((l) => document.querySelector('#offer-go').textContent === l, label);
  const facts = (page, words) =>
    page.waitForFunction((w) => document.querySelector('#model-facts').textContent.includes(w), words);

  test('look up, see the size, download, cancel, resume, explain, reload without the server, delete', {
    timeout: 120_000,
  }, async () => {
    const hub = await openHub(large);
    const list = JSON.parse(readFileSync(new URL('../../../www/models/models.json', import.meta.url)));
    const page = await here.browser.newPage({ viewport: { width: 1200, height: 900 } });
    const errors = collectErrors(page);
    const server = await serve({ list: { hub: `${hub.url}/{name}/resolve/main/`, models: list.models } });
    await page.goto(`${server.url}/`);
    await explained(page);

    // With the keyboard: the name, Enter, to the button, Enter.
    await page.focus('#open-model summary');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await page.keyboard.type('owner/model');
    await page.keyboard.press('Enter');
    await button(page, 'Download');
    const text = await page.textContent('#offer-text');
    assert.equal(
      text,
      `owner/model: vit_tiny_patch16_224, 5 classes. 9.7 MB to download, from ${new URL(hub.url).host}.`,
    );
    assert.equal(hub.requests.length, 0);
    await shot(page, 'opening-offer');
    hub.faults.push(slowly, slowly);
    for (let i = 0; i < 5 && !(await page.evaluate(() => document.activeElement.id === 'offer-go')); i++)
      await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('#offer-progress').value > 4.5e6);
    await page.waitForFunction(() => document.querySelector('#offer-rate').textContent.endsWith('per second'));
    assert.match(await page.textContent('#offer-rate'), /^\d\.\d MB of 9\.7 MB, .* per second$/);
    await shot(page, 'opening-progress');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Cancel');
    await page.keyboard.press('Enter');
    await button(page, 'Resume');
    await offered(page, 'was stopped');
    await page.waitForFunction(() => document.querySelector('#kept summary').textContent.includes('(1, '));

    // The page goes on with the model that it has while the rest comes.
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('#offer-progress').value > 5e6);
    await page.click('#predictions li:nth-child(2) button');
    const second = await page.textContent('#predictions li:nth-child(2) .label');
    await page.waitForFunction((label) => document.querySelector('#facts').textContent.includes(`“${label}”`), second);
    await facts(page, 'kept copy');
    await page.waitForFunction(() => document.querySelector('#facts').textContent.includes('blocks.2.norm1'));
    await idle(page);
    assert.match(await page.textContent('#predictions li:first-child'), /class \d/);
    assert.equal(await page.locator('#offer').isVisible(), false);
    assert.ok((await page.textContent('#model-facts')).includes(sha256(hub.weights)));
    assert.equal(hub.requests.length, 2);
    assert.match(hub.requests[1].range, /^bytes=\d{7}-$/);

    await hub.close();
    await page.setViewportSize({ width: 360, height: 740 });
    await page.reload();
    await explained(page);
    await page.click('#kept summary');
    await page.click('#kept-list button:text("Open")');
    await facts(page, 'kept copy');
    await page.waitForFunction(() => document.querySelector('#facts').textContent.includes('blocks.2.norm1'));
    await idle(page);
    await page.click('#open-model summary');
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    await shot(page, 'opening-kept-phone');
    await page.click('#kept-list button:text("Delete")');
    await page.waitForSelector('#kept-none:not([hidden])');
    await page.fill('#model-url', 'owner/model');
    await page.press('#model-url', 'Enter');
    await page.waitForSelector('#offer[data-code="network"]');
    await offered(page, 'could not be reached');
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
    await shot(page, 'opening-fault-phone');
    await page.click('#offer-close');
    // A listed one is offered just so, and the choice goes back where it is declined.
    const before = await page.inputValue('#model');
    await page.selectOption('#model', 'resnet18');
    await page.waitForSelector('#offer[data-code="network"]');
    await page.click('#offer-close');
    assert.equal(await page.inputValue('#model'), before);
    assert.deepEqual(errors, []);
    await page.close();
    await server.close();
  });

  test('a model of the page that is chosen while another comes ends the download, and the offer does not return', async () => {
    const hub = await openHub(large);
    const server = await serve({
      list: { ...JSON.parse(readFileSync(join(root, 'www/models/models.json'))), hub: `${hub.url}/{name}/` },
    });
    const page = await openPage({ browser: here.browser, server });
    await page.click('#open-model summary');
    await page.fill('#model-url', 'owner/model');
    await page.press('#model-url', 'Enter');
    await button(page, 'Download');
    hub.faults.push(slowly);
    await page.click('#offer-go');
    await page.waitForFunction(() => document.querySelector('#offer-progress').value > 1e5);
    await page.selectOption('#model', 'builtin-scene-cnn');
    await page.waitForFunction(() => document.querySelector('#facts').textContent.includes('at bn2'));
    await idle(page);
    assert.equal(await page.locator('#offer').isVisible(), false);
    await page.waitForFunction(() => document.querySelector('#kept summary').textContent.includes('(1, '));
    assert.ok(hub.requests[0].bytes < large.weights.length);
    assert.deepEqual(page.errors, []);
    await page.close();
    await server.close();
    await hub.close();
  });

  const tall = { width: 360, height: 740 };
  const wide = { width: 1200, height: 900 };
  /** The page in both widths, which nothing may exceed. */
  const shots = async (page, name) => {
    for (const [suffix, viewport] of [
      ['-phone', tall],
      ['', wide],
    ]) {
      await page.setViewportSize(viewport);
      assert.ok(
        (await page.evaluate(() => document.documentElement.scrollWidth)) <= viewport.width,
        `${name} is too wide`,
      );
      await shot(page, name + suffix);
    }
  };

  test('dropped weights open without config.json, and the page says what it assumed; with one nothing is assumed', async () => {
    const page = await openPage(here);
    const { config, weights } = small('tiny-cnn');
    const said = [];
    for (const [name, data] of [
      ['lone.safetensors', weights],
      ['saved.pth.tar', stateDict(weights)],
    ]) {
      await drop(page, [{ name, data }]);
      await facts(page, sha256(data));
      await idle(page);
      assert.equal(await page.locator('#alert').isVisible(), false);
      assert.match(
        await page.textContent('#assumed'),
        /no config\.json; judging by its tensors, this is mobilenetv2_035\..*Assumed: .*224 pixels/,
      );
      assert.equal(await page.textContent('#model option:checked'), name.split('.')[0]);
      said.push(await page.textContent('#predictions'));
      await shots(page, `opening-${name.split('.')[1]}`);
    }
    assert.equal(said[0], said[1]);
    const pth = savedVit();
    await drop(page, [
      { name: 'config.json', data: small('tiny-vit').config },
      { name: 'vit.pth', data: pth },
    ]);
    await facts(page, sha256(pth));
    await idle(page);
    assert.match(await page.textContent('#facts'), /at blocks\.2\.norm1/);
    assert.match(
      await page.textContent('#predictions li:first-child'),
      new RegExp(JSON.parse(small('tiny-vit').config).label_names.join('|')),
    );
    assert.equal(await page.locator('#assumed').isVisible(), false);
    await shots(page, 'opening-config-pth');
    // A folder that holds the weights in both formats.
    await drop(page, [
      { name: 'pytorch_model.bin', data: Buffer.from('a pointer to elsewhere') },
      { name: 'config.json', data: config },
      { name: 'model.safetensors', data: weights },
    ]);
    await facts(page, sha256(weights));
    await idle(page);
    assert.deepEqual(page.errors, []);
    await page.close();
  });

  test('a name that is none, files that are no model: said, and nothing lost', async () => {
    const page = await openPage(here);
    const state = () =>
      page.evaluate(() => [
        document.querySelector('#facts').textContent,
        document.querySelector('#model').value,
        document.querySelector('#model').length,
        document.querySelector('#model-facts').textContent,
        document.querySelector('#canvas').toDataURL(),
      ]);
    const before = await state();
    await page.click('#open-model summary');
    await page.fill('#model-url', 'resnet18');
    await page.click('#url-form button');
    await page.waitForSelector('#offer[data-code="bad-option"]');
    await offered(page, 'owner/name');
    await page.click('#offer-close');
    const { config, weights } = small('tiny-vit');
    const saved = (name) => readFileSync(join(golden, 'pth', `${name}.pth`));
    const words = Buffer.from('This is nothing of the kind.');
    for (const [name, data, code, message] of [
      ['model.safetensors', weights, 'bad-model', /^model\.safetensors: .*config\.json/],
      ['plain.pth', saved('plain'), 'bad-model', /^plain\.pth: .*config\.json/],
      ['config.json', config, 'bad-model', /^config\.json alone is no model: the weights are missing/],
      ['hostile.pth', hostile('echo it ran'), 'bad-model', /posix\.system.*none of it was run/],
      ['net.pt', saved('whole'), 'bad-model', /whole pickled model, not a state dict/],
      ['words.safetensors', words, 'bad-model', /not a weights file/],
      ['words.txt', words, 'unsupported-image', /picture|photo|image/],
      ['folder.zip', Buffer.from('PK\x03\x04nothing'), 'unsupported-image', /picture|photo|image/],
    ]) {
      await drop(page, [{ name, data }]);
      await page.waitForSelector(`#alert[data-code="${code}"]:not([hidden])`);
      await idle(page);
      assert.match(await page.textContent('#alert-text'), message);
      assert.deepEqual(await state(), before, name);
      if (['hostile.pth', 'net.pt', 'plain.pth', 'words.txt'].includes(name))
        await shots(page, `opening-refused-${name.split('.')[0]}`);
      await page.click('#alert-close');
    }
    // Also in sight where the file was chosen, far down a phone's page.
    await page.setViewportSize(tall);
    await page.locator('#pick-model').scrollIntoViewIfNeeded();
    const scrolled = await page.evaluate(() => scrollY);
    await page.setInputFiles('#model-files', { name: 'net.pth', mimeType: '', buffer: saved('whole') });
    await page.waitForSelector('#alert:not([hidden])');
    const { y, height } = await page.locator('#alert').boundingBox();
    assert.ok(scrolled > 740 && y >= 0 && y + height <= 740, `the alert is at ${y} to ${y + height}`);
    await page.screenshot({ path: join(screenshots, 'opening-refused-scrolled-phone.png') });
    await page.setViewportSize(wide);
    // And it all goes on.
    await page.click('#predictions li:nth-child(2) button');
    const second = await page.textContent('#predictions li:nth-child(2) .label');
    await page.waitForFunction((label) => document.querySelector('#facts').textContent.includes(`“${label}”`), second);
    assert.deepEqual(page.errors, []);
    await page.close();
  });
});
