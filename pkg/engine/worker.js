// @ts-check
// The worker's side of host.js: holds the wasm builds, the engines (a model on a device each) and
// the running jobs. It makes no request of its own but the import of the generated JavaScript; the
// compiled modules come from the main thread.

/** @typedef {{ op: string, call: number, engine: number, [key: string]: any }} Request */

/** By the address of their JavaScript. @type {Map<string, Promise<any>>} */
const builds = new Map();
/** The builds' memories. @type {WebAssembly.Memory[]} */
const memories = [];
/** @type {Map<number, any>} */
const engines = new Map();
/** @type {Map<number, any>} */
const jobs = new Map();
/** Devices that are open or start, by their build's address. @type {Map<string, Promise<any>>} */
const devices = new Map();
/** Read from a Blob at once. */
const PIECE = 4 << 20;
/**
 * Copied into the wasm memory at once: larger holes would be filled in part, and the next model
 * need new memory.
 */
const BITE = 256 << 10;
/**
 * Weights of up to so many bytes are hashed by the browser, in one piece and beside the loading.
 */
const WHOLE = 64 << 20;
/** The longer side of a photo's bitmap, in pixels. */
const LONGEST = 2048;
const scope = /** @type {any} */ (globalThis);
/** Of all builds, in bytes. */
const memory = () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);

/** @param {object} message @param {Transferable[]} [transfer] */
const post = (message, transfer = []) => scope.postMessage(message, transfer);
/**
 * Nothing in this worker can be relied on after a trap.
 * @param {string | undefined} panic
 * @param {string} message
 */
const die = (panic, message) => post({ dead: { code: panic === undefined ? 'out-of-memory' : 'internal', message } });

/** @type {string | undefined} */
let panicked;

/** @param {unknown} error */
function fatal(error) {
  if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError)) return false;
  // A trap without a panic is an allocation that failed.
  if (panicked === undefined)
    die(undefined, `the computation ran out of memory; use a smaller model or image (${error.message})`);
  return true;
}

scope.addEventListener('error', (/** @type {ErrorEvent} */ event) => {
  if (fatal(event.error)) event.preventDefault();
});
scope.addEventListener('unhandledrejection', (/** @type {PromiseRejectionEvent} */ event) => {
  if (fatal(event.reason)) event.preventDefault();
});

/** @param {string} url @param {WebAssembly.Module} module */
async function build(url, module) {
  let coming = builds.get(url);
  if (!coming) {
    coming = import(url).then(async (glue) => {
      const { memory } = await glue.default({ module_or_path: module });
      memories.push(memory);
      glue.onPanic((/** @type {string} */ message) => {
        panicked = message;
        // "panicked at <place>:" and the reason on the next line.
        const reason = message.split('\n')[1] ?? message;
        if (/capacity overflow|memory allocation/.test(reason))
          die(undefined, 'the computation ran out of memory; use a smaller model or image');
        else die(message, `Sightline failed: ${reason}. The computation was restarted; please report this.`);
      });
      return glue;
    });
    builds.set(url, coming);
    coming.catch(() => builds.delete(url));
  }
  return coming;
}

/** @param {string} code @param {string} message */
const refusal = (code, message) => Object.assign(new Error(message), { code });

/**
 * Bytes of the weights, which lie in a file or in the browser's storage.
 * @param {import('../model/source.js').Source} source
 * @param {number} from
 * @param {number} to
 */
async function read({ weights, file }, from, to) {
  try {
    return new Uint8Array((await weights?.slice(from, to).arrayBuffer()) ?? []);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    throw weights instanceof File
      ? refusal('bad-model', `${file} could not be read (${error.message}); choose it again`)
      : refusal(
          'quota',
          `the browser could not store the weights (${error.message}); free disk space or use a smaller model`,
        );
  }
}

/**
 * How the weights are to be read: a header, where the file is no safetensors file itself, the
 * ranges that follow, and a config with what was assumed, where there is none.
 * @param {any} glue @param {import('../model/source.js').Source} source
 * @returns {Promise<{ config: string, note?: string, header?: Uint8Array, ranges: [number,
 *   number][] }>}
 */
async function layout(glue, source) {
  const size = source.weights?.size ?? 0;
  const start = await read(source, 0, 16);
  const format = glue.Loader.sniff(start);
  // What is too short to be told is what it is named: the reader says what is wrong with it.
  if (format === 'pytorch' || (size < 8 && /\.(pt|pth|bin)$/.test(source.file))) {
    const reader = new glue.StateDictReader(size);
    let found;
    try {
      for (let range = reader.wants(); range; range = reader.wants())
        reader.supply(await read(source, range[0], range[1]));
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) reader.free();
      throw error;
    }
    found = reader.finish();
    const { header } = found;
    /** @type {[number, number][]} */
    const ranges = [];
    for (let i = 0; i < found.ranges.length; i += 2) ranges.push([found.ranges[i], found.ranges[i + 1]]);
    const guess = source.config === undefined ? glue.guessConfig(header.subarray(8)) : { config: source.config };
    return { ...guess, header, ranges };
  }
  /** @type {[number, number][]} */
  const ranges = [[0, size]];
  if (source.config !== undefined) return { config: source.config, ranges };
  const length = format === 'safetensors' ? new DataView(start.buffer, start.byteOffset).getBigUint64(0, true) : 0n;
  if (length === 0n || length + 8n > size)
    throw refusal(
      'bad-model',
      `this is not a weights file; give a .safetensors file, or a .pth file with a state dict`,
    );
  return { ...glue.guessConfig(await read(source, 8, 8 + Number(length))), ranges };
}

/**
 * The SHA-256, where the browser computes it: it does in secure contexts alone.
 * @param {Blob} weights
 * @returns {Promise<string> | undefined}
 */
function hashOf(weights) {
  const { subtle } = globalThis.crypto;
  if (!subtle) return undefined;
  const hash = weights.arrayBuffer().then((bytes) => subtle.digest('SHA-256', bytes));
  const hex = hash.then((bytes) =>
    [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
  );
  // Weights that cannot be read are told of by who feeds them.
  hex.catch(() => undefined);
  return hex;
}

/**
 * The build and its device. A device is started once for all who ask at the same time.
 * @param {any} request
 */
async function start({ call, kind, url, module }) {
  const glue = await build(url, module);
  post({ call, progress: { stage: 'device', loaded: 0, total: 1 } });
  let device = devices.get(url);
  if (!device) {
    device = glue.openDevice(kind, (/** @type {string} */ message) => post({ lost: message }));
    devices.set(url, /** @type {Promise<any>} */ (device));
    device?.catch(() => devices.delete(url));
  }
  return { glue, device: await device };
}

/**
 * Keeps a photo that comes with a call, decoded.
 * @param {any} glue @param {any} input
 */
function keep(glue, input) {
  if (input?.kind !== 'photo' || !input.source) return;
  try {
    glue.keepPhoto(input.id, input.source, input.box);
  } catch (error) {
    throw Object.assign(/** @type {Error} */ (error), { unkept: true });
  }
}

/**
 * @type {Record<string, (request: any) => Promise<{ result?: any, transfer?: Transferable[] }>>}
 */
const operations = {
  async plan(request) {
    const { kind, source } = request;
    const { glue } = await start(request);
    new glue.Loader(source.config, source.labels, source.id, kind).free();
    return {};
  },
  async open(request) {
    const { call, engine, kind, source } = request;
    let withdrawn = false;
    jobs.set(call, { cancel: () => (withdrawn = true) });
    const check = () => {
      if (withdrawn) throw refusal('aborted', 'the request was aborted');
    };
    const { glue, device } = await start(request);
    check();
    const { config, note, header, ranges } = await layout(glue, source).catch((error) => {
      const { code, message } = error;
      throw code === 'bad-model' && !message.startsWith(source.file)
        ? refusal(code, `${source.file}: ${message}`)
        : error;
    });
    check();
    const loader = new glue.Loader(config, source.labels, source.id, kind);
    const total = ranges.reduce((sum, [from, to]) => sum + to - from, 0);
    const hashed = header || !source.weights || total > WHOLE ? undefined : hashOf(source.weights);
    const digest = hashed ? undefined : new glue.Digest();
    try {
      let loaded = 0;
      const told = () => post({ call, progress: { stage: 'weights', loaded, total } });
      told();
      if (header) loader.feed(header);
      for (const [from, to] of ranges) {
        for (let at = from; at < to; at += PIECE) {
          const piece = await read(source, at, Math.min(at + PIECE, to));
          check();
          for (let bite = 0; bite < piece.length; bite += BITE) {
            const bytes = piece.subarray(bite, bite + BITE);
            loader.feed(bytes);
            if (!header) digest?.update(bytes);
          }
          loaded += piece.length;
          told();
        }
      }
      // Of another file than safetensors only parts were fed, and not all in order.
      for (let at = 0; header && at < source.weights.size; at += PIECE) {
        digest?.update(await read(source, at, at + PIECE));
        check();
      }
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) for (const held of [loader, digest]) held?.free();
      throw error;
    }
    const sha256 = hashed ? await hashed : digest.finish();
    const made = loader.finish();
    engines.set(engine, { made, glue });
    return { result: { model: { ...made.info(), assumed: note ?? null }, device, version: glue.version(), sha256 } };
  },
  async classify({ call, engine, input, topK }) {
    const result = await work(call, engine, input, (made, job) => made.classify(input, topK, job));
    return { result, transfer: [result.logits.buffer] };
  },
  async attribute({ call, engine, input, request, estimates }) {
    const result = await work(call, engine, input, (made, job) => made.attribute(input, request, job), estimates);
    const buffers = [result, ...result.layers].map(({ values }) => values.buffer);
    return { result, transfer: buffers };
  },
  async activations({ call, engine, input, layer }) {
    const result = await work(call, engine, input, (made, job) => made.activations(input, layer, job));
    return { result, transfer: [result.values.buffer] };
  },
  async gradients({ call, engine, input, request }) {
    const result = await work(call, engine, input, (made, job) => made.gradients(input, request, job));
    return { result, transfer: [result.values.buffer] };
  },
  async heads({ call, engine, input, request }) {
    return { result: await work(call, engine, input, (made, job) => made.heads(input, request, job)) };
  },
  async prepare({ engine, input }) {
    const { made, glue } = engines.get(engine);
    keep(glue, input);
    const result = made.prepare(input);
    return { result, transfer: [result.data.buffer] };
  },
  async load({ url, module, input }) {
    const glue = await build(url, module);
    keep(glue, input);
    const { pixels, ...described } = glue.describePhoto(input.id, LONGEST);
    const bitmap = await createImageBitmap(new ImageData(pixels.data, pixels.width, pixels.height));
    return { result: { ...described, bitmap }, transfer: [bitmap] };
  },
  async memory() {
    return { result: memory() };
  },
  async close({ engine }) {
    engines.get(engine)?.made.free();
    engines.delete(engine);
    return {};
  },
};

/**
 * @param {number} call
 * @param {number} engine
 * @param {any} input
 * @param {(made: any, job: any) => Promise<any>} run
 * @param {boolean} [estimates]
 */
async function work(call, engine, input, run, estimates) {
  const { made, glue } = engines.get(engine);
  keep(glue, input);
  const onProgress = (/** @type {number} */ loaded, /** @type {number} */ total) =>
    post({
      call,
      progress: { stage: 'compute', loaded, total, passes: { forward: job.forward, backward: job.backward } },
    });
  const onEstimate = (/** @type {Float32Array} */ values, /** @type {number[]} */ shape, /** @type {any} */ crop) =>
    post({ call, estimate: { values, shape, crop } }, [values.buffer]);
  const job = new glue.Job(onProgress, estimates ? onEstimate : undefined);
  jobs.set(call, job);
  try {
    return await run(made, job);
  } finally {
    if (panicked === undefined) job.free();
  }
}

scope.addEventListener('message', async (/** @type {MessageEvent<Request>} */ { data }) => {
  const { call, op } = data;
  if (op === 'ping') return post({ pong: true });
  // Fetched while the wasm is compiled; a failure is told when it is needed.
  if (op === 'import') return import(/** @type {any} */ (data).url).catch(() => undefined);
  if (op === 'cancel') return jobs.get(call)?.cancel();
  if (op === 'stop') return jobs.get(call)?.stop?.();
  if (op === 'forget') return (await builds.get(data.url))?.forgetPhoto(data.photo);
  try {
    const coming = /** @type {any} */ (operations)[op](data);
    if (data.stopped) jobs.get(call)?.stop?.();
    const { result, transfer } = await coming;
    post({ call, result, memory: memory() }, transfer);
  } catch (error) {
    if (fatal(error)) return;
    const { code = 'internal', message = String(error), unkept } = /** @type {any} */ (error);
    post({ call, error: { code: typeof code === 'string' ? code : 'internal', message }, unkept, memory: memory() });
  } finally {
    jobs.delete(call);
  }
});
scope.addEventListener('messageerror', () =>
  die(undefined, 'an image or model could not be received; use a smaller one'),
);
post({ ready: true });
// Held for as long as this worker lives. Nothing else tells the page that it was ended from
// outside; where there are no locks, its silence does, later.
const lock = `sightline-${Math.random().toString(36).slice(2)}`;
const held = () => {
  post({ lock });
  return new Promise(() => {});
};
globalThis.navigator?.locks?.request(lock, held).catch(() => undefined);
