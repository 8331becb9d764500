// @ts-check
// Reads a photo once, for every explainer of the page. What came stays on this thread, so that a
// replaced worker, and the other build, get it again.

import { readable, toInput } from '../picture/image.js';
import { inputOf, Photo } from '../picture/photo.js';
import { abortable, throwIfAborted } from '../util/abort.js';
import { SightlineError } from '../util/errors.js';
import { host } from './host.js';

/** @typedef {import('../index.js').Box} Box */
/** @typedef {import('../picture/image.js').Input} Input */

let next = 1;

/**
 * @param {import('./host.js').Engine} near decides the build that decodes it
 * @param {any} image
 * @param {import('./host.js').CallOptions} options
 * @returns {Promise<Photo>}
 */
export async function load(near, image, options) {
  const { signal } = options;
  throwIfAborted(signal);
  if (image instanceof Photo && inputOf(image)) return image;
  const input = await abortable(toInput(image, signal), signal);
  if (input.kind === 'tensor')
    throw new SightlineError('bad-option', 'image: a tensor is not a photo; pass it as it is');
  // Decoding needs a build and no model.
  const engine = host.engine(near.kind, near.base, { id: '', config: undefined, file: '' });
  engine.module = near.module;
  return abortable(
    readable(input, (source) => read(engine, source, undefined, options)),
    signal,
  );
}

/**
 * @param {import('./host.js').Engine} engine
 * @param {Input} source
 * @param {Box | undefined} box the part of it that is meant
 * @param {import('./host.js').CallOptions} options
 */
async function read(engine, source, box, options) {
  const id = next++;
  const input = { kind: 'photo', id, source, box, bytes: 0 };
  const described = await host.ask(engine, { op: 'load', input }, options);
  input.bytes = described.bytes;
  /** @type {Photo} */
  const photo = new Photo(described, input, {
    crop: async (part) => {
      inputOf(photo);
      const { x, y } = box ?? { x: 0, y: 0 };
      const { width, height, ...at } = whole(part, photo);
      return read(engine, source, { x: at.x + x, y: at.y + y, width, height }, {});
    },
    close: () => host.forget(id),
  });
  return photo;
}

/**
 * The box in whole pixels.
 * @param {Box} box @param {Photo} photo
 */
function whole(box, { width, height }) {
  const sides = [box?.x, box?.y, box?.width, box?.height].map((side) =>
    Number.isFinite(side) ? Math.round(side) : -1,
  );
  const [x = -1, y = -1, w = -1, h = -1] = sides;
  if (x < 0 || y < 0 || w < 1 || h < 1 || x + w > width || y + h > height)
    throw new SightlineError(
      'bad-option',
      `box must lie within the photo, which has ${width} x ${height} pixels: { x, y, width, height }`,
    );
  return { x, y, width: w, height: h };
}
