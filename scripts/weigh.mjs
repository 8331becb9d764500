// Prints the sizes of files as brotli sends them at its best, as JSON: { name: bytes }.
// usage: node scripts/weigh.mjs FOLDER FILE...        files below the folder
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { brotliOptions } from './compress.mjs';

const [folder, ...files] = process.argv.slice(2);
const weigh = (/** @type {string} */ file) => {
  const bytes = readFileSync(join(folder, file));
  return brotliCompressSync(bytes, brotliOptions(bytes.length, false)).length;
};
process.stdout.write(JSON.stringify(Object.fromEntries(files.map((file) => [file, weigh(file)]))));
