// @ts-check
// What the page may reach: a Content-Security-Policy made from models/models.json. The build writes
// it into index.html; the page reads it there.

/**
 * A scheme and a host, or all hosts below one; never a bare wildcard, and nothing that would end
 * the directive.
 */
const ORIGIN = /^https?:\/\/(\*\.)?[a-z\d-]+(\.[a-z\d-]+)*(:\d+)?$/;

/**
 * The hosts of a list of models: the hub's, those of the entries' addresses, and `hosts`, where
 * downloads are redirected to.
 * @param {{ hub?: string, hosts?: string[], models?: { url?: string }[] }} list
 * @returns {string[]} origins, each once
 * @throws an Error for what is no origin
 */
export function sources({ hub, hosts = [], models = [] }) {
  const page = 'https://page.invalid';
  const addresses = [hub?.replaceAll('{name}', 'owner/name'), ...models.map(({ url }) => url)].filter(
    (url) => url !== undefined,
  );
  const origins = [...addresses.map((url) => new URL(url, page).origin).filter((origin) => origin !== page), ...hosts];
  const wrong = origins.find((origin) => !ORIGIN.test(origin));
  if (wrong !== undefined)
    throw new Error(`models.json: "${wrong}" is no host; write it as https://host, or https://*.host`);
  return [...new Set(origins)];
}

/** The policy of a page with this list. @param {Parameters<typeof sources>[0]} list */
export function policy(list) {
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self' blob:",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    ["connect-src 'self' blob: data:", ...sources(list)].join(' '),
    "base-uri 'none'",
    "form-action 'none'",
    // No text becomes a script's address or HTML but through pkg/util/trusted.js and trusted.js.
    "require-trusted-types-for 'script'",
    'trusted-types sightline sightline-page',
  ].join('; ');
}

/**
 * The hosts beside its own that a policy lets the page ask.
 * @param {string} text a policy
 * @returns {string[]} origins
 */
export function reach(text) {
  const directive = text.split(';').find((part) => part.trim().startsWith('connect-src '));
  return (directive ?? '')
    .trim()
    .split(/\s+/)
    .filter((source) => ORIGIN.test(source));
}

/**
 * Whether one of `origins` covers an address, as browsers decide it: `*.` stands for one or more
 * names, not for none.
 * @param {string[]} origins @param {URL} url
 */
export function covered(origins, url) {
  return origins.some((origin) => {
    if (!origin.includes('*.')) return origin === url.origin;
    const { protocol, port, hostname } = new URL(origin.replace('*.', ''));
    return url.protocol === protocol && url.port === port && url.hostname.endsWith(`.${hostname}`);
  });
}
