// @ts-check
// A picture by its link: typed, pasted or dropped. What is in the link itself is decoded here;
// everything else is one request, to a host that the page's policy allows.
import { Refusal } from './faults.js';
import { fill, t } from './language.js';
import { count, refusals, unreachable } from './offline.js';
import { SightlineError } from './pkg/index.js';
import { quote } from './pkg/util/quote.js';
import { inert } from './trusted.js';

/** As many bytes as the core takes. */
const MOST = 100 << 20;

/**
 * The link that a text is; undefined where it is something else.
 * @param {string} text
 * @returns {URL | undefined}
 */
export function linkIn(text) {
  const link = text.trim();
  return /^(https?:\/\/\S+|data:image\/.+)$/is.test(link) && URL.canParse(link) ? new URL(link) : undefined;
}

/**
 * What a person typed for one: also an address below this page's, and one without its scheme.
 * @param {string} text
 * @returns {URL}
 */
export function linkFrom(text) {
  const link = text.trim();
  const hasHost = /^[\w-]+(\.[\w-]+)+(:\d+)?\//.test(link);
  const address = hasHost ? `https://${link}` : link;
  const url = URL.canParse(address, document.baseURI) ? new URL(address, document.baseURI) : undefined;
  if (!link || !url || !['http:', 'https:', 'data:'].includes(url.protocol))
    throw new Refusal('bad-option', () => t.picture.scheme);
  return url;
}

/**
 * The link of what is dropped: a picture's own, before that of a text around it.
 * @param {DataTransfer} data
 */
export function linkDropped(data) {
  const picture = inert(data.getData('text/html')).querySelector('img')?.getAttribute('src');
  const first = data
    .getData('text/uri-list')
    .split(/\r?\n/)
    .find((line) => line && !line.startsWith('#'));
  return linkIn(picture ?? '') ?? linkIn(first ?? '') ?? linkIn(data.getData('text/plain'));
}

/** A name for the photo. @param {URL} url */
export function nameOf({ protocol, pathname, host }) {
  if (protocol === 'data:') return pathname.split(/[;,]/)[0] ?? '';
  const last = pathname.split('/').pop() || host;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

/** @param {string} type @param {string} name */
function checkType(type, name) {
  const kind = (type.split(';')[0] ?? '').trim().toLowerCase();
  if (kind === 'text/html') throw new Refusal('unsupported-image', () => fill(t.picture.page, { url: quote(name) }));
  // Servers that do not know say nothing or "octets"; the decoder will tell.
  if (kind && !kind.startsWith('image/') && !kind.endsWith('/octet-stream'))
    throw new Refusal('unsupported-image', () => fill(t.picture.type, { type: quote(kind) }));
}

/** @param {number} bytes */
function checkSize(bytes) {
  if (bytes > MOST) throw new Refusal('image-too-large', () => fill(t.picture.large, { most: `${MOST >> 20} MB` }));
}

/** A `data:` link (RFC 2397), without a request. @param {string} link @returns {Blob} */
function decode(link) {
  const comma = link.indexOf(',');
  const head = link.slice('data:'.length, Math.max(comma, 0));
  const base64 = /;\s*base64$/i.test(head);
  checkType(head.replace(/;.*$/s, '') || 'text/plain', 'data:');
  let bytes = link
    .slice(comma + 1)
    .replace(/%([\da-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
  try {
    if (comma < 0) throw new TypeError('no comma');
    if (base64) bytes = atob(bytes);
  } catch {
    throw new Refusal('unsupported-image', () => t.picture.damaged);
  }
  checkSize(bytes.length);
  return new Blob([Uint8Array.from(bytes, (c) => c.charCodeAt(0))], { type: head.split(';')[0] ?? '' });
}

/**
 * Why there was no answer, as far as a browser tells.
 * @param {URL} url
 * @param {AbortSignal} signal
 * @returns {Promise<'offline' | 'redirected' | 'cors' | 'unanswered'>}
 */
async function why(url, signal) {
  if (navigator.onLine === false) return 'offline';
  if ((await refusals())()) return 'redirected';
  if (url.origin === location.origin) return 'unanswered';
  try {
    // Answered, but not for this page to read.
    await fetch(url, { mode: 'no-cors', signal });
    return 'cors';
  } catch {
    return 'unanswered';
  }
}

/**
 * The file behind a link.
 * @param {URL} url
 * @param {{ signal: AbortSignal, onProgress: (p: { stage: string, loaded: number, total: number |
 *   undefined }) => void }} options
 * @returns {Promise<Blob>}
 * @throws a `SightlineError` whose message says what to do
 */
export async function fetchPicture(url, { signal, onProgress }) {
  if (url.protocol === 'data:') return decode(url.href);
  const { href, host, origin } = url;
  if (unreachable(href)) throw new Refusal('bad-option', () => fill(t.picture.unreachable, { host, origin }));
  const checkGoing = () => {
    if (signal.aborted) throw new SightlineError('aborted', 'it was cancelled');
  };
  onProgress({ stage: 'picture', loaded: 0, total: undefined });
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, { signal, referrerPolicy: 'no-referrer' });
  } catch {
    checkGoing();
    const reason = await why(url, signal);
    checkGoing();
    throw new Refusal('network', () => fill(t.picture[reason], { url: quote(href), host }));
  }
  const { status, headers } = response;
  const reader = response.body?.getReader();
  /** @type {BlobPart[]} */
  const parts = [];
  let loaded = 0;
  try {
    if (status === 404 || status === 410)
      throw new Refusal('network', () => fill(t.picture.missing, { url: quote(href), status }));
    if (status === 401 || status === 403) throw new Refusal('network', () => fill(t.picture.refused, { host, status }));
    if (!response.ok) throw new Refusal('network', () => fill(t.picture.status, { host, status }));
    checkType(headers.get('content-type') ?? '', href);
    const length = headers.has('content-encoding') ? null : headers.get('content-length');
    const total = length === null ? undefined : Number(length);
    checkSize(total ?? 0);
    for (let value = (await reader?.read())?.value; value; value = (await reader?.read())?.value) {
      parts.push(value);
      loaded += value.byteLength;
      count(host, value.byteLength);
      checkSize(loaded);
      onProgress({ stage: 'picture', loaded, total });
    }
  } catch (error) {
    checkGoing();
    if (error instanceof Refusal) {
      // What is not wanted is not loaded to its end.
      reader?.cancel().catch(() => undefined);
      throw error;
    }
    throw new Refusal('network', () => fill(t.picture.broken, { url: quote(href) }));
  }
  return new Blob(parts, { type: headers.get('content-type') ?? '' });
}
