/** Sightline's public types. The method ids and options come from the core's registry. */
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

/** Any failure: match on `code`; `message` says what to do. */
export class SightlineError extends Error {
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown });
  readonly code: ErrorCode;
}

/**
 * An id of `listModels()`; a name on the hub that `models/models.json` gives (`timm/resnet18.a1_in1k`); the address of a folder with config.json and
 * model.safetensors; or those two themselves, where `name` is the weights' file name, whose ending tells their format.
 * Models from a hub or an address are kept on the user's machine: from then on the kept copy is opened, without a request, until it is deleted.
 */
export type ModelSource =
  | string
  | { hub: string }
  | { url: string | URL }
  | { config?: string | object | Blob; weights: ArrayBuffer | ArrayBufferView | Blob; name?: string };

/** A photo in any form, the address of one, or an input tensor as the model takes it, row-major and normalised. */
export type ImageSource =
  | Blob
  | ArrayBuffer
  | Uint8Array
  | ImageData
  | ImageBitmap
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | string
  | { data: Float32Array; shape: number[] };

export interface ExplainerOptions {
  model: ModelSource;
  /** `auto` takes WebGPU where there is a hardware adapter, else the CPU. */
  device?: 'auto' | 'webgpu' | 'cpu';
  /**
   * Given with `auto`, the model opens on the CPU, whose build is small. Where there is a hardware adapter, WebGPU's build is fetched and warmed up after
   * the first attribution, and takes over by itself. Called with the new `info.device` when that, or the reason for it, changes.
   */
  onDevice?: (device: Info['device']) => void;
  signal?: AbortSignal;
  onProgress?: (progress: { stage: 'download' | 'wasm' | 'device' | 'weights'; loaded: number; total: number | undefined }) => void;
  /** The folder of this package's files where they are served from elsewhere. */
  assetBaseUrl?: string | URL;
}

export interface Info {
  readonly model: {
    id: string;
    architecture: string;
    inputSize: [number, number, number];
    labels: string[];
    parameters: number;
    /** From shallow to deep; shapes without the batch axis. */
    layers: { id: string; shape: number[] }[];
    defaultLayer: string;
    /** Those that work on this model. */
    methods: MethodId[];
    /** Of transformers: blocks, heads of each, the tokens in front of the patches, and the patch grid [rows, columns]. */
    attention: { blocks: number; heads: number; special: ('class' | 'distillation' | 'register')[]; grid: [number, number] } | null;
    /** Of the weights' file. */
    bytes: number;
    /** Of the weights' file, hexadecimal. */
    sha256: string;
    /** The folder that the package came from; null where it was given as files. */
    url: string | null;
    /** What was assumed where the package has no config.json, in words. */
    assumed: string | null;
    /** When the copy on this machine was made (ISO 8601); null where there is none. */
    cached: string | null;
  };
  /** `reason` is English; `key` and `values` are for other languages, see `Strings.texts`. */
  readonly device: { kind: 'webgpu' | 'cpu'; description: string; reason: string; key: string; values: Record<string, string> };
  readonly version: string;
  /** What did not work without keeping the model from opening, such as `quota`: it could not be kept for the next time. */
  readonly warnings: { code: string; message: string }[];
}

/** The rectangle of the upright photo that the model saw, in the photo's pixels. */
export interface Crop {
  x: number;
  y: number;
  width: number;
  height: number;
  photoWidth: number;
  photoHeight: number;
}
/** Where a crop lies on a picture of the whole photo of this size, in its pixels; all of it without a crop. */
export function placeOf(
  crop: Crop | null | undefined,
  width: number,
  height: number,
): { x: number; y: number; width: number; height: number };
/** Whether a crop is all of the photo, but for half a percent of a side. */
export function isWhole(crop: Crop): boolean;
/** In units of one whole pass of one input. */
export interface Passes {
  forward: number;
  backward: number;
}

export interface Classification {
  predictions: { index: number; label: string; logit: number; probability: number }[];
  logits: Float32Array;
  /** Absent for a tensor. */
  crop?: Crop | null;
  passes: Passes;
  elapsedMs: number;
}

/** A class index; why class a and not class b; why any of a group of classes. */
export type Target = number | { contrast: [a: number, b: number] } | { group: number[] };

/** A reference picture: a name, a picture, or a tensor as fed to the model. */
export type Baseline =
  | 'mean'
  | 'black'
  | 'white'
  | 'blur'
  | 'noise'
  | Exclude<ImageSource, string>
  | { data: ArrayLike<number>; shape: number[] };

export interface AttributeOptions {
  method: MethodId;
  /** The top class where left out. */
  target?: Target;
  /** What is explained: the logit (of a group: the logarithm of its odds) or the logarithm of the probability. */
  output?: 'logit' | 'log_probability';
  /** One of `info.model.layers`; for methods that read several, a list of them or `all`. */
  layer?: string | string[];
  /** Rejects at once with `aborted`. */
  signal?: AbortSignal;
  /** Ends a method that estimates with the map as it is by then, and a warning `partial`; other methods run to their end. */
  stop?: AbortSignal;
  onProgress?: (progress: { stage: 'compute'; loaded: number; total: number; passes: Passes }) => void;
  /** Of a method that estimates: the map so far, at most four times a second. */
  onEstimate?: (estimate: { values: Float32Array; shape: number[]; crop: Crop | null }) => void;
  /** Of methods that compare with a reference picture; integrated gradients average over a list. */
  baseline?: Baseline | Baseline[];
  /** The method's own options, see `listMethods()`. */
  [option: string]: unknown;
}

/** Raw signed numbers. `shape` is [h, w] in layer space and [C, H, W] in input space, row-major. */
export interface Attribution {
  method: MethodId;
  target: Target;
  output: 'logit' | 'log_probability';
  /** The layer that was read, where it was one. */
  layer?: string | null;
  /** Where several layers were read, the map of each; `values` is then their mean, each divided by its largest magnitude. */
  layers: { id: string; shape: [number, number]; values: Float32Array }[];
  values: Float32Array;
  shape: number[];
  space: 'layer' | 'input';
  score: number;
  completeness?: { baselineScore: number; score: number; sum: number; delta: number } | null;
  /** Further findings, as the method's documentation describes. */
  details?: { outlierTokens?: OutlierToken[]; [finding: string]: unknown } | null;
  crop?: Crop | null;
  passes: Passes;
  elapsedMs: number;
  device: 'webgpu' | 'cpu';
  warnings: Warning[];
  provenance?: Provenance;
}

/** What it takes to compute an attribution again, but the photo. */
export interface Provenance {
  model: { id: string; architecture: string /** Of the weights' file, hexadecimal. */; sha256: string };
  /** Of Sightline. */
  version: string;
  /** The method's options, those left out by their defaults; pictures and tensors as their shape in words. */
  options: Record<string, string | number | boolean>;
  /** The names of the classes that were asked about. */
  labels: Record<number, string>;
}

export interface Warning {
  code: 'non-finite' | 'zero-map' | 'constant-map' | 'partial' | (string & {});
  /** Of a map of zeros: no unit is active, the gradient vanishes, the score does not read it, or the rule cancels. */
  cause?: 'dead-relu' | 'saturated' | 'disconnected' | 'cancelled';
  message: string;
}

/** A token whose norm behind the last block stands out (an attention sink); `row` and `column` of a patch. */
export interface OutlierToken {
  /** Its place in the sequence. */
  token: number;
  kind: 'patch' | 'class' | 'distillation' | 'register';
  row: number | null;
  column: number | null;
  norm: number;
}

export interface HeadsOptions {
  /** The top class where left out. */
  target?: Target;
  output?: 'logit' | 'log_probability';
  signal?: AbortSignal;
  onProgress?: (progress: { stage: 'compute'; loaded: number; total: number; passes: Passes }) => void;
}

/** An attention head, counted from 0. */
export interface Head {
  block: number;
  head: number;
  /** The score minus the score without this head: positive where it speaks for the target. */
  importance: number;
  /** Mean distance between a patch and the patches that it looks at, in patches, and in input pixels. */
  distance: number;
  distancePixels: number;
  /** Of the attention of one token, in nats, mean over all. */
  entropy: number;
  /** Part of the attention on class, distillation and register tokens. */
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

/** Numbers as the model holds them, of one input: `values` row-major, `shape` as `info.model.layers` lists it: [C, h, w], or of transformers [tokens, width]. */
export interface Activations {
  layer: string;
  values: Float32Array;
  shape: number[];
  crop?: Crop | null;
  passes: Passes;
  elapsedMs: number;
}
export interface GradientOptions {
  /** The top class where left out. */
  target?: Target;
  output?: 'logit' | 'log_probability';
  /** d score / d the activations of this layer; where left out, d score / d the input as fed to the model, per channel. */
  layer?: string;
  signal?: AbortSignal;
}
/** d score / d activations, or where `layer` is null d score / d input, of one input. */
export interface Gradients extends Omit<Activations, 'layer'> {
  layer: string | null;
  target: Target;
  output: 'logit' | 'log_probability';
  /** The value of the score that was differentiated. */
  score: number;
}

/** A map on its way; can be painted as it is. */
export interface Estimate {
  values: Float32Array;
  shape: number[];
  space: 'layer' | 'input';
  crop: Crop | null;
  /** Of the last item: all of the result. */
  attribution: Attribution | null;
}

export interface BatchOptions extends Omit<AttributeOptions, 'onProgress'> {
  /** No further photo is begun; the list holds those that are done. */
  stop?: AbortSignal;
  /** Rejects the whole with `aborted`. */
  signal?: AbortSignal;
  /** After each photo, with what became of it. */
  onProgress?: (progress: { stage: 'batch'; loaded: number; total: number; item: BatchItem }) => void;
}
/** What became of the photo at `index`: one of the two is null. */
export interface BatchItem {
  index: number;
  attribution: Attribution | null;
  error: SightlineError | null;
}

export class Explainer {
  private constructor();
  readonly info: Info;
  classify(image: ImageSource, options?: { topK?: number; signal?: AbortSignal }): Promise<Classification>;
  attribute(image: ImageSource, options: AttributeOptions): Promise<Attribution>;
  /** Ranks the attention heads of a transformer; rejects with `unsupported` for other models. */
  heads(image: ImageSource, options?: HeadsOptions): Promise<Heads>;
  /** The tensor that the model is fed. */
  preprocess(image: ImageSource, options?: { signal?: AbortSignal }): Promise<{ data: Float32Array; shape: number[]; crop?: Crop | null }>;
  /** A layer's activations; those of `info.model.defaultLayer` where none is named. */
  activations(image: ImageSource, layer?: string, options?: { signal?: AbortSignal }): Promise<Activations>;
  /** What the score changes by, per unit of the input or of a layer's activations. */
  gradients(image: ImageSource, options?: GradientOptions): Promise<Gradients>;
  /** One request for many photos, one after the other. A photo that cannot be explained leaves its error in the list and the others go on. */
  attributeAll(images: Iterable<ImageSource>, options: BatchOptions): Promise<BatchItem[]>;
  /** The map as it grows: an item for each estimate that the loop has time for, then one with the finished attribution. Leaving the loop ends the call. */
  estimates(image: ImageSource, options: AttributeOptions): AsyncGenerator<Estimate, void, undefined>;
  /** Frees the model; running calls end first. */
  dispose(): void;
}

export function createExplainer(options: ExplainerOptions): Promise<Explainer>;
export function listMethods(): MethodSpec[];
/** An entry of `models/models.json`: one of `path` (built in), `hub` and `url`. */
export interface ListedModel {
  id: string;
  title: string;
  /** Below `models/`. */
  path?: string;
  /** A name on the hub. */
  hub?: string;
  /** A folder's address. */
  url?: string;
  /** Of the weights, where the list says it. */
  bytes?: number;
}
export function listModels(options?: { assetBaseUrl?: string | URL; signal?: AbortSignal }): Promise<ListedModel[]>;
export interface ModelInspection {
  id: string;
  /** The folder; null for files. */
  url: string | null;
  /** Of the weights; null where the server does not say. */
  bytes: number | null;
  files: { name: string; bytes: number | null }[];
  architecture: string | null;
  numClasses: number | null;
  /** What is kept of it on this machine; all of it where `complete`, which is then opened without a request. */
  cached: { bytes: number; complete: boolean; date: string; sha256?: string } | null;
}
/** Reads config.json and asks for the weights' size, nothing more. Rejects as `createExplainer` does where the model cannot be had. */
export function inspectModel(model: ModelSource, options?: { assetBaseUrl?: string | URL; signal?: AbortSignal }): Promise<ModelInspection>;

export interface CachedModel {
  /** A hub's name or a folder's address. */
  id: string;
  url: string;
  /** On this machine. */
  bytes: number;
  /** When it came (ISO 8601). */
  date: string;
  /** Whether all of it is here, or what an interrupted download left. */
  complete: boolean;
  /** Known once it has been opened, like the two below. */
  sha256?: string;
  architecture?: string;
  numClasses?: number;
}
/** The models kept on this machine; none where the page may keep nothing (no secure context, a sandboxed frame). */
export function listCachedModels(): Promise<CachedModel[]>;
/** Deletes a kept model, so that it is fetched again when it is next opened; whether there was one. Explainers that run it go on. */
export function deleteCachedModel(id: string): Promise<boolean>;

export function listColormaps(): { id: string; diverging: boolean }[];

export type Scale = 'positive' | 'symmetric' | [low: number, high: number];
export interface RenderOptions {
  /** One of `listColormaps()`. */
  colormap?: string;
  /** Opacity of the heatmap, 0 to 1. */
  alpha?: number;
  /** `positive`: 0 to the largest value; `symmetric`: zero in the middle, the default of colour maps that have one; or the two ends. */
  scale?: Scale;
  /** The scale ends where this share (%) of the magnitudes ends; 100 for layers, 99 for pixels. */
  percentile?: number;
  /** `cells`: every number one square, as computed. */
  interpolation?: 'smooth' | 'cells';
  /** Paints the largest values alone: those that fill this share (%) of the map; on a scale with both signs the largest magnitudes. Never those at or below zero (magnitudes: at zero). */
  threshold?: number;
  /** With `threshold`: the photo itself where they are, and grey elsewhere. */
  only?: boolean;
  /** Lines of equal value at these levels, or at this many (0 to 20) evenly spaced over the scale; where it has both signs, this many on each side. */
  contours?: number | number[];
  /** How [C, H, W] becomes one plane; as the registry says of the attribution's method where left out, and the sum where it names none. */
  channels?: Channels;
}
export type Channels = 'none' | 'sum' | 'max_abs';
export interface Rendered {
  lo: number;
  hi: number;
  colormap: string;
  percentile: number;
  /** The share (0 to 1) of the map's values that lie beyond the ends and have their colour; on a scale from zero those below zero do not count. */
  clipped: number;
  channels: Channels;
  /** Nothing was painted: the map has no value on this scale. */
  empty: boolean;
  /** Where on the canvas the heatmap lies. */
  place: { x: number; y: number; width: number; height: number };
  /** `kept` is the share (0 to 1) of the map that was painted, `cut` the smallest value (or magnitude) in it: infinite where none is. */
  threshold: { percent: number; cut: number; kept: number } | null;
  /** The levels that were drawn. */
  contours: number[];
}
/** A number of a map, and its place on the grid. */
export interface Place {
  value: number;
  /** From 0. */
  row: number;
  column: number;
  /** How many the map has. */
  rows: number;
  columns: number;
}
/** What painting reads of an attribution; an estimate, or one layer of several, can be put in its place. */
export type Paintable = Pick<Attribution, 'values' | 'shape' | 'space'> & Partial<Pick<Attribution, 'method' | 'crop'>>;
export function renderHeatmap(
  canvas: HTMLCanvasElement | OffscreenCanvas,
  image: CanvasImageSource | ImageData | null,
  attribution: Paintable,
  options?: RenderOptions,
): Rendered;
export function renderColorbar(canvas: HTMLCanvasElement, colormap: string): void;
export function toPlane(attribution: Paintable, channels?: Channels): { plane: Float32Array; h: number; w: number };
/** The cell under a point of the canvas (in its pixels) and its number as computed; null beside the heatmap. */
export function valueAt(attribution: Paintable, rendered: Rendered, x: number, y: number): Place | null;
/** The widest of several maps' scales, for `scale`. Their values must be comparable, as those of one method on one model are. */
export function sharedScale(
  attributions: Paintable[],
  options?: { scale?: 'positive' | 'symmetric'; percentile?: number; channels?: Channels },
): [low: number, high: number];

/** Names by class index: `info.model.labels`, or those of some classes. */
export type Labels = string[] | Record<number, string>;
export type Describable = Paintable & Partial<Pick<Attribution, 'target' | 'provenance'>>;
/** Templates, whose `{names}` are replaced; `describeStrings` has the English ones and shows which names each may have. */
export interface DescribeStrings {
  /** For numbers (BCP 47). */
  locale: string;
  share: string;
  more: string;
  less: string;
  class: string;
  contrast: string;
  group: string;
  about: string;
  parts: { positive: string; negative: string; all: string };
  /** The area that the regions are parts of. */
  seen: string;
  photo: string;
  map: string;
  /** Row by row from the upper left. */
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
/** What a map shows, from its numbers alone: where most of what is positive lies, the strongest spot, and what share is negative. */
export function describe(
  attribution: Describable,
  options?: { labels?: Labels; strings?: Partial<DescribeStrings>; channels?: Channels },
): string;

/** Templates as those of `describe`; `exportStrings` has the English ones. */
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
   * Every further text by its key, with `{names}` as above: `method.<id>.summary`, `.caveat`, `.cost`, `.citation`, `.option.<option>` and its
   * `.unit`; `method.<id>.values` (what the values say where a map is of no class); `choice.<value>`; `error.<code>`; `device.<reason>`;
   * `warning.<code>` and `warning.<code>.<cause>`.
   */
  texts: Record<string, string>;
}
/**
 * The package's texts in the nearest language that there is, English or German: for `strings` of `describe` and `exportPng`. `language` is a BCP 47
 * tag. A language other than English is fetched when it is first asked for; rejects with `network` where that fails.
 */
export function stringsFor(language: string): Promise<Strings>;
export interface ExportOptions {
  /** The map alone; over the photo; or the photo and each map over it, side by side. `overlay` where there is a photo, `comparison` for several. */
  what?: 'heatmap' | 'overlay' | 'comparison';
  /** As the pictures are painted: all alike, or one for each. */
  render?: RenderOptions | RenderOptions[];
  /** Of maps, 1 to 64; the photo of a comparison stands in one more before them. About as many as rows where left out. */
  columns?: number;
  /** The colour scale with its ends, what was cut off, and of a single map the sentence of `describe`; true where left out. */
  legend?: boolean;
  /** Model, checksum, method, options and version in the picture; true where left out. They are in the file's metadata in any case. */
  provenance?: boolean;
  labels?: Labels;
  /** Above each of several maps; method, class and layer where left out. */
  titles?: string[];
  strings?: Partial<DescribeStrings & ExportStrings>;
}
/**
 * A PNG to keep, with its origin in text chunks: `Title`, `Description`, `Software`, and `sightline` (JSON: what was asked, provenance, scale).
 * Rejects with `bad-option`, and with `unsupported-image` for a photo of another site that does not allow its pixels to be read.
 */
export function exportPng(
  attributions: Attribution | Attribution[],
  image: CanvasImageSource | ImageData | null,
  options?: ExportOptions,
): Promise<Blob>;
/** The values as a file for numpy (`numpy.load`): float32, C order, in the attribution's shape. */
export function toNpy(attribution: Pick<Attribution, 'values' | 'shape'>): Uint8Array<ArrayBuffer>;
/** The attribution as JSON text, every value as the same float32 (a minus before zero is lost); null stands for one that is not a finite number. */
export function toJson(attribution: Attribution): string;
/** An attribution from the text of `toJson`, or that text parsed; what is not one is `bad-option`. It can be shown without a model. `details` do not come back. */
export function fromJson(json: string | object): Attribution;
/**
 * How much a photo looks like one of the model's classes, from the logits of `classify`: the likeliest class's probability, and the energy score
 * above that of equal logits (nats). `unfamiliar` where both are low: the picture is likely of something that the model does not know. `energy` is
 * the model's own limit, as in the `figures.json` of those that come with the package; 1.5 where left out.
 */
export function familiarity(
  logits: ArrayLike<number>,
  limits?: { energy?: number },
): { probability: number; energy: number; unfamiliar: boolean };
export const version: string;
