// Puts a .br and a .gz beside each file of the site that gets a tenth smaller by them, for servers
// that send such copies. usage: node scripts/compress.mjs FOLDER [--fast]
//
// Copies that are there stay: whoever changes a file removes its copies (xtask/src/build.rs).
// Weights have none: as f16 they lose 8 to 13 in 100, at 9 s of work for each megabyte, and a body
// of unknown length would leave their download without its bar.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const KINDS = new Set(['.css', '.html', '.js', '.json', '.mjs', '.svg', '.wasm', '.webmanifest']);
/** Bytes: below, headers weigh more than what is won. */
const LEAST = 1000;

/** @param {number} bytes @param {boolean} fast @returns {import('node:zlib').BrotliOptions} */
export const brotliOptions = (bytes, fast) => ({
  params: {
    [constants.BROTLI_PARAM_QUALITY]: fast ? 5 : 11,
    // The largest window that browsers take.
    [constants.BROTLI_PARAM_LGWIN]: 24,
    [constants.BROTLI_PARAM_SIZE_HINT]: bytes,
  },
});

/** @param {string} folder @param {boolean} fast */
async function compress(folder, fast) {
  const forms = [
    {
      end: '.br',
      work: (/** @type {Buffer} */ bytes) => promisify(brotliCompress)(bytes, brotliOptions(bytes.length, fast)),
    },
    { end: '.gz', work: (/** @type {Buffer} */ bytes) => promisify(gzip)(bytes, { level: fast ? 4 : 9 }) },
  ];
  const files = readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => KINDS.has(extname(name)))
    .map((name) => join(folder, name));

  // A folder with copies of the other quality gets all of them anew.
  const stamp = join(folder, '.compressed');
  const quality = fast ? 'fast' : 'best';
  const known = existsSync(stamp) && readFileSync(stamp, 'utf8') === quality;
  rmSync(stamp, { force: true });

  const queue = files.flatMap((file) => forms.map(({ end, work }) => ({ file, copy: file + end, work })));
  async function next() {
    for (let job = queue.shift(); job; job = queue.shift()) {
      const { file, copy, work } = job;
      if (known && existsSync(copy)) continue;
      rmSync(copy, { force: true });
      const bytes = readFileSync(file);
      if (bytes.length < LEAST) continue;
      const small = await work(bytes);
      if (small.length > bytes.length * 0.9) continue;
      writeFileSync(`${copy}.part`, small);
      renameSync(`${copy}.part`, copy);
    }
  }
  await Promise.all([next(), next(), next(), next()]);
  writeFileSync(stamp, quality);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, option] = process.argv.slice(2);
  if (!folder || (option !== undefined && option !== '--fast'))
    throw new Error('usage: node scripts/compress.mjs FOLDER [--fast]');
  await compress(folder, option === '--fast');
}
