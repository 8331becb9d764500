// A photo handle: read, hashed and sent once, for every explainer of the page.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { site } from '../harness.mjs';

const here = site();
const open = () => here.open();

test('it has the numbers of the file, is sent once, and outlives the worker', { timeout: 60_000 }, async () => {
  const page = await open();
  const result = await page.evaluate(async () => {
    const sent = [];
    const original = Worker.prototype.postMessage;
    Worker.prototype.postMessage = function (message, ...more) {
      if (message.input) sent.push(message.input);
      return original.call(this, message, ...more);
    };
    const models = ['tiny-vit', 'tiny-cnn'].map((name) => ({ url: `/golden/packages/${name}` }));
    const [vit, cnn] = [
      await api.createExplainer({ model: models[0], device: 'cpu' }),
      await api.createExplainer({ model: models[1], device: 'cpu' }),
    ];
    const path = '/golden/photos/photo.png';
    const expected = [await vit.classify(path), await cnn.classify(path)];
    const attribution = await vit.attribute(path, { method: 'saliency' });
    sent.length = 0;
    const photo = await vit.load(path);
    const seen = [await vit.classify(photo), await cnn.classify(photo)];
    const explained = await vit.attribute(photo, { method: 'saliency' });
    // A call that fails for another reason leaves it there.
    const failure = await t.failure(vit.attribute(photo, { method: 'saliency', layer: 'none' }));
    await vit.classify(photo);
    const sources = sent.filter(({ source }) => source).length;
    t.worker.terminate();
    const after = await vit.classify(photo);
    // A photo in a photo's place where options take one.
    const baseline = await vit.attribute(photo, { method: 'integrated_gradients', nSteps: 4, baseline: photo });
    const again = await vit.load(photo);
    return {
      same: [...seen, after].map(({ logits }, i) => t.relative(logits, expected[i % 2].logits)),
      map: t.relative(explained.values, attribution.values),
      flat: Math.max(...baseline.values.map(Math.abs)),
      photo: [explained.provenance.photo, attribution.provenance.photo],
      kept: api.fromJson(api.toJson(explained)).provenance.photo,
      sources,
      code: failure.code,
      identity: again === photo,
      size: [photo.width, photo.height, photo.bitmap.width, photo.bitmap.height],
      sha256: photo.sha256,
      type: photo instanceof api.Photo,
    };
  });
  assert.deepEqual(result.same, [0, 0, 0]);
  assert.equal(result.map, 0);
  assert.equal(result.flat, 0, 'the photo as its own baseline');
  assert.equal(result.code, 'bad-option');
  assert.equal(result.sources, 1, 'the bytes were sent more than once');
  assert.deepEqual(result.photo, [result.sha256, null]);
  assert.equal(result.kept, result.sha256);
  assert.ok(result.identity && result.type);
  assert.deepEqual(result.size.slice(0, 2), result.size.slice(2));
  await page.close();
});

test('its hash is that of the pixels, its bitmap shows them, and a crop is a photo', { timeout: 60_000 }, async () => {
  const page = await open();
  const result = await page.evaluate(async () => {
    const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-vit' }, device: 'cpu' });
    const [width, height] = [70, 40];
    const data = new Uint8ClampedArray(4 * width * height).map((_, i) =>
      i % 4 === 3 ? 255 : Math.imul(i, 40503) >>> 7,
    );
    const pixels = new ImageData(data, width, height);
    const photo = await explainer.load(pixels);
    const canvas = new OffscreenCanvas(width, height);
    canvas.getContext('2d').putImageData(pixels, 0, 0);
    const copy = await explainer.load(await canvas.convertToBlob({ type: 'image/png' }));
    const part = await photo.crop({ x: 10, y: 5, width: 30.2, height: 20 });
    const nested = await part.crop({ x: 3, y: 4, width: 8, height: 8 });
    const read = (bitmap) => {
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
      context.drawImage(bitmap, 0, 0);
      return [...context.getImageData(0, 0, bitmap.width, bitmap.height).data];
    };
    const cut = (x, y, w, h) => {
      const context = canvas.getContext('2d');
      return [...context.getImageData(x, y, w, h).data];
    };
    t.worker.terminate();
    const afterDeath = await explainer.classify(nested);
    const fresh = await explainer.classify(canvas.getContext('2d').getImageData(13, 9, 8, 8));
    const wrong = [];
    for (const box of [
      { x: 60, y: 0, width: 20, height: 5 },
      { x: -1, y: 0, width: 5, height: 5 },
      {},
      null,
      { x: 0, y: 0, width: 0, height: 1 },
    ])
      wrong.push((await t.failure(photo.crop(box))).code);
    photo.close();
    photo.close();
    const closed = [
      await t.failure(explainer.classify(photo)),
      await t.failure(photo.crop({ x: 0, y: 0, width: 1, height: 1 })),
    ];
    const tensor = await t.failure(explainer.load({ data: new Float32Array(3), shape: [3, 1, 1] }));
    const broken = await t.failure(explainer.load(new Blob(['no picture'])));
    return {
      hashes: [photo.sha256, copy.sha256],
      rgb: [...data].filter((_, i) => i % 4 !== 3),
      sizes: [part, nested].map(({ width, height }) => [width, height]),
      cuts: [read(part.bitmap), cut(10, 5, 30, 20), read(nested.bitmap), cut(13, 9, 8, 8)],
      same: t.relative(afterDeath.logits, fresh.logits),
      wrong,
      codes: [...closed, tensor, broken].map(({ code }) => code),
    };
  });
  const size = Buffer.alloc(8);
  size.writeUInt32LE(70, 0);
  size.writeUInt32LE(40, 4);
  const expected = createHash('sha256').update(size).update(Buffer.from(result.rgb)).digest('hex');
  assert.deepEqual(result.hashes, [expected, expected]);
  assert.deepEqual(result.sizes, [
    [30, 20],
    [8, 8],
  ]);
  assert.deepEqual(result.cuts[0], result.cuts[1]);
  assert.deepEqual(result.cuts[2], result.cuts[3]);
  assert.equal(result.same, 0);
  assert.deepEqual(result.wrong, Array(5).fill('bad-option'));
  assert.deepEqual(result.codes, ['bad-option', 'bad-option', 'bad-option', 'unsupported-image']);
  await page.close();
});

test('a large photo is painted small', { timeout: 60_000 }, async () => {
  const page = await open();
  const size = await page.evaluate(async () => {
    const explainer = await api.createExplainer({ model: { url: '/golden/packages/tiny-cnn' }, device: 'cpu' });
    const canvas = new OffscreenCanvas(4096, 1024);
    canvas.getContext('2d').fillRect(0, 0, 9, 9);
    const photo = await explainer.load(canvas);
    return [photo.width, photo.height, photo.bitmap.width, photo.bitmap.height];
  });
  assert.deepEqual(size, [4096, 1024, 2048, 512]);
  await page.close();
});
