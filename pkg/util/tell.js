// @ts-check

/**
 * Calls a listener. Its failure is its own: it is reported as an uncaught error, and what it
 * listens to goes on.
 * @template T
 * @param {((value: T) => void) | undefined} listener
 * @param {T} value
 */
export function tell(listener, value) {
  try {
    listener?.(value);
  } catch (error) {
    globalThis.reportError?.(error);
  }
}
