/**
 * `<sightline-explainer>`: a photo, and where a classifier looked in it. Importing this module
 * defines the element; without a document (on a server) it defines nothing and does not fail.
 *
 * From another origin than the page's, this package's files need only
 * `Access-Control-Allow-Origin`; no COOP or COEP headers. A Content-Security-Policy must allow the
 * package's site in `script-src` (with `'wasm-unsafe-eval'`) and `connect-src`, and `blob:` in
 * `worker-src` if it is another origin.
 *
 * CSS parts: `base`, `figure`, `frame`, `canvas`, `poster`, `progress`, `legend`, `caption`,
 * `warnings`, `controls`, `predict`, `reveal`, `score`, `error`.
 * Custom properties: `--sightline-background`, `-color`, `-muted`, `-border`, `-accent`,
 * `-on-accent`, `-bar`, `-alarm`, `-radius`, `-max-width`, `-font`.
 * Slots: `caption` and `legend`; each replaces the text that would stand there.
 *
 * @packageDocumentation
 */
import type { Attribution, Classification, ErrorCode, Info, Paintable, SightlineError, Target } from './index.js';

/**
 * `idle`: no photo is set; `waiting`: lazy, and far from the viewport; `predicting`: the learner
 * paints and the map is hidden; `ready`: the map is shown; `error`: see the `error` event.
 */
export type State = 'idle' | 'waiting' | 'loading' | 'computing' | 'predicting' | 'ready' | 'error';

export interface Overlap {
  /** The painted share (0 to 1) of what the model saw. */
  area: number;
  /**
   * The share of the positive attribution inside the painted area; an area placed at random has
   * `area` on average. Null if the map has no positive value.
   */
  share: number | null;
  /**
   * Intersection over union of the painted area and the strongest `top` % of the map. Null if the
   * map has no positive value.
   */
  iou: number | null;
  /** In per cent. */
  top: number;
  /**
   * The share of the area taken up by the strongest values, including ties with the weakest of
   * them.
   */
  topArea: number;
}

/** What a learner painted, and how well it agrees with the map. */
export interface Quiz extends Overlap {
  /** Counted from 1 for as long as the photo stays the same. */
  attempt: number;
  method: string;
  target: Target;
  /** The model's id; null for a saved attribution that does not name it. */
  model: string | null;
  src: string | null;
  /** The grid over what the model saw, and its painted cells, row-major from 0. */
  rows: number;
  columns: number;
  painted: number[];
}

export interface ExplainerEventMap {
  /** The photo and the model are loaded; `info` is null for a saved attribution. */
  load: CustomEvent<{ info: Info | null; predictions: Classification['predictions'] }>;
  progress: CustomEvent<{
    stage: 'download' | 'wasm' | 'device' | 'weights' | 'compute';
    loaded: number;
    total: number | undefined;
  }>;
  /** The map is shown. */
  attribution: CustomEvent<{ attribution: Attribution; predictions: Classification['predictions'] }>;
  error: CustomEvent<{ code: ErrorCode; message: string; error: SightlineError }>;
  /** In predict mode: the learner has revealed the map. */
  quiz: CustomEvent<Quiz>;
}

export interface PngOptions {
  /** The map alone, the map over the photo, or both side by side. */
  what?: 'heatmap' | 'overlay' | 'comparison';
  legend?: boolean;
  provenance?: boolean;
}

/**
 * Every property except `saved` reflects the attribute of its name; setting it to null, undefined
 * or false removes the attribute.
 */
export class SightlineExplainer extends HTMLElement {
  /** The photo's address. From another origin it needs `Access-Control-Allow-Origin`. */
  src: string;
  /** The photo described in words; the canvas's label begins with it. */
  alt: string;
  /**
   * An id of `listModels()`, a name on the hub (`owner/name`) or an address; by default the first
   * built-in model.
   */
  model: string;
  /** One of `listMethods()`; Grad-CAM by default. */
  method: string;
  /** A class index or label; `3 not 5`; `3 or 5`; the top class by default. */
  target: string;
  layer: string;
  /** The method's options, as JSON. */
  options: string | Record<string, unknown>;
  /** `auto`, `webgpu` or `cpu`. */
  device: string;
  /** Shows classes, methods, opacity, colours and a button that saves a PNG. */
  controls: boolean;
  /**
   * Removes controls: `method`, `target`, `look`, or several of them separated by spaces; all if
   * empty (or true).
   */
  locked: string | boolean;
  /** An image shown until the photo has loaded. */
  poster: string;
  /** `lazy`: nothing is fetched until the element is near the viewport. */
  loading: string;
  /** `light` or `dark`; by default the system's theme. */
  theme: string;
  colormap: string;
  /** Of the heatmap, 0 to 1. */
  opacity: string | number;
  /** `positive` or `symmetric`. */
  scale: string;
  /** `smooth` or `cells`. */
  interpolation: string;
  /**
   * Predict, then reveal: the learner paints where the model must have looked, before the map is
   * shown.
   */
  predict: boolean;
  /** The strongest share (%) of the map that the painted area is compared with; 20 by default. */
  top: string | number;
  /** The folder of this package's files, if they are served from elsewhere. */
  assetBaseUrl: string | URL;
  /**
   * A saved attribution: its address, or what `toJson` made, as text (also in the attribute) or
   * parsed. It is shown without a model.
   */
  get saved(): string | object | null;
  set saved(value: string | object | null | undefined);

  readonly state: State;
  /** Null until there is one. */
  readonly attribution: Attribution | null;
  readonly predictions: Classification['predictions'];
  readonly info: Info | null;

  /**
   * Computes what the attributes ask for, now, whatever `loading` says. Rejects with a
   * SightlineError; its code is `aborted` if attributes changed in the meantime.
   */
  explain(): Promise<Attribution>;
  /** Rejects with `bad-option` while no map is shown. */
  exportPng(options?: PngOptions): Promise<Blob>;

  addEventListener<K extends keyof ExplainerEventMap>(
    type: K,
    listener: (this: SightlineExplainer, event: ExplainerEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

/**
 * Compares a painted area with a map, as the quiz does. `painted` is row-major, `rows * columns`
 * long, over the part of the photo that the model saw; otherwise this throws `bad-option`.
 */
export function overlap(
  painted: ArrayLike<number>,
  attribution: Paintable,
  grid: { rows: number; columns: number; top?: number; channels?: 'none' | 'sum' | 'max_abs' },
): Overlap;

declare global {
  interface HTMLElementTagNameMap {
    'sightline-explainer': SightlineExplainer;
  }
}
