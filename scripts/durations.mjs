// A reporter for node's test runner: each test's name and milliseconds, a line of JSON each.
// usage: node --test --test-reporter=scripts/durations.mjs --test-reporter-destination=FILE ...

/** @param {AsyncIterable<import('node:test/reporters').TestEvent>} events */
export default async function* durations(events) {
  for await (const { type, data } of events) {
    const done = type === 'test:pass' || type === 'test:fail';
    if (!done || data.skip !== undefined || data.details.type === 'suite') continue;
    yield `${JSON.stringify([data.name, data.details.duration_ms])}\n`;
  }
}
