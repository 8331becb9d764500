// @ts-check
// The package's texts in English, which is part of it. What methods and the core's warnings say in
// English stands in the core, and comes from its registry.

/** The English templates; `{name}` is replaced. @type {import('../index.js').DescribeStrings} */
export const describeStrings = {
  locale: 'en',
  share: '{percent} %',
  more: 'more than 99 %',
  less: 'less than 1 %',
  class: '“{a}”',
  contrast: '“{a}” and not “{b}”',
  group: 'any of {list}',
  about: ' for {target}',
  parts: {
    positive: 'the positive attribution{about}',
    negative: 'the negative attribution{about}',
    all: 'the attribution{about}',
  },
  seen: 'of what the model saw',
  photo: 'of the photo',
  map: 'of the map',
  ninths: [
    'in the upper left ninth',
    'in the upper middle ninth',
    'in the upper right ninth',
    'in the middle left ninth',
    'in the central ninth',
    'in the middle right ninth',
    'in the lower left ninth',
    'in the lower middle ninth',
    'in the lower right ninth',
  ],
  rows: ['in the upper third', 'in the middle third from top to bottom', 'in the lower third'],
  columns: ['in the left third', 'in the middle third from left to right', 'in the right third'],
  most: '{share} of {part} lies {region} {whole}',
  spread: '{part} is spread out: no third {whole} holds half of it, and the most, {share}, lies {region}',
  spot: 'the strongest spot, one of {columns} × {rows} cells, has its middle at {right} of the width and {down} of the height',
  spots: 'its strongest value is reached in {count} of {columns} × {rows} cells',
  uniform: 'the value is the same everywhere',
  join: '{a}; {b}.',
  end: '{a}.',
  balance: '{share} of all magnitude is negative',
  none: 'no attribution is positive.',
  empty: 'The map is zero everywhere: it marks nothing.',
  invalid: '{count} of {cells} values are not finite numbers and are left out.',
  nothing: 'The map has no finite number.',
};

/** @type {import('../index.js').ExportStrings} */
export const exportStrings = {
  image: 'Photo',
  percentile: 'The scale ends at percentile {percentile}: {share} of the values lie beyond.',
  threshold: 'Shown: the largest values, on {share} of the map.',
  contours: 'Lines at {levels}.',
  shared: 'One scale for all maps.',
  blank: 'Nothing to show on this scale.',
  title: '{method} for {target}{at}',
  method: '{method}{at}',
  at: ' at {layer}',
  model: 'Model {id} ({architecture}), SHA-256 {sha256}.',
  options: 'Options: {options}.',
  logProbability: 'Of the log probability.',
  version: 'Sightline {version}.',
};

/**
 * What went wrong, by `SightlineError.code`.
 * @type {Record<`error.${import('../index.js').ErrorCode}`, string>}
 */
const errors = {
  'error.unsupported-image': 'The image cannot be read.',
  'error.image-too-large': 'The image is too large.',
  'error.bad-model': 'The model cannot be used.',
  'error.unsupported-architecture': 'This kind of model is not supported.',
  'error.bad-option': 'An option is not valid.',
  'error.unsupported': 'This does not work on this model.',
  'error.device-unavailable': 'The device is not available.',
  'error.device-lost': 'The device was lost.',
  'error.out-of-memory': 'There is not enough memory.',
  'error.aborted': 'The request was cancelled.',
  'error.network': 'Something could not be fetched.',
  'error.quota': 'There is not enough storage.',
  'error.internal': 'Something went wrong.',
};

/** The texts by key that stand nowhere else. */
export const texts = {
  ...errors,

  'warning.quota':
    'the model is open but was not kept for next time: the browser has no storage left for this page; delete kept models or free disk space',
  'warning.internal': "the model is open but was not kept for next time: the browser's storage failed ({detail})",

  'device.cpu': 'CPU, WebAssembly SIMD, one thread',
  'device.cpu.chosen': 'you asked for the CPU',
  'device.webgpu.chosen': 'you asked for WebGPU',
  'device.webgpu.found': 'this browser has a hardware WebGPU adapter',
  'device.webgpu.absent': 'this browser does not support WebGPU',
  'device.webgpu.no-adapter': 'this browser supports WebGPU but found no adapter',
  'device.webgpu.refused': 'this browser refused access to a WebGPU adapter',
  'device.webgpu.silent': 'this browser did not answer when asked for a WebGPU adapter',
  'device.webgpu.software': 'the WebGPU adapter is emulated in software, which is slower than the CPU build',
  'device.webgpu.not-served': 'this site does not offer the WebGPU build',
  'device.webgpu.looking': 'checking whether WebGPU is available',
  'device.webgpu.warming': 'WebGPU takes over as soon as it is ready',
  'device.webgpu.failed': 'WebGPU did not start ({reason})',

  'colormap.blue-white-red': 'blue–white–red',

  // What the values say of methods whose maps are of no class.
  'method.eigen_cam.values': 'The layer responds more strongly where values are higher.',
  'method.raw_attention.values': 'The model attends more to places with higher values.',
  'method.attention_rollout.values': 'More attention arrives from places with higher values.',
  'method.token_cut.values': 'Positive values mark the part that stands out, negative values the rest.',
};
