// What a soak does on a page: seeded, so that a run can be done again.

/**
 * In a page with `api` and `t`: so many explanations with random models, methods and options, among
 * them ones that are aborted, stopped and wrong; photos that are loaded once and closed; explainers
 * that are disposed of, also with calls under way, and made anew; workers that die, with and
 * without a word. Returns what happened, once every call has settled.
 * @param {{ count: number, seed: number, device: 'cpu' | 'webgpu', models: string[], photos:
 *   string[], deaths: number, patience: number }} how
 */
export async function work({ count, seed, device, models, photos, deaths, patience }) {
  const soak = (globalThis.soak ??= { explainers: new Map(), photos: new Map(), pending: new Set(), started: 0 });
  let state = seed;
  // Mulberry32.
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
  const among = (list) => list[Math.floor(random() * list.length)];
  const happens = (share) => random() < share;
  const happened = {
    done: 0,
    aborted: 0,
    stopped: 0,
    refused: 0,
    told: 0,
    deaths: 0,
    created: 0,
    disposed: 0,
    loaded: 0,
    closed: 0,
  };
  const unexpected = [];
  const DEATH = /^the soak killed it|^the worker ended unexpectedly/;
  const methods = new Map(api.listMethods().map((spec) => [spec.id, spec]));
  /** Few passes for each: what leaks does so in the calls, not in their length. */
  const small = { nSteps: [2, 12], nSamples: [4, 24], maxChannels: [4, 16], window: [24, 48], stride: [24, 48] };

  /** Follows a call until it settles. @param {Promise<unknown>} promise @param {string[]} codes */
  const follow = (promise, codes) => {
    const entry = { settled: undefined };
    soak.pending.add(entry);
    entry.settled = promise
      .then(
        () => (happened.done += 1),
        ({ code, message }) => {
          if (code === 'aborted') happened.aborted += 1;
          else if (['internal', 'device-lost'].includes(code)) happened.told += 1;
          else happened.refused += 1;
          if (!codes.includes(code) || (code === 'internal' && !DEATH.test(message)))
            unexpected.push(`${code}: ${message}`);
        },
      )
      .finally(() => soak.pending.delete(entry));
    return entry.settled;
  };
  const explainerOf = async (model) => {
    if (!soak.explainers.has(model)) {
      happened.created += 1;
      soak.explainers.set(model, api.createExplainer({ model, device }));
    }
    try {
      return await soak.explainers.get(model);
    } catch (error) {
      soak.explainers.delete(model);
      throw error;
    }
  };
  const optionsFor = (id) => {
    const options = {};
    for (const option of methods.get(id).options) {
      const range = small[option.id];
      if (range) options[option.id] = range[0] + Math.floor(random() * (range[1] - range[0]));
      else if (option.type === 'boolean' && happens(0.3)) options[option.id] = happens(0.5);
      else if (option.type === 'choice' && happens(0.3)) options[option.id] = among(option.choices);
      else if (option.id === 'seed' && happens(0.3)) options[option.id] = Math.floor(random() * 1000);
    }
    return options;
  };
  const within = (ms, promise) => Promise.race([promise, new Promise((done) => setTimeout(done, ms))]);
  /** The worker is ended without a word, loses its device, or says that it died. */
  async function kill() {
    const { worker } = t;
    // One that still starts, or has not said its lock yet, is missed only after up to a minute.
    if ((await within(5000, t.memory(worker))) === undefined) return;
    await new Promise((done) => setTimeout(done, 200));
    if (worker !== t.worker) return;
    happened.deaths += 1;
    if (happens(0.5)) return worker.terminate();
    if (device === 'webgpu') return worker.postMessage({ op: 'destroy' });
    const data = { dead: { code: 'internal', message: 'the soak killed it' } };
    worker.dispatchEvent(new MessageEvent('message', { data }));
  }
  /** @type {Promise<void>[]} */
  const kills = [];
  /** The photo itself, or one that was loaded for all explainers. */
  const photoFor = async (explainer) => {
    const path = among(photos);
    if (happens(0.6)) return path;
    if (!soak.photos.has(path)) {
      happened.loaded += 1;
      soak.photos.set(path, explainer.load(path));
    }
    try {
      const photo = await soak.photos.get(path);
      if (happens(0.3)) {
        happened.closed += 1;
        soak.photos.delete(path);
        // Also under the calls that have it.
        setTimeout(() => photo.close(), Math.floor(random() * 100));
      }
      return photo;
    } catch (error) {
      soak.photos.delete(path);
      throw error;
    }
  };

  /** Told of a death, or of an explainer or a photo that is no more: by a choice made elsewhere. */
  const fates = ['aborted', 'internal', 'device-lost', 'bad-option'];
  async function explain() {
    const model = among(models);
    const explainer = await explainerOf(model);
    const id = among(explainer.info.model.methods.filter((method) => methods.has(method)));
    const photo = await photoFor(explainer);
    const request = { method: id, target: Math.floor(random() * 8), ...optionsFor(id) };
    const controller = new AbortController();
    const fate = random();
    const after = Math.floor(random() * 150);
    if (fate < 0.15) request.signal = controller.signal;
    else if (fate < 0.3) request.stop = controller.signal;
    else if (fate < 0.35) request[among(['target', 'nSteps', 'colour'])] = among([-1, 'x', {}, null, 1e9]);
    if (fate < 0.3) setTimeout(() => controller.abort(), after);
    if (fate >= 0.15 && fate < 0.3) happened.stopped += 1;
    const call = happens(0.85)
      ? explainer.attribute(photo, request)
      : explainer.classify(photo, { signal: fate < 0.15 ? controller.signal : undefined });
    if (happens(deaths)) kills.push(new Promise((done) => setTimeout(done, after)).then(kill));
    if (happens(0.05)) {
      happened.disposed += 1;
      soak.explainers.delete(model);
      explainer.dispose();
    }
    // Not every method has a map to show before its end.
    await follow(call, request.stop ? [...fates, 'unsupported'] : fates);
  }
  /** Opened, and given up before it is there. */
  async function giveUp() {
    const signal = AbortSignal.timeout(Math.floor(random() * 60));
    const opening = api.createExplainer({ model: among(models), device, signal });
    await follow(
      opening.then((explainer) => explainer.dispose()),
      fates,
    );
  }

  const streams = Array.from({ length: 3 }, async () => {
    while (soak.started < count) {
      soak.started += 1;
      if (happens(0.05)) await giveUp();
      await explain().catch(
        ({ code, message }) => fates.includes(code) || unexpected.push(`opening: ${code}: ${message}`),
      );
    }
  });
  const late = new Promise((done) => setTimeout(done, patience, 'late'));
  /** After the last death, a worker that can be asked for its memory. */
  const rest = async () => {
    await Promise.all(streams);
    await Promise.all(kills);
    await new Promise((done) => setTimeout(done, 200));
    await follow(
      explainerOf(models[0]).then((explainer) => explainer.classify(photos[0])),
      [],
    );
  };
  await Promise.race([rest(), late]);
  const pending = soak.pending.size;
  soak.started = 0;
  return { ...happened, pending, unexpected };
}
