// @ts-check
import { SightlineError } from '../util/errors.js';

/** @typedef {{ kind: 'cpu' | 'webgpu', reason: string }} Choice */

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bwarp\b|software/i;

/**
 * Which device, and why.
 * @param {'auto' | 'webgpu' | 'cpu'} wanted
 * @param {() => Promise<boolean>} hasBuild whether the WebGPU build is served
 * @returns {Promise<Choice>}
 */
export async function chooseDevice(wanted, hasBuild) {
  if (wanted === 'cpu') return { kind: 'cpu', reason: 'you asked for the CPU' };
  if (wanted !== 'auto' && wanted !== 'webgpu') throw new SightlineError('bad-option', `device: "${wanted}" is none of auto, webgpu, cpu`);
  const { adapter, missing } = await findAdapter();
  if (wanted === 'webgpu') {
    if (!adapter) throw new SightlineError('device-unavailable', `${missing}; use the CPU`);
    if (!(await hasBuild()))
      throw new SightlineError('device-unavailable', 'the WebGPU build is not there (yet); use the CPU or try again later');
    return { kind: 'webgpu', reason: 'you asked for WebGPU' };
  }
  if (!adapter) return { kind: 'cpu', reason: missing };
  if (isSoftware(adapter))
    return { kind: 'cpu', reason: 'the WebGPU adapter here is emulated in software, which is slower than the CPU build' };
  if (!(await hasBuild())) return { kind: 'cpu', reason: 'the WebGPU build is not served here' };
  return { kind: 'webgpu', reason: 'this browser has a hardware WebGPU adapter' };
}

/** @returns {Promise<{ adapter: any, missing: string }>} */
async function findAdapter() {
  const gpu = /** @type {any} */ (globalThis.navigator)?.gpu;
  if (!gpu) return { adapter: undefined, missing: 'this browser has no WebGPU' };
  try {
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    return { adapter, missing: 'this browser has WebGPU but no adapter for it' };
  } catch {
    return { adapter: undefined, missing: 'this browser refused to give a WebGPU adapter' };
  }
}

/** @param {any} adapter */
export function isSoftware(adapter) {
  const { vendor = '', architecture = '', device = '', description = '', isFallbackAdapter } = adapter.info ?? {};
  return Boolean(isFallbackAdapter || adapter.isFallbackAdapter || SOFTWARE.test(`${vendor} ${architecture} ${device} ${description}`));
}
