// @ts-check
// How long a worker may be silent, hold others up, and keep memory: what the scheduler decides by.

/** @typedef {import('./scheduler.js').Call} Call */
/** @typedef {import('./scheduler.js').Worker} Worker */

/** Between two looks at busy workers (ms). Nothing is looked at while all are idle. */
export const BEAT = 1000;
/** After so long without a call, a worker that holds too much memory is replaced (ms). */
export const REST = 5000;
/** A device may take so long to start, where its caller does not say (ms). */
export const DEVICE = 60_000;
/** A worker may be silent for so long, and for this many times its longest silence before (ms). */
const [SILENCE, TIMES] = [30_000, 20];
/** While a model opens on WebGPU, where shaders are compiled (ms). */
const GPU_SILENCE = 300_000;
/** A worker's script may take so long to load (ms). */
const START = 60_000;
/**
 * A call that was told to end may hold others up for so long (ms), or as long as its model opens.
 */
const PATIENCE = { cpu: 1000, webgpu: 10_000 };
/** Memory is too much beyond this (bytes) and three times the weights. */
const ROOM = 150e6;

/** After so long (ms) a worker counts as dead. @param {Worker} worker @param {Call[]} calls */
export function allowedSilence({ ready, longest }, calls) {
  if (!ready) return START;
  const gpuOpens = calls.some(({ state, engine }) => state === 'opening' && engine.kind === 'webgpu');
  return Math.max(gpuOpens ? GPU_SILENCE : SILENCE, TIMES * longest);
}

/**
 * Whether a call that was told to end keeps the worker from all others: it lets no message in.
 * @param {Worker} worker @param {Call[]} calls that the worker has
 * @param {boolean} isWaitedFor whether calls wait that the worker could take
 * @param {number} now
 */
export function isHeldUp({ pinged, silence }, calls, isWaitedFor, now) {
  if (!pinged) return false;
  const holding = calls.filter(({ ended, engine: { kind, openingMs } }) => {
    const patience = Math.max(PATIENCE[kind], openingMs);
    return ended !== undefined && now - ended >= patience && silence >= patience;
  });
  if (!holding.length) return false;
  const since = Math.min(...holding.map(({ ended }) => ended ?? now));
  const others = calls.filter(({ ended }) => ended === undefined);
  // What ran before may itself be what is busy.
  if (others.some(({ started }) => started < since)) return false;
  return others.length > 0 || isWaitedFor;
}

/** What a worker's memory may be, in bytes. @param {Worker['slots']} slots */
export const allowedMemory = (slots) =>
  ROOM + 3 * [...slots.values()].reduce((sum, { engine }) => sum + (engine.source.weights?.size ?? 0), 0);
