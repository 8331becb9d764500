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

/** A built-in model's id, the address of a folder with config.json and model.safetensors, or those two themselves. */
export type ModelSource = string | { url: string } | { config: string | object | Blob; weights: ArrayBuffer | ArrayBufferView | Blob };

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
  };
  readonly device: { kind: 'webgpu' | 'cpu'; description: string; reason: string };
  readonly version: string;
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

export interface AttributeOptions {
  method: MethodId;
  /** A class index; the top class where left out. */
  target?: number;
  /** One of `info.model.layers`, for methods in layer space. */
  layer?: string;
  signal?: AbortSignal;
  onProgress?: (progress: { stage: 'compute'; loaded: number; total: number; passes: Passes }) => void;
  /** The method's own options, see `listMethods()`. */
  [option: string]: unknown;
}

/** Raw signed numbers. `shape` is [h, w] in layer space and [C, H, W] in input space, row-major. */
export interface Attribution {
  method: MethodId;
  target: number;
  layer?: string | null;
  values: Float32Array;
  shape: number[];
  space: 'layer' | 'input';
  score: number;
  completeness?: { baselineScore: number; score: number; sum: number; delta: number } | null;
  crop?: Crop | null;
  passes: Passes;
  elapsedMs: number;
  device: 'webgpu' | 'cpu';
  warnings: { code: string; message: string }[];
}

export class Explainer {
  private constructor();
  readonly info: Info;
  classify(image: ImageSource, options?: { topK?: number; signal?: AbortSignal }): Promise<Classification>;
  attribute(image: ImageSource, options: AttributeOptions): Promise<Attribution>;
  /** The tensor that the model is fed. */
  preprocess(image: ImageSource, options?: { signal?: AbortSignal }): Promise<{ data: Float32Array; shape: number[]; crop?: Crop | null }>;
  dispose(): void;
}

export function createExplainer(options: ExplainerOptions): Promise<Explainer>;
export function listMethods(): MethodSpec[];
export interface ListedModel {
  id: string;
  title: string;
  path: string;
  bytes: number;
}
export function listModels(options?: { assetBaseUrl?: string | URL; signal?: AbortSignal }): Promise<ListedModel[]>;
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
  interpolation?: 'smooth' | 'cells';
  /** How [C, H, W] becomes one plane; the method's registry entry says. */
  channels?: 'none' | 'sum' | 'max_abs';
}
export interface Rendered {
  lo: number;
  hi: number;
  colormap: string;
  percentile: number;
  /** Nothing was painted: the map has no value on this scale. */
  empty: boolean;
  /** Where on the canvas the heatmap lies. */
  place: { x: number; y: number; width: number; height: number };
}
export function renderHeatmap(
  canvas: HTMLCanvasElement | OffscreenCanvas,
  image: CanvasImageSource | ImageData | null,
  attribution: Attribution,
  options?: RenderOptions,
): Rendered;
export function renderColorbar(canvas: HTMLCanvasElement, colormap: string): void;
export function toPlane(attribution: Attribution, channels?: 'none' | 'sum' | 'max_abs'): { plane: Float32Array; h: number; w: number };
export const version: string;
