// @ts-check
// What puts the present picture on another page: the element, or an iframe for places that allow no scripts.

/** @typedef {Record<string, string | undefined>} Attributes what is undefined is left out */

const ENTITIES = /** @type {Record<string, string>} */ ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' });
/** @param {string} text */
const escaped = (text) => text.replace(/[&<>"]/g, (c) => ENTITIES[c] ?? c);

/**
 * The element with its script.
 * @param {URL} site the folder that Sightline is served from @param {Attributes} attributes
 */
export function elementCode(site, attributes) {
  const given = Object.entries(attributes).map(([name, value]) =>
    value === undefined ? '' : value === '' ? ` ${name}` : ` ${name}="${escaped(value)}"`,
  );
  return `<script type="module" src="${escaped(new URL('pkg/element.js', site).href)}"></script>\n<sightline-explainer${given.join('')}></sightline-explainer>\n`;
}

/**
 * The iframe. It may do nothing but run scripts; the second line lets it have its height.
 * @param {URL} site @param {Attributes} attributes @param {string} title
 */
export function iframeCode(site, attributes, title) {
  const url = new URL('embed.html', site);
  // What lies beside the embed page needs no full address there.
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) url.searchParams.set(name, value.replace(site.href, ''));
  return (
    `<iframe title="${escaped(title)}" src="${escaped(url.href)}" sandbox="allow-scripts" loading="lazy" width="100%" height="640" style="border: 0"></iframe>\n` +
    `<script type="module" src="${escaped(new URL('embed-host.js', site).href)}"></script>\n`
  );
}

/**
 * Fills the panel and keeps it in step.
 * @param {HTMLElement} panel
 * @param {() => { attributes: Attributes, problem?: string }} now what is shown; `problem` says what has to be done by hand
 * @param {typeof embedStrings} [strings]
 */
export function embedPanel(panel, now, strings = embedStrings) {
  /** @template {keyof HTMLElementTagNameMap} K @param {K} tag @param {object} properties @param {(string | Node)[]} children @returns {HTMLElementTagNameMap[K]} */
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const kind = make('select', { id: 'embed-kind' }, new Option(strings.element, 'element'), new Option(strings.iframe, 'iframe'));
  const predict = make('input', { type: 'checkbox', id: 'embed-predict' });
  const controls = make('input', { type: 'checkbox', id: 'embed-controls' });
  const code = make('textarea', { id: 'embed-text', readOnly: true, rows: 6, spellcheck: false, ariaLabel: strings.code });
  const copy = make('button', { type: 'button', id: 'embed-copy' }, strings.copy);
  const note = make('p', { className: 'hint' });
  note.setAttribute('role', 'status');
  const check = (/** @type {HTMLInputElement} */ box, /** @type {string} */ text) => make('label', { className: 'check' }, box, ` ${text}`);
  panel.append(
    make('label', {}, `${strings.kind} `, kind),
    check(predict, strings.predict),
    check(controls, strings.controls),
    code,
    copy,
    note,
  );

  const show = () => {
    const { attributes, problem } = now();
    const all = { ...attributes, ...(predict.checked ? { predict: '' } : {}), ...(controls.checked ? { controls: '' } : {}) };
    const site = new URL('.', document.baseURI);
    code.value = kind.value === 'iframe' ? iframeCode(site, all, strings.title) : elementCode(site, { ...all, loading: 'lazy' });
    note.textContent = problem ?? '';
  };
  for (const field of [kind, predict, controls]) field.addEventListener('change', show);
  copy.addEventListener('click', async () => {
    show();
    try {
      await navigator.clipboard.writeText(code.value);
      note.textContent = [strings.copied, now().problem].filter(Boolean).join(' ');
    } catch {
      // Without the permission: marked, for the user to copy.
      code.select();
      note.textContent = strings.marked;
    }
  });
  return show;
}

export const embedStrings = {
  kind: 'As',
  element: 'an element with its script',
  iframe: 'an iframe (for learning platforms)',
  predict: 'As a question: predict, then look',
  controls: 'With controls',
  code: 'Code to paste into a page',
  copy: 'Copy the embed code',
  copied: 'Copied.',
  marked: 'Copying is not allowed here: the code is marked, press Ctrl or Command and C.',
  title: 'Where did the model look?',
};
