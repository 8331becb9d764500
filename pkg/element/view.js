// @ts-check
// The inside of <sightline-explainer>: its shadow tree, built without markup so that no
// Content-Security-Policy or Trusted Types rule is in its way.

import { renderHeatmap } from '../picture/render.js';
import { make } from '../util/dom.js';

/** @typedef {ReturnType<typeof build>} View */

/** A photo without a map is drawn with at most so many pixels along its longer side. */
const MAX_DRAWN = 1280;

const CSS = `
:host { display: block; --_ground: var(--sightline-background, #fff); --_ink: var(--sightline-color, #1c1d21);
  --_soft: var(--sightline-muted, #55565e);
  --_line: var(--sightline-border, #c9c7c0); --_accent: var(--sightline-accent, #8f2d56);
    --_on-accent: var(--sightline-on-accent, #fff);
  --_bar: var(--sightline-bar, #f3dbe5); --_alarm: var(--sightline-alarm, #fbe4e0); color-scheme: light; }
:host([hidden]) { display: none; }
:host([theme="dark"]) { --_ground: var(--sightline-background, #202226); --_ink: var(--sightline-color, #eceae6);
  --_soft: var(--sightline-muted, #b3b2af);
  --_line: var(--sightline-border, #4a4c53); --_accent: var(--sightline-accent, #f0a1c1);
    --_on-accent: var(--sightline-on-accent, #2a0f1b);
  --_bar: var(--sightline-bar, #53293c); --_alarm: var(--sightline-alarm, #4a211b); color-scheme: dark; }
@media (prefers-color-scheme: dark) {
  :host(:not([theme="light"])) { --_ground: var(--sightline-background, #202226);
    --_ink: var(--sightline-color, #eceae6); --_soft: var(--sightline-muted, #b3b2af);
    --_line: var(--sightline-border, #4a4c53); --_accent: var(--sightline-accent, #f0a1c1);
      --_on-accent: var(--sightline-on-accent, #2a0f1b);
    --_bar: var(--sightline-bar, #53293c); --_alarm: var(--sightline-alarm, #4a211b); color-scheme: dark; }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
.base { background: var(--_ground); color: var(--_ink); border: 1px solid var(--_line);
  border-radius: var(--sightline-radius, 0.6rem); padding: 0.75rem;
  max-width: var(--sightline-max-width, 40rem); font: var(--sightline-font, 400 1rem/1.45 system-ui, sans-serif);
    text-align: start; overflow-wrap: anywhere; }
.base, .panel { display: grid; gap: 0.6rem; }
figure { margin: 0; display: grid; gap: 0.5rem; }
.frame { position: relative; border-radius: calc(var(--sightline-radius, 0.6rem) / 2); overflow: hidden;
  background: var(--_bar); }
.frame.bare { aspect-ratio: 4 / 3; }
.poster, .map { display: block; width: 100%; height: auto; }
.area { position: absolute; inset: 0; width: 100%; height: 100%; }
.area.open { cursor: crosshair; touch-action: none; }
.area:focus-visible { outline: 3px solid #ffd400; outline-offset: -3px; }
.busy { position: absolute; inset: auto 0.5rem 0.5rem; display: flex; flex-wrap: wrap; gap: 0.25rem 0.75rem;
  align-items: center; background: var(--_ground);
  border: 1px solid var(--_line); border-radius: 0.5rem; padding: 0.4rem 0.6rem; font-size: 0.875em; }
progress { flex: 1 1 5rem; min-width: 4rem; accent-color: var(--_accent); }
figcaption, p { margin: 0; }
.legend { display: grid; grid-template-columns: auto 1fr auto; gap: 0.15rem 0.5rem; align-items: center;
  font-size: 0.875em; font-variant-numeric: tabular-nums; }
.legend canvas { width: 100%; height: 0.7rem; border: 1px solid var(--_line); border-radius: 2px; }
.note { grid-column: 1 / -1; color: var(--_soft); }
.hint { color: var(--_soft); font-size: 0.875em; }
.row { display: flex; flex-wrap: wrap; gap: 0.5rem 0.9rem; align-items: center; }
label { display: inline-flex; gap: 0.4rem; align-items: center; max-width: 100%; }
button, select { font: inherit; color: inherit; background: var(--_ground); border: 1px solid var(--_soft);
  border-radius: 0.4rem; padding: 0.3rem 0.7rem;
  min-height: 2.25rem; max-width: 100%; }
button { cursor: pointer; justify-self: start; }
button.primary { background: var(--_accent); color: var(--_on-accent); border-color: var(--_accent); }
button[aria-pressed="true"] { outline: 2px solid var(--_accent); outline-offset: -1px; }
button:disabled, select:disabled { opacity: 0.6; cursor: default; }
input[type="range"] { accent-color: var(--_accent); width: 8rem; max-width: 100%; min-height: 1.5rem; }
button:focus-visible, select:focus-visible, input:focus-visible { outline: 3px solid var(--_accent);
  outline-offset: 2px; }
.classes { list-style: none; margin: 0; padding: 0; display: grid; gap: 0.3rem; }
.classes button { width: 100%; display: flex; justify-content: space-between; gap: 1rem; text-align: start;
  background: linear-gradient(to right, var(--_bar) var(--share), transparent var(--share)); }
.warnings { margin: 0; padding-inline-start: 1.2em; }
.error { background: var(--_alarm); border-radius: 0.4rem; padding: 0.6rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media print { .controls, .busy, .predict .row { display: none; } }
@media (forced-colors: active) { .legend canvas, .map { forced-color-adjust: none; } }
`;

/** @type {CSSStyleSheet | undefined} */
let sheet;

/** @param {ShadowRoot} root */
function addStyle(root) {
  try {
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(CSS);
    }
    root.adoptedStyleSheets = [sheet];
  } catch {
    // Browsers from before constructable style sheets.
    root.append(Object.assign(document.createElement('style'), { textContent: CSS }));
  }
}

/** Builds the tree; returns the parts that change. @param {ShadowRoot} root */
export function build(root) {
  const view = {
    base: make('div', { part: 'base', className: 'base' }),
    poster: make('img', { part: 'poster', className: 'poster', hidden: true }),
    map: make('canvas', { part: 'canvas', className: 'map', role: 'img', hidden: true }),
    area: make('canvas', { className: 'area', hidden: true, role: 'application', 'aria-describedby': 'keys' }),
    busy: make('div', { part: 'progress', className: 'busy', hidden: true }),
    busyText: make('label', { htmlFor: 'bar' }),
    bar: make('progress', { id: 'bar' }),
    cancel: make('button', { type: 'button' }),
    legend: make('div', { part: 'legend', className: 'legend', hidden: true }),
    lo: make('span'),
    scale: make('canvas', { width: 256, height: 1, role: 'img' }),
    hi: make('span'),
    note: make('span', { className: 'note' }),
    caption: make('span'),
    sentence: make('span', { className: 'hint' }),
    warnings: make('ul', { part: 'warnings', className: 'warnings', hidden: true }),
    predict: make('div', { part: 'predict', className: 'panel predict', hidden: true }),
    ask: make('p'),
    keys: make('p', { id: 'keys', className: 'hint' }),
    tools: make('div', { className: 'row' }),
    brushName: make('span'),
    brush: make('input', { type: 'range', min: '1', max: '7', step: '2' }),
    erase: make('button', { type: 'button', 'aria-pressed': 'false' }),
    clear: make('button', { type: 'button' }),
    reveal: make('button', { type: 'button', className: 'primary', part: 'reveal' }),
    score: make('p', { part: 'score', role: 'status' }),
    again: make('button', { type: 'button' }),
    live: make('p', { className: 'unseen', role: 'status' }),
    controls: make('div', { part: 'controls', className: 'panel controls', hidden: true }),
    classes: make('ol', { className: 'classes' }),
    methodLabel: make('label'),
    methodName: make('span'),
    method: make('select'),
    look: make('div', { className: 'row' }),
    opacityName: make('span'),
    opacity: make('input', { type: 'range', min: '0', max: '1', step: '0.05' }),
    coloursName: make('span'),
    colours: make('select'),
    save: make('button', { type: 'button' }),
    error: make('div', { part: 'error', className: 'panel error', role: 'alert', hidden: true }),
    errorText: make('p'),
    retry: make('button', { type: 'button' }),
    frame: make('div', { part: 'frame', className: 'frame bare' }),
  };
  view.busy.append(view.busyText, view.bar, view.cancel);
  view.frame.append(view.poster, view.map, view.area, view.busy);
  view.legend.append(view.lo, view.scale, view.hi, view.note);
  view.tools.append(make('label', {}, view.brushName, view.brush), view.erase, view.clear, view.reveal);
  view.predict.append(view.ask, view.keys, view.tools, view.score, view.again);
  view.methodLabel.append(view.methodName, view.method);
  view.look.append(
    make('label', {}, view.opacityName, view.opacity),
    make('label', {}, view.coloursName, view.colours),
    view.save,
  );
  view.controls.append(view.classes, view.methodLabel, view.look);
  view.error.append(view.errorText, view.retry);
  const figure = make(
    'figure',
    { part: 'figure' },
    view.frame,
    make('slot', { name: 'legend' }, view.legend),
    make('figcaption', { part: 'caption' }, make('slot', { name: 'caption' }, view.caption, ' ', view.sentence)),
  );
  view.base.append(figure, view.warnings, view.predict, view.controls, view.error, view.live);
  root.append(view.base);
  addStyle(root);
  return view;
}

/**
 * Draws the photo, and the map over it where that may be seen.
 * @param {View} view
 * @param {ImageBitmap | undefined} photo
 * @param {import('../index.js').Attribution | undefined} attribution
 * @param {{ isVisible: boolean, looks: import('../index.js').RenderOptions }} how
 * @returns {import('../index.js').Rendered | undefined} of the map
 */
export function paint({ map, poster, frame }, photo, attribution, { isVisible, looks }) {
  if (!photo && !attribution) return undefined;
  let rendered;
  if (attribution && isVisible) {
    rendered = renderHeatmap(map, photo ?? null, attribution, looks);
  } else if (photo) {
    const shrink = Math.min(1, MAX_DRAWN / Math.max(photo.width, photo.height));
    map.width = Math.max(1, Math.round(photo.width * shrink));
    map.height = Math.max(1, Math.round(photo.height * shrink));
    map.getContext('2d')?.drawImage(photo, 0, 0, map.width, map.height);
  } else if (attribution) {
    // A saved map without a photo, not to be seen yet: its place alone.
    renderHeatmap(map, null, attribution);
    map.getContext('2d')?.clearRect(0, 0, map.width, map.height);
  }
  map.hidden = false;
  poster.hidden = true;
  frame.classList.remove('bare');
  return rendered;
}

/**
 * The picture that is shown until the photo is here.
 * @param {View} view
 * @param {HTMLElement} element
 * @param {{ isWaiting: boolean, alt: string }} shown
 */
export function dressPoster({ map, poster, frame }, element, { isWaiting, alt }) {
  const address = element.getAttribute('poster');
  poster.hidden = !address || !isWaiting;
  if (address && isWaiting) {
    poster.loading = element.getAttribute('loading') === 'lazy' ? 'lazy' : 'eager';
    poster.alt = alt;
    if (poster.getAttribute('src') !== address) poster.src = address;
  }
  frame.classList.toggle('bare', isWaiting && !address);
  map.hidden = isWaiting;
}
