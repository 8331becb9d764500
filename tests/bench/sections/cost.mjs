import { spreadOf } from '../report.mjs';

export const title = 'Cost by steps, masks and pixels: Sightline on the CPU';
export async function run() {}
