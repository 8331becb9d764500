// @ts-check
// What the page has to do with the network: the copy for use without a connection, the hosts that can be reached, and what was fetched since it was loaded.
import { covered, reach } from './policy.js';

const meta = /** @type {HTMLMetaElement | null} */ (document.querySelector('meta[http-equiv="Content-Security-Policy"]'));
/** Undefined where the page is served without a policy. @type {string[] | undefined} */
const allowed = meta ? reach(meta.content) : undefined;
const short = (/** @type {string} */ origin) => origin.replace(/^https?:\/\//, '');

/** Why the page cannot ask this address; undefined where it can. @param {string} address */
export function unreachable(address) {
  const url = URL.canParse(address, location.href) ? new URL(address, location.href) : undefined;
  if (!allowed || !url || url.origin === location.origin || covered(allowed, url)) return undefined;
  const hosts = ['its own site', ...allowed.map(short)].join(', ');
  return `${url.host || url.protocol} is none of the hosts that this page can reach (${hosts}). Nothing was requested. To open this address, add "${url.origin}" to "hosts" in models/models.json and build the page again; or download the files and drop them here`;
}

/** Files and bytes by host. @type {Map<string, { files: number, bytes: number, untold: number }>} */
const fetched = new Map();
/** Hosts that the policy refused. @type {Set<string>} */
const refused = new Set();
/** @type {string[]} */
const recent = [];
const size = (/** @type {number} */ bytes) => (bytes < 1e5 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
let drawn = false;

/** @param {string} host */
function of(host) {
  const found = fetched.get(host) ?? { files: 0, bytes: 0, untold: 0 };
  fetched.set(host, found);
  return found;
}

function draw() {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    const line = document.getElementById('network-line');
    const list = document.getElementById('network-hosts');
    if (!line || !list) return;
    const hosts = [...fetched].sort(([a], [b]) => Number(b === location.host) - Number(a === location.host) || a.localeCompare(b));
    const total = hosts.reduce((sum, [, { bytes }]) => sum + bytes, 0);
    const others = hosts.filter(([host]) => host !== location.host).map(([host]) => host);
    line.textContent = `Network since load: ${size(total)}, ${others.length ? `from this site and ${others.join(', ')}` : 'from this site alone'}`;
    const items = hosts.map(([host, { files, bytes, untold }]) => {
      const more = untold && bytes === 0 ? 'size not told by the server' : size(bytes);
      return `${host}${host === location.host ? ' (this site)' : ''}: ${files} ${files === 1 ? 'request' : 'requests'}, ${more}`;
    });
    items.push(...[...refused].map((host) => `${host}: refused by this page's policy`));
    list.replaceChildren(...items.map((textContent) => Object.assign(document.createElement('li'), { textContent })));
  });
}

/** Adds bytes that a server's timing does not tell. @param {string} host @param {number} bytes */
export function count(host, bytes) {
  of(host).bytes += bytes;
  draw();
}

/** What the policy refused since the last call, in words; refusals are told after the request has failed. @returns {Promise<string>} */
export async function refusals() {
  await new Promise((done) => setTimeout(done));
  const reasons = recent.splice(0);
  return reasons.length ? `; ${reasons.join('; ')}: "hosts" in models/models.json says what this page can reach` : '';
}

/** @param {PerformanceResourceTiming[]} entries */
function note(entries) {
  for (const { name, transferSize, responseStatus } of entries) {
    const { host, protocol } = new URL(name);
    // What the policy refused has no status and no size, and never left.
    if (!/^https?:$/.test(protocol) || refused.has(host)) continue;
    const found = of(host);
    found.files += 1;
    if (host === location.host) found.bytes += transferSize;
    else if (responseStatus || transferSize) found.untold += 1;
  }
  draw();
}

/** Starts the line of what was fetched. */
export function watchNetwork() {
  navigator.serviceWorker?.addEventListener('message', ({ data }) => {
    if (!data?.fetched) return;
    of(location.host).files += 1;
    count(location.host, data.fetched);
  });
  document.addEventListener('securitypolicyviolation', ({ blockedURI, effectiveDirective }) => {
    if (effectiveDirective !== 'connect-src' || !URL.canParse(blockedURI)) return;
    const url = new URL(blockedURI);
    // After a redirect browsers name the first address alone.
    const on = covered(allowed ?? [], url);
    const reason = on ? `${url.host} sent the request on to a host that the policy refuses` : `the policy refuses ${url.host}`;
    if (!recent.includes(reason)) recent.push(reason);
    refused.add(on ? `A host that ${url.host} sent a request on to` : url.host);
    draw();
  });
  note(/** @type {any} */ (performance.getEntriesByType('navigation')));
  new PerformanceObserver((list) => note(/** @type {any} */ (list.getEntries()))).observe({ type: 'resource', buffered: true });
  const reachable = document.getElementById('reachable');
  if (reachable && allowed)
    reachable.textContent = `The browser lets this page reach its own site${allowed.length ? ` and ${allowed.map(short).join(', ')}` : ''}, and no other host.`;
}

/** Keeps the page for use without a connection, and offers a newer version when there is one. */
export async function keepPage() {
  const state = document.getElementById('offline');
  const update = document.getElementById('update');
  if (!state || !('serviceWorker' in navigator)) return;
  const { serviceWorker } = navigator;
  const failed = () => {
    state.textContent = 'This browser has no copy of the page: it needs a connection to be opened again.';
  };
  try {
    const registration = await serviceWorker.register('./sw.js', { updateViaCache: 'none' });
    const offer = () => {
      if (update && registration.waiting && serviceWorker.controller) update.hidden = false;
    };
    registration.addEventListener('updatefound', () => {
      registration.installing?.addEventListener('statechange', offer);
    });
    offer();
    document.getElementById('update-go')?.addEventListener('click', () => {
      serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true });
      registration.waiting?.postMessage('take over');
    });
    const { installing } = registration;
    installing?.addEventListener('statechange', () => {
      if (installing.state === 'redundant' && !registration.active) failed();
    });
    const { active } = await serviceWorker.ready;
    active?.postMessage({ used: performance.getEntriesByType('resource').map(({ name }) => name) });
    state.textContent = 'This page is kept on this machine and works without a connection.';
  } catch {
    // Private windows and full disks: everything else works.
    failed();
  }
}
