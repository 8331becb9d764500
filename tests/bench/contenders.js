// What is compared, each behind the same few calls: Sightline, tfjs, onnxruntime-web. In the
// browser.
/* global tf */
import { build, readSafetensors } from './tfjs-models.js';

/**
 * A model held by a contender. Inputs are by number; every call ends when its numbers are in
 * JavaScript's hands.
 * @typedef {{
 *   sees?(i: number): Promise<unknown>,
 *   forward(i: number): Promise<Float32Array>,
 *   gradCam?(i: number, target: number): Promise<Float32Array>,
 *   switchClass?(i: number, target: number): Promise<Float32Array>,
 *   gradient?(i: number, target: number): Promise<Float32Array>,
 *   integrated?(i: number, target: number, steps: number): Promise<Float32Array>,
 *   close(): Promise<void> | void }} Model
 * @typedef {{ config: string, weights: string, onnx?: string }} Source addresses
 * @typedef {{ data: Float32Array, shape: number[] }} Input
 */

const json = async (url) => (await fetch(url)).json();
const bytes = async (url) => (await fetch(url)).arrayBuffer();

/** A build of Sightline. @param {string} folder of its package, as served */
const sightline =
  (folder) =>
  async ({ device }) => {
    const api = await import(`${folder}index.js`);
    return async (/** @type {Source} */ source, /** @type {Input[]} */ inputs) => {
      const model = { config: await json(source.config), weights: await bytes(source.weights) };
      const explainer = await api.createExplainer({ model, device });
      const values = async (/** @type {Promise<{ values: Float32Array }>} */ call) => (await call).values;
      /** The result for a photo that it did not have: else a forward pass would be missing. */
      const fresh = async (call) => {
        const result = await call;
        if (!(result.passes.forward >= 1)) throw new Error('sightline had this photo: nothing is measured');
        return result.values ?? result.logits;
      };
      return {
        description: explainer.info.device.description,
        sees: (i) => explainer.classify(inputs[i]),
        forward: (i) => fresh(explainer.classify(inputs[i])),
        gradCam: (i, target) => fresh(explainer.attribute(inputs[i], { method: 'grad_cam', target })),
        switchClass: (i, target) => values(explainer.attribute(inputs[i], { method: 'grad_cam', target })),
        gradient: (i, target) => fresh(explainer.gradients(inputs[i], { target })),
        integrated: (i, target, nSteps) =>
          values(
            explainer.attribute(inputs[i], { method: 'integrated_gradients', target, nSteps, quadrature: 'midpoint' }),
          ),
        close: () => explainer.dispose(),
      };
    };
  };

const contenders = {
  sightline: sightline('/pkg/'),
  /** The build that `--against` names. */
  before: sightline('/before/pkg/'),

  async tfjs({ device }) {
    const folder = '/bench/node_modules/@tensorflow';
    const backend = device === 'cpu' ? 'wasm' : 'webgpu';
    await script(`${folder}/tfjs-core/dist/tf-core.min.js`);
    // It brings the gradients, which are not in tfjs-core's bundle.
    await script(`${folder}/tfjs-layers/dist/tf-layers.min.js`);
    await script(`${folder}/tfjs-backend-${backend}/dist/tf-backend-${backend}.min.js`);
    if (device === 'cpu') {
      tf.wasm.setWasmPaths(`${folder}/tfjs-backend-wasm/dist/`);
      tf.wasm.setThreadsCount(1);
    }
    if (!(await tf.setBackend(backend))) throw new Error(`tfjs: no backend ${backend}`);
    return async (/** @type {Source} */ source, /** @type {Input[]} */ inputs) => {
      // What is made until the model is closed belongs to it.
      tf.engine().startScope();
      const net = build(readSafetensors(await bytes(source.weights)), await json(source.config));
      const photos = inputs.map(({ data, shape }) =>
        tf.tidy(() => tf.transpose(tf.tensor4d(data, [1, ...shape]), [0, 2, 3, 1])),
      );
      const logits = (x) => net.head(net.features(x));
      const score = (y, target) => tf.reshape(tf.slice(y, [0, target], [1, 1]), []);
      /** Runs and reads. */
      const read = async (work) => {
        const result = tf.tidy(work);
        const data = await result.data();
        result.dispose();
        return data;
      };
      const planes = (data, [, h, w, c]) =>
        Float32Array.from(data, (_, i) => data[(i % (h * w)) * c + Math.floor(i / (h * w))]);
      const cam = (features, target) => {
        const { map, ...rest } = features;
        let [a, g] = [map, tf.grad((map) => score(net.head({ map, ...rest }), target))(map)];
        if (net.patches) [a, g] = [net.patches(a), net.patches(g)];
        const channels = a.shape.at(-1);
        [a, g] = [a, g].map((t) => tf.reshape(t, [-1, channels]));
        return tf.sum(tf.mul(a, tf.mean(g, 0, true)), 1);
      };
      const gradient = (x, target) => tf.grad((x) => score(logits(x), target))(x);
      /** What the last photo's features are, for another class. */
      let kept;
      return {
        description: `${tf.getBackend()}${device === 'cpu' ? `, ${tf.wasm.getThreadsCount()} thread` : ''}`,
        forward: (i) => read(() => logits(photos[i])),
        async gradCam(i, target) {
          if (kept) tf.dispose(kept);
          kept = tf.tidy(() => net.features(photos[i]));
          return read(() => cam(kept, target));
        },
        switchClass: (_, target) => read(() => cam(kept, target)),
        // As with Sightline the logits are there too.
        async gradient(i, target) {
          let y;
          const { value, grad } = tf.tidy(() =>
            tf.valueAndGrad((x) => score((y = tf.keep(logits(x))), target))(photos[i]),
          );
          const [data] = await Promise.all([grad.data(), y.data()]);
          tf.dispose([value, grad, y]);
          return data;
        },
        integrated: (i, target, steps) =>
          read(() => {
            let sum = tf.zerosLike(photos[i]);
            for (let s = 0; s < steps; s++)
              sum = tf.tidy(() => tf.add(sum, gradient(tf.mul(photos[i], (s + 0.5) / steps), target)));
            return tf.mul(tf.mul(sum, 1 / steps), photos[i]);
          }),
        /** As Sightline's: channel by channel. */
        align: (data) => (data.length === inputs[0].data.length ? planes(data, photos[0].shape) : data),
        close: () => tf.engine().endScope(),
      };
    };
  },

  async onnxruntime({ device }) {
    const folder = '/bench/node_modules/onnxruntime-web/dist';
    const provider = device === 'cpu' ? 'wasm' : 'webgpu';
    const ort = await import(`${folder}/ort.${provider}.min.mjs`);
    Object.assign(ort.env.wasm, { numThreads: 1, proxy: false, wasmPaths: `${folder}/` });
    ort.env.logLevel = 'error';
    return async (/** @type {Source} */ source, /** @type {Input[]} */ inputs) => {
      if (!source.onnx) return undefined;
      const session = await ort.InferenceSession.create(await bytes(source.onnx), {
        executionProviders: [provider],
        graphOptimizationLevel: 'all',
      });
      const photos = inputs.map(({ data, shape }) => new ort.Tensor('float32', data, [1, ...shape]));
      return {
        description: provider,
        forward: async (i) => (await session.run({ input: photos[i] })).logits.data,
        close: () => session.release(),
      };
    };
  },
};

function script(src) {
  return new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement('script'), {
      src,
      onload: resolve,
      onerror: () => reject(new Error(`${src} is not there`)),
    });
    document.head.append(element);
  });
}

/** Sightline keeps the last photo: `other` shows it another one than the k-th run's. */
const other = (model, _, k) => model.sees?.((k + 1) % 2);

/**
 * What is measured, of the contenders that have a function of that name: the k-th run, and what
 * comes before a sample.
 */
const measures = {
  forward: { before: other, run: (model, _, k) => model.forward(k % 2) },
  gradCam: { before: other, run: (model, { classes }, k) => model.gradCam(k % 2, classes[0]) },
  gradient: { before: other, run: (model, { classes }, k) => model.gradient(k % 2, classes[0]) },
  switchClass: {
    before: async (model, { classes }, k) => (await other(model, classes, 0), model.gradCam(0, classes[k % 2])),
    run: (model, { classes }, k) => model.switchClass(0, classes[(k + 1) % 2]),
  },
  integrated: {
    before: (model) => model.sees?.(0),
    run: (model, { classes, steps }) => model.integrated(0, classes[0], steps),
  },
};

/** The contenders of one device on one model after the other. */
export class Bench {
  #openers = {};
  /** @type {Record<string, Model>} */
  #models = {};

  /** @param {string[]} names @param {'cpu' | 'webgpu'} device */
  async start(names, device) {
    for (const name of names) this.#openers[name] = await contenders[name]({ device });
  }

  /**
   * Opens the model anew with each contender; what they say of their device.
   * @param {Source} source
   * @param {string[]} photos addresses
   */
  async load(source, photos) {
    await this.close();
    const api = await import('/pkg/index.js');
    const explainer = await api.createExplainer({
      model: { config: await json(source.config), weights: await bytes(source.weights) },
      device: 'cpu',
    });
    this.inputs = [];
    for (const photo of photos) {
      const { data, shape } = await explainer.preprocess(photo);
      this.inputs.push({ data, shape });
    }
    explainer.dispose();
    const found = {};
    for (const [name, open] of Object.entries(this.#openers)) {
      const model = await open(source, this.inputs);
      if (!model) continue;
      this.#models[name] = model;
      found[name] = model.description;
    }
    return found;
  }

  async close() {
    for (const model of Object.values(this.#models)) await model.close();
    this.#models = {};
  }

  /**
   * The numbers of one run by each contender that can.
   * @param {keyof typeof measures} measure
   * @param {any} options
   */
  async numbers(measure, options) {
    const { before, run } = measures[measure];
    const numbers = {};
    for (const [name, model] of Object.entries(this.#models)) {
      if (!model[measure]) continue;
      await before(model, options, 0);
      const data = await run(model, options, 0);
      numbers[name] = Array.from(model.align?.(data) ?? data);
    }
    return numbers;
  }

  #lanes = [];
  #rounds = 0;

  /**
   * Gets ready to time: a lane for each contender and measure, warmed up for `warm` milliseconds,
   * as the browser compiles what is hot a second time.
   * @param {(keyof typeof measures)[]} names @param {any} options
   */
  async warmUp(names, { warm, ...options }) {
    this.#lanes = names.flatMap((measure) =>
      Object.entries(this.#models)
        .filter(([, model]) => model[measure])
        .map(([contender, model]) => ({ contender, measure, model, options, k: 0, repeats: 1, samples: [] })),
    );
    this.#rounds = 0;
    for (const lane of this.#lanes) {
      const start = performance.now();
      let last;
      do last = await sample(lane);
      while (performance.now() - start < warm);
      lane.repeats = Math.max(1, Math.ceil(20 / Math.max(last.ms, 0.01)));
    }
  }

  /**
   * One sample of each lane. They take turns, so that what else the machine does meets all alike:
   * every ratio is of one run.
   */
  async round() {
    const count = this.#lanes.length;
    for (let i = 0; i < count; i++) {
      const lane = this.#lanes[(i + this.#rounds) % count];
      lane.samples.push(await sample(lane));
    }
    this.#rounds++;
  }

  /** The samples so far. */
  get times() {
    return this.#lanes.map(({ contender, measure, samples }) => ({ contender, measure, samples }));
  }
}

/**
 * Milliseconds of a run, and of them those that a processor worked on it, where that can be known;
 * of something quick the mean of as many as fill 20 ms.
 */
async function sample(lane) {
  const { before, run } = measures[lane.measure];
  await before(lane.model, lane.options, lane.k);
  const worked = await globalThis.workedMs?.();
  const start = performance.now();
  for (let r = 0; r < lane.repeats; r++) await run(lane.model, lane.options, lane.k++);
  const ms = (performance.now() - start) / lane.repeats;
  return worked === undefined ? { ms } : { ms, worked: ((await globalThis.workedMs()) - worked) / lane.repeats };
}
