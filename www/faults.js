// @ts-check
// What failed, in the page's language.
import { english, keyed, parts, t, text } from './language.js';
import { SightlineError } from './pkg/index.js';

/** With a capital, unless it begins with a name, a file's or an address. @param {string} text */
const sentence = (text) => text.replace(/^[a-z]+(?=[ ,])/, (word) => word.charAt(0).toUpperCase() + word.slice(1));

/** A failure in the page's own words. */
export class Refusal extends SightlineError {
  /**
   * @param {import('./pkg/index.js').ErrorCode} code
   * @param {() => string} say in the language that is chosen by then
   */
  constructor(code, say) {
    super(code, say());
    this.say = say;
  }
}

/**
 * What failed, for `say`: the core's words are English.
 * @param {unknown} error
 * @returns {(string | Node)[]}
 */
export function told(error) {
  if (error instanceof Refusal) return [sentence(error.say())];
  const code = error instanceof SightlineError ? error.code : 'internal';
  return explained(text(`error.${code}`), sentence(error instanceof Error ? error.message : String(error)));
}

/** A warning, for `say`. @param {import('./pkg/index.js').Warning} warning */
export const warned = (warning) => [text(warning.key) ? keyed(warning) : english(warning.message)];

/** @param {string} what @param {string} detail the core's own words */
const explained = (what, detail) => parts(t.fault, { what, detail: english(detail) });
