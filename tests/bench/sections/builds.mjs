import { compare } from '../compare.mjs';

export const title = 'CPU, one thread: this build and the one that --against names';
export const device = 'cpu';

const options = { least: 9, most: 9, budget: 0, warm: 1000, steps: 5, measures: ['forward', 'gradient'] };

export const run = (world) => compare(world, device, () => options, ['sightline', 'before']);
