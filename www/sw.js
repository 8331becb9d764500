// @ts-check
// Keeps the page for use without a connection. The build puts two lists of files with their SHA-256
// in here: what is fetched when this worker is installed, and what is kept once it was used. A file
// is kept under its address and hash, so that a new version fetches only what changed, and the
// pages of the old one have theirs until the last of them is closed. The caches of
// ./pkg/model/cache.js are not touched.

/** @type {Record<string, string>} */
const ALWAYS = JSON.parse('{}');
/** @type {Record<string, string>} */
const ONCE_USED = JSON.parse('{}');

const worker = /** @type {any} */ (globalThis);
/** @type {string} */
const scope = worker.registration.scope;
/** Of this site alone: several may share an origin. */
const CACHE = `sightline-page:${scope}`;
const files = { ...ALWAYS, ...ONCE_USED };
const hex = (/** @type {ArrayBuffer} */ bytes) =>
  [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
const key = (/** @type {string} */ name) => new URL(`${name}?sha256=${files[name]}`, scope).href;

/** The file in the lists that an address means. @param {string} address */
function named(address) {
  const { origin, pathname } = new URL(address);
  const { origin: here, pathname: root } = new URL(scope);
  if (origin !== here || !pathname.startsWith(root)) return undefined;
  const name = decodeURIComponent(pathname.slice(root.length)) || 'index.html';
  return Object.hasOwn(files, name) ? name : undefined;
}

/**
 * Keeps a file if it is the one of the list.
 * @param {Cache} cache
 * @param {string} name
 * @param {Response} response
 */
async function keep(cache, name, response) {
  if (!response.ok) throw new Error(`${name}: status ${response.status}`);
  const bytes = await response.arrayBuffer();
  // The pages' own timings know nothing of what is fetched here. A server that compresses tells the
  // length of what it sends.
  const fetched = Number(response.headers.get('content-length') ?? bytes.byteLength);
  for (const page of await worker.clients.matchAll({ includeUncontrolled: true })) page.postMessage({ fetched });
  if (hex(await crypto.subtle.digest('SHA-256', bytes)) !== files[name])
    throw new Error(`${name} is not the file of this version`);
  const headers = {
    'content-type': response.headers.get('content-type') ?? '',
    'content-length': String(bytes.byteLength),
  };
  await cache.put(key(name), new Response(bytes, { headers }));
}

/** Fetches and keeps what is missing. @param {string[]} names */
async function fill(names) {
  const cache = await caches.open(CACHE);
  const queue = [...names];
  const next = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      if (!(await cache.match(key(name))))
        await keep(cache, name, await fetch(new URL(name, scope), { cache: 'no-cache' }));
    }
  };
  await Promise.all([next(), next(), next(), next()]);
}

/** What belongs to other versions goes. */
async function tidy() {
  const cache = await caches.open(CACHE);
  const wanted = new Set(Object.keys(files).map(key));
  await Promise.all((await cache.keys()).filter(({ url }) => !wanted.has(url)).map((request) => cache.delete(request)));
}

/** @param {any} event @param {string} name */
async function answer(event, name) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(key(name));
  if (kept) return kept;
  const response = await fetch(event.request);
  event.waitUntil(keep(cache, name, response.clone()).catch(() => undefined));
  return response;
}

worker.addEventListener('install', (/** @type {any} */ event) => event.waitUntil(fill(Object.keys(ALWAYS))));
worker.addEventListener('activate', (/** @type {any} */ event) =>
  event.waitUntil(tidy().then(() => worker.clients.claim())),
);
worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { method, url, headers } = event.request;
  const name = method === 'GET' && !headers.has('range') ? named(url) : undefined;
  if (name !== undefined) event.respondWith(answer(event, name));
});
worker.addEventListener('message', (/** @type {any} */ event) => {
  const { data } = event;
  // Asked for by a person: pages of the old version are loaded anew.
  if (data === 'take over') worker.skipWaiting();
  // What a page had used before this worker was there.
  if (Array.isArray(data?.used)) {
    const names = data.used
      .map(named)
      .filter((/** @type {string | undefined} */ name) => name !== undefined && name in ONCE_USED);
    event.waitUntil(fill(names).catch(() => undefined));
  }
});
