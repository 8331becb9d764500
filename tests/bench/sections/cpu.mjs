import { compare } from '../compare.mjs';

export const title = 'CPU, one thread: Sightline, tfjs (wasm), onnxruntime-web (wasm)';
export const device = 'cpu';

const measures = ['forward', 'gradCam', 'switchClass', 'gradient', 'integrated'];

export const run = (world) =>
  compare(world, device, ({ side }) =>
    world.quick
      ? { least: 3, most: 3, budget: 0, warm: 500, steps: side > 100 ? 3 : 10, measures }
      : { least: 5, most: 15, budget: 20000, warm: 1000, steps: side > 100 ? 5 : 50, measures },
  );
