// @ts-check

/**
 * Settles as `promise` does, or where it has not after so long rejects with what `late` gives.
 * @template T
 * @param {number} ms
 * @param {Promise<T> | T} promise
 * @param {() => unknown} late
 * @returns {Promise<T>}
 */
export async function within(ms, promise, late) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<never>} */
  const over = new Promise((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}
