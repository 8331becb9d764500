// @ts-check
// How long a task still takes, from its progress so far.
import { fill, t } from './language.js';

/**
 * Nothing is said before so much time (ms) and so large a part have passed: what starts up is not
 * typical.
 */
const [SOONEST, SMALLEST] = [2000, 0.02];

/**
 * Takes a task's progress as it comes, and gives the time left (ms); undefined while there is
 * nothing to go by.
 */
export function estimator() {
  /**
   * Where the stage was first seen.
   * @type {{ stage: string, loaded: number, total: number, at: number } | undefined}
   */
  let first;
  /**
   * @param {{ stage: string, loaded: number, total: number | undefined }} progress
   * @param {number} [at] when it was so (ms)
   */
  return ({ stage, loaded, total }, at = performance.now()) => {
    if (!total || total <= 1) {
      first = undefined;
      return undefined;
    }
    if (first?.stage !== stage || first.total !== total || loaded < first.loaded) first = { stage, loaded, total, at };
    const [done, ms] = [loaded - first.loaded, at - first.at];
    return ms >= SOONEST && done >= SMALLEST * total ? (ms * (total - loaded)) / done : undefined;
  };
}

/** In words that do not change with every event. @param {number} ms */
export function leftInWords(ms) {
  const seconds = ms / 1000;
  if (seconds < 7.5) return t.timeLeft.few;
  if (seconds < 57.5) return fill(t.timeLeft.seconds, { n: Math.round(seconds / 5) * 5 });
  const minutes = Math.round(seconds / 60);
  return minutes === 1 ? t.timeLeft.minute : fill(t.timeLeft.minutes, { n: minutes });
}
