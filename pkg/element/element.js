// @ts-check
// <sightline-explainer>: a photo, and where a classifier looked in it. What is needed to compute is
// loaded when something is to be computed.

import { nearest } from '../i18n/strings.js';
import { targetWords } from '../report/describe.js';
import { aborted, SightlineError, wrap } from '../util/errors.js';
import { fill } from '../util/text.js';
import { methods } from '../wasm/registry.js';
import {
  ASKS,
  addressOf,
  askedBy,
  isJson,
  LOOKS,
  languageOf,
  looksOf,
  reflect,
  requestOf,
  topOf,
  upgrade,
} from './attributes.js';
import { Busy } from './busy.js';
import { dressControls, wireControls } from './controls.js';
import { clearLegend, dressError, dressLegend, dressWarnings, named } from './legend.js';
import { Predict } from './predict.js';
import { Schedule } from './schedule.js';
import { Session } from './session.js';
import { fetchSaved } from './sources.js';
import { elementStrings, english } from './strings.js';
import { build, dressPoster, paint } from './view.js';

/** @typedef {import('../index.js').Attribution} Attribution */
/** @typedef {import('../element.js').State} State */
/**
 * @typedef {import('../engine/leases.js').Progress | { stage: 'compute', loaded: number, total:
 *   number }} Progress
 */

// A class must extend something on a server, too.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

export class SightlineExplainer extends Base {
  static observedAttributes = [...ASKS, ...LOOKS];

  /** @type {import('./view.js').View | undefined} */
  #view;
  /** @type {Predict | undefined} */
  #predict;
  /** @type {Busy | undefined} */
  #busy;
  /** @type {Schedule | undefined} */
  #schedule;
  /**
   * What is under way.
   * @type {{ stop: AbortController, asked: string, result: Promise<Attribution> } | undefined}
   */
  #run;
  #session = new Session();
  /** In the element's language once they are here; English before. */
  #strings = english;
  /** @type {Attribution | undefined} */
  #attribution;
  /** What the attribution answers. */
  #answers = '';
  /** @type {import('../index.js').Rendered | undefined} */
  #rendered;
  /** @type {string | object | null} */
  #saved = null;
  /** The attribution that has been told. @type {Attribution | undefined} */
  #told;
  /** @type {SightlineError | undefined} */
  #error;

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
    return this.#session.predictions;
  }

  /** The model and the device; null where there is no model. */
  get info() {
    return this.#session.info;
  }

  /**
   * A saved attribution: its address, or what `toJson` made of it, as text or parsed.
   * @returns {string | object | null}
   */
  get saved() {
    return this.#saved ?? this.getAttribute('saved');
  }
  set saved(value) {
    const held = (typeof value === 'object' && value !== null) || (typeof value === 'string' && isJson(value));
    this.#saved = held ? value : null;
    if (held || value === null || value === undefined) this.removeAttribute('saved');
    else this.setAttribute('saved', /** @type {string} */ (value));
    this.#schedule?.plan();
  }

  /**
   * Computes what the attributes ask for, now, whatever `loading` says.
   * @returns {Promise<Attribution>}
   */
  explain() {
    if (!this.isConnected)
      return Promise.reject(new SightlineError('bad-option', 'the element is not in the document; add it first'));
    this.#schedule?.skip();
    return this.#start();
  }

  /** @param {import('../element.js').PngOptions} [options] @returns {Promise<Blob>} */
  async exportPng({ what, legend, provenance } = {}) {
    const attribution = this.#attribution;
    if (!attribution || !this.#visible)
      throw new SightlineError('bad-option', 'there is no map to export yet; wait for the attribution event');
    const [{ exportPng }] = await Promise.all([import('../report/png.js'), this.#translate()]);
    return exportPng(attribution, this.#session.photo?.bitmap ?? null, {
      ...(what === undefined ? {} : { what }),
      ...(legend === undefined ? {} : { legend }),
      ...(provenance === undefined ? {} : { provenance }),
      render: looksOf(this),
      labels: this.#labels(attribution),
      strings: this.#strings.shared,
    });
  }

  connectedCallback() {
    if (!this.#view) {
      upgrade(this);
      const view = build(this.attachShadow({ mode: 'open' }));
      this.#view = view;
      this.#schedule = new Schedule(this, { onDue: () => this.#begin(), onWait: () => this.#enter('waiting') });
      const busy = new Busy(view, () => this.#strings);
      this.#busy = busy;
      this.#predict = new Predict(view, {
        strings: () => this.#strings,
        onReveal: () => {
          // The map may still be on its way; it is shown when it is here.
          if (this.#attribution && !this.#run) this.#settle();
          else busy.show();
        },
        onAgain: () => this.#settle(),
      });
      this.#wire(view);
    }
    this.#dress();
    this.#schedule?.plan();
  }

  disconnectedCallback() {
    // An element that is moved is connected again before this runs, and goes on.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#schedule?.unwatch();
      this.#cancel();
      this.#session.release();
    });
  }

  /** @param {string} name @param {string | null} before @param {string | null} now */
  attributeChangedCallback(name, before, now) {
    if (before === now) return;
    if (name === 'saved' && now !== null) this.#saved = null;
    if (!this.#view) return;
    if (ASKS.includes(name)) this.#schedule?.plan();
    else this.#dress();
  }

  // --- what is computed -----------------------------------------------------------------------------------------------------------

  /** Computes where there is something to compute. */
  #begin() {
    if (this.hasAttribute('src') || this.saved !== null) this.#start().catch(() => undefined);
    else {
      this.#cancel();
      this.#enter('idle');
    }
  }

  /** Ends what is under way. */
  #cancel() {
    this.#run?.stop.abort();
    this.#run = undefined;
  }

  /** @returns {Promise<Attribution>} */
  #start() {
    this.#schedule?.unwatch();
    const asked = askedBy(this, this.#saved);
    if (this.#run?.asked === asked) return this.#run.result;
    const attribution = this.#attribution;
    if (attribution && this.#answers === asked) {
      this.#cancel();
      this.#settle();
      return Promise.resolve(attribution);
    }
    this.#cancel();
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
      // A map that answers something else is not left standing while this is computed for another
      // photo.
      const { photo } = this.#session;
      if (photo && photo.url !== this.#photoUrl()) {
        this.#attribution = this.#rendered = undefined;
        this.#session.forget();
      }
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
    this.#tellError(error);
  }

  /** Without a model. @param {AbortSignal} signal */
  async #load(signal) {
    const [{ fromJson }, json] = await Promise.all([
      import('../report/json.js'),
      this.#savedJson(signal),
      this.#openPhoto(signal),
    ]);
    const attribution = fromJson(json);
    this.#session.leaveModel();
    this.#tell('load', { info: null, predictions: [] });
    return attribution;
  }

  /** @param {AbortSignal} signal @returns {Promise<string | object>} */
  async #savedJson(signal) {
    if (this.#saved !== null) return this.#saved;
    const text = this.getAttribute('saved') ?? '';
    if (isJson(text)) return text;
    return fetchSaved(addressOf(this, 'saved'), signal);
  }

  /** @param {AbortSignal} signal */
  async #compute(signal) {
    const session = this.#session;
    const onProgress = (/** @type {Progress} */ p) => this.#progress(p);
    const [photo, explainer] = await Promise.all([
      this.#openPhoto(signal),
      session.openModel(this, signal, onProgress),
    ]);
    const { blob } = /** @type {import('./sources.js').Photo} */ (photo);
    const { result, isFresh } = await session.classify(blob, explainer, signal);
    if (isFresh) {
      // A map of another photo or model does not stay.
      this.#attribution = undefined;
      this.#tell('load', { info: explainer.info, predictions: result.predictions });
    }
    const request = requestOf(this, explainer.info.model, result.predictions);
    this.#enter('computing');
    this.#askForPrediction(result.crop ?? null, request.target);
    return explainer.attribute(blob, { ...request, signal, onProgress });
  }

  #photoUrl() {
    return this.hasAttribute('src') ? addressOf(this, 'src').href : '';
  }

  /** Shows the photo as soon as it is here. @param {AbortSignal} signal */
  async #openPhoto(signal) {
    const before = this.#session.photo;
    const photo = await this.#session.openPhoto(this.#photoUrl(), signal);
    if (photo && photo !== before) this.#paint();
    return photo;
  }

  // --- predict, then reveal -------------------------------------------------------------------------------------------------------

  /** Whether the map may be seen. */
  get #visible() {
    return !this.hasAttribute('predict') || (this.#predict?.isRevealed ?? false);
  }

  /**
   * Opens the area to paint on once it is known what is asked.
   * @param {import('../index.js').Crop | null} crop
   * @param {import('../index.js').Target | undefined} target
   */
  #askForPrediction(crop, target) {
    const predict = this.#predict;
    if (!predict) return;
    const isWanted = this.hasAttribute('predict');
    predict.begin(isWanted ? JSON.stringify([this.#photoUrl(), this.getAttribute('saved'), this.#saved]) : '');
    if (!isWanted || target === undefined) return;
    this.#paint();
    const labels = this.#labels(this.#attribution);
    const first = this.predictions[0];
    predict.open(crop, (strings) =>
      fill(first ? strings.ask : strings.askSaved, {
        target: targetWords(target, labels, strings.shared),
        prediction: first ? named(first, strings) : '',
      }),
    );
  }

  // --- what is shown --------------------------------------------------------------------------------------------------------------

  /** The result is here, or there is none to wait for. */
  #settle() {
    const attribution = this.#attribution;
    if (!attribution) return;
    this.#askForPrediction(attribution.crop ?? null, attribution.target);
    if (!this.#visible) {
      this.#enter('predicting');
      return;
    }
    this.#enter('ready');
    if (this.#told !== attribution) {
      this.#told = attribution;
      this.#tell('attribution', { attribution, predictions: this.predictions });
    }
    const quiz = this.#predict?.isOn ? this.#predict.takeQuiz(attribution, topOf(this)) : undefined;
    if (!quiz) return;
    this.#tell('quiz', {
      ...quiz,
      method: attribution.method,
      target: attribution.target,
      model: this.info?.model.id ?? attribution.provenance?.model.id ?? null,
      src: this.getAttribute('src'),
    });
  }

  /** @param {State} state */
  #enter(state) {
    const isChange = this.state !== state;
    this.setAttribute('state', state);
    const busy = this.#busy;
    if (!busy) return;
    const isWorking = () => this.state === 'loading' || this.state === 'computing';
    if (!isWorking()) busy.stop();
    else if (isChange || !busy.isStarted) {
      // Who paints is not disturbed by what goes on behind.
      busy.start(() => isWorking() && !this.#predict?.isOpen);
    }
    this.#dress();
  }

  /** @param {Progress} p */
  #progress({ stage, loaded, total }) {
    if (!this.#busy || !this.#run) return;
    const name = methods.find(({ id }) => id === this.getAttribute('method'))?.name;
    const say = (/** @type {import('./strings.js').Strings} */ strings) => {
      if (stage !== 'compute') return strings.stages[stage];
      return name ? fill(strings.compute, { method: name }) : strings.working;
    };
    this.#busy.progress(say, loaded, total);
    this.#tell('progress', { stage, loaded, total });
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** @param {SightlineError} error */
  #tellError(error) {
    this.#tell('error', { code: error.code, message: error.message, error });
  }

  /**
   * Puts all words into the element's language once its texts are here. If they cannot be fetched,
   * they stay as they are.
   */
  async #translate() {
    const isDone = () => this.#strings.locale === nearest(languageOf(this));
    if (isDone()) return;
    const strings = await elementStrings(languageOf(this)).catch(() => undefined);
    if (!strings || isDone() || strings.locale !== nearest(languageOf(this))) return;
    this.#strings = strings;
    this.#dress();
  }

  /** @param {Attribution | undefined} attribution @returns {import('../index.js').Labels} */
  #labels(attribution) {
    return attribution?.provenance?.labels ?? this.info?.model.labels ?? [];
  }

  /** The photo, and the map over it where there is one that may be seen. */
  #paint() {
    if (!this.#view) return;
    const how = { isVisible: this.#visible, looks: looksOf(this) };
    this.#rendered = paint(this.#view, this.#session.photo?.bitmap, this.#attribution, how);
  }

  /** Brings everything in line with the attributes and what there is. Computes nothing. */
  #dress() {
    const [view, predict] = [this.#view, this.#predict];
    if (!view || !predict) return;
    this.#translate();
    const strings = this.#strings;
    const alt = this.getAttribute('alt') || strings.photo;
    dressPoster(view, this, { isWaiting: !this.#session.photo && !this.#attribution, alt });
    this.#paint();

    const isVisible = this.#visible;
    const attribution = isVisible ? this.#attribution : undefined;
    const rendered = this.#rendered;
    clearLegend(view, strings, alt);
    if (attribution && rendered) {
      const labels = this.#labels(attribution);
      dressLegend(view, strings, { attribution, rendered, labels, alt, first: this.predictions[0] });
    }
    dressWarnings(view, strings, attribution ? [...(this.info?.warnings ?? []), ...attribution.warnings] : []);
    dressControls(view, this, { strings, isVisible, colormap: rendered?.colormap });
    predict.dress(this.hasAttribute('predict'));
    this.#busy?.dress();
    if (attribution && predict.isOn && this.state === 'ready') predict.compare(attribution, topOf(this));
    dressError(view, strings, this.state === 'error' ? this.#error : undefined);
    view.cancel.textContent = strings.cancel;
  }

  /** @param {import('./view.js').View} view */
  #wire(view) {
    wireControls(view, this, (error) => this.#tellError(error));
    view.cancel.addEventListener('click', () => {
      this.#cancel();
      this.#fail(aborted());
    });
    view.retry.addEventListener('click', () => this.explain().catch(() => undefined));
  }
}

reflect(SightlineExplainer);
