// The public API as api-extractor reads it from the declarations: a report, which
// tests/browser/api/surface/ keeps, and a model, from which docs.mjs writes the reference.
// It needs pkg/wasm/registry.d.ts, which the build makes.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ApiPackage } from '@microsoft/api-extractor-model';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'target/api');
const stamp = join(folder, 'inputs.json');
const CONFIG = 'api-extractor.json';
const modules = [
  { name: 'index', path: 'sightline' },
  { name: 'element', path: 'sightline/element' },
];

/**
 * @typedef {object} Module
 * @property {string} name of its file
 * @property {string} path what users import
 * @property {string} report Markdown: every declaration without its documentation
 * @property {import('@microsoft/api-extractor-model').ApiEntryPoint} entry the declarations
 */

/** @returns {Promise<Module[]>} */
export async function publicApi() {
  if (!upToDate()) await extract();
  return modules.map(({ name, path }) => {
    const [entry] = ApiPackage.loadFromJsonFile(join(folder, `${name}.api.json`)).entryPoints;
    return { name, path, report: readFileSync(join(folder, `${name}.api.md`), 'utf8'), entry };
  });
}

const hash = (file) =>
  createHash('sha256')
    .update(readFileSync(join(root, file)))
    .digest('hex');

/** Whether nothing has changed that the last extraction read: it takes seconds. */
function upToDate() {
  try {
    return Object.entries(JSON.parse(readFileSync(stamp, 'utf8'))).every(([file, before]) => hash(file) === before);
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
}

async function extract() {
  // It loads a TypeScript.
  const { CompilerState, Extractor, ExtractorConfig } = await import('@microsoft/api-extractor');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const entries = modules.map(({ name }) => join(root, 'pkg', `${name}.d.ts`));
  const configs = modules.map(({ name }, i) => {
    const config = ExtractorConfig.loadFile(join(root, CONFIG));
    config.mainEntryPointFilePath = entries[i];
    config.apiReport.reportFileName = `${name}.api.md`;
    config.docModel.apiJsonFilePath = join(folder, `${name}.api.json`);
    // Types that are used and not exported. To the element those of `sightline` look like that.
    const unexported = name === 'index';
    config.apiReport.includeForgottenExports = unexported;
    config.docModel.includeForgottenExports = unexported;
    return ExtractorConfig.prepare({
      configObject: config,
      configObjectFullPath: join(root, CONFIG),
      packageJsonFullPath: join(root, 'pkg/package.json'),
    });
  });
  const compilerState = CompilerState.create(configs[0], { additionalEntryPoints: entries });
  const problems = [];
  for (const config of configs) {
    Extractor.invoke(config, {
      compilerState,
      localBuild: true,
      messageCallback: (message) => {
        message.handled = true;
        const serious = ['error', 'warning'].includes(message.logLevel) && message.category !== 'console';
        if (serious) problems.push(message.formatMessageWithLocation(root));
      },
    });
  }
  if (problems.length > 0) throw new Error(`api-extractor:\n${problems.join('\n')}`);
  const declarations = compilerState.program.getSourceFiles().map(({ fileName }) => relative(root, fileName));
  const own = declarations.filter((file) => file.startsWith('pkg'));
  const inputs = [...own, CONFIG, 'tsconfig.json', 'package-lock.json', 'scripts/api.mjs'];
  // Written last: a run that was cut off is done again.
  writeFileSync(stamp, JSON.stringify(Object.fromEntries(inputs.map((file) => [file, hash(file)])), null, 2));
}
