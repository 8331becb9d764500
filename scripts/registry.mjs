// Asks the CPU build for the core's registries and writes them as a module with literal types, so
// that listing methods loads no wasm. usage: node scripts/registry.mjs        (after wasm-bindgen
// has written pkg/wasm/cpu/)
import { readFileSync, writeFileSync } from 'node:fs';

const folder = new URL('../pkg/wasm/', import.meta.url);
const core = await import(new URL('cpu/sightline.js', folder));
core.initSync({ module: readFileSync(new URL('cpu/sightline_bg.wasm', folder)) });

const methods = core.listMethods();
const families = core.listFamilies();
const limits = core.limits();
const warnings = core.listWarnings();
const literal = (value) => JSON.stringify(value, null, 2);
const union = (values) => [...new Set(values)].map((v) => JSON.stringify(v)).join(' | ') || 'never';

writeFileSync(
  new URL('registry.js', folder),
  `// Made from the core's registries by scripts/registry.mjs.
export const version = ${literal(core.version())};
export const methods = ${literal(methods)};
export const families = ${literal(families)};
/** How large what comes from outside may be. */
export const limits = ${literal(limits)};
/** What warnings say in English, by key; \`{name}\` stands for a value. */
export const warnings = ${literal(warnings)};
`,
);
writeFileSync(
  new URL('registry.d.ts', folder),
  `// Made from the core's registries by scripts/registry.mjs.
export type MethodId = ${union(methods.map((m) => m.id))};
export interface OptionSpec {
  id: ${union(methods.flatMap((m) => m.options.map((o) => o.id)))};
  type: 'integer' | 'number' | 'choice' | 'boolean' | 'baseline' | 'tensor';
  /**
   * null: the device, the model or the input decides. Absent for tensors, which replace what the
   * method would draw itself.
   */
  default?: number | string | boolean | null;
  min?: number;
  max?: number;
  /** Of a choice, and of a baseline, which may be a picture or a tensor instead. */
  choices?: string[];
  /** Of a baseline: whether a list of them may be given. */
  many?: boolean;
  /** Of a tensor: its axes, in words. */
  shape?: string;
  unit?: string;
  help: string;
}
export interface MethodSpec {
  id: MethodId;
  name: string;
  group: 'cam' | 'gradient' | 'path' | 'relevance' | 'black_box' | 'transformer' | 'discovery';
  summary: string;
  /** What it cannot tell. */
  caveat: string;
  citation: string;
  arxiv: string;
  equation: string;
  cost: string;
  space: 'layer' | 'input';
  shape: string;
  sign: 'signed' | 'positive';
  channels: 'none' | 'sum' | 'max_abs';
  /** Whether the map is the same whatever class is asked about. */
  classFree: boolean;
  random: boolean;
  needs: ('gradients' | 'attention' | 'superpixels' | 'rectifiers' | 'plain_convolutions')[];
  /** Whether a request may name a layer, or several. */
  reads: 'input' | 'layer' | 'layers';
  /** Whether there is a live estimate, and stopping keeps it. */
  estimates: boolean;
  options: OptionSpec[];
}
export interface FamilySpec {
  id: string;
  title: string;
  names: string[];
  defaultLayer: string;
  checkedAgainst: string;
}
export const version: string;
export const methods: MethodSpec[];
export const families: FamilySpec[];
export const limits: {
${Object.keys(limits)
  .map((name) => `  ${name}: number;`)
  .join('\n')}
};
export const warnings: Record<${union(Object.keys(warnings))}, string>;
`,
);
console.log(`registry: ${methods.length} methods, ${families.length} families`);
