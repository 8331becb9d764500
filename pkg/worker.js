// @ts-check
// The worker host: holds the wasm builds, the engines (a model on a device each) and the running jobs. It makes no request of its own
// but the import of the generated JavaScript; the compiled modules come from the main thread.

/** @typedef {import('./host.js').Request} Request */

/** @type {Map<string, Promise<any>>} */
const builds = new Map();
/** @type {Map<number, any>} */
const engines = new Map();
/** @type {Map<number, any>} */
const jobs = new Map();
const PIECE = 4 << 20;
const scope = /** @type {any} */ (globalThis);

/** @param {object} message @param {Transferable[]} [transfer] */
const post = (message, transfer = []) => scope.postMessage(message, transfer);
/** Nothing in this worker can be relied on after a trap. @param {string | undefined} panic @param {string} message */
const die = (panic, message) => post({ dead: { code: panic === undefined ? 'out-of-memory' : 'internal', message } });

/** @type {string | undefined} */
let panicked;

/** @param {unknown} error */
function fatal(error) {
  if (!(error instanceof WebAssembly.RuntimeError || error instanceof RangeError)) return false;
  // A trap without a panic is an allocation that failed.
  if (panicked === undefined) die(undefined, `the computation ran out of memory: use a smaller model or picture (${error.message})`);
  return true;
}

scope.addEventListener('error', (/** @type {ErrorEvent} */ event) => {
  if (fatal(event.error)) event.preventDefault();
});
scope.addEventListener('unhandledrejection', (/** @type {PromiseRejectionEvent} */ event) => {
  if (fatal(event.reason)) event.preventDefault();
});

/** @param {string} kind @param {string} url @param {WebAssembly.Module} module */
async function build(kind, url, module) {
  let loaded = builds.get(kind);
  if (!loaded) {
    loaded = import(url).then(async (glue) => {
      await glue.default({ module_or_path: module });
      glue.onPanic((/** @type {string} */ message) => {
        panicked = message;
        // "panicked at <place>:" and the reason on the next line.
        const reason = message.split('\n')[1] ?? message;
        if (/capacity overflow|memory allocation/.test(reason))
          die(undefined, 'the computation ran out of memory: use a smaller model or picture');
        else die(message, `Sightline failed: ${reason}. The computation was restarted; please report this.`);
      });
      return glue;
    });
    builds.set(kind, loaded);
    loaded.catch(() => builds.delete(kind));
  }
  return loaded;
}

/** @type {Record<string, (request: any) => Promise<{ result?: any, transfer?: Transferable[] }>>} */
const operations = {
  async open({ call, engine, kind, url, module, source }) {
    const glue = await build(kind, url, module);
    post({ call, progress: { stage: 'device', loaded: 0, total: 1 } });
    const device = await glue.openDevice(kind, (/** @type {string} */ message) => post({ lost: message }));
    const loader = new glue.Loader(source.config, source.labels, source.id, kind);
    const total = source.weights.size;
    let withdrawn = false;
    jobs.set(call, { cancel: () => (withdrawn = true) });
    try {
      for (let loaded = 0; loaded < total; loaded += PIECE) {
        const piece = new Uint8Array(await source.weights.slice(loaded, loaded + PIECE).arrayBuffer());
        if (withdrawn) throw Object.assign(new Error('the request was aborted'), { code: 'aborted' });
        loader.feed(piece);
        post({ call, progress: { stage: 'weights', loaded: Math.min(loaded + PIECE, total), total } });
      }
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError)) loader.free();
      throw error;
    } finally {
      jobs.delete(call);
    }
    const made = loader.finish();
    engines.set(engine, { made, glue });
    return { result: { model: made.info(), device, version: glue.version() } };
  },
  async classify({ call, engine, input, topK }) {
    const result = await work(call, engine, (made, job) => made.classify(input, topK, job));
    return { result, transfer: [result.logits.buffer] };
  },
  async attribute({ call, engine, input, request }) {
    const result = await work(call, engine, (made, job) => made.attribute(input, request, job));
    return { result, transfer: [result.values.buffer] };
  },
  async prepare({ engine, input }) {
    const result = engines.get(engine).made.prepare(input);
    return { result, transfer: [result.data.buffer] };
  },
  async close({ engine }) {
    engines.get(engine)?.made.free();
    engines.delete(engine);
    return {};
  },
};

/** @param {number} call @param {number} engine @param {(made: any, job: any) => Promise<any>} run */
async function work(call, engine, run) {
  const { made, glue } = engines.get(engine);
  const job = new glue.Job((/** @type {number} */ loaded, /** @type {number} */ total) => {
    post({ call, progress: { stage: 'compute', loaded, total, passes: { forward: job.forward, backward: job.backward } } });
  });
  jobs.set(call, job);
  try {
    return await run(made, job);
  } finally {
    jobs.delete(call);
  }
}

scope.addEventListener('message', async (/** @type {MessageEvent<Request>} */ { data }) => {
  const { call, op } = data;
  if (op === 'cancel') return jobs.get(call)?.cancel();
  try {
    const { result, transfer } = await /** @type {any} */ (operations)[op](data);
    post({ call, result }, transfer);
  } catch (error) {
    if (fatal(error)) return;
    const { code = 'internal', message = String(error) } = /** @type {any} */ (error);
    post({ call, error: { code: typeof code === 'string' ? code : 'internal', message } });
  }
});
scope.addEventListener('messageerror', () => die(undefined, 'a picture or model could not be taken over: use a smaller one'));
post({ ready: true });
