// @ts-check
// Which call runs on which worker, and what becomes of it: a state machine without promises, clocks
// or workers of its own, so that a test can drive it through any order of events.
//
// A call is `waiting` for a worker, `opening` its model there, or `posted`. It settles exactly
// once. Whoever withdraws a call is told at once; the worker may be busy with it for a while
// longer. A worker that is gone is replaced: the call that ended it is told, and the others run
// again.

import { aborted, SightlineError } from '../util/errors.js';
import { allowedMemory, allowedSilence, BEAT, DEVICE, isHeldUp, REST } from './patience.js';
import { Photos } from './photos.js';

/** @typedef {import('./thread.js').Thread} Thread */
/** @typedef {import('./thread.js').Death & { ours?: boolean }} Death */
/** @typedef {{ forward: number, backward: number }} Passes */
/** @typedef {{ stage: string, loaded: number, total: number, passes?: Passes }} Progress */
/** @typedef {{ op: string, [key: string]: any }} Message */
/**
 * A model on a device. `openingMs`: how long it took to open, the last time.
 * @typedef {{ id: number, kind: 'cpu' | 'webgpu', base: URL, url: string,
 *   module?: WebAssembly.Module, source: import('../model/source.js').Source,
 *   queue: Promise<unknown>, idle: Promise<unknown>, openingMs: number, closed: boolean }} Engine
 */
/**
 * What its caller gives. Without a message, a call only opens the engine; a `bare` one does not
 * open it. An `idle` one gives way to all others. `deviceMs`: how long the device may take to
 * start.
 * @typedef {{ engine: Engine, message?: Message, bare?: boolean, idle?: boolean, deviceMs?: number,
 *   resolve: (result: any) => void, reject: (error: SightlineError) => void,
 *   onProgress?: (progress: Progress) => void, onEstimate?: (estimate: any) => void }} Request
 */
/**
 * `suspect`: it ran when a worker died, and not alone. `ended`: when its worker was told to end it,
 * because it was withdrawn or has to give way. `asked`: when its device was asked to start.
 * `heard`: the worker spoke after it got the call.
 * @typedef {Request & { id: number, state: 'waiting' | 'opening' | 'posted', suspect: boolean,
 *   stopped: boolean, heard: boolean, started: number, ended?: number, asked?: number, worker?:
 *   Worker }} Call
 */
/**
 * A worker: `calls` that it has, the engines that it has or opens, and how long it has been silent.
 * @typedef {{ thread: Thread, base: URL, ready: boolean, calls: Map<number, Call>,
 *   slots: Map<number, { engine: Engine, open: boolean, info?: any, call?: Call }>, photos: Photos,
 *   silence: number, longest: number, pinged: boolean, memory: number, greetings: Message[] }}
 *   Worker
 */
/**
 * What lies outside: `start` starts a worker, `after` calls back later and returns how to call that
 * off.
 * @typedef {{ start: (base: URL, listener: import('./thread.js').Listener) => Thread, now: () =>
 *   number, after: (ms: number, f: () => void) => () => void }} World
 */

export class Scheduler {
  #world;
  #limit;
  #next = 1;
  /**
   * In order of arrival; those that nobody waits for are with their workers alone.
   * @type {Set<Call>}
   */
  #calls = new Set();
  /** @type {Set<Worker>} */
  #workers = new Set();
  #pumping = false;
  #pumpAgain = false;
  /** Calls the next look off. @type {(() => void) | undefined} */
  #beating;
  #looked = 0;
  /** Calls the look at memory off. @type {(() => void) | undefined} */
  #resting;

  /**
   * @param {World} world
   * @param {number} [limit] the most workers for each folder of the package's files
   */
  constructor(world, limit = 1) {
    this.#world = world;
    this.#limit = limit;
  }

  /** How many there are now. */
  get counts() {
    return { workers: this.#workers.size, calls: this.#calls.size };
  }

  id() {
    return this.#next++;
  }

  /**
   * Starts a worker if there is none, and sends it `message`, which has no answer.
   * @param {URL} base
   * @param {Message} message
   */
  greet(base, message) {
    const [worker = this.#spawn(base)] = this.#of(base);
    if (worker.ready) worker.thread.post(message);
    else worker.greetings.push(message);
    this.#beat();
  }

  /** @param {Request} request @returns {Call} */
  submit(request) {
    /** @type {Call} */
    const call = {
      ...request,
      id: this.id(),
      state: 'waiting',
      suspect: false,
      stopped: false,
      heard: false,
      started: 0,
    };
    this.#calls.add(call);
    if (call.engine.closed) this.#settle(call, disposed());
    else {
      if (!call.idle) this.#clearTheWay();
      this.#pump();
    }
    return call;
  }

  /** Its caller waits no longer: told at once. @param {Call} call */
  withdraw(call) {
    if (!this.#calls.delete(call)) return;
    this.#end(call);
    call.reject(aborted());
    this.#pump();
  }

  /** Its caller wants what there is. @param {Call} call */
  stop(call) {
    if (!this.#calls.has(call)) return;
    call.stopped = true;
    if (call.state === 'posted') this.#send(call, [{ op: 'stop' }]);
  }

  /**
   * Frees the engine after the calls that run; those that wait are refused.
   * @param {Engine} engine
   */
  close(engine) {
    engine.closed = true;
    for (const call of this.#waiting().filter((call) => call.engine === engine)) this.#settle(call, disposed());
    for (const worker of this.#workers) this.#free(engine, worker);
    this.#pump();
  }

  /** Nobody needs a photo any more. @param {number} photo */
  forget(photo) {
    for (const { photos, thread } of this.#workers)
      for (const url of photos.forget(photo)) thread.post({ op: 'forget', photo, url });
  }

  // --- Which call runs next ----------------------------------------------------------------------

  #waiting() {
    return [...this.#calls].filter(({ state }) => state === 'waiting');
  }

  /** @param {URL} base */
  #of(base) {
    return [...this.#workers].filter((worker) => worker.base.href === base.href);
  }

  /** Idle calls that run are asked to end; they run again later. */
  #clearTheWay() {
    for (const call of this.#calls) {
      if (call.idle) this.#end(call);
    }
  }

  /** Starts what can be started. A caller that is told meanwhile may ask for more: after this. */
  #pump() {
    this.#pumpAgain = true;
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (this.#pumpAgain) {
        this.#pumpAgain = false;
        const people = [...this.#calls].some((call) => !call.idle);
        const ready = this.#waiting().filter((call) => !call.idle || !people);
        // Whose fault a death is shows when each runs alone: all others wait for that.
        const suspect = ready.find((call) => call.suspect);
        for (const call of suspect ? [suspect] : ready) {
          const worker = this.#calls.has(call) && this.#pick(call);
          if (worker) this.#start(call, worker);
        }
      }
    } finally {
      this.#pumping = false;
    }
    this.#beat();
  }

  /** A worker that can take the call now. @param {Call} call */
  #pick({ engine, suspect }) {
    const workers = this.#of(engine.base);
    const free = workers.filter(
      ({ ready, slots, calls }) =>
        ready &&
        !slots.get(engine.id)?.call &&
        (suspect ? calls.size === 0 : ![...calls.values()].some((call) => call.suspect)),
    );
    const opened = (/** @type {Worker} */ { slots }) => Number(slots.get(engine.id)?.open ?? false);
    free.sort((a, b) => opened(b) - opened(a) || a.calls.size - b.calls.size);
    if (!free.length && workers.length < this.#limit && workers.every(({ ready }) => ready)) this.#spawn(engine.base);
    return free[0];
  }

  /** @param {URL} base @returns {Worker} */
  #spawn(base) {
    /** @type {Worker} */
    const worker = {
      thread: { post() {}, terminate() {} },
      base,
      ready: false,
      calls: new Map(),
      slots: new Map(),
      photos: new Photos(),
      silence: 0,
      longest: 0,
      pinged: false,
      memory: 0,
      greetings: [],
    };
    this.#workers.add(worker);
    worker.thread = this.#world.start(base, {
      onReady: () => {
        worker.ready = true;
        worker.silence = 0;
        for (const message of worker.greetings.splice(0)) worker.thread.post(message);
        this.#pump();
      },
      onMessage: (data) => this.#receive(worker, data),
      onDeath: (death) => this.#died(worker, death),
    });
    return worker;
  }

  /** @param {Call} call @param {Worker} worker */
  #start(call, worker) {
    const { engine } = call;
    const slot = worker.slots.get(engine.id) ?? { engine, open: false };
    worker.slots.set(engine.id, slot);
    worker.calls.set(call.id, call);
    slot.call = call;
    call.worker = worker;
    call.started = this.#world.now();
    if (slot.open || call.bare) return this.#post(call);
    call.state = 'opening';
    const { kind, url, module, source } = engine;
    this.#send(call, [{ op: 'open', kind, url, module, source }]);
  }

  /** @param {Call} call */
  #post(call) {
    const { message, worker, engine, stopped } = call;
    call.state = 'posted';
    if (!message || !worker) return this.#answer(call, undefined, worker?.slots.get(engine.id)?.info);
    const { kind, url, module, source } = engine;
    const { input, forget } = worker.photos.bring(message.input, url);
    const opening = call.bare ? { kind, module, source } : {};
    this.#send(call, [
      ...forget.map((photo) => ({ op: 'forget', photo, url })),
      { ...message, ...opening, ...(input && { input }), url, stopped },
    ]);
  }

  /** What cannot be sent fails the call. @param {Call} call @param {Message[]} messages */
  #send(call, messages) {
    try {
      for (const message of messages) call.worker?.thread.post({ ...message, call: call.id, engine: call.engine.id });
    } catch (error) {
      this.#dropPhoto(call);
      this.#answer(call, /** @type {SightlineError} */ (error));
    }
  }

  /** The worker did not get the photo of a call, or could not decode it. @param {Call} call */
  #dropPhoto({ worker, message, engine }) {
    worker?.photos.drop(message?.input, engine.url);
  }

  /** Nobody waits for what it is doing now. @param {Call} call */
  #end(call) {
    const { worker } = call;
    if (!worker || call.ended !== undefined) return;
    call.ended = this.#world.now();
    this.#send(call, [{ op: 'cancel' }]);
    this.#ping(worker);
  }

  // --- What workers say --------------------------------------------------------------------------

  /** @param {Worker} worker @param {any} data */
  #receive(worker, data) {
    if (!this.#workers.has(worker)) return;
    const { call: id, result, error, progress, estimate, dead, lost, pong, memory, unkept } = data;
    if (worker.pinged) worker.longest = Math.max(worker.longest, worker.silence);
    worker.silence = 0;
    for (const running of worker.calls.values()) running.heard = true;
    if (pong) worker.pinged = false;
    if (dead) return this.#died(worker, dead);
    if (lost !== undefined)
      return this.#died(worker, { code: 'device-lost', message: `${lost}. The next request restarts the device.` });
    const call = worker.calls.get(id);
    if (!call) return;
    if (progress) {
      call.asked = progress.stage === 'device' ? this.#world.now() : undefined;
      // A model that opens again is nothing that its caller asked for.
      const asked = call.state === 'posted' || !call.message;
      if (asked && call.ended === undefined) call.onProgress?.(progress);
      return;
    }
    if (estimate) {
      if (call.ended === undefined) call.onEstimate?.(estimate);
      return;
    }
    if (memory !== undefined) worker.memory = memory;
    if (unkept) this.#dropPhoto(call);
    // The core noticed the loss before the device told: the worker is as dead as if it had.
    if (error?.code === 'device-lost') return this.#died(worker, error);
    if (call.state === 'opening') return this.#opened(call, worker, error, result);
    this.#answer(call, error ? new SightlineError(error.code, error.message) : undefined, result);
  }

  /** @param {Call} call @param {Worker} worker @param {any} error @param {any} result */
  #opened(call, worker, error, result) {
    const slot = worker.slots.get(call.engine.id);
    if (error || !slot) {
      worker.slots.delete(call.engine.id);
      return this.#answer(call, new SightlineError(error?.code ?? 'internal', error?.message ?? 'no model was opened'));
    }
    Object.assign(slot, { open: true, info: result });
    call.asked = undefined;
    call.engine.openingMs = this.#world.now() - call.started;
    if (!call.message) this.#answer(call, undefined, result);
    else if (call.engine.closed) this.#answer(call, disposed());
    else if (call.ended !== undefined) this.#answer(call, aborted());
    else this.#post(call);
  }

  /**
   * The worker is done with it.
   * @param {Call} call
   * @param {SightlineError} [error]
   * @param {any} [result]
   */
  #answer(call, error, result) {
    const { worker, engine } = call;
    if (worker) {
      worker.calls.delete(call.id);
      const slot = worker.slots.get(engine.id);
      if (slot?.call === call) slot.call = undefined;
      if (slot && !slot.open) worker.slots.delete(engine.id);
      if (engine.closed) this.#free(engine, worker);
    }
    if (call.ended !== undefined && error?.code === 'aborted' && this.#calls.has(call)) this.#queueAgain(call);
    else this.#settle(call, error, result);
    this.#pump();
    this.#rest();
  }

  /** @param {Call} call */
  #queueAgain(call) {
    Object.assign(call, { state: 'waiting', worker: undefined, heard: false, ended: undefined, asked: undefined });
  }

  /** @param {Call} call @param {SightlineError} [error] @param {any} [result] */
  #settle(call, error, result) {
    if (!this.#calls.delete(call)) return;
    if (error) call.reject(error);
    else call.resolve(result);
  }

  /** @param {Engine} engine @param {Worker} worker */
  #free(engine, worker) {
    const slot = worker.slots.get(engine.id);
    if (!slot?.open || slot.call) return;
    worker.slots.delete(engine.id);
    worker.thread.post({ op: 'close', call: this.id(), engine: engine.id });
  }

  // --- When a worker is gone ---------------------------------------------------------------------

  /**
   * @param {Worker} worker
   * @param {Death} death `ours`: it was replaced, and no call is to blame
   */
  #died(worker, death) {
    if (!this.#workers.delete(worker)) return;
    worker.thread.terminate();
    const calls = [...worker.calls.values()];
    const error = () => new SightlineError(death.code, death.message, { cause: death.cause });
    const onGpu = death.code === 'device-lost';
    for (const call of calls) {
      const alone = calls.length === 1 && (call.heard || !death.unseen);
      const guilty = onGpu ? call.engine.kind === 'webgpu' : alone || call.suspect;
      if (guilty && !death.ours) this.#settle(call, error());
      else if (this.#calls.has(call)) {
        this.#queueAgain(call);
        call.suspect ||= !onGpu && !death.ours;
      }
    }
    // One that never started would not start for the next call either.
    if (!worker.ready && !death.ours && !this.#of(worker.base).length)
      for (const call of this.#waiting().filter(({ engine }) => engine.base.href === worker.base.href))
        this.#settle(call, error());
    this.#pump();
  }

  /** Ends a worker whose calls run again on a new one. @param {Worker} worker */
  #replace(worker) {
    this.#died(worker, { code: 'internal', message: 'the worker was replaced', ours: true });
  }

  /** @param {Worker} worker */
  #ping(worker) {
    if (worker.pinged || !worker.ready) return;
    worker.pinged = true;
    worker.thread.post({ op: 'ping' });
  }

  /** Looks at the workers from time to time, while one of them is busy. */
  #beat() {
    if (this.#beating || ![...this.#workers].some(isBusy)) return;
    this.#looked = this.#world.now();
    this.#beating = this.#world.after(BEAT, () => {
      this.#beating = undefined;
      // A page that slept heard nothing, and its worker slept, too.
      const passed = Math.min(this.#world.now() - this.#looked, 2 * BEAT);
      for (const worker of [...this.#workers].filter(isBusy)) this.#look(worker, passed);
      this.#pump();
    });
  }

  /** @param {Worker} worker @param {number} passed since the last look (ms) */
  #look(worker, passed) {
    worker.silence += passed;
    const calls = [...worker.calls.values()];
    if (worker.silence > allowedSilence(worker, calls))
      return this.#died(worker, {
        code: 'internal',
        message: worker.ready
          ? 'the computation stopped responding and was ended; try a smaller image or fewer steps'
          : 'the worker did not start in time; check the connection and reload the page',
      });
    const now = this.#world.now();
    for (const call of calls) {
      const { asked, deviceMs = DEVICE } = call;
      if (asked !== undefined && now - asked > deviceMs) {
        const seconds = Math.round(deviceMs / 1000);
        this.#settle(
          call,
          new SightlineError('device-unavailable', `WebGPU did not start within ${seconds} seconds; use the CPU`),
        );
        return this.#replace(worker);
      }
    }
    const { href } = worker.base;
    const isWaitedFor = this.#waiting().some(({ idle, engine }) => !idle && engine.base.href === href);
    if (isHeldUp(worker, calls, isWaitedFor, now)) return this.#replace(worker);
    if (worker.silence >= BEAT) this.#ping(worker);
  }

  /** Looks at memory once nothing has run for a while. */
  #rest() {
    this.#resting?.();
    this.#resting = undefined;
    if (![...this.#workers].some(({ memory, calls, slots }) => !calls.size && memory > allowedMemory(slots))) return;
    this.#resting = this.#world.after(REST, () => {
      this.#resting = undefined;
      if (this.#calls.size) return;
      for (const worker of [...this.#workers]) {
        if (worker.calls.size || worker.memory <= allowedMemory(worker.slots)) continue;
        const engines = [...worker.slots.values()].filter(({ open }) => open).map(({ engine }) => engine);
        this.#replace(worker);
        // Opened again now, so that the next call does not wait for it.
        const ignore = () => undefined;
        for (const engine of engines) this.submit({ engine, idle: true, resolve: ignore, reject: ignore });
      }
    });
  }
}

/** @param {Worker} worker */
const isBusy = ({ ready, calls }) => !ready || calls.size > 0;

const disposed = () => new SightlineError('bad-option', 'this explainer has been disposed of; create a new one');
