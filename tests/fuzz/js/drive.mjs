// Mutates text from a seed. What answers in a new way joins the corpus.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stream } from '../../browser/engine/world.mjs';
import { TARGETS } from './targets.mjs';

const LONGEST = 64 << 10;
/** An input may take so long (ms). */
const SLOWEST = 2000;

/**
 * @param {string} text
 * @param {string} other
 * @param {string[]} words
 * @param {() => number} random
 */
function mutate(text, other, words, random) {
  const below = (end) => Math.floor(random() * end);
  let made = text;
  for (let change = 1 + below(6); change > 0; change--) {
    const at = below(made.length + 1);
    const put = (piece, over) => (made = made.slice(0, at) + piece + made.slice(at + over));
    switch (below(7)) {
      case 0:
        put('', below(32));
        break;
      case 1:
        put(String.fromCharCode(below(random() < 0.9 ? 128 : 65536)), 1);
        break;
      case 2:
        put(made.slice(at, at + below(64)), 0);
        break;
      case 3:
        put(words[below(words.length)], below(2) * 8);
        break;
      case 4:
        put(String([0, -1, 1e9, 2 ** 31, 2 ** 53, 0.5, 1e308][below(7)]), below(4));
        break;
      case 5: {
        const from = below(other.length + 1);
        put(other.slice(from, from + below(200)), 0);
        break;
      }
      default:
        made = made.slice(0, at);
    }
  }
  return made.slice(0, LONGEST);
}

/**
 * @param {{ run: (text: string) => unknown, corpus: string[], words: string[] }} target
 * @param {number} seed @param {number} executions
 * @returns {{ executions: number, answers: number, finding?: { what: string, input: string } }}
 */
export function run(target, seed, executions) {
  const random = stream(seed);
  const corpus = [...target.corpus];
  const answers = new Set();
  for (let index = 0; index < executions; index++) {
    const pick = () => corpus[Math.floor(random() * corpus.length)];
    const input = index < target.corpus.length ? target.corpus[index] : mutate(pick(), pick(), target.words, random);
    const began = performance.now();
    try {
      const answer = String(target.run(input))
        .replace(/["“][^"”]*["”]|\d+/g, '')
        .slice(0, 60);
      if (performance.now() - began > SLOWEST) throw new Error('it takes too long');
      if (!answers.has(answer)) {
        answers.add(answer);
        corpus.push(input);
      }
    } catch (error) {
      return { executions: index + 1, answers: answers.size, finding: { what: String(error?.stack ?? error), input } };
    }
  }
  return { executions, answers: answers.size };
}

/** Runs a target for so long, from new seeds on. @param {string} name @param {number} minutes */
export function runFor(name, minutes) {
  const target = TARGETS[name];
  const until = Date.now() + minutes * 60_000;
  const sum = { executions: 0, answers: 0 };
  for (let seed = Date.now() % 1e9; Date.now() < until; seed++) {
    const outcome = run(target, seed, 20_000);
    sum.executions += outcome.executions;
    sum.answers = Math.max(sum.answers, outcome.answers);
    if (!outcome.finding) continue;
    const folder = new URL(`../../../target/fuzz/${name}/`, import.meta.url).pathname;
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `finding-${seed}`), outcome.finding.input);
    return { ...sum, finding: outcome.finding, seed };
  }
  return sum;
}
