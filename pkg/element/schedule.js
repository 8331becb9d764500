// @ts-check
// When an element begins: once all attributes that are set together are there, and where it is lazy
// not before it comes near the viewport.

/** So far ahead of the viewport something lazy begins. */
const AHEAD = '300px';

export class Schedule {
  #element;
  #onDue;
  #onWait;
  /** @type {IntersectionObserver | undefined} */
  #observer;
  #isNear = false;
  #isPlanned = false;

  /** @param {HTMLElement} element @param {{ onDue: () => void, onWait: () => void }} options */
  constructor(element, { onDue, onWait }) {
    this.#element = element;
    this.#onDue = onDue;
    this.#onWait = onWait;
  }

  /** Begins soon. */
  plan() {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => {
      const isDue = this.#isPlanned && this.#element.isConnected;
      this.#isPlanned = false;
      if (!isDue) return;
      const isLazy = this.#element.getAttribute('loading') === 'lazy' && globalThis.IntersectionObserver;
      if (isLazy && !this.#isNear) this.#watch();
      else this.#onDue();
    });
  }

  /** Somebody begins now, whatever was planned. */
  skip() {
    this.#isNear = true;
    this.#isPlanned = false;
  }

  /** Nobody looks out for the viewport any more. */
  unwatch() {
    this.#observer?.disconnect();
    this.#observer = undefined;
  }

  #watch() {
    this.#onWait();
    this.#observer ??= new IntersectionObserver(
      (entries) => {
        if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
        this.unwatch();
        this.#isNear = true;
        this.plan();
      },
      { rootMargin: AHEAD },
    );
    this.#observer.observe(this.#element);
  }
}
