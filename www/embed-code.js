// @ts-check
// What puts the present picture on another page: the element, or an iframe for places that allow no
// scripts.

import { make, say, sayAs, saying, t } from './language.js';

/** @typedef {Record<string, string | undefined>} Attributes what is undefined is left out */

const ENTITIES = /** @type {Record<string, string>} */ ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' });
/** @param {string} text */
const escaped = (text) => text.replace(/[&<>"]/g, (c) => ENTITIES[c] ?? c);

/**
 * The element with its script.
 * @param {URL} site the folder that Sightline is served from @param {Attributes} attributes
 */
function elementCode(site, attributes) {
  const given = Object.entries(attributes).map(([name, value]) =>
    value === undefined ? '' : value === '' ? ` ${name}` : ` ${name}="${escaped(value)}"`,
  );
  return `<script type="module" src="${escaped(new URL('pkg/element.js', site).href)}"></script>\n<sightline-explainer${given.join('')}></sightline-explainer>\n`;
}

/**
 * What lies beside the embed page needs no full address there, unless the rest of it would mean
 * another one.
 * @param {string} value @param {URL} site
 */
export function relative(value, site) {
  const rest = value.startsWith(site.href) ? value.slice(site.href.length) : '';
  const page = new URL('embed.html', site);
  return rest && URL.canParse(rest, page) && new URL(rest, page).href === value ? rest : value;
}

/**
 * The iframe. It may do nothing but run scripts; the second line lets it have its height.
 * @param {URL} site @param {Attributes} attributes @param {string} title
 */
function iframeCode(site, attributes, title) {
  const url = new URL('embed.html', site);
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined) url.searchParams.set(name, relative(value, site));
  return (
    `<iframe title="${escaped(title)}" src="${escaped(url.href)}" sandbox="allow-scripts" loading="lazy" width="100%" height="640" style="border: 0"></iframe>\n` +
    `<script type="module" src="${escaped(new URL('embed-host.js', site).href)}"></script>\n`
  );
}

/**
 * Fills the panel and keeps it in step.
 * @param {HTMLElement} panel
 * @param {() => { attributes: Attributes, missing: ('photo' | 'model')[] }} now what is shown;
 *   `missing` is what has to be put in by hand
 */
export function embedPanel(panel, now) {
  const kinds = /** @type {const} */ (['element', 'iframe']);
  const kind = make(
    'select',
    { id: 'embed-kind' },
    ...kinds.map((value) => saying('option', () => t.embed[value], { value })),
  );
  const predict = make('input', { type: 'checkbox', id: 'embed-predict' });
  const controls = make('input', { type: 'checkbox', id: 'embed-controls' });
  const code = make('textarea', { id: 'embed-text', readOnly: true, rows: 6, spellcheck: false });
  sayAs(code, 'aria-label', () => t.embed.code);
  const copy = saying('button', () => t.embed.copy, { type: 'button', id: 'embed-copy' });
  const note = make('p', { className: 'hint' });
  note.setAttribute('role', 'status');
  const check = (/** @type {HTMLInputElement} */ box, /** @type {'predict' | 'controls'} */ what) =>
    make(
      'label',
      { className: 'check' },
      box,
      saying('span', () => t.embed[what]),
    );
  panel.append(
    make(
      'label',
      {},
      saying('span', () => t.embed.kind),
      kind,
    ),
    check(predict, 'predict'),
    check(controls, 'controls'),
    code,
    copy,
    note,
  );

  /** What has to be done by hand. @param {('photo' | 'model')[]} missing */
  const inWords = (missing) =>
    [...missing, ...(missing.length && kind.value === 'iframe' ? [/** @type {const} */ ('hosts')] : [])]
      .map((what) => t.embed[what])
      .join(' ');

  const show = () => {
    const { attributes, missing } = now();
    const all = {
      ...attributes,
      ...(predict.checked ? { predict: '' } : {}),
      ...(controls.checked ? { controls: '' } : {}),
    };
    const site = new URL('.', document.baseURI);
    const text =
      kind.value === 'iframe' ? iframeCode(site, all, t.embed.title) : elementCode(site, { ...all, loading: 'lazy' });
    // What was said of the same code, that it is copied, stays.
    if (text === code.value) return;
    code.value = text;
    say(note, () => inWords(missing));
  };
  for (const field of [kind, predict, controls]) field.addEventListener('change', show);
  copy.addEventListener('click', async () => {
    show();
    try {
      await navigator.clipboard.writeText(code.value);
      const { missing } = now();
      say(note, () => [t.embed.copied, inWords(missing)].join(' ').trim());
    } catch {
      // Without the permission: marked, for the user to copy.
      code.select();
      say(note, () => t.embed.marked);
    }
  });
  return show;
}
