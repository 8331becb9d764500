// @ts-check
import { texts } from '../i18n/en.js';
import { SightlineError } from '../util/errors.js';
import { quote } from '../util/quote.js';
import { fill } from '../util/text.js';
import { within } from '../util/within.js';

/** @typedef {import('../index.js').Info['device']} Device */
/**
 * Why it is this device, in English and by key.
 * @typedef {Pick<Device, 'reason' | 'key' | 'values'>} Reason
 */
/** @typedef {Reason & { kind: 'cpu' | 'webgpu' }} Choice */

/** A browser that has not answered by then does without WebGPU (ms). */
export const ANSWER = 5000;
const SILENT = Symbol('silent');
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bwarp\b|software/i;

/** @param {keyof typeof texts} key @param {Record<string, string>} [values] @returns {Reason} */
export const because = (key, values = {}) => ({ reason: fill(texts[key], values), key, values });

/**
 * Which device, and why.
 * @param {'auto' | 'webgpu' | 'cpu'} wanted
 * @param {() => Promise<boolean>} hasBuild whether the WebGPU build is served
 * @returns {Promise<Choice>}
 */
export async function chooseDevice(wanted, hasBuild) {
  if (wanted === 'cpu') return { kind: 'cpu', ...because('device.cpu.chosen') };
  if (wanted !== 'auto' && wanted !== 'webgpu')
    throw new SightlineError('bad-option', `device must be auto, webgpu or cpu; got "${quote(wanted)}"`);
  const { adapter, missing } = await findAdapter();
  if (wanted === 'webgpu') {
    if (!adapter) throw new SightlineError('device-unavailable', `${missing.reason}; use the CPU`);
    if (!(await hasBuild()))
      throw new SightlineError(
        'device-unavailable',
        'the WebGPU build is not available yet; use the CPU, or try again later',
      );
    return { kind: 'webgpu', ...because('device.webgpu.chosen') };
  }
  if (!adapter) return { kind: 'cpu', ...missing };
  if (isSoftware(adapter)) return { kind: 'cpu', ...because('device.webgpu.software') };
  if (!(await hasBuild())) return { kind: 'cpu', ...because('device.webgpu.not-served') };
  return { kind: 'webgpu', ...because('device.webgpu.found') };
}

/** @returns {Promise<{ adapter: any, missing: Reason }>} `missing`: why there is none */
async function findAdapter() {
  const gpu = /** @type {any} */ (globalThis.navigator)?.gpu;
  if (!gpu) return { adapter: undefined, missing: because('device.webgpu.absent') };
  try {
    const adapter = await within(ANSWER, gpu.requestAdapter({ powerPreference: 'high-performance' }), () => SILENT);
    return { adapter, missing: because('device.webgpu.no-adapter') };
  } catch (error) {
    const missing = because(error === SILENT ? 'device.webgpu.silent' : 'device.webgpu.refused');
    return { adapter: undefined, missing };
  }
}

/** @param {any} adapter */
export function isSoftware(adapter) {
  const { vendor = '', architecture = '', device = '', description = '', isFallbackAdapter } = adapter.info ?? {};
  return Boolean(
    isFallbackAdapter ||
      adapter.isFallbackAdapter ||
      SOFTWARE.test(`${vendor} ${architecture} ${device} ${description}`),
  );
}
