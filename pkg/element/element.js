// @ts-check
// <sightline-explainer>: a photo, and where a classifier looked in it. What is needed to compute is loaded when something is to be computed.

import { lease, modelOf } from '../engine/leases.js';
import { nearest } from '../i18n/strings.js';
import { requestBlob } from '../model/fetch.js';
import { COLORMAPS } from '../picture/colormaps.js';
import { placeOf } from '../picture/crop.js';
import { GRID, PaintArea } from '../picture/paint-area.js';
import { methodOf, renderColorbar, renderHeatmap } from '../picture/render.js';
import { describe, targetWords } from '../report/describe.js';
import { overlap } from '../report/overlap.js';
import { abortable } from '../util/abort.js';
import { english, make } from '../util/dom.js';
import { aborted, SightlineError, wrap } from '../util/errors.js';
import { fill, meaning, numberFormat, percent } from '../util/text.js';
import { methods } from '../wasm/registry.js';
import { elementStrings, english as englishStrings } from './strings.js';
import { build } from './view.js';

/** @typedef {import('../index.js').Attribution} Attribution */
/** @typedef {import('../index.js').Target} Target */
/** @typedef {import('../element.js').State} State */

const MAX_SHOWN = 1600;
/** A saved attribution of 16 million values, and some room. */
const MAX_SAVED = 400e6;
/** So far ahead of the viewport something lazy begins. */
const AHEAD = '300px';
/** The painted area's canvas has at least so many pixels along its longer side. */
const SHARP = 1024;
/** Shown only where something takes longer (ms). */
const PATIENCE = 300;

/** What is computed follows from these; a change starts again. */
const ASKS = ['src', 'saved', 'model', 'device', 'asset-base-url', 'method', 'target', 'layer', 'options', 'predict', 'loading'];
/** These change only what it looks like. */
const LOOKS = ['alt', 'poster', 'controls', 'locked', 'theme', 'lang', 'colormap', 'opacity', 'scale', 'interpolation', 'top'];
const BOOLEAN = ['controls', 'predict'];

/** The photo as it is shown. @typedef {{ url: string, blob: Blob, bitmap: ImageBitmap }} Photo */

// A class must extend something on a server, too.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

export class SightlineExplainer extends Base {
  static observedAttributes = [...ASKS, ...LOOKS];

  /** @type {ReturnType<typeof build> | undefined} */
  #view;
  /** @type {PaintArea | undefined} */
  #area;
  /** @type {IntersectionObserver | undefined} */
  #observer;
  /** Near enough for what is lazy to begin. */
  #near = false;
  #planned = false;
  /** What is under way. @type {{ stop: AbortController, asked: string, result: Promise<Attribution> } | undefined} */
  #run;
  /** @type {import('../engine/leases.js').Lease | undefined} */
  #lease;
  /** @type {import('../index.js').Explainer | undefined} */
  #explainer;
  /** @type {Photo | undefined} */
  #photo;
  /** @type {{ blob: Blob, explainer: import('../index.js').Explainer, result: import('../index.js').Classification } | undefined} */
  #classified;
  /** @type {Attribution | undefined} */
  #attribution;
  /** What the attribution answers. */
  #answers = '';
  /** @type {import('../index.js').Rendered | undefined} */
  #rendered;
  /** @type {string | object | null} */
  #saved = null;
  #revealed = false;
  /** The photo and the map that the painted area belongs to. */
  #subject = '';
  /** How often the map was let be shown for this photo, and how many of those have been told. */
  #attempts = 0;
  #toldAttempt = 0;
  /** The attribution that has been told. @type {Attribution | undefined} */
  #told;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #patience;
  /** @type {SightlineError | undefined} */
  #error;
  /** In the element's language once they are here; English before. */
  #strings = englishStrings;
  /** What is under way, in words. @type {(strings: import('./strings.js').Strings) => string} */
  #doing = ({ working }) => working;
  /** The class that the learner is asked about. @type {Target | undefined} */
  #question;

  // --- the element as others see it -----------------------------------------------------------------------------------------------

  /** @returns {State} */
  get state() {
    return /** @type {State} */ (this.getAttribute('state') ?? 'idle');
  }

  /** The result; null until there is one. In predict mode also before it is shown. */
  get attribution() {
    return this.#attribution ?? null;
  }

  /** What the model says, likeliest first; empty until it has. */
  get predictions() {
    return this.#classified?.result.predictions ?? [];
  }

  /** The model and the device; null where there is no model. */
  get info() {
    return this.#explainer?.info ?? null;
  }

  /** A saved attribution: its address, or what `toJson` made of it, as text or parsed. @returns {string | object | null} */
  get saved() {
    return this.#saved ?? this.getAttribute('saved');
  }
  set saved(value) {
    const held = (typeof value === 'object' && value !== null) || (typeof value === 'string' && isJson(value));
    this.#saved = held ? value : null;
    if (held || value === null || value === undefined) this.removeAttribute('saved');
    else this.setAttribute('saved', /** @type {string} */ (value));
    this.#plan();
  }

  /**
   * Computes what the attributes ask for, now, whatever `loading` says.
   * @returns {Promise<Attribution>}
   */
  explain() {
    if (!this.isConnected) return Promise.reject(new SightlineError('bad-option', 'the element is not in the document; add it first'));
    this.#near = true;
    this.#planned = false;
    return this.#start();
  }

  /** @param {import('../element.js').PngOptions} [options] @returns {Promise<Blob>} */
  async exportPng({ what, legend, provenance } = {}) {
    const attribution = this.#attribution;
    if (!attribution || !this.#visible)
      throw new SightlineError('bad-option', 'there is no map to export yet; wait for the attribution event');
    const [{ exportPng }] = await Promise.all([import('../report/png.js'), this.#translate()]);
    return exportPng(attribution, this.#photo?.bitmap ?? null, {
      ...(what === undefined ? {} : { what }),
      ...(legend === undefined ? {} : { legend }),
      ...(provenance === undefined ? {} : { provenance }),
      render: this.#looks(),
      labels: this.#labels(attribution),
      strings: this.#strings.shared,
    });
  }

  connectedCallback() {
    if (!this.#view) {
      this.#upgrade();
      this.#view = build(this.attachShadow({ mode: 'open' }));
      this.#area = new PaintArea(this.#view.area, (at) => this.#painted(at));
      this.#wire(this.#view);
    }
    this.#dress();
    this.#plan();
  }

  disconnectedCallback() {
    // An element that is moved is connected again before this runs, and goes on.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#observer?.disconnect();
      this.#observer = undefined;
      this.#run?.stop.abort();
      this.#run = undefined;
      this.#lease?.release();
      this.#lease = undefined;
    });
  }

  /** @param {string} name @param {string | null} before @param {string | null} now */
  attributeChangedCallback(name, before, now) {
    if (before === now) return;
    if (name === 'saved' && now !== null) this.#saved = null;
    if (!this.#view) return;
    if (ASKS.includes(name)) this.#plan();
    else this.#dress();
  }

  // --- when it begins -------------------------------------------------------------------------------------------------------------

  /** Properties that were set before the element was defined. */
  #upgrade() {
    for (const name of [...SightlineExplainer.observedAttributes.map(camel), 'saved']) {
      if (!Object.hasOwn(this, name)) continue;
      const value = Reflect.get(this, name);
      Reflect.deleteProperty(this, name);
      Reflect.set(this, name, value);
    }
  }

  /** Starts once all attributes that are set together are there. */
  #plan() {
    if (this.#planned || !this.#view) return;
    this.#planned = true;
    queueMicrotask(() => {
      if (!this.#planned || !this.isConnected) {
        this.#planned = false;
        return;
      }
      this.#planned = false;
      if (this.getAttribute('loading') === 'lazy' && !this.#near && globalThis.IntersectionObserver) this.#watch();
      else if (this.hasAttribute('src') || this.saved !== null) this.#start().catch(() => undefined);
      else {
        this.#run?.stop.abort();
        this.#run = undefined;
        this.#enter('idle');
      }
    });
  }

  #watch() {
    this.#enter('waiting');
    this.#observer ??= new IntersectionObserver(
      (entries) => {
        if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
        this.#observer?.disconnect();
        this.#observer = undefined;
        this.#near = true;
        this.#plan();
      },
      { rootMargin: AHEAD },
    );
    this.#observer.observe(this);
  }

  /** What the attributes ask for, as one text. */
  #asked() {
    return JSON.stringify([
      ...ASKS.filter((name) => !['loading', 'predict'].includes(name)).map((name) => this.getAttribute(name)),
      this.#saved,
    ]);
  }

  /** @returns {Promise<Attribution>} */
  #start() {
    this.#observer?.disconnect();
    const asked = this.#asked();
    if (this.#run?.asked === asked) return this.#run.result;
    const attribution = this.#attribution;
    if (attribution && this.#answers === asked) {
      this.#run?.stop.abort();
      this.#run = undefined;
      this.#settle();
      return Promise.resolve(attribution);
    }
    this.#run?.stop.abort();
    const stop = new AbortController();
    const result = this.#work(asked, stop.signal).finally(() => {
      if (this.#run?.stop === stop) this.#run = undefined;
    });
    result.catch(() => undefined);
    this.#run = { stop, asked, result };
    return result;
  }

  /** @param {string} asked @param {AbortSignal} signal @returns {Promise<Attribution>} */
  async #work(asked, signal) {
    try {
      this.#error = undefined;
      // A map that answers something else is not left standing while this is computed for another photo.
      if (this.#photo && this.#photo.url !== this.#photoUrl()) this.#forget();
      this.#enter('loading');
      const attribution = this.saved !== null ? await this.#load(signal) : await this.#compute(signal);
      await this.#translate();
      if (signal.aborted) throw aborted();
      this.#attribution = attribution;
      this.#answers = asked;
      this.#settle();
      return attribution;
    } catch (cause) {
      if (!signal.aborted) await this.#translate();
      if (signal.aborted) throw aborted();
      const error = wrap(cause);
      this.#fail(error);
      throw error;
    }
  }

  /** @param {SightlineError} error */
  #fail(error) {
    this.#error = error;
    this.#enter('error');
    this.#tell('error', { code: error.code, message: error.message, error });
  }

  /** Without a model. @param {AbortSignal} signal */
  async #load(signal) {
    const [{ fromJson }, json] = await Promise.all([import('../report/json.js'), this.#savedJson(signal), this.#fetchPhoto(signal)]);
    const attribution = fromJson(json);
    this.#leave();
    this.#classified = undefined;
    this.#tell('load', { info: null, predictions: [] });
    return attribution;
  }

  /** @param {AbortSignal} signal @returns {Promise<string | object>} */
  async #savedJson(signal) {
    if (this.#saved !== null) return this.#saved;
    const text = this.getAttribute('saved') ?? '';
    if (isJson(text)) return text;
    const url = this.#url('saved');
    const blob = await requestBlob(url, { signal });
    if (blob.size > MAX_SAVED) throw new SightlineError('bad-option', `saved: ${url} is too large for an attribution; check the address`);
    return blob.text();
  }

  /** @param {AbortSignal} signal */
  async #compute(signal) {
    const photo = this.#fetchPhoto(signal);
    const [{ blob }, explainer] = await Promise.all([photo, this.#open(signal)]);
    let result = this.#classified?.blob === blob && this.#classified.explainer === explainer ? this.#classified.result : undefined;
    const fresh = !result;
    result ??= await explainer.classify(blob, { topK: 5, signal });
    this.#explainer = explainer;
    this.#classified = { blob, explainer, result };
    if (fresh) {
      // A map of another photo or model does not stay.
      this.#attribution = undefined;
      this.#tell('load', { info: explainer.info, predictions: result.predictions });
    }
    const { labels, methods: working, layers } = explainer.info.model;
    const method = /** @type {import('../index.js').MethodId} */ (
      this.getAttribute('method') || (working.includes('grad_cam') ? 'grad_cam' : working[0])
    );
    const target = targetOf(this.getAttribute('target') ?? '', labels) ?? result.predictions[0]?.index;
    const layer = this.getAttribute('layer');
    if (layer && layer !== 'all' && !layers.some(({ id }) => id === layer))
      throw new SightlineError(
        'bad-option',
        `layer: this model has no "${layer.slice(0, 100)}"; its layers are ${layers.map(({ id }) => id).join(', ')}`,
      );
    this.#enter('computing');
    this.#settlePredict(result.crop ?? null, target);
    return explainer.attribute(blob, {
      ...this.#optionsOf(),
      method,
      ...(target === undefined ? {} : { target }),
      ...(layer ? { layer } : {}),
      signal,
      onProgress: (p) => this.#progress(p),
    });
  }

  /** A model that all elements of this page share. @param {AbortSignal} signal */
  async #open(signal) {
    const base = this.getAttribute('asset-base-url') ?? undefined;
    const assetBaseUrl = base === undefined ? undefined : this.#url('asset-base-url').href;
    const named = this.getAttribute('model');
    const device = this.getAttribute('device') || 'auto';
    const model = named ? modelOf(named, document.baseURI) : await firstModel(assetBaseUrl, signal);
    const held = lease({ model, device, ...(assetBaseUrl === undefined ? {} : { assetBaseUrl }) }, (p) => this.#progress(p));
    if (signal.aborted) {
      held.release();
      throw aborted();
    }
    // The new one is held before the old one goes: it may be the same.
    this.#lease?.release();
    this.#lease = held;
    return abortable(held.explainer, signal);
  }

  #leave() {
    this.#lease?.release();
    this.#lease = undefined;
    this.#explainer = undefined;
  }

  /** @returns {Record<string, unknown>} */
  #optionsOf() {
    const text = this.getAttribute('options');
    if (!text) return {};
    /** @type {unknown} */
    let options;
    try {
      options = JSON.parse(text);
    } catch (cause) {
      throw new SightlineError('bad-option', 'options: not valid JSON; give an object, such as {"nSteps": 20}', { cause });
    }
    if (typeof options !== 'object' || options === null || Array.isArray(options))
      throw new SightlineError('bad-option', 'options must be an object, such as {"nSteps": 20}');
    return { ...options };
  }

  /** @param {string} name of an attribute @returns {URL} */
  #url(name) {
    const text = this.getAttribute(name) ?? '';
    try {
      return new URL(text, document.baseURI);
    } catch (cause) {
      throw new SightlineError('bad-option', `${name}: "${text.slice(0, 100)}" is not an address`, { cause });
    }
  }

  #photoUrl() {
    return this.hasAttribute('src') ? this.#url('src').href : '';
  }

  /** @param {AbortSignal} signal @returns {Promise<Photo>} */
  async #fetchPhoto(signal) {
    const url = this.#photoUrl();
    if (this.#photo?.url === url) return this.#photo;
    if (!url) {
      this.#photo = undefined;
      return /** @type {any} */ (undefined);
    }
    const blob = await requestBlob(url, { signal });
    const bitmap = await decode(blob);
    if (signal.aborted) {
      bitmap.close();
      throw aborted();
    }
    this.#photo?.bitmap.close();
    this.#photo = { url, blob, bitmap };
    this.#paint();
    return this.#photo;
  }

  /** What belongs to another photo. */
  #forget() {
    this.#attribution = undefined;
    this.#rendered = undefined;
    this.#classified = undefined;
  }

  // --- predict, then reveal -------------------------------------------------------------------------------------------------------

  /** Whether the map may be seen. */
  get #visible() {
    return !this.hasAttribute('predict') || this.#revealed;
  }

  /** Opens the area to paint on once it is known what is asked. @param {import('../index.js').Crop | null} crop @param {Target | undefined} target */
  #settlePredict(crop, target) {
    const [view, area] = [this.#view, this.#area];
    if (!view || !area) return;
    const isPredict = this.hasAttribute('predict');
    const subject = isPredict ? JSON.stringify([this.#photoUrl(), this.getAttribute('saved'), this.#saved]) : '';
    if (subject !== this.#subject) {
      this.#subject = subject;
      this.#revealed = false;
      this.#attempts = this.#toldAttempt = 0;
      area.clear();
    }
    view.predict.hidden = view.area.hidden = !isPredict;
    if (!isPredict || target === undefined) return;
    this.#paint();
    // Of its own resolution: lines stay thin over small photos.
    const sharp = Math.max(1, SHARP / Math.max(view.map.width, view.map.height));
    const [width, height] = [Math.round(view.map.width * sharp), Math.round(view.map.height * sharp)];
    area.place(width, height, placeOf(crop, width, height));
    area.open = !this.#revealed;
    this.#question = target;
    this.#ask(view);
    this.#tools();
  }

  /** @param {ReturnType<typeof build>} view */
  #ask(view) {
    if (this.#question === undefined) return;
    const strings = this.#strings;
    const labels = this.#labels(this.#attribution);
    const first = this.predictions[0];
    view.ask.textContent = fill(first ? strings.ask : strings.askSaved, {
      target: targetWords(this.#question, labels, strings.shared),
      prediction: first ? this.#named(first) : '',
    });
  }

  /** The controls of the painting. */
  #tools() {
    const [view, area] = [this.#view, this.#area];
    if (!view || !area) return;
    const { open } = area;
    view.ask.hidden = view.keys.hidden = view.tools.hidden = !open;
    view.score.hidden = view.again.hidden = open;
    view.area.classList.toggle('open', open);
    if (open) view.area.tabIndex = 0;
    else view.area.removeAttribute('tabindex');
    view.area.setAttribute('aria-hidden', String(!open));
    view.erase.setAttribute('aria-pressed', String(area.erasing));
    view.brush.value = String(area.brush);
    view.reveal.disabled = view.clear.disabled = area.empty;
  }

  /** @param {{ row: number, column: number, painted: boolean } | undefined} at */
  #painted(at) {
    const [view, strings] = [this.#view, this.#strings];
    if (!view) return;
    this.#tools();
    if (!at) return;
    const painted = at.painted ? strings.painted : strings.unpainted;
    view.live.textContent = fill(strings.at, { row: at.row + 1, column: at.column + 1, of: GRID, painted });
  }

  #reveal() {
    const area = this.#area;
    if (!area || area.empty || this.#revealed) return;
    this.#revealed = true;
    this.#attempts += 1;
    area.open = false;
    // The map may still be on its way; it is shown when it is here.
    if (this.#attribution && !this.#run) this.#settle();
    else if (this.#view) this.#view.busy.hidden = false;
    this.#tools();
    this.#view?.again.focus({ preventScroll: true });
  }

  #paintAgain() {
    const area = this.#area;
    if (!area) return;
    this.#revealed = area.erasing = false;
    area.clear();
    if (this.#attribution) this.#settle();
    this.#view?.area.focus({ preventScroll: true });
  }

  /** @param {Attribution} attribution */
  #compare(attribution) {
    const area = this.#area;
    const top = Number(this.getAttribute('top') ?? 20);
    if (!area) return;
    const result = overlap(area.cells, attribution, { rows: GRID, columns: GRID, top: top > 0 && top <= 100 ? top : 20 });
    const strings = this.#strings;
    const text =
      result.share === null || result.iou === null
        ? strings.noScore
        : fill(strings.score, {
            area: percent(result.area, strings.locale),
            share: percent(result.share, strings.locale),
            top: percent(result.top / 100, strings.locale),
            iou: numberFormat(strings.locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 }).format(result.iou),
          });
    if (this.#view) this.#view.score.textContent = text;
    return result;
  }

  // --- what is shown --------------------------------------------------------------------------------------------------------------

  /** The result is here, or there is none to wait for. */
  #settle() {
    const attribution = this.#attribution;
    if (!attribution) return;
    this.#settlePredict(attribution.crop ?? null, attribution.target);
    if (!this.#visible) {
      this.#enter('predicting');
      return;
    }
    this.#enter('ready');
    if (this.#told !== attribution) {
      this.#told = attribution;
      this.#tell('attribution', { attribution, predictions: this.predictions });
    }
    if (!this.#subject) return;
    const result = this.#compare(attribution);
    if (!result || this.#toldAttempt === this.#attempts) return;
    this.#toldAttempt = this.#attempts;
    this.#tell('quiz', {
      attempt: this.#attempts,
      ...result,
      method: attribution.method,
      target: attribution.target,
      model: this.info?.model.id ?? attribution.provenance?.model.id ?? null,
      src: this.getAttribute('src'),
      rows: GRID,
      columns: GRID,
      painted: [...(this.#area?.cells.keys() ?? [])].filter((i) => this.#area?.cells[i]),
    });
  }

  /** @param {State} state */
  #enter(state) {
    const changed = this.state !== state;
    this.setAttribute('state', state);
    const view = this.#view;
    if (!view) return;
    const busy = state === 'loading' || state === 'computing';
    if (!busy) {
      clearTimeout(this.#patience);
      this.#patience = undefined;
      view.busy.hidden = true;
    } else if (changed || !this.#patience) {
      this.#doing = ({ working }) => working;
      view.bar.removeAttribute('value');
      clearTimeout(this.#patience);
      this.#patience = setTimeout(() => {
        // Who paints is not disturbed by what goes on behind.
        view.busy.hidden = !['loading', 'computing'].includes(this.state) || (this.#area?.open ?? false);
      }, PATIENCE);
    }
    this.#dress();
  }

  /** @param {import('../engine/leases.js').Progress | { stage: 'compute', loaded: number, total: number }} p */
  #progress({ stage, loaded, total }) {
    const view = this.#view;
    if (!view || !this.#run) return;
    const name = methods.find(({ id }) => id === this.getAttribute('method'))?.name;
    this.#doing = (strings) => {
      if (stage !== 'compute') return strings.stages[stage];
      return name ? fill(strings.compute, { method: name }) : strings.working;
    };
    view.busyText.textContent = this.#doing(this.#strings);
    if (total && total > 1) {
      view.bar.max = total;
      view.bar.value = loaded;
    } else view.bar.removeAttribute('value');
    this.#tell('progress', { stage, loaded, total });
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** The language of its place in the document, or the nearest that there is. */
  get #language() {
    const lang = this.lang || /** @type {HTMLElement | null} */ (this.closest('[lang]'))?.lang || document.documentElement.lang;
    return nearest(lang || 'en');
  }

  /** Says everything in the element's language once its texts are here; where they cannot be fetched, it goes on as it is. */
  async #translate() {
    const language = this.#language;
    if (this.#strings.locale === language) return;
    const strings = await elementStrings(language).catch(() => undefined);
    if (!strings || language !== this.#language || strings === this.#strings) return;
    this.#strings = strings;
    this.#dress();
    if (this.#view) this.#ask(this.#view);
  }

  /** @param {Attribution | undefined} attribution @returns {import('../index.js').Labels} */
  #labels(attribution) {
    return attribution?.provenance?.labels ?? this.info?.model.labels ?? [];
  }

  /** @param {{ label: string, probability: number }} prediction */
  #named({ label, probability }) {
    const strings = this.#strings;
    return `${fill(strings.shared.class, { a: label })} (${percent(probability, strings.locale)})`;
  }

  /** @returns {import('../index.js').RenderOptions} */
  #looks() {
    const colormap = this.getAttribute('colormap');
    const scale = this.getAttribute('scale');
    const opacity = Number(this.getAttribute('opacity') ?? Number.NaN);
    return {
      ...(colormap && Object.hasOwn(COLORMAPS, colormap) ? { colormap } : {}),
      ...(scale === 'positive' || scale === 'symmetric' ? { scale } : {}),
      ...(this.getAttribute('interpolation') === 'cells' ? { interpolation: 'cells' } : {}),
      ...(opacity >= 0 && opacity <= 1 ? { alpha: opacity } : {}),
    };
  }

  /** The photo, and the map over it where there is one that may be seen. */
  #paint() {
    const view = this.#view;
    if (!view) return;
    const bitmap = this.#photo?.bitmap ?? null;
    const attribution = this.#visible ? this.#attribution : undefined;
    this.#rendered = undefined;
    if (attribution) this.#rendered = renderHeatmap(view.map, bitmap, attribution, this.#looks());
    else if (bitmap) {
      const shrink = Math.min(1, 1280 / Math.max(bitmap.width, bitmap.height));
      view.map.width = Math.max(1, Math.round(bitmap.width * shrink));
      view.map.height = Math.max(1, Math.round(bitmap.height * shrink));
      view.map.getContext('2d')?.drawImage(bitmap, 0, 0, view.map.width, view.map.height);
    } else if (this.#attribution) {
      // A saved map without a photo, not to be seen yet: its place alone.
      renderHeatmap(view.map, null, this.#attribution);
      view.map.getContext('2d')?.clearRect(0, 0, view.map.width, view.map.height);
    } else return;
    view.map.hidden = false;
    view.poster.hidden = true;
    view.frame.classList.remove('bare');
  }

  /** Brings everything in line with the attributes and what there is. Computes nothing. */
  #dress() {
    const view = this.#view;
    if (!view) return;
    this.#translate();
    const strings = this.#strings;
    view.base.lang = strings.locale;
    view.busyText.textContent = this.#doing(strings);
    this.#dressPoster(view);
    this.#paint();
    const attribution = this.#visible ? this.#attribution : undefined;
    const rendered = this.#rendered;
    const number = numberFormat(strings.locale, { maximumSignificantDigits: 3 });
    const alt = this.getAttribute('alt') || strings.photo;
    view.legend.hidden = !rendered || !attribution;
    view.caption.textContent = '';
    view.sentence.textContent = '';
    view.map.setAttribute('aria-label', alt);
    if (attribution && rendered) {
      const labels = this.#labels(attribution);
      const method = methodOf(attribution);
      const target = targetWords(attribution.target, labels, strings.shared);
      const name = method?.name ?? attribution.method;
      const caption = method?.classFree ? name : fill(strings.caption, { method: name, target });
      const sentence = describe(attribution, { labels, strings: strings.shared });
      const first = this.predictions[0];
      view.caption.textContent = first ? `${fill(strings.predicted, { prediction: this.#named(first) })} ${caption}.` : `${caption}.`;
      view.sentence.textContent = sentence;
      view.map.setAttribute('aria-label', fill(strings.heatmap, { alt, caption, sentence }));
      const [lo, hi] = [number.format(rendered.lo), number.format(rendered.hi)];
      view.lo.textContent = rendered.empty ? '' : lo;
      view.hi.textContent = rendered.empty ? '' : hi;
      view.scale.hidden = rendered.empty;
      renderColorbar(view.scale, rendered.colormap);
      view.scale.setAttribute('aria-label', fill(strings.scale, { lo, hi }));
      const meaning =
        strings.shared.texts[`method.${attribution.method}.values`] ??
        (method?.sign === 'positive' ? strings.matters : rendered.lo < 0 ? strings.both : strings.speaks);
      const clipped = rendered.percentile < 100 ? ` ${fill(strings.clipped, { percentile: rendered.percentile })}` : '';
      view.note.textContent = rendered.empty ? strings.empty : meaning + clipped;
    }
    const warnings = attribution ? [...(this.info?.warnings ?? []), ...attribution.warnings] : [];
    view.warnings.hidden = warnings.length === 0;
    view.warnings.replaceChildren(
      ...warnings.map((warning) => {
        const said = meaning(warning, strings.shared);
        return said ? make('li', {}, `${said} (`, english(warning.message), ')') : make('li', {}, english(warning.message));
      }),
    );
    this.#dressControls(view);
    this.#dressPredict(view);
    const error = this.state === 'error' ? this.#error : undefined;
    view.error.hidden = !error;
    if (error) {
      view.error.dataset.code = error.code;
      const { texts } = strings.shared;
      view.errorText.replaceChildren(`${texts[`error.${error.code}`] ?? texts['error.internal']} (`, english(error.message), ')');
      view.retry.textContent = strings.retry;
    }
    view.cancel.textContent = strings.cancel;
  }

  /** @param {ReturnType<typeof build>} view */
  #dressPoster(view) {
    const poster = this.getAttribute('poster');
    const waits = !this.#photo && !this.#attribution;
    view.poster.hidden = !poster || !waits;
    if (poster && waits) {
      view.poster.loading = this.getAttribute('loading') === 'lazy' ? 'lazy' : 'eager';
      view.poster.alt = this.getAttribute('alt') || this.#strings.photo;
      if (view.poster.getAttribute('src') !== poster) view.poster.src = poster;
    }
    view.frame.classList.toggle('bare', waits && !poster);
    view.map.hidden = waits;
  }

  /** @param {'method' | 'target' | 'look'} what */
  #isLocked(what) {
    const locked = this.getAttribute('locked');
    return locked !== null && (locked.trim() === '' || locked.split(/\s+/).includes(what));
  }

  /** @param {ReturnType<typeof build>} view */
  #dressControls(view) {
    const strings = this.#strings;
    const attribution = this.#attribution;
    view.controls.hidden = !this.hasAttribute('controls') || !attribution || !this.#visible;
    if (view.controls.hidden || !attribution) return;
    const info = this.info;
    view.methodName.textContent = strings.method;
    view.methodLabel.hidden = !info || this.#isLocked('method');
    const working = info?.model.methods ?? [];
    if (view.method.dataset.methods !== working.join()) {
      view.method.dataset.methods = working.join();
      view.method.replaceChildren(...working.map((id) => new Option(methods.find((m) => m.id === id)?.name ?? id, id)));
    }
    view.method.value = this.getAttribute('method') || attribution.method;

    view.classes.hidden = !info || this.#isLocked('target');
    view.classes.setAttribute('aria-label', strings.classes);
    const focused = /** @type {HTMLElement | null} */ (this.shadowRoot?.activeElement)?.dataset.index;
    view.classes.replaceChildren(
      ...this.predictions.map(({ index, label, probability }) => {
        const button = make(
          'button',
          { type: 'button', 'data-index': index, 'aria-pressed': index === attribution.target },
          make('span', {}, label),
          make('span', {}, percent(probability, strings.locale, 1)),
        );
        button.style.setProperty('--share', `${(probability * 100).toFixed(1)}%`);
        button.addEventListener('click', () => this.setAttribute('target', String(index)));
        return make('li', {}, button);
      }),
    );
    if (focused !== undefined) /** @type {HTMLElement | null} */ (view.classes.querySelector(`[data-index="${Number(focused)}"]`))?.focus();

    view.opacityName.textContent = strings.opacity;
    view.coloursName.textContent = strings.colours;
    view.opacity.disabled = view.colours.disabled = this.#isLocked('look');
    view.opacity.value = String(this.#looks().alpha ?? 0.6);
    if (!view.colours.options.length) view.colours.replaceChildren(...Object.keys(COLORMAPS).map((id) => new Option(id, id)));
    for (const option of view.colours.options) option.text = strings.shared.texts[`colormap.${option.value}`] ?? option.value;
    view.colours.value = this.#rendered?.colormap ?? 'inferno';
    view.save.textContent = strings.save;
    // A sandboxed frame may not download.
    view.save.hidden = globalThis.origin === 'null';
  }

  /** @param {ReturnType<typeof build>} view */
  #dressPredict(view) {
    const strings = this.#strings;
    if (!this.hasAttribute('predict')) view.predict.hidden = view.area.hidden = true;
    view.area.setAttribute('aria-label', strings.area);
    view.keys.textContent = strings.keys;
    view.brushName.textContent = strings.brush;
    view.erase.textContent = strings.erase;
    view.clear.textContent = strings.clear;
    view.reveal.textContent = strings.reveal;
    view.again.textContent = strings.again;
    if (this.#subject && this.#revealed && this.#attribution && this.state === 'ready') this.#compare(this.#attribution);
    this.#tools();
  }

  /** @param {ReturnType<typeof build>} view */
  #wire(view) {
    view.method.addEventListener('change', () => this.setAttribute('method', view.method.value));
    view.opacity.addEventListener('input', () => this.setAttribute('opacity', view.opacity.value));
    view.colours.addEventListener('change', () => {
      const diverging = COLORMAPS[view.colours.value]?.diverging ?? false;
      this.setAttribute('scale', diverging ? 'symmetric' : 'positive');
      this.setAttribute('colormap', view.colours.value);
    });
    view.save.addEventListener('click', () =>
      this.exportPng().then(
        (blob) => {
          const link = make('a', { href: URL.createObjectURL(blob), download: `sightline-${this.#attribution?.method}.png` });
          link.click();
          setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
        },
        (cause) => {
          const error = wrap(cause);
          this.#tell('error', { code: error.code, message: error.message, error });
        },
      ),
    );
    view.cancel.addEventListener('click', () => {
      this.#run?.stop.abort();
      this.#run = undefined;
      this.#fail(aborted());
    });
    view.retry.addEventListener('click', () => this.explain().catch(() => undefined));
    view.brush.addEventListener('input', () => this.#area && (this.#area.brush = Number(view.brush.value)));
    view.erase.addEventListener('click', () => {
      if (this.#area) this.#area.erasing = !this.#area.erasing;
      this.#tools();
    });
    view.clear.addEventListener('click', () => this.#area?.clear());
    view.reveal.addEventListener('click', () => this.#reveal());
    view.again.addEventListener('click', () => this.#paintAgain());
  }
}

/** Whether a saved attribution is given itself, not its address. @param {string} text */
const isJson = (text) => text.trimStart().startsWith('{');

/** The property of an attribute. @param {string} name */
const camel = (name) => name.replace(/-(\w)/g, (_, letter) => letter.toUpperCase());

for (const name of SightlineExplainer.observedAttributes) {
  if (name === 'saved' || name === 'lang') continue;
  Object.defineProperty(SightlineExplainer.prototype, camel(name), {
    configurable: true,
    enumerable: true,
    /** @this {HTMLElement} */
    get() {
      return BOOLEAN.includes(name) ? this.hasAttribute(name) : (this.getAttribute(name) ?? '');
    },
    /** As frameworks set them: true and false switch, an object is JSON, nothing removes. @this {HTMLElement} @param {unknown} value */
    set(value) {
      if (value === null || value === undefined || value === false) this.removeAttribute(name);
      else if (value === true) this.setAttribute(name, '');
      else if (BOOLEAN.includes(name)) this.toggleAttribute(name, Boolean(value));
      else this.setAttribute(name, typeof value === 'object' && !(value instanceof URL) ? JSON.stringify(value) : String(value));
    },
  });
}

/**
 * A target as the attribute gives it: a class index or label; `3 not 5`: why class 3 and not 5; `3 or 5`: why any of these.
 * @param {string} text @param {string[]} labels @returns {Target | undefined}
 */
function targetOf(text, labels) {
  const wanted = text.trim();
  if (!wanted) return undefined;
  if (/^\d{1,7}$/.test(wanted)) return Number(wanted);
  const [, a, b] = /^(\d{1,7}) not (\d{1,7})$/.exec(wanted) ?? [];
  if (a !== undefined && b !== undefined) return { contrast: [Number(a), Number(b)] };
  if (/^\d{1,7}( or \d{1,7})+$/.test(wanted)) return { group: wanted.split(' or ').map(Number) };
  const at = labels.findIndex((label) => label.toLowerCase() === wanted.toLowerCase());
  if (at < 0)
    throw new SightlineError('bad-option', `target: "${wanted.slice(0, 100)}" is neither a class index nor a label of this model`);
  return at;
}

/** The first built-in model: what the page shows, too. @param {string | undefined} assetBaseUrl @param {AbortSignal} signal */
async function firstModel(assetBaseUrl, signal) {
  const { listModels } = await import('../model/source.js');
  const list = await listModels({ signal, ...(assetBaseUrl === undefined ? {} : { assetBaseUrl }) });
  const first = list.find(({ path }) => path !== undefined);
  if (!first) throw new SightlineError('bad-option', 'model: there is no built-in model here; name one');
  return first.id;
}

/** @param {Blob} blob @returns {Promise<ImageBitmap>} */
async function decode(blob) {
  try {
    const bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image' });
    const shrink = MAX_SHOWN / Math.max(bitmap.width, bitmap.height);
    if (shrink >= 1) return bitmap;
    const [resizeWidth, resizeHeight] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * shrink)));
    const small = await createImageBitmap(bitmap, { resizeWidth, resizeHeight, resizeQuality: 'low' });
    bitmap.close();
    return small;
  } catch (cause) {
    throw new SightlineError('unsupported-image', 'this browser cannot display the image; use a JPEG or PNG', { cause });
  }
}
