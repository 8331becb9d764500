// @ts-check
// From a model's name or files to an explainer: finds the model, chooses the device, and falls back
// to the CPU where WebGPU was only a guess.

import { LIST } from '../model/bounds.js';
import { requestJson } from '../model/fetch.js';
import { addLabels, fetchWeights, findModel } from '../model/source.js';
import { abortable, throwIfAborted } from '../util/abort.js';
import { SightlineError, wrap } from '../util/errors.js';
import { baseOf, locate } from '../util/locate.js';
import { tell } from '../util/tell.js';
import { ANSWER, because, chooseDevice } from './device.js';
import { Explainer, FOLLOW, only } from './explainer.js';
import { host } from './host.js';
import { readOptions } from './options.js';

/**
 * @param {import('../index.js').ExplainerOptions} options
 * @returns {Promise<Explainer>}
 */
export async function createExplainer(options) {
  try {
    const { model, device = 'auto', onDevice, signal, onProgress, assetBaseUrl, ...rest } = readOptions(options);
    only(rest, 'createExplainer');
    if (onDevice !== undefined && typeof onDevice !== 'function')
      throw new SightlineError('bad-option', 'onDevice must be a function');
    throwIfAborted(signal);
    const base = baseOf(assetBaseUrl);
    const progress = (/** @type {import('./host.js').Progress} */ { stage, loaded, total }) =>
      signal?.aborted || tell(onProgress, { stage: /** @type {any} */ (stage), loaded, total });
    // Whoever asked for WebGPU alone waits longer than who can do without.
    const opening = { signal, onProgress: progress, ...(device === 'auto' && { deviceMs: ANSWER }) };
    const hasBuild = async () => {
      // Without the signal: the explainer may be there, and its first task over, before this is
      // asked.
      const builds = await requestJson(locate('wasm/builds.json', base), LIST);
      return Boolean(builds?.webgpu);
    };
    const best = chooseDevice(device, hasBuild);
    // Nobody waits for it where opening the model fails first.
    best.catch(() => undefined);
    // Whoever listens for a change of device gets the first results from the small build.
    const changes = device === 'auto' && onDevice !== undefined;
    const choice = changes
      ? { kind: /** @type {'cpu' | 'webgpu'} */ ('cpu'), ...because('device.webgpu.looking') }
      : await abortable(best, signal);
    host.prepare(choice.kind, base, progress);
    const found = await findModel(model, base, { signal });
    const { source, folder, kept } = found;
    await addLabels(source, base, { signal });
    let engine = host.engine(choice.kind, base, source);
    /**
     * Does it on the CPU where WebGPU was only a guess and fails.
     * @param {(e: import('./host.js').Engine) => Promise<any>} work
     */
    const attempt = async (work) => {
      try {
        return await work(engine);
      } catch (error) {
        host.close(engine);
        const { code, message } = wrap(error);
        if (
          device !== 'auto' ||
          choice.kind !== 'webgpu' ||
          !['device-unavailable', 'device-lost', 'out-of-memory', 'internal', 'network'].includes(code)
        )
          throw error;
        Object.assign(choice, { kind: 'cpu', ...because('device.webgpu.failed', { reason: message }) });
        engine = host.engine('cpu', base, source);
        return attempt(work);
      }
    };
    if (!source.weights) {
      // What is served with the page need not be checked before it is fetched.
      if (kept) await attempt((e) => host.ask(e, { op: 'plan' }, opening));
      const onBytes = (/** @type {number} */ loaded, /** @type {number | undefined} */ total) =>
        tell(onProgress, { stage: 'download', loaded, total });
      await abortable(fetchWeights(found, { signal, onBytes }), signal);
    }
    let opened;
    try {
      opened = await attempt((e) => host.open(e, opening));
      if (found.expected && found.expected !== opened.sha256) {
        host.close(engine);
        throw new SightlineError(
          'network',
          `the weights of ${source.id} were damaged in transit or in storage (their SHA-256 is not ${found.expected}); open the model again to download them anew`,
        );
      }
    } catch (error) {
      // What cannot be opened is not worth keeping.
      if (['bad-model', 'unsupported-architecture', 'network'].includes(wrap(error).code)) await kept?.clear();
      throw error;
    }
    const { sha256, model: described } = opened;
    await kept?.update({ sha256, architecture: described.architecture, numClasses: described.labels.length });
    const explainer = new Explainer(engine, {
      model: {
        ...described,
        bytes: source.weights?.size ?? 0,
        sha256,
        url: folder?.href ?? null,
        cached: kept?.record?.complete ? kept.record.date : null,
      },
      device: { ...choice, description: opened.device.description },
      version: opened.version,
      warnings: kept?.warning ? [kept.warning] : [],
    });
    if (changes)
      explainer[FOLLOW](
        best,
        (info) => tell(onDevice, info),
        () => host.engine('webgpu', base, source),
      );
    return explainer;
  } catch (error) {
    throw wrap(error);
  }
}
