// The scheduler as a state machine: seeded schedules of calls, aborts, stops, disposals, deaths,
// silences and slow answers, with a fake worker and a clock that the test turns.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Scheduler } from '../../../pkg/engine/scheduler.js';
import { Clock, FakeWorkers, stream } from './world.mjs';

const SCHEDULES = Number(process.env.SIGHTLINE_SCHEDULES ?? 100_000);
const FIRST = Number(process.env.SIGHTLINE_SEED ?? 1);

const engineOf = (id, kind = 'cpu', base = 'http://x/pkg/') => ({
  id,
  kind,
  base: new URL(base),
  url: `${base}${kind}.js`,
  source: { id: 'm', file: 'f' },
  openingMs: 0,
  closed: false,
});

/** A scheduler in a world of its own. */
function world(plan, { limit = 1, birth } = {}) {
  const clock = new Clock();
  const workers = new FakeWorkers(clock, plan, birth);
  const scheduler = new Scheduler({ start: workers.start, now: () => clock.now, after: clock.after }, limit);
  /** A call and what became of it. */
  const ask = (engine, request = {}) => {
    const state = { settled: 0, outcome: undefined, progress: 0, late: 0 };
    const settle = (how) => (value) => {
      state.settled += 1;
      state.outcome = { [how]: value, at: clock.now };
    };
    state.call = scheduler.submit({
      engine,
      message: { op: 'attribute' },
      resolve: settle('result'),
      reject: settle('error'),
      onProgress: () => {
        state.progress += 1;
        state.late += state.settled;
      },
      ...request,
    });
    return state;
  };
  const run = (until) => {
    let steps = 0;
    while (clock.step(until)) if (++steps > 100_000) throw new Error('it never comes to rest');
  };
  return { clock, workers, scheduler, ask, run };
}

const panic = { code: 'internal', message: 'Sightline failed: x' };

/** One schedule; throws at the first rule that is broken. */
function schedule(seed) {
  const random = stream(seed);
  const chance = (share) => random() < share;
  const pick = (list) => list[Math.floor(random() * list.length)];
  const faulty = random() * 0.3;
  const limit = pick([1, 1, 2, 3]);
  // A call that kills, hangs or fails does so whenever it runs.
  const habits = new Map();
  const habit = ({ call, op }) => {
    if (op === 'open')
      return chance(0.03) ? { error: { code: 'bad-model', message: 'bad' }, ms: 20 } : { ms: 30 * random() };
    if (!habits.has(call)) {
      const ms = random() ** 4 * 5000;
      habits.set(
        call,
        chance(faulty)
          ? pick([
              { ms, dies: panic },
              { ms, dies: { code: 'out-of-memory', message: 'memory' } },
              { ms, hangs: true },
              { ms: ms * 10, deaf: true },
              { ms, error: { code: 'bad-option', message: 'no' } },
              { ms, error: { code: 'device-lost', message: 'lost' } },
            ])
          : { ms, deaf: chance(0.2), memory: chance(0.1) ? 1e9 : 1 },
      );
    }
    return habits.get(call);
  };
  const birth = () => (chance(0.01) ? { ms: 10, fails: true } : { ms: 5 + random() * 50 });
  const { clock, workers, scheduler, ask, run } = world(habit, { limit, birth });
  const engines = [1, 2, 3].map((id) => engineOf(1000 + id, pick(['cpu', 'cpu', 'webgpu'])));
  const calls = [];
  let shot = false;
  const events = 3 + Math.floor(random() * 14);
  for (let event = 0; event < events; event++) {
    run(clock.now + pick([0, 1, 20, 300, 4000]) * random());
    const alive = workers.all.filter((worker) => !worker.ended);
    const kind = random();
    if (kind < 0.6) {
      const engine = pick(engines);
      if (!engine.closed) calls.push(ask(engine, { idle: chance(0.2), ...(chance(0.1) && { message: undefined }) }));
    } else if (kind < 0.75 && calls.length) {
      const chosen = pick(calls);
      const pending = chosen.settled === 0;
      scheduler.withdraw(chosen.call);
      if (pending) assert.equal(chosen.outcome?.error?.code, 'aborted', 'an abort is answered at once');
    } else if (kind < 0.85 && calls.length) scheduler.stop(pick(calls).call);
    else if (kind < 0.9 && alive.length) {
      shot = true;
      pick(alive).die(panic);
    } else if (kind < 0.93 && alive.length) {
      shot = true;
      pick(alive).hung = true;
    } else if (kind < 0.95) scheduler.close(pick(engines));
    else scheduler.greet(engines[0].base, { op: 'import' });
    assert.ok(workers.alive <= limit, `${workers.alive} workers of at most ${limit}`);
  }
  run();
  assert.deepEqual(workers.faults, []);
  for (const { settled, late, outcome, call } of calls) {
    // Only the culprit is told of a death, if nothing from outside ended a worker.
    const own = habits.get(call.id) ?? {};
    const harmless = !own.dies && !own.hangs && !own.deaf && !own.error;
    if (harmless && !shot && outcome?.error) {
      const { code, message } = outcome.error;
      const expected =
        ['aborted', 'bad-option', 'bad-model', 'device-lost'].includes(code) || message === 'did not start';
      assert.ok(expected, `an innocent call was told ${code}: ${message}`);
    }
    assert.equal(settled, 1, settled ? 'a call settled twice' : 'a call is pending for ever');
    assert.equal(late, 0, 'progress after the end');
  }
  assert.equal(scheduler.counts.calls, 0);
  assert.ok(workers.alive <= limit, 'workers pile up');
  return { workers: workers.all.length, calls: calls.length };
}

test(`${SCHEDULES} schedules: every call settles, workers do not pile up, no engine is asked twice at once`, () => {
  const sum = { workers: 0, calls: 0 };
  for (let seed = FIRST; seed < FIRST + SCHEDULES; seed++) {
    try {
      const { workers, calls } = schedule(seed);
      sum.workers += workers;
      sum.calls += calls;
    } catch (error) {
      error.message = `seed ${seed}: ${error.message}`;
      throw error;
    }
  }
  console.log(`${SCHEDULES} schedules, ${sum.calls} calls, ${sum.workers} workers`);
  assert.ok(sum.calls > SCHEDULES && sum.workers > SCHEDULES);
});

describe('one after the other', () => {
  const cpu = () => engineOf(1);

  test('the worker dies twice: the culprit is told, all others end well, later calls too', () => {
    const { ask, run } = world(({ call }) => ({ ms: 10, dies: call === poison && panic }));
    let poison;
    const [a, b, c] = [1, 2, 3].map((id) => engineOf(id));
    const first = ask(a);
    const second = ask(b);
    poison = second.call.id;
    run(15);
    const third = ask(c);
    run();
    const after = ask(a);
    run();
    assert.deepEqual(
      [first, second, third, after].map(({ outcome }) => Object.keys(outcome)[0]),
      ['result', 'error', 'result', 'result'],
    );
    assert.equal(second.outcome.error.message, panic.message);
    for (const { outcome } of [first, third]) assert.ok(outcome.at < 500, 'they run again at once');
  });

  test('nothing happens while all is idle', () => {
    const { ask, run, clock, scheduler } = world(() => ({ ms: 10 }));
    ask(cpu());
    run();
    assert.equal(clock.size, 0);
    assert.ok(clock.now < 2000, 'the last look follows the last call');
    assert.deepEqual(scheduler.counts, { workers: 1, calls: 0 });
  });

  test('a worker that says nothing more is ended after 30 s, or 20 times its longest silence', () => {
    const at = (quiet) => {
      const { ask, run } = world(({ call }, _worker) => (call === last ? { hangs: true } : { ms: quiet, deaf: true }));
      let last;
      const engine = cpu();
      ask(engine);
      run();
      const state = ask(engine);
      last = state.call.id;
      const began = state.call.started;
      run();
      assert.equal(state.outcome.error.code, 'internal');
      assert.match(state.outcome.error.message, /stopped responding/);
      return state.outcome.at - began;
    };
    assert.ok(Math.abs(at(10) - 31_000) < 2000);
    assert.ok(at(3000) > 40_000 && at(3000) < 70_000);
  });

  test('opening on WebGPU may take five minutes of silence, on the CPU half of one', () => {
    const at = (kind) => {
      const { ask, run, clock } = world(() => ({ hangs: true }));
      const state = ask(engineOf(1, kind));
      run();
      assert.equal(state.outcome.error.code, 'internal');
      return clock.now;
    };
    assert.ok(Math.abs(at('cpu') - 31_000) < 2000);
    assert.ok(Math.abs(at('webgpu') - 301_000) < 3000);
  });

  test('a page that slept blames nobody', () => {
    const { ask, run, clock } = world(() => ({ ms: 20_000 }));
    const state = ask(cpu());
    run(1000);
    clock.now += 3_600_000;
    run();
    assert.ok(state.outcome.result);
  });

  test('a device that never starts is given up after the time that the caller allows', () => {
    const { ask, run, workers, scheduler } = world(() => ({ ms: 1e9 }));
    const state = ask(engineOf(1, 'webgpu'), { message: undefined, deviceMs: 5000 });
    run(50);
    // What the worker says before it asks for the device.
    workers.all[0].say({ call: state.call.id, progress: { stage: 'device', loaded: 0, total: 1 } });
    run(10_000);
    assert.equal(state.outcome.error.code, 'device-unavailable');
    assert.ok(state.outcome.at < 7500);
    assert.equal(scheduler.counts.workers, 0);
  });

  test('an aborted call that lets no message in holds nobody up for longer than a second or two', () => {
    const { ask, run, scheduler, workers, clock } = world(({ call }) =>
      call === slow ? { ms: 20_000, deaf: true } : { ms: 10 },
    );
    let slow;
    const engine = cpu();
    ask(engine);
    run();
    const state = ask(engine);
    slow = state.call.id;
    run(clock.now + 100);
    scheduler.withdraw(state.call);
    assert.equal(state.outcome.error.code, 'aborted');
    const asked = clock.now;
    const [next, other] = [ask(engine), ask(engineOf(2))];
    run();
    for (const { outcome } of [next, other])
      assert.ok(outcome.result && outcome.at - asked < 3500, `${outcome.at - asked} ms`);
    assert.equal(workers.all.length, 2);
  });

  test('it keeps a call that ran before the aborted one', () => {
    const { ask, run, scheduler, workers } = world(({ call }) =>
      call === long ? { ms: 8000 } : call === slow ? { ms: 5000, deaf: true } : { ms: 10 },
    );
    let [long, slow] = [];
    const before = ask(engineOf(1));
    long = before.call.id;
    run(100);
    const state = ask(engineOf(2));
    slow = state.call.id;
    run(200);
    scheduler.withdraw(state.call);
    run();
    assert.ok(before.outcome.result);
    assert.equal(workers.all.length, 1);
  });

  test('idle work gives way to a call that somebody waits for, and is run again', () => {
    const { ask, run, clock } = world(({ op }) => ({ ms: op === 'open' ? 1 : 2000 }));
    const engine = cpu();
    const idle = ask(engine, { idle: true });
    run(1500);
    const asked = clock.now;
    const [person, other] = [ask(engine), ask(engineOf(2))];
    run();
    assert.ok(person.outcome.at - asked < 2100 && other.outcome.at - asked < 2100);
    assert.ok(idle.outcome.result && idle.outcome.at - asked > 4000);
    assert.equal(idle.late, 0);
  });

  test('memory far beyond the model is given back while nothing runs, and its models open again', () => {
    const { ask, run, workers } = world(({ op }) => ({ ms: 10, memory: op === 'attribute' ? 1e9 : 1e7 }));
    const engine = cpu();
    ask(engine);
    run();
    assert.equal(workers.all.length, 2);
    assert.deepEqual([...workers.all[1].open], [engine.id]);
    assert.ok(workers.all[0].ended);
  });

  test('a stop counts also while the model still opens, and after a death', () => {
    const { ask, run, scheduler, workers } = world(({ op, stopped }) => ({ ms: op === 'open' ? 100 : 1000, stopped }));
    const [early, again] = [ask(engineOf(1)), ask(engineOf(2))];
    run(50);
    scheduler.stop(early.call);
    run(300);
    scheduler.stop(again.call);
    workers.all[0].die(panic);
    run();
    assert.ok(early.outcome.result.stopped && again.outcome.result.stopped);
  });

  test('a disposal lets the call that runs end, and refuses those that wait', () => {
    const { ask, run, scheduler, workers } = world(() => ({ ms: 100 }));
    const engine = cpu();
    const [running, waiting] = [ask(engine), ask(engine)];
    run(120);
    scheduler.close(engine);
    run();
    assert.ok(running.outcome.result);
    assert.equal(waiting.outcome.error.code, 'bad-option');
    assert.deepEqual([...workers.all[0].open], []);
  });

  test('a worker that cannot start fails the calls that wait for it, and is tried again for the next', () => {
    let births = 0;
    const { ask, run } = world(() => ({ ms: 10 }), { birth: () => ({ ms: 10, fails: births++ === 0 }) });
    const engine = cpu();
    const [first, second] = [ask(engine), ask(engineOf(2))];
    run();
    const third = ask(engine);
    run();
    assert.deepEqual(
      [first, second].map(({ outcome }) => outcome.error.message),
      ['did not start', 'did not start'],
    );
    assert.ok(third.outcome.result);
  });

  test("two folders of the package's files have a worker each", () => {
    const { ask, run, workers } = world(() => ({ ms: 10 }));
    const [here, there] = [ask(engineOf(1)), ask(engineOf(2, 'cpu', 'http://y/pkg/'))];
    run();
    assert.ok(here.outcome.result && there.outcome.result);
    assert.deepEqual(
      workers.all.map(({ base }) => base.host),
      ['x', 'y'],
    );
  });
});
