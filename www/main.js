// @ts-check
// The page. It uses the public API of ./pkg/index.js and nothing else of it.

import { cameraPanel } from './camera.js';
import { grouped, methodCard, methodCards, modelCard } from './cards.js';
import { comparePanel } from './compare.js';
import { embedPanel } from './embed-code.js';
import { Refusal, told, warned } from './faults.js';
import {
  date,
  english,
  fill,
  fixed,
  greeted,
  keyed,
  make,
  number,
  own,
  parts,
  percent,
  pick,
  ready,
  say,
  sayAs,
  saying,
  size,
  t,
  text,
  titleOf,
  words,
} from './language.js';
import { fetchPicture, linkDropped, linkFrom, linkIn, nameOf } from './link.js';
import { count, keepPage, refusals, unreachable, watchNetwork } from './offline.js';
import { fromHash, toHash } from './permalink.js';
import {
  createExplainer,
  deleteCachedModel,
  describe,
  exportPng,
  familiarity,
  inspectModel,
  isWhole,
  listCachedModels,
  listColormaps,
  listMethods,
  listModels,
  placeOf,
  renderColorbar,
  renderHeatmap,
  SightlineError,
  toJson,
  toNpy,
  version,
} from './pkg/index.js';
import { ARROWS, pixelAt, readPoints } from './point.js';
import { estimator, leftInWords } from './progress.js';

/** @typedef {import('./pkg/index.js').Explainer} Explainer */
/** @typedef {import('./pkg/index.js').ModelSource} ModelSource */
/**
 * `remote`: its weights may have to be downloaded.
 * @typedef {{ name: string, source: ModelSource, remote?: boolean }} NamedModel
 */
/** A file, or a frame of the camera. @typedef {Blob | ImageData} Photo */

const MAX_SHOWN = 1600;
/** Shown only where something takes longer. */
const PATIENCE = 500;
/** Announced only where something takes longer. */
const SILENCE = 1000;

/** What the page itself needs may take so long to come (ms). */
const SLOWEST = 60_000;

/** @template {HTMLElement} T @param {string} id @param {new () => T} type @returns {T} */
function el(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`#${id} is missing`);
  return found;
}
const select = (/** @type {string} */ id) => el(id, HTMLSelectElement);
const canvas = el('canvas', HTMLCanvasElement);
const ui = {
  method: select('method'),
  layer: select('layer'),
  model: select('model'),
  device: select('device'),
  colormap: select('colormap'),
  scale: select('scale'),
  interpolation: select('interpolation'),
  alpha: el('alpha', HTMLInputElement),
  contours: select('contours'),
  threshold: el('threshold', HTMLInputElement),
  only: el('only', HTMLInputElement),
  save: select('save'),
  outline: el('outline', HTMLInputElement),
  options: el('options', HTMLElement),
  question: select('question'),
  against: select('against'),
  group: select('group'),
  strip: el('strip', HTMLElement),
  stop: el('stop', HTMLButtonElement),
  predictions: el('predictions', HTMLElement),
  working: el('working', HTMLElement),
  progress: el('progress', HTMLProgressElement),
  progressText: el('progress-text', HTMLElement),
  offer: el('offer', HTMLElement),
  offerText: el('offer-text', HTMLElement),
  offerBusy: el('offer-busy', HTMLElement),
  offerRate: el('offer-rate', HTMLElement),
  offerProgress: el('offer-progress', HTMLProgressElement),
  offerGo: el('offer-go', HTMLButtonElement),
  offerClose: el('offer-close', HTMLButtonElement),
};
/** The controls of the picture, which a link holds. */
const LOOKS = [ui.alpha, ui.colormap, ui.scale, ui.interpolation, ui.contours, ui.threshold, ui.only, ui.outline];
const methods = listMethods();
const specOf = (/** @type {string | undefined} */ method) => methods.find(({ id }) => id === method);
/** @type {Map<string, NamedModel>} */
const models = new Map();
/**
 * Of a kept model, whose id is its address or its name on the hub.
 * @param {string} id
 * @returns {ModelSource}
 */
const keptSource = (id) => (id.includes('://') ? { url: id } : { hub: id });
/** What others can open it by; undefined for files. @param {ModelSource} source */
const addressOf = (source) =>
  typeof source !== 'object' ? source : 'hub' in source ? source.hub : 'url' in source ? String(source.url) : undefined;
/** Whose the sample pictures are, by their names. @type {Map<string, string>} */
const credits = new Map();
/** Their files, by the same. @type {Map<string, string>} */
const files = new Map();

/** What is on the screen. Replaced only by something that worked. */
const shown = {
  /** @type {Explainer | undefined} */ explainer: undefined,
  modelId: '',
  device: 'auto',
  /** @type {Photo | undefined} */ photo: undefined,
  photoName: '',
  /** @type {ImageBitmap | undefined} */ bitmap: undefined,
  /** @type {import('./pkg/index.js').Classification | undefined} */ classification: undefined,
  /** @type {import('./pkg/index.js').Attribution | undefined} */ attribution: undefined,
  /** @type {number | undefined} */ target: undefined,
  /** Which one has explained the photo. @type {Explainer | undefined} */ explained: undefined,
};

// --- one task at a time: a newer request replaces the one under way ------------------------------

/** @type {AbortController | undefined} */
let running;

/**
 * @param {'model' | 'photo' | 'heads' | (() => string) | undefined} what undefined where nothing is
 *   to be said of it
 * @param {(signal: AbortSignal, onProgress: (p: { stage: string, loaded: number, total: number |
 *   undefined }) => void) => Promise<void>} work
 */
async function task(what, work) {
  running?.abort();
  const controller = new AbortController();
  running = controller;
  document.body.dataset.state = 'working';
  // The last task's may still be there.
  ui.stop.hidden = true;
  const all = typeof what === 'string' ? () => t.working[what] : (what ?? (() => ''));
  let doing = all;
  say(ui.progressText, doing);
  ui.progress.removeAttribute('value');
  const timer = setTimeout(() => {
    if (running === controller && what) ui.working.hidden = false;
  }, PATIENCE);
  const busy = el('busy', HTMLElement);
  const announcing = setTimeout(() => {
    if (running === controller && what) say(busy, () => fill(t.timeLeft.busy, { what: doing() }));
  }, SILENCE);
  const left = estimator();
  try {
    await work(controller.signal, (progress) => {
      if (running !== controller) return;
      const { stage, loaded, total } = progress;
      doing = () => t.working.stages[stage] ?? all();
      const ms = left(progress);
      say(ui.progressText, () =>
        ms === undefined ? doing() : fill(t.timeLeft.of, { what: doing(), left: leftInWords(ms) }),
      );
      if (total && total > 1) {
        ui.progress.max = total;
        ui.progress.value = loaded;
      } else ui.progress.removeAttribute('value');
    });
    if (running === controller) el('alert', HTMLElement).hidden = true;
  } catch (error) {
    if (!(error instanceof SightlineError && error.code === 'aborted')) complain(error);
  } finally {
    clearTimeout(timer);
    clearTimeout(announcing);
    if (running === controller) {
      say(busy, () => '');
      running = undefined;
      ui.working.hidden = true;
      ui.stop.hidden = true;
      document.body.dataset.state = 'idle';
    }
  }
}

/** @param {unknown} error */
function complain(error) {
  say(el('alert-text', HTMLElement), () => told(error));
  const box = el('alert', HTMLElement);
  box.dataset.code = error instanceof SightlineError ? error.code : 'internal';
  box.hidden = false;
  if (!(error instanceof SightlineError)) console.error(error);
}

// --- model, photo, explanation -------------------------------------------------------------------

/** Set while the page starts or a model opens. @type {AbortSignal | 'start' | undefined} */
let opening = 'start';
/** A photo that came meanwhile. @type {{ photo: Photo | URL, name: string } | undefined} */
let waiting;

/**
 * @param {string} id
 * @param {import('./compare.js').Choice} [choice] what to set once it is there
 */
async function openModel(id, choice) {
  const model = models.get(id);
  if (!model) return;
  await task('model', async (signal, onProgress) => {
    opening = signal;
    try {
      const device = /** @type {'auto'} */ (ui.device.value);
      const explainer = await createExplainer({
        model: model.source,
        device,
        signal,
        onProgress,
        onDevice: showDevice,
      });
      if (signal.aborted) return explainer.dispose();
      replaceModel(id, explainer, device);
    } finally {
      if (opening === signal) {
        opening = undefined;
        // Also after a failure: the controls say what is really there.
        showModel();
        if (choice && shown.modelId === id) set(choice);
      }
    }
    const { photo, name } = waiting ?? { photo: shown.photo, name: shown.photoName };
    waiting = undefined;
    if (photo) await explainOrKeep(photo, name, signal, onProgress);
  });
  if (waiting && !opening && shown.explainer) {
    const { photo, name } = waiting;
    waiting = undefined;
    await lookAt(photo, name);
  }
}

/** @param {string} id @param {Explainer} explainer @param {string} device */
function replaceModel(id, explainer, device) {
  shown.explainer?.dispose();
  Object.assign(shown, { explainer, modelId: id, device, target: undefined });
}

function showModel() {
  const options = (/** @type {boolean} */ remote) =>
    [...models]
      .filter(([, model]) => Boolean(model.remote) === remote)
      .map(([value, { name }]) => {
        const selected = value === shown.modelId;
        return saying('option', () => titleOf(value, name), { value, defaultSelected: selected, selected });
      });
  const group = make('optgroup', {}, ...options(true));
  sayAs(group, 'label', () => t.toDownload);
  ui.model.replaceChildren(...options(false), ...(group.children.length ? [group] : []));
  showKept();
  const info = shown.explainer?.info;
  if (!info) return;
  card.follow(shown.modelId, info.model);
  ui.device.value = shown.device;
  const { layers, defaultLayer } = info.model;
  const kept = shown.target !== undefined && (ui.layer.value === 'all' || layers.some((l) => l.id === ui.layer.value));
  const chosen = kept ? ui.layer.value : defaultLayer;
  showMethods(info.model.methods);
  showClasses(info.model.labels);
  const ordered = [...layers].reverse();
  const all = ui.layer.value === 'all' && shown.target !== undefined;
  ui.layer.replaceChildren(
    ...(layers.length > 1 ? [saying('option', () => t.allLayers, { value: 'all', selected: all })] : []),
    ...ordered.map(({ id, shape }) => {
      const usual = id === defaultLayer;
      const text = () => fill(usual ? t.layerDefault : t.layer, { id, shape: shape.join(' × ') });
      return saying('option', text, { value: id, defaultSelected: usual, selected: id === chosen });
    }),
  );
  const { architecture, labels, parameters, bytes, sha256, cached, assumed } = info.model;
  say(el('model-facts', HTMLElement), () => {
    const million = number(parameters / 1e6);
    const facts = { architecture, classes: labels.length, parameters: million, size: size(bytes), sha256 };
    return cached ? fill(t.modelFactsKept, { ...facts, date: date(cached) }) : fill(t.modelFacts, facts);
  });
  say(el('assumed', HTMLElement), () => [english(assumed ?? '')]);
  el('assumed', HTMLElement).hidden = !assumed;
  showDevice();
}

/** Which device the model runs on: WebGPU may take over from the CPU. */
function showDevice() {
  const { device } = shown.explainer?.info ?? {};
  if (!device) return;
  const { kind, description } = device;
  say(el('device-reason', HTMLElement), () => {
    const hardware = kind === 'cpu' ? text('device.cpu') : english(description);
    return parts(t.runningOn, { device: t.devices[kind], description: hardware, reason: keyed(device) });
  });
}

/** @param {Blob | URL} photo @param {string} name */
function openPhoto(photo, name) {
  camera.release();
  return lookAt(photo, name);
}

/** @param {Photo | URL} photo or its link @param {string} name */
async function lookAt(photo, name) {
  if (opening) {
    waiting = { photo, name };
    return;
  }
  return task('photo', (signal, onProgress) => explainOrKeep(photo, name, signal, onProgress));
}

/**
 * Where the photo cannot be had, the one that was there stays, with what this model says of it,
 * which this one may have interrupted.
 * @param {Photo | URL} photo
 * @param {string} name
 * @param {AbortSignal} signal
 * @param {(p: any) => void} onProgress
 */
async function explainOrKeep(photo, name, signal, onProgress) {
  try {
    await explainPhoto(photo, name, signal, onProgress);
  } catch (error) {
    const { photo: before, photoName, explained, explainer } = shown;
    if (before && before !== photo && explained !== explainer && !signal.aborted)
      await explainPhoto(before, photoName, signal, onProgress);
    throw error;
  }
}

/**
 * @param {Photo | URL} from
 * @param {string} name
 * @param {AbortSignal} signal
 * @param {(p: any) => void} onProgress
 */
async function explainPhoto(from, name, signal, onProgress) {
  const { explainer } = shown;
  if (!explainer) throw new Refusal('bad-option', () => t.openFirst);
  const photo = from instanceof URL ? await fetchPicture(from, { signal, onProgress }) : from;
  onProgress({ stage: 'photo', loaded: 0, total: undefined });
  const classification = await explainer.classify(photo, { topK: 5, signal });
  const { photoWidth, photoHeight } = classification.crop ?? { photoWidth: 1, photoHeight: 1 };
  const shrink = Math.min(1, MAX_SHOWN / Math.max(photoWidth, photoHeight));
  let bitmap = shown.photo === photo ? shown.bitmap : undefined;
  try {
    // Decoded off the main thread.
    bitmap ??= await createImageBitmap(photo, {
      imageOrientation: 'from-image',
      resizeWidth: Math.max(1, Math.round(photoWidth * shrink)),
      resizeHeight: Math.max(1, Math.round(photoHeight * shrink)),
      // Chromium resizes on the main thread: the better qualities take over 50 ms for 12
      // megapixels.
      resizeQuality: 'low',
    });
  } catch {
    throw new Refusal('unsupported-image', () => t.cannotShow);
  }
  if (signal.aborted) {
    if (bitmap !== shown.bitmap) bitmap.close();
    return;
  }
  if (shown.bitmap !== bitmap) shown.bitmap?.close();
  const target = shown.photo === photo ? shown.target : undefined;
  Object.assign(shown, { photo, photoName: name, bitmap, classification, target, attribution: undefined });
  // The worker computes while the classes are shown.
  const computing = attribute(signal, onProgress);
  showPredictions();
  showFacts();
  paint();
  try {
    await computing;
  } finally {
    if (!signal.aborted) shown.explained = explainer;
  }
}

/**
 * Sets the controls, as far as the open model has it.
 * @param {import('./compare.js').Choice} choice
 */
function set({ method, target, layer, options }) {
  const info = shown.explainer?.info.model;
  if (!info) return;
  const known = (/** @type {number} */ k) => k < info.labels.length;
  if (info.methods.includes(method)) {
    ui.method.value = method;
    showMethod();
    setOptions(options);
  }
  if (layer !== undefined && (layer === 'all' || info.layers.some(({ id }) => id === layer))) ui.layer.value = layer;
  const classes =
    target === undefined
      ? []
      : typeof target === 'number'
        ? [target]
        : 'contrast' in target
          ? target.contrast
          : target.group;
  if (classes.length && classes.every(known)) {
    shown.target = classes[0];
    ui.question.value = typeof target === 'number' ? 'class' : target && 'contrast' in target ? 'contrast' : 'group';
    showQuestion();
    if (typeof target === 'object' && 'contrast' in target) ui.against.value = String(classes[1]);
    else
      for (const option of ui.group.options)
        option.selected = typeof target === 'object' && classes.slice(1).includes(Number(option.value));
  }
}

function explain() {
  if (!shown.photo || !shown.explainer) return;
  // Live mode has the new settings from its next frame on.
  if (frames !== undefined && inOnePass(ui.method.value)) return;
  const method = specOf(ui.method.value)?.name ?? '';
  return task(() => fill(t.working.method, { method }), attribute);
}

/** @param {AbortSignal} signal @param {(p: any) => void} onProgress */
async function attribute(signal, onProgress) {
  const { explainer, photo, classification } = shown;
  const method = specOf(ui.method.value);
  if (!explainer || !photo || !classification || !method) return;
  const target = shown.target ?? classification.predictions[0]?.index;
  let isEstimate = false;
  /** @type {Partial<import('./pkg/index.js').AttributeOptions>} */
  const estimating = {};
  if (method.estimates) {
    const stop = new AbortController();
    estimating.stop = stop.signal;
    estimating.onEstimate = ({ values, shape }) => {
      if (signal.aborted) return;
      const { crop } = classification;
      isEstimate = true;
      paint({ method: method.id, values, shape, space: method.space, crop });
    };
    ui.stop.hidden = false;
    ui.stop.onclick = () => stop.abort();
  }
  try {
    const attribution = await explainer.attribute(photo, {
      ...request(explainer, method, target),
      ...estimating,
      signal,
      onProgress,
    });
    if (signal.aborted) return;
    shown.attribution = attribution;
    isEstimate = false;
  } finally {
    // What was not finished gives way to the map that the facts are of.
    if (isEstimate && shown.photo === photo && shown.attribution) paint();
  }
  shown.target = target;
  showPredictions();
  showFacts();
  paint();
}

/**
 * What the controls ask for.
 * @param {Explainer} explainer
 * @param {import('./pkg/index.js').MethodSpec} method
 * @param {number | undefined} target
 */
function request(explainer, method, target) {
  const layer =
    method.reads === 'layer' && ui.layer.value === 'all' ? explainer.info.model.defaultLayer : ui.layer.value;
  return {
    method: method.id,
    target: asked(target),
    ...(method.reads === 'input' ? {} : { layer }),
    ...readOptions(method),
  };
}

/**
 * What is asked about, with the chosen class in front.
 * @param {number | undefined} chosen
 * @returns {import('./pkg/index.js').Target | undefined}
 */
function asked(chosen) {
  if (chosen === undefined) return undefined;
  if (ui.question.value === 'contrast' && ui.against.value !== '' && Number(ui.against.value) !== chosen)
    return { contrast: [chosen, Number(ui.against.value)] };
  if (ui.question.value === 'group') {
    const others = [...ui.group.selectedOptions].map(({ value }) => Number(value));
    if (others.length) return { group: [...new Set([chosen, ...others])] };
  }
  return chosen;
}

/** A target in words. @param {import('./pkg/index.js').Target} target */
function inWords(target) {
  const labels = shown.explainer?.info.model.labels ?? [];
  const name = (/** @type {number} */ k) => labels[k] ?? String(k);
  if (typeof target === 'number') return fill(words.class, { a: name(target) });
  if ('contrast' in target) return fill(words.contrast, { a: name(target.contrast[0]), b: name(target.contrast[1]) });
  return fill(words.group, { list: target.group.map((k) => fill(words.class, { a: name(k) })).join(', ') });
}

/**
 * What a map is of, in words that follow its method's name.
 * @param {import('./pkg/index.js').Attribution} a
 */
const about = (a) => (classFree(a.method) ? seenFrom(a) : fill(t.about, { target: inWords(a.target) }));
/** Whether a method's maps are of no class. @param {string} method */
const classFree = (method) => specOf(method)?.classFree ?? false;

/** The photo that is shown, in words. */
const photoWords = () =>
  own(t.samples, files.get(shown.photoName) ?? '') ??
  (shown.photo instanceof ImageData ? t.camera.name : shown.photoName);

// --- showing -------------------------------------------------------------------------------------

/** A share of a pass may be next to nothing, as a CAM's at the last layer. */
const passes = (/** @type {number} */ v) => (v > 0 && v < 0.01 ? t.hardly : number(v));

function showPredictions() {
  const { classification, target } = shown;
  if (!classification) return;
  const unfamiliar = el('unfamiliar', HTMLElement);
  unfamiliar.hidden = !familiarity(classification.logits, card.limits()).unfamiliar;
  const classes = classification.logits.length;
  say(unfamiliar, () => (unfamiliar.hidden ? '' : fill(t.unfamiliar, { classes })));
  const credit = credits.get(shown.photoName);
  const file = files.get(shown.photoName) ?? '';
  say(el('credit', HTMLElement), () => (credit ? fill(t.credit, { credit: own(t.credits, file) ?? credit }) : ''));
  const { predictions } = classification;
  const pressed = target ?? predictions[0]?.index;
  while (ui.predictions.children.length > predictions.length) ui.predictions.lastElementChild?.remove();
  for (const [k, { index, label, probability }] of predictions.entries()) {
    const button = ui.predictions.querySelectorAll('button')[k] ?? addPrediction();
    button.dataset.index = String(index);
    button.setAttribute('aria-pressed', String(index === pressed));
    button.style.setProperty('--share', `${(probability * 100).toFixed(1)}%`);
    const share = saying('span', () => percent(probability), { className: 'number' });
    button.replaceChildren(make('span', { className: 'label' }, label), ' ', share);
  }
}

/**
 * A button that stays when the list changes: it keeps the focus, and can be pressed while live mode
 * changes it.
 */
function addPrediction() {
  const button = make('button', { type: 'button' });
  button.addEventListener('click', () => {
    // Of a live picture, of the frame that is shown.
    frames = undefined;
    shown.target = Number(button.dataset.index);
    showPredictions();
    explain();
  });
  ui.predictions.append(make('li', {}, button));
  return button;
}

function showFacts() {
  const { attribution: a, explainer } = shown;
  showHeads();
  if (!a || !explainer) {
    // The numbers of another photo or model are not left beside this one.
    say(el('facts', HTMLElement), () => '');
    el('warnings', HTMLElement).replaceChildren();
    el('completeness', HTMLTableElement).hidden = true;
    return;
  }
  const method = specOf(a.method)?.name ?? a.method;
  const { forward, backward } = a.passes;
  const kind = typeof a.target === 'number' ? 'class' : 'contrast' in a.target ? 'contrast' : 'group';
  say(el('facts', HTMLElement), () =>
    fill(t.facts, {
      method,
      about: about(a),
      at: a.layer ? fill(t.at, { layer: a.layer }) : '',
      time: a.elapsedMs < 1000 ? `${Math.round(a.elapsedMs)} ms` : `${fixed(a.elapsedMs / 1000, 1)} s`,
      device: t.devices[a.device],
      forward: passes(forward),
      backward: passes(backward),
      score: t.scores[kind],
      value: fixed(a.score, 2),
    }),
  );
  el('warnings', HTMLElement).replaceChildren(
    ...[...explainer.info.warnings, ...a.warnings].map((warning) => saying('li', () => warned(warning))),
  );
  const table = el('completeness', HTMLTableElement);
  table.hidden = !a.completeness;
  const c = a.completeness;
  /** @type {[keyof typeof t.addsUp, number][]} */
  const rows = c
    ? [
        ['score', c.score],
        ['baseline', c.baselineScore],
        ['sum', c.sum],
        ['delta', c.delta],
      ]
    : [];
  table.tBodies[0]?.replaceChildren(
    ...rows.map(([name, value]) =>
      make(
        'tr',
        {},
        saying('th', () => t.addsUp[name], { scope: 'row' }),
        saying('td', () => fixed(value, 3)),
      ),
    ),
  );
}

/** The maps of all layers, where they were asked for. */
function showStrip() {
  const { attribution, bitmap } = shown;
  const layers = attribution?.layers ?? [];
  ui.strip.hidden = layers.length < 2;
  if (!attribution || !bitmap) return;
  ui.strip.replaceChildren(
    ...layers.map(({ id, shape, values }) => {
      const small = make('canvas', { width: 96, height: Math.round((96 * bitmap.height) / bitmap.width) });
      small.setAttribute('aria-hidden', 'true');
      renderHeatmap(small, bitmap, { ...attribution, values, shape }, { ...looks(), channels: 'none' });
      const button = make('button', { type: 'button' }, small, make('span', {}, id));
      button.addEventListener('click', () => {
        ui.layer.value = id;
        ui.layer.focus();
        explain();
      });
      return button;
    }),
  );
}

const looks = () => ({
  alpha: Number(ui.alpha.value),
  colormap: ui.colormap.value,
  scale: /** @type {'positive' | 'symmetric'} */ (ui.scale.value),
  interpolation: /** @type {'smooth' | 'cells'} */ (ui.interpolation.value),
  contours: Number(ui.contours.value),
  ...(Number(ui.threshold.value) < 100 ? { threshold: Number(ui.threshold.value), only: ui.only.checked } : {}),
});

/**
 * What the canvas shows.
 * @type {{ attribution: import('./pkg/index.js').Paintable, rendered:
 *   import('./pkg/index.js').Rendered } | undefined}
 */
let onCanvas;
const showValue = readPoints(canvas, {
  value: el('value', HTMLElement),
  said: el('value-said', HTMLElement),
  mark: el('mark', HTMLElement),
  shown: () => onCanvas,
  taken: () => patchGrid() !== undefined,
});
/**
 * The last sentence: it follows from the numbers alone.
 * @type {{ attribution: import('./pkg/index.js').Attribution | undefined, locale: string, text:
 *   string }}
 */
let said = { attribution: undefined, locale: '', text: '' };
/** @param {import('./pkg/index.js').Attribution} attribution */
function sentenceOf(attribution) {
  const { locale } = t;
  if (said.attribution !== attribution || said.locale !== locale) {
    said = {
      attribution,
      locale,
      text: describe(attribution, { labels: shown.explainer?.info.model.labels ?? [], strings: words }),
    };
  }
  return said.text;
}

/**
 * Paints from the numbers that are there; never computes any.
 * @param {import('./pkg/index.js').Paintable} [estimate] shown in place of the result
 */
function paint(estimate) {
  const { bitmap, classification } = shown;
  const attribution = estimate ?? shown.attribution;
  const legend = el('legend', HTMLElement);
  const note = el('legend-note', HTMLElement);
  if (!bitmap) return;
  const context = canvas.getContext('2d');
  let crop = classification?.crop;
  const whole = estimate ? undefined : shown.attribution;
  say(el('sentence', HTMLElement), () => (whole ? sentenceOf(whole) : ''));
  onCanvas = undefined;
  if (attribution) {
    const method = specOf(attribution.method);
    const { scale } = looks();
    const rendered = renderHeatmap(canvas, bitmap, attribution, { ...looks(), channels: method?.channels ?? 'sum' });
    crop = attribution.crop;
    onCanvas = { attribution, rendered };
    renderColorbar(el('colorbar', HTMLCanvasElement), rendered.colormap);
    say(el('low', HTMLElement), () => number(rendered.lo));
    say(el('high', HTMLElement), () => number(rendered.hi));
    legend.hidden = rendered.empty;
    say(note, () => noteOf(rendered, attribution.method ?? '', scale));
    const [of, name] = [shown.attribution, method?.name ?? ''];
    sayAs(canvas, 'aria-label', () => {
      const names = { photo: photoWords(), method: name, about: of ? about(of) : '' };
      return whole ? fill(t.heatmapSaid, { ...names, sentence: sentenceOf(whole) }) : fill(t.heatmap, names);
    });
  } else {
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    context?.drawImage(bitmap, 0, 0);
    legend.hidden = true;
    say(note, () => '');
    sayAs(canvas, 'aria-label', photoWords);
  }
  // Another map, or none, may have come under a pointer that rests.
  showValue();
  showStrip();
  // Once in live mode: what can be compared would change many times a second.
  if (frames === undefined || frames === 1) compare.follow();
  if (embed.open) showEmbed();
  // Where the model saw all of it, an outline would say nothing.
  if (crop && !isWhole(crop) && context && ui.outline.checked) {
    const line = Math.max(2, canvas.width / 300);
    const { x, y, width: w, height: h } = placeOf(crop, canvas.width, canvas.height);
    context.fillStyle = 'rgb(0 0 0 / 35%)';
    context.beginPath();
    context.rect(0, 0, canvas.width, canvas.height);
    context.rect(x, y, w, h);
    context.fill('evenodd');
    context.lineWidth = line;
    context.setLineDash([4 * line, 3 * line]);
    context.strokeStyle = 'white';
    context.strokeRect(x + line / 2, y + line / 2, w - line, h - line);
    context.setLineDash([]);
  }
  if (context) outlineQuery(context);
}

/**
 * What the colours mean.
 * @param {import('./pkg/index.js').Rendered} rendered
 * @param {string} method
 * @param {string} scale
 */
function noteOf({ empty, percentile, clipped, threshold, contours }, method, scale) {
  if (empty) return t.empty;
  return [
    words.texts[`method.${method}.values`] ?? (scale === 'positive' ? t.speaks : t.both),
    percentile < 100 ? fill(t.clipped, { percentile, share: percent(clipped) }) : '',
    threshold ? fill(t.largest, { share: percent(threshold.kept) }) : '',
    contours.length ? fill(t.lines, { levels: contours.map(number).join(t.listSeparator) }) : '',
  ].join('');
}

// --- controls from the registries ----------------------------------------------------------------

const card = modelCard(el('accuracy', HTMLElement), el('model-card', HTMLDetailsElement), () => showPredictions());
const showCards = methodCards(el('method-cards', HTMLDetailsElement), {
  methods,
  working: () => shown.explainer?.info.model.methods ?? [],
  choose: (id) => {
    ui.method.value = id;
    showMethod();
    canvas.scrollIntoView({ block: 'nearest' });
    explain();
  },
});

/**
 * The methods by group; those that do not work on this model can be seen and not chosen.
 * @param {string[]} working
 */
function showMethods(working) {
  const chosen = working.includes(ui.method.value) ? ui.method.value : working[0];
  ui.method.replaceChildren(
    ...grouped(methods).map(([id, members]) => {
      const group = make('optgroup');
      sayAs(group, 'label', () => t.groups[id]);
      for (const m of members) {
        const option = new Option(m.name, m.id, false, m.id === chosen);
        option.disabled = !working.includes(m.id);
        group.append(option);
      }
      return group;
    }),
  );
  showMethod();
  showCards();
}

/** @param {string[]} labels */
function showClasses(labels) {
  for (const list of [ui.against, ui.group]) {
    const kept = new Set([...list.selectedOptions].map((option) => option.text));
    const options = labels.map((label, k) => new Option(label, String(k), false, kept.has(label)));
    list.replaceChildren(...options.sort((a, b) => a.text.localeCompare(b.text)));
  }
  showQuestion();
}

function showQuestion() {
  el('against-label', HTMLElement).hidden = ui.question.value !== 'contrast';
  el('group-label', HTMLElement).hidden = ui.question.value !== 'group';
}

/** The strongest rival is the natural one to ask about. */
function suggestRival() {
  const { classification, target } = shown;
  const chosen = target ?? classification?.predictions[0]?.index;
  const rival = classification?.predictions.find(({ index }) => index !== chosen);
  if (rival && ui.question.value === 'contrast') ui.against.value = String(rival.index);
}

let described = '';
function showMethod() {
  const method = specOf(ui.method.value);
  if (!method || described === method.id) return;
  described = method.id;
  el('method-card', HTMLElement).replaceChildren(methodCard(method));
  el('layer-label', HTMLElement).hidden = method.reads === 'input';
  showQuery();
  const options = method.options.filter((option) => option.type !== 'tensor');
  el('options-box', HTMLElement).hidden = options.length === 0;
  ui.options.replaceChildren(
    ...options.map((option) => {
      const label = make('label');
      const key = `method.${method.id}.option.${option.id}`;
      const unit = option.unit && !option.help.includes(option.unit);
      label.append(saying('span', () => (unit ? `${text(key)} (${text(`${key}.unit`)})` : text(key))));
      /** @type {HTMLSelectElement | HTMLInputElement} */
      let field;
      if (option.type === 'boolean') {
        field = make('input', { type: 'checkbox', checked: option.default === true });
        label.className = 'check';
      } else if (option.type === 'choice' || option.type === 'baseline') {
        field = make(
          'select',
          {},
          ...(option.choices ?? []).map((value) => {
            const usual = value === option.default;
            return saying('option', () => text(`choice.${value}`), { value, defaultSelected: usual, selected: usual });
          }),
        );
      } else {
        field = make('input', { type: 'number', value: String(option.default ?? '') });
        sayAs(field, 'placeholder', () => t.automatic);
        if (option.min !== undefined) field.min = String(option.min);
        if (option.max !== undefined) field.max = String(option.max);
        field.step = option.type === 'integer' ? '1' : 'any';
      }
      field.dataset.option = option.id;
      field.addEventListener('change', explain);
      label.append(field);
      return label;
    }),
  );
}

/** @param {import('./pkg/index.js').MethodSpec} method */
function readOptions(method) {
  /** @type {Record<string, unknown>} */
  const values = {};
  for (const option of method.options) {
    const field = /** @type {HTMLInputElement | null} */ (ui.options.querySelector(`[data-option="${option.id}"]`));
    if (!field || field.value === '') continue;
    if (option.type === 'boolean') values[option.id] = field.checked;
    else values[option.id] = ['choice', 'baseline'].includes(option.type) ? field.value : Number(field.value);
  }
  return values;
}

/** Those that are not named get their defaults. @param {Record<string, unknown>} values */
function setOptions(values) {
  const method = specOf(ui.method.value);
  for (const { id, default: usual } of method?.options ?? []) {
    const field = /** @type {HTMLInputElement | null} */ (ui.options.querySelector(`[data-option="${id}"]`));
    const value = values[id] ?? usual;
    if (field?.type === 'checkbox') field.checked = value === true;
    else if (field) field.value = String(value ?? '');
  }
}

// --- what a patch looks at: chosen by pointing at it, or with the arrow keys ---------------------

/** Whose attention a map shows. @param {import('./pkg/index.js').Attribution} a */
function seenFrom({ details }) {
  if (!details || !('query' in details)) return '';
  const query = /** @type {{ kind: string, row: number, column: number } | null} */ (details.query);
  const { patch, classToken, all, of, special } = t.attention;
  const where = query?.kind === 'patch' ? fill(patch, { row: query.row + 1, column: query.column + 1 }) : classToken;
  const share = Number(details.specialShare);
  const values = { who: query ? where : all, block: Number(details.block) };
  return share ? fill(special, { ...values, share: percent(share) }) : fill(of, values);
}

/** The patches on the canvas, while attention is shown. */
function patchGrid() {
  const { attribution, explainer } = shown;
  const grid = explainer?.info.model.attention?.grid;
  if (!grid || attribution?.method !== 'raw_attention' || !attribution.crop) return undefined;
  const { x, y, width, height } = placeOf(attribution.crop, canvas.width, canvas.height);
  const query = /** @type {{ kind: string, row: number, column: number } | null} */ (attribution.details?.query);
  const at = query?.kind === 'patch' ? query : undefined;
  return { rows: grid[0], columns: grid[1], x, y, w: width / grid[1], h: height / grid[0], at };
}

/** @param {CanvasRenderingContext2D} context */
function outlineQuery(context) {
  const grid = patchGrid();
  if (!grid?.at) return;
  const place = /** @type {const} */ ([
    grid.x + grid.at.column * grid.w,
    grid.y + grid.at.row * grid.h,
    grid.w,
    grid.h,
  ]);
  const line = Math.max(2, canvas.width / 300);
  for (const [width, colour] of /** @type {const} */ ([
    [2.5 * line, 'black'],
    [line, 'white'],
  ])) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.strokeRect(...place);
  }
}

function showQuery() {
  el('method-hint', HTMLElement).hidden = ui.method.value !== 'raw_attention';
}

let looking = false;
let moved = false;
/**
 * Shows the attention of a patch; where many are asked for, of the newest.
 * @param {string} query a patch, or ''
 */
async function lookFrom(query) {
  const field = /** @type {HTMLInputElement | null} */ (ui.options.querySelector('[data-option="query"]'));
  // What else is under way is not interrupted by a pointer that passes.
  if (!field || field.value === query || (running && !looking)) return;
  field.value = query;
  moved = true;
  if (looking) return;
  looking = true;
  while (moved && !running) {
    moved = false;
    await explain();
  }
  looking = false;
}

canvas.addEventListener('pointermove', (event) => {
  const grid = patchGrid();
  if (!grid) return;
  const [x, y] = pixelAt(canvas, event);
  const [row, column] = [Math.floor((y - grid.y) / grid.h), Math.floor((x - grid.x) / grid.w)];
  if (row >= 0 && row < grid.rows && column >= 0 && column < grid.columns)
    lookFrom(String(row * grid.columns + column));
});
canvas.addEventListener('keydown', (event) => {
  const grid = patchGrid();
  const step = ARROWS[event.key];
  if (!grid || !(step || event.key === 'Escape')) return;
  event.preventDefault();
  if (!step) return void lookFrom('');
  const from = grid.at ?? { row: Math.floor(grid.rows / 2), column: Math.floor(grid.columns / 2) };
  const clamp = (/** @type {number} */ v, /** @type {number} */ count) => Math.min(Math.max(v, 0), count - 1);
  const [row, column] = [clamp(from.row + step[1], grid.rows), clamp(from.column + step[0], grid.columns)];
  lookFrom(String(row * grid.columns + column));
});

// --- the head table ------------------------------------------------------------------------------

/**
 * Field, whether large values come first, how a value is written.
 * @type {[keyof typeof t.heads.columns, boolean, (v: number) => string][]}
 */
const COLUMNS = [
  ['block', false, String],
  ['head', false, String],
  ['importance', true, (v) => fixed(v, 3)],
  ['distance', true, (v) => fixed(v, 2)],
  ['entropy', true, (v) => fixed(v, 2)],
  ['specialShare', true, percent],
];
/**
 * What was ranked last, and for what.
 * @type {{ heads: import('./pkg/index.js').Heads, photo: Photo, explainer: Explainer } | undefined}
 */
let ranked;
let sortedBy = 'importance';

function showHeads() {
  const { attribution, explainer, photo } = shown;
  const attention = explainer?.info.model.attention;
  el('heads', HTMLElement).hidden = !attention;
  el('heads-count', HTMLElement).textContent = attention ? String(attention.blocks * attention.heads) : '';
  // The numbers of another photo, model or class are not left beside this one.
  const same = (/** @type {unknown} */ target) => JSON.stringify(target) === JSON.stringify(attribution?.target);
  const found = el('heads-found', HTMLElement);
  found.hidden = !(ranked && ranked.photo === photo && ranked.explainer === explainer && same(ranked.heads.target));
  if (!ranked || !explainer || found.hidden) return;
  const { heads, target, score } = ranked.heads;
  say(el('heads-caption', HTMLElement), () =>
    fill(t.heads.caption, { target: inWords(target), score: fixed(score, 2) }),
  );
  const sorting = COLUMNS.find(([id]) => id === sortedBy);
  if (!sorting) return;
  const [by, largest] = sorting;
  const rows = [...heads].sort((a, b) => (largest ? b[by] - a[by] : a[by] - b[by]));
  const focused = found.contains(document.activeElement) ? document.activeElement?.textContent : undefined;
  found.querySelector('thead tr')?.replaceChildren(
    ...COLUMNS.map(([id, down]) => {
      const button = saying('button', () => t.heads.columns[id], { type: 'button' });
      button.addEventListener('click', () => {
        sortedBy = id;
        showHeads();
      });
      const cell = make('th', { scope: 'col' }, button);
      if (id === by) cell.ariaSort = down ? 'descending' : 'ascending';
      return cell;
    }),
  );
  found
    .querySelector('tbody')
    ?.replaceChildren(
      ...rows.map((head) => make('tr', {}, ...COLUMNS.map(([id, , text]) => saying('td', () => text(head[id]))))),
    );
  if (focused) [...found.querySelectorAll('button')].find((b) => b.textContent === focused)?.focus();
}

el('heads-go', HTMLButtonElement).addEventListener('click', () => {
  const { explainer, photo } = shown;
  if (!explainer || !photo) return;
  return task('heads', async (signal, onProgress) => {
    const heads = await explainer.heads(photo, { target: asked(shown.target), signal, onProgress });
    if (signal.aborted) return;
    ranked = { heads, photo, explainer };
    showHeads();
  });
});

// --- what comes in: files, folders, pasted pictures, addresses -----------------------------------

/** @param {File[]} files */
function take(files) {
  // A repository's folder may hold the same weights in several formats.
  const weights = [/\.safetensors$/i, /\.(pth|pt|bin|ckpt|pth\.tar)$/i]
    .map((end) => files.find((f) => end.test(f.name)))
    .find(Boolean);
  const config = files.find((f) => f.name === 'config.json') ?? files.find((f) => f.name.endsWith('.json'));
  if (weights) {
    addModel(weights.name.replace(/\.(pth\.tar|\w+)$/, ''), { weights, ...(config ? { config } : {}) });
    return;
  }
  if (config) {
    complain(new Refusal('bad-model', () => fill(t.weightsMissing, { file: config.name })));
    return;
  }
  const [photo] = files;
  if (photo) openPhoto(photo, photo.name);
}

let added = 0;
/** @param {string} name @param {ModelSource} source */
function addModel(name, source) {
  const id = idOf(source);
  const listed = models.has(id);
  models.set(id, models.get(id) ?? { name, source });
  return openModel(id).then(() => {
    if (shown.modelId !== id && !listed) models.delete(id);
    showModel();
  });
}

// --- models that have to be downloaded: looked up, offered with their size, fetched while the page

/** A look or a download under way. @type {AbortController | undefined} */
let fetching;
/** What the panel's button does next. */
let proceed = () => {};

/**
 * @param {() => import('./language.js').Text} text
 * @param {keyof typeof t.offer.actions} action
 * @param {() => void} next
 * @param {unknown} [error]
 */
function showOffer(text, action, next, error) {
  ui.offer.hidden = false;
  say(ui.offerText, text);
  say(ui.offerGo, () => t.offer.actions[action]);
  proceed = next;
  if (error) ui.offer.dataset.code = error instanceof SightlineError ? error.code : 'internal';
  else delete ui.offer.dataset.code;
  const busy = action === 'cancel';
  ui.offerBusy.hidden = !busy;
  say(ui.offerRate, () => '');
  ui.offerProgress.removeAttribute('value');
  ui.offerClose.hidden = busy;
  ui.offer.scrollIntoView({ block: 'nearest' });
}

function hideOffer() {
  if (ui.offer.contains(document.activeElement)) ui.model.focus();
  ui.offer.hidden = true;
  showModel();
}

/**
 * Says what opening a model takes, or opens it where nothing is to be downloaded.
 * @param {string} name
 * @param {ModelSource} source
 */
async function lookUp(name, source) {
  fetching?.abort();
  const controller = new AbortController();
  fetching = controller;
  showOffer(
    () => fill(t.offer.looking, { name }),
    'cancel',
    () => controller.abort(),
  );
  try {
    const outside = typeof source === 'object' && 'url' in source ? unreachable(String(source.url)) : undefined;
    if (outside) throw new Refusal('bad-option', outside);
    const found = await inspectModel(source, { signal: controller.signal });
    if (found.cached?.complete) {
      hideOffer();
      await addModel(name, source);
      return;
    }
    const { bytes, cached, architecture, numClasses: classes } = found;
    const host = found.url ? new URL(found.url).host : undefined;
    const text = () => {
      const facts = [architecture, classes && fill(t.offer.classes, { count: classes })]
        .filter(Boolean)
        .join(t.listSeparator);
      const total = bytes === null ? t.offer.untold : fill(t.offer.size, { size: size(bytes) });
      const here = cached ? fill(t.offer.here, { size: size(cached.bytes) }) : '';
      return fill(t.offer.facts, { name, facts, total, host: host ?? t.offer.thisPage }) + here;
    };
    showOffer(text, cached ? 'resume' : 'download', () => fetchModel(name, source, host, Boolean(cached)));
  } catch (error) {
    const message = await inFull(error);
    if (fetching !== controller) return;
    if (controller.signal.aborted) return hideOffer();
    showOffer(message, 'retry', () => lookUp(name, source), error);
  }
}

/**
 * A failure in words, with the policy's part in it.
 * @param {unknown} error
 * @returns {Promise<() => (string | Node)[]>}
 */
async function inFull(error) {
  const why = error instanceof SightlineError && error.code === 'network' ? await refusals() : () => '';
  return () => [...told(error), why()];
}

/**
 * @param {string} name
 * @param {ModelSource} source
 * @param {string} [host] where it comes from
 * @param {boolean} [resumed]
 */
async function fetchModel(name, source, host = '', resumed = false) {
  const controller = new AbortController();
  fetching = controller;
  showOffer(
    () => fill(t.offer.downloading, { name }),
    'cancel',
    () => controller.abort(),
  );
  const device = /** @type {'auto'} */ (ui.device.value);
  /** @type {{ at: number, loaded: number } | undefined} */
  let first;
  /** @type {number | undefined} */
  let counted;
  let progress = () => '';
  try {
    const explainer = await createExplainer({
      model: source,
      device,
      signal: controller.signal,
      onProgress: ({ stage, loaded, total }) => {
        if (fetching !== controller) return;
        if (total && total > 1) Object.assign(ui.offerProgress, { max: total, value: loaded });
        else ui.offerProgress.removeAttribute('value');
        if (stage === 'download') {
          first ??= { at: performance.now(), loaded };
          // The first figure of a resumed download is what was here before it.
          count(host, loaded - (counted ?? (resumed ? loaded : 0)));
          counted = loaded;
          const seconds = (performance.now() - first.at) / 1000;
          const rate = (loaded - first.loaded) / seconds;
          progress = () => (total ? fill(t.offer.of, { loaded: size(loaded), total: size(total) }) : size(loaded));
          say(ui.offerRate, () =>
            seconds > 0.5 ? fill(t.offer.rate, { progress: progress(), rate: size(rate) }) : progress(),
          );
        } else say(ui.offerRate, () => (stage === 'weights' && t.working.stages.weights) || t.offer.starting);
      },
    });
    if (controller.signal.aborted) return explainer.dispose();
    const id = idOf(source);
    models.set(id, models.get(id) ?? { name, source });
    replaceModel(id, explainer, device);
    hideOffer();
    if (shown.photo) await lookAt(shown.photo, shown.photoName);
  } catch (error) {
    const stopped = error instanceof SightlineError && error.code === 'aborted';
    const message = stopped ? () => [fill(t.offer.stopped, { name })] : await inFull(error);
    showKept();
    if (fetching !== controller) return;
    const begun = first !== undefined;
    showOffer(
      () => [...message(), begun ? fill(t.offer.so, { progress: progress() }) : ''],
      begun ? 'resume' : 'retry',
      () => fetchModel(name, source, host, begun),
      stopped ? undefined : error,
    );
  }
}

/** The list's entry for a source, or a new one's id. @param {ModelSource} source */
function idOf(source) {
  const text = JSON.stringify(source);
  return (
    [...models].find(([, model]) => model.remote && JSON.stringify(model.source) === text)?.[0] ??
    `opened-${(added += 1)}`
  );
}

async function showKept() {
  const kept = await listCachedModels();
  const list = el('kept-list', HTMLElement);
  const box = el('kept', HTMLDetailsElement);
  const total = kept.reduce((sum, { bytes }) => sum + bytes, 0);
  const summary = box.querySelector('summary');
  const count = kept.length;
  if (summary) say(summary, () => (count ? fill(t.kept.summary, { count, size: size(total) }) : t.page.kept));
  el('kept-none', HTMLElement).hidden = kept.length > 0;
  list.replaceChildren(
    ...kept.map(({ id, bytes, date: when, complete, sha256 }) => {
      const text = () =>
        fill(complete ? t.kept.whole : t.kept.part, { id, size: size(bytes), date: date(when) }) +
        (sha256 ? fill(t.kept.sha256, { sha256 }) : '');
      const buttons = make('div', { className: 'inputs' });
      /** @param {keyof typeof t.kept.actions} action @param {() => void} act */
      const button = (action, act) => {
        const made = saying('button', () => t.kept.actions[action], { type: 'button' });
        sayAs(made, 'aria-label', () => `${t.kept.actions[action]} ${id}`);
        made.addEventListener('click', act);
        buttons.append(made);
      };
      button(complete ? 'open' : 'resume', () => lookUp(id, keptSource(id)));
      button('delete', async () => {
        await deleteCachedModel(id);
        await showKept();
        summary?.focus();
      });
      return make('li', {}, saying('p', text), buttons);
    }),
  );
}

ui.offerGo.addEventListener('click', () => proceed());
ui.offerClose.addEventListener('click', () => {
  fetching = undefined;
  hideOffer();
});

/** Of a dropped folder no more are looked at. */
const MOST_FILES = 10_000;

/** All files below dropped entries. @param {DataTransfer} data @returns {Promise<File[]>} */
async function dropped(data) {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter((e) => e !== null && e !== undefined);
  if (!entries.some((e) => e.isDirectory)) return [...data.files];
  /** @type {File[]} */
  const files = [];
  const read = async (/** @type {any} */ entry) => {
    if (files.length >= MOST_FILES) return;
    if (entry.isFile) {
      files.push(await new Promise((ok, no) => entry.file(ok, no)));
      return;
    }
    const reader = entry.createReader();
    // It gives a part at a time, and nothing when it has given all.
    for (let some; some?.length !== 0 && files.length < MOST_FILES; ) {
      some = await new Promise((ok, no) => reader.readEntries(ok, no));
      for (const child of some) await read(child);
    }
  };
  for (const entry of entries) await read(entry);
  return files;
}

const drop = el('drop', HTMLElement);
let depth = 0;
addEventListener('dragenter', (event) => {
  event.preventDefault();
  depth += 1;
  drop.hidden = false;
});
addEventListener('dragleave', () => {
  depth -= 1;
  if (depth <= 0) drop.hidden = true;
});
addEventListener('dragover', (event) => event.preventDefault());
addEventListener('drop', async (event) => {
  event.preventDefault();
  depth = 0;
  drop.hidden = true;
  if (!event.dataTransfer) return;
  // A drop's data are there until it has been told to all.
  const link = linkDropped(event.dataTransfer);
  try {
    const files = await dropped(event.dataTransfer);
    if (files.length) take(files);
    else if (link) openPhoto(link, nameOf(link));
  } catch (error) {
    complain(error);
  }
});
addEventListener('paste', (event) => {
  const files = [...(event.clipboardData?.files ?? [])];
  if (files.length) return take(files);
  // What is pasted into a field stays there.
  if (event.target instanceof HTMLElement && event.target.matches('input, textarea, select')) return;
  const link = linkIn(event.clipboardData?.getData('text/plain') ?? '');
  if (link) openPhoto(link, nameOf(link));
});
el('photo-form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  try {
    const link = linkFrom(el('photo-url', HTMLInputElement).value);
    openPhoto(link, nameOf(link));
  } catch (error) {
    complain(error);
  }
});

/** @param {string} button @param {string} input */
function picker(button, input) {
  const field = el(input, HTMLInputElement);
  el(button, HTMLButtonElement).addEventListener('click', () => field.click());
  field.addEventListener('change', () => {
    take([...(field.files ?? [])]);
    field.value = '';
  });
}
picker('pick', 'file');
picker('pick-model', 'model-files');
el('url-form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  const text = el('model-url', HTMLInputElement).value.trim();
  // A name on the hub is what has one slash and no scheme; addresses below this page begin with a
  // dot or a slash.
  lookUp(text, /^(\w+:|[./])/.test(text) ? { url: text } : { hub: text });
});

// --- the camera ----------------------------------------------------------------------------------

/**
 * How many frames live mode has shown; undefined while there is none.
 * @type {number | undefined}
 */
let frames;

/** Whether a method is quick enough for live mode to be tried. @param {string} id */
function inOnePass(id) {
  const method = specOf(id);
  return method !== undefined && !method.estimates && method.cost.startsWith('1 ');
}

/**
 * Explains a frame with the present settings and shows both at once.
 * @param {ImageData} photo
 * @param {AbortSignal} signal
 * @returns {Promise<string>} the likeliest class
 */
async function explainFrame(photo, signal) {
  const { explainer } = shown;
  const method = specOf(ui.method.value);
  if (!explainer || !method) return '';
  const classification = await explainer.classify(photo, { topK: 5, signal });
  const [best] = classification.predictions;
  const attribution = await explainer.attribute(photo, { ...request(explainer, method, best?.index), signal });
  const bitmap = await createImageBitmap(photo);
  if (signal.aborted) {
    bitmap.close();
    return '';
  }
  frames = (frames ?? 0) + 1;
  shown.bitmap?.close();
  Object.assign(shown, { photo, photoName: '', bitmap, classification, target: best?.index, attribution });
  showPredictions();
  showFacts();
  paint();
  return best?.label ?? '';
}

/**
 * Whether the regions that tell results speak: in live mode the camera's does.
 * @param {boolean} speak
 */
function announce(speak) {
  for (const id of ['facts', 'unfamiliar']) el(id, HTMLElement).ariaLive = speak ? 'polite' : 'off';
}

const camera = cameraPanel(
  el('camera-open', HTMLButtonElement),
  el('camera', HTMLElement),
  el('camera-status', HTMLElement),
  {
    complain,
    take: (frame) => lookAt(frame, ''),
    method: () => specOf(ui.method.value)?.name ?? '',
    async live(work) {
      if (opening || !shown.explainer) throw new Refusal('bad-option', () => t.camera.opening);
      if (!inOnePass(ui.method.value)) {
        ui.method.value = shown.explainer.info.model.methods.find(inOnePass) ?? 'grad_cam';
        showMethod();
      }
      frames = 0;
      announce(false);
      await task(undefined, (signal) => work((frame) => explainFrame(frame, signal), signal));
      frames = undefined;
      announce(true);
      compare.follow();
    },
  },
);

// --- wiring --------------------------------------------------------------------------------------

let framed = false;
for (const control of LOOKS) {
  control.addEventListener('input', () => {
    if (framed) return;
    framed = true;
    requestAnimationFrame(() => {
      framed = false;
      paint();
      compare.paint();
    });
  });
}
// A colour map with a middle belongs to a scale with one.
const diverging = () => listColormaps().find((m) => m.id === ui.colormap.value)?.diverging ?? false;
ui.scale.addEventListener('change', () => {
  if (diverging() !== (ui.scale.value === 'symmetric'))
    ui.colormap.value = ui.scale.value === 'symmetric' ? 'blue-white-red' : 'inferno';
  paint();
});
ui.colormap.addEventListener('change', () => {
  ui.scale.value = diverging() ? 'symmetric' : 'positive';
  paint();
});
ui.method.addEventListener('change', () => {
  showMethod();
  explain();
});
ui.layer.addEventListener('change', explain);
ui.question.addEventListener('change', () => {
  showQuestion();
  suggestRival();
  explain();
});
ui.against.addEventListener('change', explain);
ui.group.addEventListener('change', explain);
ui.model.addEventListener('change', () => {
  const model = models.get(ui.model.value);
  if (model?.remote) return lookUp(model.name, model.source);
  ui.offer.hidden = true;
  fetching?.abort();
  fetching = undefined;
  return openModel(ui.model.value);
});
ui.device.addEventListener('change', () => openModel(shown.modelId || ui.model.value));
el('cancel', HTMLButtonElement).addEventListener('click', () => running?.abort());
el('alert-close', HTMLButtonElement).addEventListener('click', () => (el('alert', HTMLElement).hidden = true));
function showThreshold() {
  const all = ui.threshold.value === '100';
  const { value } = ui.threshold;
  say(el('threshold-text', HTMLElement), () => (all ? t.page.largestAll : fill(t.threshold, { percent: value })));
  ui.only.disabled = all;
}
ui.threshold.addEventListener('input', showThreshold);
el('export', HTMLButtonElement).addEventListener('click', () => save().catch(complain));
async function save() {
  const { attribution, bitmap, explainer } = shown;
  if (!attribution || !bitmap) return;
  const what = ui.save.value;
  const blob =
    what === 'npy'
      ? new Blob([toNpy(attribution)])
      : what === 'json'
        ? new Blob([toJson(attribution)], { type: 'application/json' })
        : await exportPng(attribution, bitmap, {
            what: /** @type {'overlay'} */ (what),
            render: looks(),
            labels: explainer?.info.model.labels ?? [],
            strings: words,
          });
  download(blob, `sightline-${attribution.method}${blob.type === 'image/png' ? `-${what}.png` : `.${what}`}`);
}
/** @param {Blob} blob @param {string} name */
function download(blob, name) {
  const link = make('a', { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

async function start() {
  await ready;
  el('version', HTMLElement).textContent = version;
  showMethods(methods.map((m) => m.id));
  ui.colormap.replaceChildren(
    ...listColormaps().map(({ id }) => {
      const usual = id === 'inferno';
      return saying('option', () => words.texts[`colormap.${id}`] ?? id, {
        value: id,
        defaultSelected: usual,
        selected: usual,
      });
    }),
  );
  showMethod();
  const [list, samples] = await Promise.all([
    listModels(),
    fetch('./samples/samples.json', { signal: AbortSignal.timeout(SLOWEST) }).then((response) => response.json()),
  ]);
  for (const { id, title, path, hub } of list) {
    if (path !== undefined) models.set(id, { name: title, source: id });
    else models.set(id, { name: title, source: hub !== undefined ? { hub } : id, remote: true });
  }
  el('samples', HTMLElement).replaceChildren(
    .../** @type {{ file: string, alt: string, credit: string }[]} */ (samples).map(({ file, alt, credit }) => {
      credits.set(alt, credit);
      files.set(alt, file);
      const picture = Object.assign(new Image(), { src: `./samples/${file}` });
      sayAs(picture, 'alt', () => own(t.samples, file) ?? alt);
      const button = make('button', { type: 'button' }, picture);
      button.addEventListener('click', () => openPhoto(new URL(`samples/${file}`, document.baseURI), alt));
      return button;
    }),
  );
  await restore(true);
}

// --- links ---------------------------------------------------------------------------------------

/**
 * Shows what the address says: the first sample and model where it does not.
 * @param {boolean} [begin] the page starts
 */
async function restore(begin = false) {
  const link = fromHash(location.hash, { samples: [...files.values()], methods });
  if (!link && !begin) return;
  /** @type {Promise<Blob> | undefined} */
  let photo;
  const [alt, file] = [...files].find(([, name]) => name === link?.photo) ?? [...files][0] ?? [];
  if (file && alt && (begin || link?.photo)) {
    camera.release();
    photo = fetch(`./samples/${file}`, { signal: AbortSignal.timeout(SLOWEST) }).then((response) => response.blob());
  }
  for (const control of LOOKS) {
    const value = link?.looks[control.id];
    if (value === undefined) continue;
    if (control instanceof HTMLSelectElement) {
      if ([...control.options].some((option) => option.value === value)) control.value = value;
    } else if (control.type === 'checkbox') control.checked = value === 'true';
    // A range takes what is none of its values for the nearest one or its middle.
    else if (Number.isFinite(Number(value))) control.value = value;
  }
  showThreshold();
  const [here, given] = await Promise.all([openable(), photo]);
  if (given) {
    shown.bitmap?.close();
    Object.assign(shown, { photo: given, photoName: alt, bitmap: undefined, target: undefined });
  }
  const [first] = models.keys();
  const listed = link?.model === undefined ? undefined : models.get(link.model);
  const wanted = here.find(({ id }) => id === link?.model);
  const id = wanted?.id ?? first;
  if (wanted && !models.has(wanted.id)) models.set(wanted.id, { name: wanted.name, source: wanted.source });
  showModel();
  if (!id) return;
  const right = !link?.model || wanted;
  // Classes, layers and options belong to the link's model.
  /** @type {import('./compare.js').Choice | undefined} */
  let choice;
  if (link && right) {
    const { target, layer, options } = link;
    const method = specOf(link.method)?.id ?? 'grad_cam';
    choice = {
      method,
      options,
      ...(target === undefined ? {} : { target }),
      ...(layer === undefined ? {} : { layer }),
    };
  }
  await openModel(id, choice);
  if (right && link?.comparison && shown.modelId === id && shown.classification) await compare.restore(link.comparison);
  const model = link?.model;
  if (model && !wanted) {
    if (listed) await lookUp(listed.name, listed.source);
    else complain(new Refusal('bad-option', () => fill(t.link.unlisted, { model })));
  }
}
addEventListener('hashchange', () => restore().catch(complain));

/** The address of what is shown. */
function linkNow() {
  const { attribution, photoName, modelId } = shown;
  const method = specOf(attribution?.method);
  const source = models.get(modelId)?.source;
  const model = source && modelId.startsWith('opened-') ? addressOf(source) : modelId;
  const comparison = compare.state();
  /** @type {import('./permalink.js').State} */
  const state = {
    options: method ? /** @type {Record<string, string | number | boolean>} */ (readOptions(method)) : {},
    looks: Object.fromEntries(
      LOOKS.map((c) => [c.id, c instanceof HTMLInputElement && c.type === 'checkbox' ? String(c.checked) : c.value]),
    ),
    ...(model === undefined ? {} : { model }),
    ...(files.has(photoName) ? { photo: files.get(photoName) ?? '' } : {}),
    ...(attribution ? { method: attribution.method, target: attribution.target } : {}),
    ...(attribution && method?.reads !== 'input' ? { layer: ui.layer.value } : {}),
    ...(comparison ? { comparison } : {}),
  };
  /** @type {(keyof typeof t.link)[]} */
  const missing = [
    ...(files.has(photoName) ? [] : /** @type {const} */ (['photo'])),
    ...(model === undefined ? /** @type {const} */ (['model']) : []),
  ];
  return { hash: toHash(state), missing };
}
el('link', HTMLButtonElement).addEventListener('click', async () => {
  const { hash, missing } = linkNow();
  history.replaceState(null, '', `#${hash}`);
  /** @type {keyof typeof t.link} */
  let done = 'shown';
  try {
    await navigator.clipboard.writeText(location.href);
    done = 'copied';
  } catch {
    // Not every place lets a page write there; the address bar has it.
  }
  say(el('link-note', HTMLElement), () => [done, ...missing].map((key) => t.link[key]).join(' '));
});

// --- comparing -----------------------------------------------------------------------------------

/** Those that open without a download, by their id on this page. */
async function openable() {
  const kept = (await listCachedModels())
    .filter(({ complete }) => complete)
    .map(({ id }) => ({ id, source: keptSource(id) }));
  const texts = kept.map(({ source }) => JSON.stringify(source));
  const here = [...models].filter(([, { remote, source }]) => !remote || texts.includes(JSON.stringify(source)));
  const listed = here.map(([id, { name, source }]) => ({ id, name, source }));
  const further = kept.filter((_, k) => !listed.some(({ source }) => JSON.stringify(source) === texts[k]));
  return [...listed, ...further.map(({ id, source }) => ({ id, name: id, source }))];
}
const compare = comparePanel(el('compare', HTMLElement), {
  methods,
  looks,
  save: download,
  now: () => shown,
  settings: () => {
    const method = specOf(ui.method.value);
    const device = /** @type {'auto'} */ (ui.device.value);
    return {
      method: method?.id ?? 'grad_cam',
      layer: ui.layer.value,
      options: method ? readOptions(method) : {},
      device,
    };
  },
  models: openable,
  choose: async (choice) => {
    canvas.scrollIntoView({ block: 'nearest' });
    if (choice.model !== undefined && choice.model !== shown.modelId) {
      const found = (await openable()).find(({ id }) => id === choice.model);
      if (!found) return;
      if (!models.has(found.id)) models.set(found.id, { name: found.name, source: found.source });
      return openModel(found.id, choice);
    }
    set(choice);
    showPredictions();
    return explain();
  },
});

/** What the embed code says: what is shown, as attributes of the element. */
function embedded() {
  const { attribution, photoName, modelId } = shown;
  const file = files.get(photoName);
  const source = models.get(modelId)?.source;
  const method = specOf(attribution?.method);
  const { target } = attribution ?? {};
  const changed = Object.entries(method ? readOptions(method) : {}).filter(
    ([name, value]) => value !== method?.options.find(({ id }) => id === name)?.default,
  );
  const model = source && addressOf(source);
  const attributes = {
    src: file ? new URL(`samples/${file}`, document.baseURI).href : 'your-photo.jpg',
    alt: photoWords(),
    model: source && (model ?? 'your-model/'),
    method: attribution?.method,
    target:
      typeof target === 'object'
        ? 'contrast' in target
          ? target.contrast.join(' not ')
          : target.group.join(' or ')
        : target?.toString(),
    layer: attribution && method?.reads !== 'input' ? (attribution.layer ?? 'all') : undefined,
    options: changed.length ? JSON.stringify(Object.fromEntries(changed)) : undefined,
    opacity: ui.alpha.value === '0.6' ? undefined : ui.alpha.value,
    colormap: ui.colormap.value === 'inferno' ? undefined : ui.colormap.value,
    scale: ui.scale.value === 'positive' ? undefined : ui.scale.value,
    interpolation: ui.interpolation.value === 'smooth' ? undefined : ui.interpolation.value,
    lang: t.locale === 'en' ? undefined : t.locale,
  };
  /** @type {('photo' | 'model')[]} */
  const missing = [
    ...(file ? [] : /** @type {const} */ (['photo'])),
    ...(source && model === undefined ? /** @type {const} */ (['model']) : []),
  ];
  return { attributes, missing };
}
const embed = el('embed', HTMLDetailsElement);
const showEmbed = embedPanel(embed, embedded);
embed.addEventListener('toggle', showEmbed);

const languages = select('language');
languages.addEventListener('change', () => pick(languages.value).catch(complain));
greeted.catch(complain);

watchNetwork();
start()
  .catch(complain)
  .finally(() => {
    if (opening === 'start') opening = undefined;
    // After the first explanation, which it would hold up.
    keepPage();
  });
