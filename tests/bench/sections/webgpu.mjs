import { compare } from '../compare.mjs';

export const title = 'WebGPU: Sightline, tfjs, onnxruntime-web';
export const device = 'webgpu';

const measures = ['forward', 'gradCam', 'switchClass', 'gradient', 'integrated'];

/**
 * An adapter in software takes seconds for a pass at 224 px: there it is left at one net's forward
 * pass of that size, and two steps.
 */
export const run = (world) =>
  compare(world, device, ({ id, side }) => {
    const large = side > 100;
    if (!world.adapter.software) return { least: 5, most: 15, budget: 20000, warm: 1000, steps: 50, measures };
    if (large && id !== 'mobilenetv2') return undefined;
    const least = world.quick ? 3 : 5;
    return {
      least,
      most: least,
      budget: 0,
      warm: 0,
      steps: 2,
      measures: large ? ['forward'] : ['forward', 'gradient', 'integrated'],
    };
  });
