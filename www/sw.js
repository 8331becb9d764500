// @ts-check
// Keeps the page for use without a connection. The build puts two lists of files with their SHA-256
// in here: what is fetched when this worker is installed, and what is kept once it was used. A file
// is kept under its address and hash, so that a new version fetches only what changed. A page, and
// the workers that it starts, get the files of the version that it was opened with for as long as
// it is open, also from the worker of a later version. The caches of ./pkg/model/cache.js are not
// touched.

/** @type {Record<string, string>} */
const ALWAYS = JSON.parse('{}');
/** @type {Record<string, string>} */
const ONCE_USED = JSON.parse('{}');

const worker = /** @type {any} */ (globalThis);
/** @type {string} */
const scope = worker.registration.scope;
/** Of this site alone: several may share an origin. */
const CACHE = `sightline-page:${scope}`;
/** The lists of the versions that are in use, and which version an open page or worker has. */
const VERSIONS = `sightline-versions:${scope}`;
/** A client that was seen so recently may not be among the open ones yet (ms). */
const YOUNG = 5000;
/** @typedef {Record<string, string>} Files their hashes by name */
/** @type {Files} */
const files = { ...ALWAYS, ...ONCE_USED };

/** @param {BufferSource} bytes */
async function sha256(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
const version = sha256(new TextEncoder().encode(JSON.stringify(files)));
/** The versions of pages and workers, by their ids. @type {Map<string, Promise<string>>} */
const clients = new Map();

/** @param {string} name @param {string | undefined} hash */
const key = (name, hash) => new URL(`${name}?sha256=${hash}`, scope).href;
/** @param {string} kind @param {string} id */
const noteKey = (kind, id) => new URL(`${kind}/${id}`, scope).href;
/** @param {string} kind @param {string} id @param {unknown} value */
const note = async (kind, id, value) => (await caches.open(VERSIONS)).put(noteKey(kind, id), Response.json(value));
/** @param {string} kind @param {string} id */
const noted = async (kind, id) => (await (await caches.open(VERSIONS)).match(noteKey(kind, id)))?.json();

/**
 * The version that a page or worker was opened with; this one for those that were open before the
 * first worker.
 * @param {string} id
 */
function versionOf(id) {
  let found = clients.get(id);
  if (!found) {
    found = id ? noted('client', id).then((client) => client?.version ?? version) : version;
    clients.set(id, found);
  }
  return found;
}

/**
 * A page or worker begins, with the files of a version.
 * @param {string} id @param {Promise<string>} of
 */
async function begin(id, of) {
  if (!id) return;
  clients.set(id, of);
  await note('client', id, { version: await of, at: Date.now() });
}

/** The list of a version. @param {string} of @returns {Promise<Files>} */
const filesOf = async (of) => (of === (await version) ? files : ((await noted('version', of)) ?? files));

/** The name of a file below this site; undefined for others. @param {string} address */
function below(address) {
  const { origin, pathname } = new URL(address);
  const { origin: here, pathname: root } = new URL(scope);
  if (origin !== here || !pathname.startsWith(root)) return undefined;
  try {
    return decodeURIComponent(pathname.slice(root.length)) || 'index.html';
  } catch {
    return undefined;
  }
}

/** @param {object} message */
async function tell(message) {
  for (const page of await worker.clients.matchAll({ includeUncontrolled: true })) page.postMessage(message);
}

/**
 * Fetches a file and keeps it if it is the one with that hash.
 * @param {string} name
 * @param {string | undefined} hash
 * @param {Promise<Response>} coming
 * @returns {Promise<Response>}
 */
async function fetched(name, hash, coming) {
  const response = await coming;
  if (!response.ok) return response;
  const bytes = await response.arrayBuffer();
  // The pages' own timings know nothing of what is fetched here. A server that compresses tells the
  // length of what it sends.
  await tell({ fetched: Number(response.headers.get('content-length') ?? bytes.byteLength) });
  if ((await sha256(bytes)) !== hash) {
    // A newer version is served by now: its files are not this page's.
    await tell({ outdated: name });
    return new Response(`${name} of this version is not served any more`, { status: 410 });
  }
  const headers = {
    'content-type': response.headers.get('content-type') ?? '',
    'content-length': String(bytes.byteLength),
  };
  const kept = new Response(bytes, { headers });
  // Where there is no room for it the page gets it all the same.
  await (await caches.open(CACHE)).put(key(name, hash), kept.clone()).catch(() => undefined);
  return kept;
}

/** Fetches and keeps what is missing. @param {string[]} names */
async function fill(names) {
  const cache = await caches.open(CACHE);
  const queue = [...names];
  const next = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const at = key(name, files[name]);
      if (await cache.match(at)) continue;
      const { ok, status } = await fetched(name, files[name], fetch(new URL(name, scope), { cache: 'no-cache' }));
      if (!ok || !(await cache.match(at))) throw new Error(`${name}: status ${status}`);
    }
  };
  await Promise.all([next(), next(), next(), next()]);
}

async function install() {
  await note('version', await version, files);
  await fill(Object.keys(ALWAYS));
}

/** What no open page needs any more goes. */
async function tidy() {
  const notes = await caches.open(VERSIONS);
  const open = await worker.clients.matchAll({ includeUncontrolled: true, type: 'all' });
  const ids = new Set(open.map((/** @type {{ id: string }} */ { id }) => id));
  const own = await version;
  const inUse = new Set([own]);
  const addresses = (await notes.keys()).map(({ url }) => url);
  const idOf = (/** @type {string} */ kind, /** @type {string} */ url) =>
    url.startsWith(noteKey(kind, '')) ? url.slice(noteKey(kind, '').length) : undefined;
  for (const url of addresses) {
    const id = idOf('client', url);
    if (id === undefined) continue;
    const { version, at } = (await noted('client', id)) ?? {};
    // One that waits to take over is not of this version, and looks after itself.
    if (ids.has(id) || Date.now() - at < YOUNG) inUse.add(version);
    else {
      clients.delete(id);
      await notes.delete(url);
    }
  }
  const waiting = Boolean(worker.registration.waiting ?? worker.registration.installing);
  if (waiting) return;
  const wanted = new Set();
  for (const of of inUse) for (const [name, hash] of Object.entries(await filesOf(of))) wanted.add(key(name, hash));
  for (const url of addresses) {
    const of = idOf('version', url);
    if (of !== undefined && !inUse.has(of)) await notes.delete(url);
  }
  const cache = await caches.open(CACHE);
  await Promise.all((await cache.keys()).filter(({ url }) => !wanted.has(url)).map((request) => cache.delete(request)));
}

/** @param {any} event @param {string} name @param {Promise<string>} of */
async function answer({ request }, name, of) {
  const list = await filesOf(await of);
  if (!Object.hasOwn(list, name)) return fetch(request);
  const hash = list[name];
  const cache = await caches.open(CACHE);
  return (await cache.match(key(name, hash))) ?? fetched(name, hash, fetch(request));
}

worker.addEventListener('install', (/** @type {any} */ event) => event.waitUntil(install()));
worker.addEventListener('activate', (/** @type {any} */ event) =>
  event.waitUntil(tidy().then(() => worker.clients.claim())),
);
worker.addEventListener('fetch', (/** @type {any} */ event) => {
  const { request, clientId, resultingClientId } = event;
  const { method, url, headers, mode, destination } = request;
  const name = method === 'GET' && !headers.has('range') ? below(url) : undefined;
  if (name === undefined) return;
  const opens = mode === 'navigate';
  // A page of another part of the site is none of these versions.
  if (opens && !Object.hasOwn(files, name)) return;
  const of = opens ? version : versionOf(clientId);
  if (opens || destination === 'worker') event.waitUntil(begin(resultingClientId, of));
  event.respondWith(answer(event, name, of));
});
worker.addEventListener('message', (/** @type {any} */ event) => {
  const { data } = event;
  // Asked for by a person. Pages of the old version keep it until they are loaded anew.
  if (data === 'take over') worker.skipWaiting();
  // What a page had used before this worker was there.
  if (Array.isArray(data?.used)) {
    const names = data.used
      .map(below)
      .filter((/** @type {string | undefined} */ name) => name !== undefined && Object.hasOwn(ONCE_USED, name));
    event.waitUntil(
      fill(names)
        .catch(() => undefined)
        .then(tidy),
    );
  }
});
