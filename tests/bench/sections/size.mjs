// The build has the copies that servers send: the best that brotli and gzip do, where it is a
// released one.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { dist } from '../../browser/harness.mjs';

export const title = 'Downloads: the wasm of each build with its JavaScript';

export async function run() {
  const fast = readFileSync(join(dist, '.compressed'), 'utf8') !== 'best';
  const rows = ['cpu', 'webgpu']
    .filter((device) => existsSync(join(dist, 'pkg/wasm', device)))
    .map((device) => {
      const sum = (end) =>
        ['sightline_bg.wasm', 'sightline.js'].reduce(
          (all, name) => all + statSync(join(dist, 'pkg/wasm', device, `${name}${end}`)).size,
          0,
        );
      return { name: device, bytes: sum(''), gzip: sum('.gz'), brotli: sum('.br'), unit: 'bytes', fast };
    });
  for (const { name, bytes, gzip, brotli } of rows)
    console.log(`${name.padEnd(7)} ${bytes} bytes, gzip ${gzip}, brotli ${brotli}`);
  return { rows };
}
