// @ts-check
// What the page has to do with the network: the copy for use without a connection, the hosts that
// can be reached, and what was fetched since it was loaded.
import { fill, say, saying, size, t } from './language.js';
import { covered, reach } from './policy.js';
import { registerWorker } from './trusted.js';

const meta = /** @type {HTMLMetaElement | null} */ (
  document.querySelector('meta[http-equiv="Content-Security-Policy"]')
);
/** Undefined where the page is served without a policy. @type {string[] | undefined} */
const allowed = meta ? reach(meta.content) : undefined;
const short = (/** @type {string} */ origin) => origin.replace(/^https?:\/\//, '');

/**
 * Why the page cannot ask this address; undefined where it can.
 * @param {string} address
 * @returns {(() => string) | undefined}
 */
export function unreachable(address) {
  const url = URL.canParse(address, location.href) ? new URL(address, location.href) : undefined;
  if (!allowed || !url || url.origin === location.origin || covered(allowed, url)) return undefined;
  const host = url.host || url.protocol;
  return () => {
    const hosts = [t.network.ownSite, ...allowed.map(short)].join(t.listSeparator);
    return fill(t.network.unreachable, { host, hosts, origin: url.origin });
  };
}

/**
 * Files and bytes by host.
 * @type {Map<string, { files: number, bytes: number, untold: number }>}
 */
const fetched = new Map();
/**
 * Hosts that the policy refused, and hosts that sent a request on to such a one.
 * @type {Set<string>}
 */
const refused = new Set();
/** @type {Set<string>} */
const redirectors = new Set();
/** What was refused since it was last asked. @type {{ host: string, on: boolean }[]} */
const recent = [];
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
    const hosts = [...fetched].sort(
      ([a], [b]) => Number(b === location.host) - Number(a === location.host) || a.localeCompare(b),
    );
    const total = hosts.reduce((sum, [, { bytes }]) => sum + bytes, 0);
    const others = hosts.filter(([host]) => host !== location.host).map(([host]) => host);
    say(line, () => {
      const { line, alone, others: also } = t.network;
      return fill(line, {
        size: size(total),
        from: others.length ? fill(also, { hosts: others.join(t.listSeparator) }) : alone,
      });
    });
    const items = hosts.map(([host, { files, bytes, untold }]) => () => {
      const more = untold && bytes === 0 ? t.network.untold : size(bytes);
      const name = host === location.host ? fill(t.network.here, { host }) : host;
      return fill(files === 1 ? t.network.request : t.network.requests, { host: name, count: files, size: more });
    });
    for (const host of redirectors)
      items.push(() => fill(t.network.refused, { host: fill(t.network.redirector, { host }) }));
    for (const host of refused) items.push(() => fill(t.network.refused, { host }));
    list.replaceChildren(...items.map((text) => saying('li', text)));
  });
}

/**
 * Adds bytes of another host, of which the browser's own timings tell nothing.
 * @param {string} host
 * @param {number} bytes
 */
export function count(host, bytes) {
  if (host === location.host) return;
  of(host).bytes += bytes;
  draw();
}

/**
 * What the policy refused since the last call, in words; refusals are told after the request has
 * failed.
 * @returns {Promise<() => string>}
 */
export async function refusals() {
  await new Promise((done) => setTimeout(done));
  const found = recent.splice(0);
  return () => {
    const reasons = found
      .map(({ host, on }) => fill(on ? t.network.redirected : t.network.refuses, { host }))
      .join('; ');
    return reasons && fill(t.network.refusals, { reasons });
  };
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
    const own = of(location.host);
    own.files += 1;
    own.bytes += data.fetched;
    draw();
  });
  document.addEventListener('securitypolicyviolation', ({ blockedURI, effectiveDirective }) => {
    if (effectiveDirective !== 'connect-src' || !URL.canParse(blockedURI)) return;
    const url = new URL(blockedURI);
    // After a redirect browsers name the first address alone.
    const on = covered(allowed ?? [], url);
    if (!recent.some((one) => one.host === url.host && one.on === on)) recent.push({ host: url.host, on });
    (on ? redirectors : refused).add(url.host);
    draw();
  });
  note(/** @type {any} */ (performance.getEntriesByType('navigation')));
  new PerformanceObserver((list) => note(/** @type {any} */ (list.getEntries()))).observe({
    type: 'resource',
    buffered: true,
  });
  const reachable = document.getElementById('reachable');
  if (reachable && allowed)
    say(reachable, () =>
      fill(allowed.length ? t.network.reachAlso : t.network.reach, { hosts: allowed.map(short).join(t.listSeparator) }),
    );
}

/** Keeps the page for use without a connection, and offers a newer version when there is one. */
export async function keepPage() {
  const state = document.getElementById('offline');
  const update = document.getElementById('update');
  if (!state || !('serviceWorker' in navigator)) return;
  const { serviceWorker } = navigator;
  const failed = () => {
    say(state, () => t.network.noCopy);
  };
  try {
    const registration = await registerWorker(serviceWorker);
    const show = () => {
      if (update) update.hidden = false;
    };
    const offer = () => {
      if (registration.waiting && serviceWorker.controller) show();
    };
    registration.addEventListener('updatefound', () => {
      registration.installing?.addEventListener('statechange', offer);
    });
    offer();
    let asked = false;
    let controlled = Boolean(serviceWorker.controller);
    serviceWorker.addEventListener('controllerchange', () => {
      if (asked) location.reload();
      // Another tab uses the newer version. This one goes on with its own until it is loaded anew.
      else if (controlled) show();
      controlled = true;
    });
    serviceWorker.addEventListener('message', ({ data }) => {
      if (data?.outdated) registration.update().then(offer, () => undefined);
    });
    document.getElementById('update-go')?.addEventListener('click', () => {
      asked = true;
      if (registration.waiting) registration.waiting.postMessage('take over');
      else location.reload();
    });
    const { installing } = registration;
    installing?.addEventListener('statechange', () => {
      if (installing.state === 'redundant' && !registration.active) failed();
    });
    const { active } = await serviceWorker.ready;
    active?.postMessage({ used: performance.getEntriesByType('resource').map(({ name }) => name) });
    say(state, () => t.network.copy);
  } catch {
    // Private windows and full disks: everything else works.
    failed();
  }
}
