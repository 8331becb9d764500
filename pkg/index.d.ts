/**
 * Sightline's public types. Method ids and options come from the core's registry.
 *
 * @packageDocumentation
 */
import type { MethodId, MethodSpec } from './wasm/registry.js';

export type { MethodId, MethodSpec };

export type ErrorCode =
  | 'unsupported-image'
  | 'image-too-large'
  | 'bad-model'
  | 'unsupported-architecture'
  | 'bad-option'
  | 'unsupported'
  | 'device-unavailable'
  | 'device-lost'
  | 'out-of-memory'
  | 'aborted'
  | 'network'
  | 'quota'
  | 'internal';

/** Any failure. Match on `code`; `message` says what happened and what to do. */
export class SightlineError extends Error {
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown });
  readonly code: ErrorCode;
}

/**
 * A model: an id of `listModels()`; a name (`timm/resnet18.a1_in1k`) on the hub that
 * `models/models.json` names; the address of a folder with config.json and model.safetensors; or
 * those two files themselves, where `name` is the weights' file name, whose ending tells their
 * format. Models from a hub or an address are kept on the user's machine. From then on the kept
 * copy is opened, without a request, until it is deleted.
 */
export type ModelSource =
  | string
  | { hub: string }
  | { url: string | URL }
  | { config?: string | object | Blob; weights: ArrayBuffer | ArrayBufferView | Blob; name?: string };

/**
 * A photo in any form, its address, or an input tensor as the model takes it: row-major and
 * normalised.
 */
export type ImageSource =
  | Blob
  | ArrayBuffer
  | Uint8Array
  | ImageData
  | ImageBitmap
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | Photo
  | string
  | { data: Float32Array; shape: number[] };

/** A rectangle in pixels; `x` and `y` are those of its upper left corner. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}
/**
 * A photo that `explainer.load` read: decoded, hashed and sent once. Every explainer of the page
 * takes it wherever an image is expected.
 */
export class Photo {
  private constructor();
  /** Of the upright photo, in pixels. */
  readonly width: number;
  readonly height: number;
  /**
   * SHA-256, hexadecimal, of the upright photo as decoded: its width and height (32 bits each,
   * little-endian), then its RGB bytes. A file and a lossless copy of it have the same.
   */
  readonly sha256: string;
  /** For painting: the pixels that are explained, the longer side at most 2048. */
  readonly bitmap: ImageBitmap;
  /** Part of it as a photo of its own; the box is rounded to whole pixels. */
  crop(box: Box): Promise<Photo>;
  /** Frees its memory. A later call with it rejects with `bad-option`. */
  close(): void;
}

/** What every call takes. */
export interface CallOptions {
  /** Aborting it rejects at once with `aborted`. */
  signal?: AbortSignal;
  onProgress?: (progress: { stage: 'compute'; loaded: number; total: number; passes: Passes }) => void;
  /**
   * `idle` runs while nobody waits: it gives way to calls with `user` of any explainer, and is then
   * run again. `user` by default.
   */
  priority?: 'user' | 'idle';
}

export interface ExplainerOptions {
  model: ModelSource;
  /** `auto` takes WebGPU if there is a hardware adapter, otherwise the CPU. */
  device?: 'auto' | 'webgpu' | 'cpu';
  /**
   * With `auto` and this callback, the model opens on the CPU, whose build is small. If there is a
   * hardware adapter, the WebGPU build is fetched and warmed up after the first attribution and
   * then takes over by itself. Called with the new `info.device` whenever it, or the reason for it,
   * changes.
   */
  onDevice?: (device: Info['device']) => void;
  signal?: AbortSignal;
  onProgress?: (progress: {
    stage: 'download' | 'wasm' | 'device' | 'weights';
    loaded: number;
    total: number | undefined;
  }) => void;
  /** The folder of this package's files, if they are served from elsewhere. */
  assetBaseUrl?: string | URL;
}

/** What `Info` says of the model. */
interface ModelInfo {
  id: string;
  architecture: string;
  inputSize: [number, number, number];
  labels: string[];
  parameters: number;
  /** From shallow to deep; shapes without the batch axis. */
  layers: { id: string; shape: number[] }[];
  defaultLayer: string;
  /** The methods that work on this model. */
  methods: MethodId[];
  /**
   * For transformers: the number of blocks and of heads in each, the tokens before the patches,
   * and the patch grid [rows, columns].
   */
  attention: {
    blocks: number;
    heads: number;
    special: ('class' | 'distillation' | 'register')[];
    grid: [number, number];
  } | null;
  /** Size of the weights file. */
  bytes: number;
  /** SHA-256 of the weights file, hexadecimal. */
  sha256: string;
  /** The folder that the package came from; null if it was given as files. */
  url: string | null;
  /** What was assumed, in words, if the package has no config.json. */
  assumed: string | null;
  /** When the copy on this machine was made (ISO 8601); null if there is none. */
  cached: string | null;
}

export interface Info {
  readonly model: ModelInfo;
  /** `reason` is English; `key` and `values` are for other languages, see `Strings.texts`. */
  readonly device: {
    kind: 'webgpu' | 'cpu';
    description: string;
    reason: string;
    key: string;
    values: Record<string, string>;
  };
  readonly version: string;
  /**
   * Problems that did not keep the model from opening, such as `quota`: it could not be kept for
   * next time.
   */
  readonly warnings: Warning[];
}

/** The part of the upright photo that the model saw, in the photo's pixels. */
export interface Crop {
  x: number;
  y: number;
  width: number;
  height: number;
  photoWidth: number;
  photoHeight: number;
}
/**
 * Where a crop lies on an image of the whole photo of this size, in its pixels; all of it without a
 * crop.
 */
export function placeOf(
  crop: Crop | null | undefined,
  width: number,
  height: number,
): { x: number; y: number; width: number; height: number };
/** Whether a crop covers the whole photo, up to half a percent of a side. */
export function isWhole(crop: Crop): boolean;
/** In units of one full pass of one input. */
export interface Passes {
  forward: number;
  backward: number;
}

export interface Classification {
  /**
   * Best first. `probability` is the softmax of the logits divided by the model's temperature
   * (`temperature` in its config.json, else 1). At another temperature than 1 it differs from the
   * softmax of `logits`, and from the exponential of a score with `output: 'log_probability'`:
   * scores know no temperature.
   */
  predictions: { index: number; label: string; logit: number; probability: number }[];
  logits: Float32Array;
  /** Absent for a tensor. */
  crop?: Crop | null;
  passes: Passes;
  elapsedMs: number;
  /** Such as `scaled`: the photo has so many pixels that it was scaled down while it was read. */
  warnings: Warning[];
}

/**
 * What is explained: a class index; why class a and not class b; or why any of a group of classes.
 */
export type Target = number | { contrast: [a: number, b: number] } | { group: number[] };

/** A baseline image: a name, an image, or a tensor as fed to the model. */
export type Baseline =
  | 'mean'
  | 'black'
  | 'white'
  | 'blur'
  | 'noise'
  | Exclude<ImageSource, string>
  | { data: ArrayLike<number>; shape: number[] };

export interface AttributeOptions extends CallOptions {
  method: MethodId;
  /** The top class by default. */
  target?: Target;
  /**
   * The score: the logit (for a group, the logarithm of its odds) or the logarithm of the
   * probability, at temperature 1.
   */
  output?: 'logit' | 'log_probability';
  /** One of `info.model.layers`; for methods that read several layers, a list of them or `all`. */
  layer?: string | string[];
  /**
   * Aborting it ends the call within a chunk: it resolves with the map so far and a warning
   * `partial`. A method that has no map before its end (`estimates` in its description is false)
   * refuses: the call is rejected with `unsupported`, unless it was over by then.
   */
  stop?: AbortSignal;
  /** For methods that estimate: the map so far, at most four times a second. */
  onEstimate?: (estimate: { values: Float32Array; shape: number[]; crop: Crop | null }) => void;
  /** For methods that compare with a baseline image; integrated gradients average over a list. */
  baseline?: Baseline | Baseline[];
  /** The method's own options; see `listMethods()`. */
  [option: string]: unknown;
}

/** Raw signed numbers. `shape` is [h, w] in layer space and [C, H, W] in input space, row-major. */
export interface Attribution {
  method: MethodId;
  target: Target;
  output: 'logit' | 'log_probability';
  /** The layer that was read, if it was a single one. */
  layer?: string | null;
  /**
   * If several layers were read, the map of each; `values` is then their mean, each map divided by
   * its largest magnitude.
   */
  layers: { id: string; shape: [number, number]; values: Float32Array }[];
  values: Float32Array;
  shape: number[];
  space: 'layer' | 'input';
  score: number;
  completeness?: { baselineScore: number; score: number; sum: number; delta: number } | null;
  /** Further findings; the method's documentation describes them. */
  details?: { outlierTokens?: OutlierToken[]; [finding: string]: unknown } | null;
  crop?: Crop | null;
  passes: Passes;
  elapsedMs: number;
  device: 'webgpu' | 'cpu';
  warnings: Warning[];
  provenance?: Provenance;
}

/** All that is needed to compute an attribution again, except the photo. */
export interface Provenance {
  /** `sha256` is of the weights file, hexadecimal. */
  model: { id: string; architecture: string; sha256: string };
  /** The `sha256` of the `Photo` that was explained; null if it was given in another form. */
  photo?: string | null;
  /** Sightline's version. */
  version: string;
  /** The method's options, with defaults filled in; images and tensors as their shape in words. */
  options: Record<string, string | number | boolean>;
  /** The names of the classes in the target. */
  labels: Record<number, string>;
}

export interface Warning {
  code: 'non-finite' | 'zero-map' | 'constant-map' | 'partial' | 'scaled' | (string & {});
  /**
   * Why a map is all zeros: no unit is active, the gradient vanishes, the score does not depend on
   * it, the method's rule cancels it, or all patches are equally alike.
   */
  cause?: 'dead-relu' | 'saturated' | 'disconnected' | 'cancelled' | 'alike';
  /**
   * `warning.<code>` or `warning.<code>.<cause>`: its text in other languages, see `Strings.texts`.
   */
  key: string;
  /** What goes into that text, by name. */
  values: Record<string, number | string>;
  /** In English. */
  message: string;
}

/**
 * A token with an unusually large norm after the last block (an attention sink); `row` and `column`
 * are those of a patch.
 */
export interface OutlierToken {
  /** Its place in the sequence. */
  token: number;
  kind: 'patch' | 'class' | 'distillation' | 'register';
  row: number | null;
  column: number | null;
  norm: number;
}

export interface HeadsOptions extends CallOptions {
  /** The top class by default. */
  target?: Target;
  output?: 'logit' | 'log_probability';
}

/** An attention head, counted from 0. */
export interface Head {
  block: number;
  head: number;
  /** The score minus the score without this head: positive if the head supports the target. */
  importance: number;
  /**
   * Mean distance between a patch and the patches it attends to, in patches, and in input pixels.
   */
  distance: number;
  distancePixels: number;
  /** Entropy of a token's attention, in nats, averaged over all tokens. */
  entropy: number;
  /** Share of the attention on class, distillation and register tokens. */
  specialShare: number;
}

export interface Heads {
  target: Target;
  output: 'logit' | 'log_probability';
  score: number;
  /** Block by block. */
  heads: Head[];
  passes: Passes;
  elapsedMs: number;
  device: 'webgpu' | 'cpu';
}

/**
 * A layer's raw numbers for one input: `values` row-major, `shape` as in `info.model.layers`, which
 * is [C, h, w], or [tokens, width] for transformers.
 */
export interface Activations {
  layer: string;
  values: Float32Array;
  shape: number[];
  crop?: Crop | null;
  passes: Passes;
  elapsedMs: number;
}
export interface GradientOptions extends CallOptions {
  /** The top class by default. */
  target?: Target;
  output?: 'logit' | 'log_probability';
  /**
   * The layer whose activations the score is differentiated by; by default the input as fed to the
   * model, per channel.
   */
  layer?: string;
}
/** d score / d activations, or d score / d input if `layer` is null, for one input. */
export interface Gradients extends Omit<Activations, 'layer'> {
  layer: string | null;
  target: Target;
  output: 'logit' | 'log_probability';
  /** The value of the score that was differentiated. */
  score: number;
}

/** An unfinished map; can be painted as it is. */
export interface Estimate {
  values: Float32Array;
  shape: number[];
  space: 'layer' | 'input';
  crop: Crop | null;
  /** The complete result, on the last item only. */
  attribution: Attribution | null;
}

export interface BatchOptions extends Omit<AttributeOptions, 'onProgress'> {
  /** Aborting it starts no further photo; the list holds those that are done. */
  stop?: AbortSignal;
  /** Aborting it rejects the whole call with `aborted`. */
  signal?: AbortSignal;
  /** Called after each photo, with its outcome. */
  onProgress?: (progress: { stage: 'batch'; loaded: number; total: number; item: BatchItem }) => void;
}
/** The outcome for the photo at `index`; either `attribution` or `error` is null. */
export interface BatchItem {
  index: number;
  attribution: Attribution | null;
  error: SightlineError | null;
}

/** An open model, as `createExplainer` returns it: the constructor is private. */
export class Explainer {
  private constructor();
  readonly info: Info;
  classify(image: ImageSource, options?: { topK?: number } & CallOptions): Promise<Classification>;
  attribute(image: ImageSource, options: AttributeOptions): Promise<Attribution>;
  /** Ranks the attention heads of a transformer; rejects with `unsupported` for other models. */
  heads(image: ImageSource, options?: HeadsOptions): Promise<Heads>;
  /** The tensor that the model is fed. */
  preprocess(
    image: ImageSource,
    options?: CallOptions,
  ): Promise<{ data: Float32Array; shape: number[]; crop?: Crop | null }>;
  /** A layer's activations; by default those of `info.model.defaultLayer`. */
  activations(image: ImageSource, layer?: string, options?: CallOptions): Promise<Activations>;
  /** How much the score changes per unit of the input, or of a layer's activations. */
  gradients(image: ImageSource, options?: GradientOptions): Promise<Gradients>;
  /**
   * One request for many photos, one after another. If a photo cannot be explained, its error goes
   * into the list and the others continue.
   */
  attributeAll(images: Iterable<ImageSource>, options: BatchOptions): Promise<BatchItem[]>;
  /**
   * The map as it grows: one item for each estimate that the loop has time for, then one with the
   * finished attribution. Leaving the loop ends the call.
   */
  estimates(image: ImageSource, options: AttributeOptions): AsyncGenerator<Estimate, void, undefined>;
  /**
   * Reads a photo once, for every explainer of the page. Rejects as a call with this image does,
   * and with `bad-option` for a tensor.
   */
  load(image: ImageSource, options?: CallOptions): Promise<Photo>;
  /** Frees the model, after calls that are still running. */
  dispose(): void;
}

export function createExplainer(options: ExplainerOptions): Promise<Explainer>;
export function listMethods(): MethodSpec[];
/** An entry of `models/models.json`, with one of `path` (built in), `hub` and `url`. */
export interface ListedModel {
  id: string;
  title: string;
  /** Below `models/`. */
  path?: string;
  /** A name on the hub. */
  hub?: string;
  /** A folder's address. */
  url?: string;
  /** Size of the weights, if the list gives it. */
  bytes?: number;
}
export function listModels(options?: { assetBaseUrl?: string | URL; signal?: AbortSignal }): Promise<ListedModel[]>;
export interface ModelInspection {
  id: string;
  /** The folder's address; null for files. */
  url: string | null;
  /** Size of the weights; null if the server does not say. */
  bytes: number | null;
  files: { name: string; bytes: number | null }[];
  architecture: string | null;
  numClasses: number | null;
  /** What is kept of it on this machine. If `complete`, it is opened without a request. */
  cached: { bytes: number; complete: boolean; date: string; sha256?: string } | null;
}
/**
 * Reads config.json and asks for the size of the weights, nothing more. If the model is not
 * available, it rejects as `createExplainer` does.
 */
export function inspectModel(
  model: ModelSource,
  options?: { assetBaseUrl?: string | URL; signal?: AbortSignal },
): Promise<ModelInspection>;

export interface CachedModel {
  /** A hub's name or a folder's address. */
  id: string;
  url: string;
  /** Bytes on this machine. */
  bytes: number;
  /** When it was downloaded (ISO 8601). */
  date: string;
  /** Whether all of it is here, or only what an interrupted download left. */
  complete: boolean;
  /** Known once the model has been opened, like the two below. */
  sha256?: string;
  architecture?: string;
  numClasses?: number;
}
/**
 * The models kept on this machine; none if the page may not keep anything (no secure context, a
 * sandboxed frame).
 */
export function listCachedModels(): Promise<CachedModel[]>;
/**
 * Deletes a kept model, so that it is downloaded again when it is next opened; resolves to whether
 * there was one. Explainers that run it continue.
 */
export function deleteCachedModel(id: string): Promise<boolean>;

export function listColormaps(): { id: string; diverging: boolean }[];

export type Scale = 'positive' | 'symmetric' | [low: number, high: number];
export interface RenderOptions {
  /** One of `listColormaps()`. */
  colormap?: string;
  /** Opacity of the heatmap, 0 to 1. */
  alpha?: number;
  /**
   * `positive`: from 0 to the largest value; `symmetric`: zero in the middle, the default for
   * diverging colour maps; or the two ends.
   */
  scale?: Scale;
  /**
   * The percentile (%) of the magnitudes at which the scale ends; by default 100 for layers, 99 for
   * pixels.
   */
  percentile?: number;
  /** `cells` paints every number as one square, as computed. */
  interpolation?: 'smooth' | 'cells';
  /**
   * Paints only the largest values, those that fill this share (%) of the map; on a scale with both
   * signs, the largest magnitudes. Never paints values at or below zero (for magnitudes, at zero).
   */
  threshold?: number;
  /** With `threshold`: shows the photo itself where those values are, and grey elsewhere. */
  only?: boolean;
  /**
   * Contour lines at these levels, or at this many levels (0 to 20) evenly spaced over the scale;
   * on a scale with both signs, this many on each side.
   */
  contours?: number | number[];
  /**
   * How [C, H, W] becomes one plane; by default as the registry says for the attribution's method,
   * or the sum if there is no method.
   */
  channels?: Channels;
}
export type Channels = 'none' | 'sum' | 'max_abs';
export interface Rendered {
  lo: number;
  hi: number;
  colormap: string;
  percentile: number;
  /**
   * The share (0 to 1) of the map's values that lie beyond the ends of the scale and take their
   * colour; on a scale from zero, values below zero do not count.
   */
  clipped: number;
  channels: Channels;
  /** True if nothing was painted, because the map has no value on this scale. */
  empty: boolean;
  /** Where on the canvas the heatmap lies. */
  place: { x: number; y: number; width: number; height: number };
  /**
   * `kept` is the share (0 to 1) of the map that was painted, and `cut` the smallest value (or
   * magnitude) in it: infinite if nothing was painted.
   */
  threshold: { percent: number; cut: number; kept: number } | null;
  /** The levels that were drawn. */
  contours: number[];
}
/** A value of a map and its place on the grid. */
export interface Place {
  value: number;
  /** From 0. */
  row: number;
  column: number;
  /** The size of the map's grid. */
  rows: number;
  columns: number;
}
/**
 * The parts of an attribution that painting reads. An estimate, or one of several layers, will also
 * do.
 */
export type Paintable = Pick<Attribution, 'values' | 'shape' | 'space'> & Partial<Pick<Attribution, 'method' | 'crop'>>;
export function renderHeatmap(
  canvas: HTMLCanvasElement | OffscreenCanvas,
  image: CanvasImageSource | ImageData | null,
  attribution: Paintable,
  options?: RenderOptions,
): Rendered;
export function renderColorbar(canvas: HTMLCanvasElement, colormap: string): void;
export function toPlane(attribution: Paintable, channels?: Channels): { plane: Float32Array; h: number; w: number };
/**
 * The cell under a point of the canvas (in canvas pixels) and its value as computed; null outside
 * the heatmap.
 */
export function valueAt(attribution: Paintable, rendered: Rendered, x: number, y: number): Place | null;
/**
 * The widest scale of several maps, for `scale`. Their values must be comparable, such as those of
 * one method on one model.
 */
export function sharedScale(
  attributions: Paintable[],
  options?: { scale?: 'positive' | 'symmetric'; percentile?: number; channels?: Channels },
): [low: number, high: number];

/** Names by class index: `info.model.labels`, or the names of some classes. */
export type Labels = string[] | Record<number, string>;
export type Describable = Paintable & Partial<Pick<Attribution, 'target' | 'provenance'>>;
/**
 * Templates whose `{names}` are replaced. `describeStrings` has the English ones and shows which
 * names each can use.
 */
export interface DescribeStrings {
  /** The locale for numbers (BCP 47). */
  locale: string;
  share: string;
  more: string;
  less: string;
  class: string;
  contrast: string;
  group: string;
  about: string;
  parts: { positive: string; negative: string; all: string };
  /** What the regions are parts of. */
  seen: string;
  photo: string;
  map: string;
  /** Row by row, from the upper left. */
  ninths: string[];
  rows: string[];
  columns: string[];
  most: string;
  spread: string;
  spot: string;
  spots: string;
  uniform: string;
  join: string;
  end: string;
  balance: string;
  none: string;
  empty: string;
  invalid: string;
  nothing: string;
}
export const describeStrings: DescribeStrings;
/**
 * A sentence about what a map shows, from its numbers alone: where most of its positive values lie,
 * the strongest spot, and the share that is negative.
 */
export function describe(
  attribution: Describable,
  options?: { labels?: Labels; strings?: Partial<DescribeStrings>; channels?: Channels },
): string;

/** Templates like those of `describe`; `exportStrings` has the English ones. */
export interface ExportStrings {
  image: string;
  percentile: string;
  threshold: string;
  contours: string;
  shared: string;
  blank: string;
  title: string;
  method: string;
  at: string;
  model: string;
  options: string;
  logProbability: string;
  version: string;
}
export const exportStrings: ExportStrings;
export interface Strings extends DescribeStrings, ExportStrings {
  /**
   * All other texts by key, with `{names}` as above: `method.<id>.summary`, `.caveat`, `.cost`,
   * `.citation`, `.option.<option>` and its `.unit`; `method.<id>.values`, what the values mean if
   * the
   * map does not depend on a class; `choice.<value>`; `error.<code>`; `warning.<code>` and
   * `warning.<code>.<cause>`; `device.<reason>`.
   */
  texts: Record<string, string>;
}
/**
 * The package's texts in the closest available language, English or German, for `strings` of
 * `describe` and `exportPng`. `language` is a BCP 47 tag. A language other than English is fetched
 * when it is first asked for; rejects with `network` if that fails.
 */
export function stringsFor(language: string): Promise<Strings>;
export interface ExportOptions {
  /**
   * The map alone; the map over the photo; or the photo and each map over it, side by side. By
   * default `overlay` if there is a photo, and `comparison` for several maps.
   */
  what?: 'heatmap' | 'overlay' | 'comparison';
  /** How the maps are painted: one for all, or one for each. */
  render?: RenderOptions | RenderOptions[];
  /**
   * Number of columns of maps, 1 to 64; the photo of a comparison has one more before them. By
   * default about as many as rows.
   */
  columns?: number;
  /**
   * Adds the colour scale with its ends, what was clipped, and for a single map the sentence of
   * `describe`; true by default.
   */
  legend?: boolean;
  /**
   * Adds model, checksum, method, options and version to the image; true by default. They are
   * always in the file's metadata.
   */
  provenance?: boolean;
  labels?: Labels;
  /** The title above each of several maps; by default method, class and layer. */
  titles?: string[];
  strings?: Partial<DescribeStrings & ExportStrings>;
}
/**
 * A PNG to keep, with its origin in text chunks: `Title`, `Description`, `Software`, and
 * `sightline` (JSON: the request, provenance, scale). Rejects with `bad-option`, and with
 * `unsupported-image` for a photo from another site that does not allow reading its pixels.
 */
export function exportPng(
  attributions: Attribution | Attribution[],
  image: CanvasImageSource | ImageData | null,
  options?: ExportOptions,
): Promise<Blob>;
/** The values as a file for `numpy.load`: float32, C order, in the attribution's shape. */
export function toNpy(attribution: Pick<Attribution, 'values' | 'shape'>): Uint8Array<ArrayBuffer>;
/**
 * The attribution as JSON. Every value keeps its float32 (except the sign of -0); null stands for a
 * value that is not finite.
 */
export function toJson(attribution: Attribution): string;
/**
 * The attribution in a text made by `toJson`, or in that text parsed; anything else throws
 * `bad-option`. It can be shown without a model. `details` are not restored.
 */
export function fromJson(json: string | object): Attribution;
/**
 * How much a photo looks like one of the model's classes, from the logits of `classify`: the
 * probability of the most likely class, and the energy score above that of equal logits (nats).
 * `unfamiliar` is true if both are low: the photo probably shows something the model does not know.
 * `energy` is the model's own limit, as in the `figures.json` of the built-in models; 1.5 by
 * default.
 */
export function familiarity(
  logits: ArrayLike<number>,
  limits?: { energy?: number },
): { probability: number; energy: number; unfamiliar: boolean };
export const version: string;
