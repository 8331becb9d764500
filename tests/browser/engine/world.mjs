// A world for the scheduler without a browser: workers that answer, dawdle, hang, die and lie, and
// a clock that a test turns. All of it follows from a seed.

/** @param {number} seed a stream of numbers in [0, 1) (mulberry32) */
export function stream(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What happens later, in order of time. */
export class Clock {
  now = 0;
  #order = 0;
  /** @type {Map<number, { at: number, f: () => void }>} */
  #events = new Map();

  after = (ms, f) => {
    const id = this.#order++;
    this.#events.set(id, { at: this.now + ms, f });
    return () => this.#events.delete(id);
  };

  get size() {
    return this.#events.size;
  }

  /** Runs the next event; false if there is none, or none before `until`. */
  step(until = Number.POSITIVE_INFINITY) {
    let next;
    for (const [id, { at }] of this.#events) if (!next || at < next.at) next = { id, at };
    if (!next || next.at > until) return false;
    const { f } = this.#events.get(next.id);
    this.#events.delete(next.id);
    this.now = Math.max(this.now, next.at);
    f();
    return true;
  }
}

const PROGRESS = { stage: 'compute', loaded: 1, total: 2 };

/**
 * Workers as the page sees them. `plan(message, worker)` says what becomes of a call: `ms` until
 * the answer, `error` in its place, `dies` (a death, or 'silently': without a word to the
 * listener's `onDeath` unless there are locks), `hangs` (never says anything again), `deaf` (lets
 * no message in until the answer).
 */
export class FakeWorkers {
  /** @type {any[]} */
  all = [];
  /** What broke a rule of the workers' side. @type {string[]} */
  faults = [];

  constructor(clock, plan, birth = () => ({ ms: 5 })) {
    this.clock = clock;
    this.plan = plan;
    this.birth = birth;
  }

  get alive() {
    return this.all.filter((worker) => !worker.ended).length;
  }

  start = (base, listener) => {
    const { clock } = this;
    const worker = { base, ended: false, deafUntil: 0, hung: false, open: new Set(), busy: new Map(), inbox: [] };
    this.all.push(worker);
    const say = (data) => !worker.ended && !worker.hung && listener.onMessage(data);
    worker.say = say;
    worker.die = (death) => {
      if (worker.ended) return;
      worker.ended = true;
      listener.onDeath(death);
    };
    const { ms, fails } = this.birth();
    clock.after(ms, () => {
      if (worker.ended) return;
      if (fails) return worker.die({ code: 'internal', message: 'did not start' });
      listener.onReady();
    });
    const answer = (message, plan) => {
      const { call, engine, op } = message;
      if (!worker.busy.delete(call)) return;
      if (plan.error) return say({ call, error: plan.error });
      if (op === 'open') worker.open.add(engine);
      say({ call, result: { of: call, op, stopped: plan.stopped ?? false }, memory: plan.memory ?? 1 });
    };
    const take = (message) => {
      const { call, engine, op } = message;
      if (op === 'ping') return say({ pong: true });
      if (op === 'forget' || op === 'import') return;
      if (op === 'close') {
        if (!worker.open.delete(engine)) this.faults.push('closed what was not open');
        return say({ call, result: {} });
      }
      if (op === 'cancel' || op === 'stop') {
        const running = worker.busy.get(call);
        if (!running) return;
        running.off();
        const plan = op === 'cancel' ? { error: { code: 'aborted', message: 'aborted' } } : { stopped: true };
        running.off = clock.after(1, () => answer(running.message, plan));
        return;
      }
      if (op !== 'open' && op !== 'plan' && !worker.open.has(engine))
        this.faults.push(`${op} on an engine that is not open`);
      for (const { message: other } of worker.busy.values())
        if (other.engine === engine) this.faults.push('two calls on one engine');
      const plan = this.plan(message, worker);
      const running = { message, off: () => {} };
      worker.busy.set(call, running);
      if (plan.hangs) {
        worker.hung = true;
        return;
      }
      if (plan.deaf) worker.deafUntil = clock.now + plan.ms;
      else if (plan.ms > 100)
        clock.after(plan.ms / 2, () => worker.busy.has(call) && say({ call, progress: PROGRESS }));
      running.off = clock.after(plan.ms, () => (plan.dies ? worker.die(plan.dies) : answer(message, plan)));
    };
    return {
      terminate: () => {
        worker.ended = true;
      },
      post: (message) => {
        if (worker.ended) return this.faults.push(`${message.op} posted to a worker that has ended`);
        // Messages arrive in order, later, and only while the worker lets them in.
        const arrive = () => {
          if (worker.ended || worker.hung) return;
          if (clock.now < worker.deafUntil) return clock.after(worker.deafUntil - clock.now, arrive);
          const next = worker.inbox.shift();
          if (next) take(next);
        };
        worker.inbox.push(message);
        clock.after(0.1, arrive);
      },
    };
  };
}
