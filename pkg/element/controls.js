// @ts-check
// The controls below the map: they set the element's attributes, which is all that the element
// listens to.

import { COLORMAPS } from '../picture/colormaps.js';
import { make } from '../util/dom.js';
import { wrap } from '../util/errors.js';
import { percent } from '../util/text.js';
import { methods } from '../wasm/registry.js';
import { isLocked, looksOf } from './attributes.js';

/** @typedef {import('./strings.js').Strings} Strings */
/** @typedef {import('./view.js').View} View */
/**
 * @typedef {Pick<import('../element.js').SightlineExplainer, 'attribution' | 'info' | 'predictions'
 *   | 'exportPng'>} Public
 */
/** @typedef {HTMLElement & Public} Element */

/** So long does a saved picture's address live (ms). */
const SAVING = 10_000;

/**
 * @param {View} view
 * @param {Element} element
 * @param {(error: import('../index.js').SightlineError) => void} onError
 */
export function wireControls(view, element, onError) {
  view.method.addEventListener('change', () => element.setAttribute('method', view.method.value));
  view.opacity.addEventListener('input', () => element.setAttribute('opacity', view.opacity.value));
  view.colours.addEventListener('change', () => {
    const isDiverging = COLORMAPS[view.colours.value]?.diverging ?? false;
    element.setAttribute('scale', isDiverging ? 'symmetric' : 'positive');
    element.setAttribute('colormap', view.colours.value);
  });
  view.save.addEventListener('click', () =>
    element.exportPng().then(
      (blob) => download(blob, `sightline-${element.attribution?.method}.png`),
      (cause) => onError(wrap(cause)),
    ),
  );
}

/** @param {Blob} blob @param {string} name */
function download(blob, name) {
  const link = make('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), SAVING);
}

/**
 * @param {View} view @param {Element} element
 * @param {{ strings: Strings, isVisible: boolean, colormap: string | undefined }} shown
 */
export function dressControls(view, element, { strings, isVisible, colormap }) {
  const { attribution, info } = element;
  view.controls.hidden = !element.hasAttribute('controls') || !attribution || !isVisible;
  if (view.controls.hidden || !attribution) return;
  view.methodName.textContent = strings.method;
  view.methodLabel.hidden = !info || isLocked(element, 'method');
  const working = info?.model.methods ?? [];
  if (view.method.dataset.methods !== working.join()) {
    view.method.dataset.methods = working.join();
    view.method.replaceChildren(...working.map((id) => new Option(methods.find((m) => m.id === id)?.name ?? id, id)));
  }
  view.method.value = element.getAttribute('method') || attribution.method;

  view.classes.hidden = !info || isLocked(element, 'target');
  view.classes.setAttribute('aria-label', strings.classes);
  dressClasses(view, element, strings);

  view.opacityName.textContent = strings.opacity;
  view.coloursName.textContent = strings.colours;
  view.opacity.disabled = view.colours.disabled = isLocked(element, 'look');
  view.opacity.value = String(looksOf(element).alpha ?? 0.6);
  if (!view.colours.options.length)
    view.colours.replaceChildren(...Object.keys(COLORMAPS).map((id) => new Option(id, id)));
  for (const option of view.colours.options)
    option.text = strings.shared.texts[`colormap.${option.value}`] ?? option.value;
  view.colours.value = colormap ?? 'inferno';
  view.save.textContent = strings.save;
  // A sandboxed frame may not download.
  view.save.hidden = globalThis.origin === 'null';
}

/**
 * A button for each class; the one that has the focus keeps it.
 * @param {View} view
 * @param {Element} element
 * @param {Strings} strings
 */
function dressClasses(view, element, strings) {
  const active = /** @type {HTMLElement | null} */ (element.shadowRoot?.activeElement);
  const focused = active?.dataset.index;
  view.classes.replaceChildren(
    ...element.predictions.map(({ index, label, probability }) => {
      const button = make(
        'button',
        { type: 'button', 'data-index': index, 'aria-pressed': index === element.attribution?.target },
        make('span', {}, label),
        make('span', {}, percent(probability, strings.locale, 1)),
      );
      button.style.setProperty('--share', `${(probability * 100).toFixed(1)}%`);
      button.addEventListener('click', () => element.setAttribute('target', String(index)));
      return make('li', {}, button);
    }),
  );
  if (focused === undefined) return;
  /** @type {HTMLElement | null} */ (view.classes.querySelector(`[data-index="${Number(focused)}"]`))?.focus();
}
