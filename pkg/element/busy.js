// @ts-check
// The bar below a task that takes a while.

/** It is shown only where something takes longer (ms). */
const PATIENCE = 300;

/** @typedef {import('./strings.js').Strings} Strings */

export class Busy {
  #view;
  #strings;
  /** What is under way. @type {(strings: Strings) => string} */
  #say = ({ working }) => working;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #patience;

  /** @param {import('./view.js').View} view @param {() => Strings} strings */
  constructor(view, strings) {
    this.#view = view;
    this.#strings = strings;
  }

  get isStarted() {
    return this.#patience !== undefined;
  }

  /** @param {() => boolean} isDue whether it is to be shown when patience ends */
  start(isDue) {
    const { busy, bar } = this.#view;
    this.#say = ({ working }) => working;
    this.dress();
    bar.removeAttribute('value');
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => {
      busy.hidden = !isDue();
    }, PATIENCE);
  }

  stop() {
    clearTimeout(this.#patience);
    this.#patience = undefined;
    this.#view.busy.hidden = true;
  }

  show() {
    this.#view.busy.hidden = false;
  }

  /** The text in the present language. */
  dress() {
    this.#view.busyText.textContent = this.#say(this.#strings());
  }

  /**
   * @param {(strings: Strings) => string} say
   * @param {number} loaded @param {number | undefined} total
   */
  progress(say, loaded, total) {
    const { bar } = this.#view;
    this.#say = say;
    this.dress();
    if (total && total > 1) {
      bar.max = total;
      bar.value = loaded;
    } else bar.removeAttribute('value');
  }
}
