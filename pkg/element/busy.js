// @ts-check
// The bar below a task that takes a while.

/** It is shown only where something takes longer (ms). */
const PATIENCE = 300;

export class Busy {
  #view;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #patience;

  /** @param {import('./view.js').View} view */
  constructor(view) {
    this.#view = view;
  }

  get isStarted() {
    return this.#patience !== undefined;
  }

  /** @param {string} text @param {() => boolean} isDue whether it is to be shown when patience ends */
  start(text, isDue) {
    const { busy, busyText, bar } = this.#view;
    busyText.textContent = text;
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

  /** @param {string} text @param {number} loaded @param {number | undefined} total */
  progress(text, loaded, total) {
    const { busyText, bar } = this.#view;
    busyText.textContent = text;
    if (total && total > 1) {
      bar.max = total;
      bar.value = loaded;
    } else bar.removeAttribute('value');
  }
}
