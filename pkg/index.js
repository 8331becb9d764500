// @ts-check
// Sightline's public API. What is exported here and in element.js, with their .d.ts files, is the
// contract; everything else is private.
//
// Imports run one way, from top to bottom, which the lint checks (biome.json); engine/ and report/
// do not import each other.
//   element/   <sightline-explainer>
//   engine/    an explainer: opening a model, the choice of a device, the workers and who runs when
//   report/    what is said of a map, and what is taken away of it: PNG, JSON, .npy
//   picture/   a photo on its way to the model, a map on its way to the eye
//   model/     where models come from: addresses, downloads, and what is kept
//   i18n/      the texts, by language
//   util/      aborting, errors, text, numbers, elements, addresses of files
//   wasm/      made by the build: the core, its registry, and the list of the package's files

import { COLORMAPS } from './picture/colormaps.js';
import { methods } from './wasm/registry.js';

export { Explainer } from './engine/explainer.js';
export { createExplainer } from './engine/open.js';
export { describeStrings, exportStrings } from './i18n/en.js';
export { stringsFor } from './i18n/strings.js';
export { deleteCached as deleteCachedModel, listCached as listCachedModels } from './model/cache.js';
export { inspectModel, listModels } from './model/source.js';
export { isWhole, placeOf } from './picture/crop.js';
export { Photo } from './picture/photo.js';
export { renderColorbar, renderHeatmap, sharedScale, toPlane, valueAt } from './picture/render.js';
export { describe } from './report/describe.js';
export { familiarity } from './report/familiarity.js';
export { fromJson, toJson } from './report/json.js';
export { toNpy } from './report/npy.js';
export { exportPng } from './report/png.js';
export { SightlineError } from './util/errors.js';
export { version } from './wasm/registry.js';

/** The attribution methods with their options, from the core's registry. */
export const listMethods = () => structuredClone(methods);

/** The colour maps' names and whether they have a middle. */
export const listColormaps = () => Object.entries(COLORMAPS).map(([id, { diverging }]) => ({ id, diverging }));
