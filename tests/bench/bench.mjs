// The browser bench: runs its sections, prints what they measured, writes JSON and plots. `cargo
// xtask bench` starts it, with the site built in dist/ and the
// contenders' models in SIGHTLINE_BENCH_MODELS.
// usage: node tests/bench/bench.mjs OUT [--quick] [--only SECTION] [--model NAME] [--against DIST]
//
// A section is a module `sections/NAME.mjs` that exports `title` and `run(world)`: the rows of its
// result, a list of flat objects with a `name`; and `device`, 'cpu' or 'webgpu', where it wants the
// bench's browser, and on WebGPU the adapter. The bench adds when, where and with what they were
// measured, and writes { section, title, date, build, machine, browser, versions, ...result } to
// OUT/NAME.json.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { dist, launch, root, serve, shared } from '../browser/harness.mjs';
import { plots } from './plot.mjs';
import { origin } from './report.mjs';

const SECTIONS = ['cpu', 'webgpu', 'cost', 'start', 'memory', 'size'];

const args = process.argv.slice(2);
const take = (name) => {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args.splice(at, 2)[1];
};
const flag = (name) => args.includes(name) && Boolean(args.splice(args.indexOf(name), 1));
const [only, model, against, quick] = [take('--only'), take('--model'), take('--against'), flag('--quick')];
const out = resolve(args.shift() ?? join(root, 'target/bench/results'));
if (args.length) throw new Error(`unknown: ${args.join(' ')}`);
mkdirSync(out, { recursive: true });

const here = join(root, 'tests/bench');
const converted = process.env.SIGHTLINE_BENCH_MODELS ?? join(root, 'target/bench/models');

/**
 * The models there are, with the folders of their packages as served. A model without `onnx` is not
 * run by onnxruntime.
 */
function models() {
  const given = (id, title, side, folder, path, weights = path) => {
    if (!existsSync(join(folder, 'config.json'))) return [];
    const onnx = existsSync(join(converted, id, 'model.onnx')) ? `/converted/${id}/model.onnx` : undefined;
    return [{ id, title, side, config: `${path}/config.json`, weights: `${weights}/model.safetensors`, onnx }];
  };
  const built = (id, title) => given(id, title, 64, join(dist, 'pkg/models', id), `/pkg/models/${id}`);
  const real = (id, title, name) => given(id, title, 224, join(shared, 'models', name), `/shared/models/${name}`);
  const seeded = (side) =>
    given(
      `resnet18-${side}`,
      'ResNet-18',
      side,
      join(converted, `resnet18-${side}`),
      `/converted/resnet18-${side}`,
      '/converted/resnet18-224',
    );
  return [
    ...built('sightline-cnn', 'sightline-cnn'),
    ...built('sightline-vit', 'sightline-vit'),
    ...seeded(64),
    ...real('mobilenetv2', 'MobileNetV2', 'mobilenetv2_100_same'),
    ...real('deit-tiny', 'DeiT-tiny', 'deit_tiny_patch16_224'),
    ...seeded(224),
  ];
}

const version = (name) => JSON.parse(readFileSync(join(here, 'node_modules', name, 'package.json'), 'utf8')).version;
const sightline = /^version = "(.*)"/m.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'))[1];
const commit = () => {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { cwd: root, encoding: 'utf8' }).trim();
  } catch {
    return undefined;
  }
};

/** A browser that uses the machine's own adapter, if it has one, and else one in software. */
async function launchGpu() {
  const hardware = process.platform === 'linux' ? ['--enable-features=Vulkan', '--ignore-gpu-blocklist'] : [];
  for (const flags of [hardware, undefined]) {
    const browser = await launch({ flags });
    const page = await browser.newPage();
    await page.goto(`${server.url}/blank.html`);
    const adapter = await page.evaluate(async () => {
      const { isSoftware } = await import('/pkg/engine/device.js');
      const found = await navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' });
      if (!found) return undefined;
      const { vendor, architecture, device, description } = found.info;
      return {
        name: [vendor, architecture, device, description].filter(Boolean).join(' '),
        software: isSoftware(found),
      };
    });
    await page.close();
    if (adapter && (!adapter.software || flags === undefined)) return { browser, adapter };
    await browser.close();
  }
  throw new Error('this browser gives no WebGPU adapter');
}

const server = await serve({
  others: [['/bench/', here], ['/converted/', converted], ...(against ? [['/before/', resolve(against)]] : [])],
});
let failed = false;
for (const section of against ? ['builds'] : only ? [only] : SECTIONS) {
  const { title, run, device } = await import(`./sections/${section}.mjs`);
  console.log(`\n== ${title}`);
  const start = performance.now();
  let browser;
  let adapter;
  try {
    if (device === 'webgpu') ({ browser, adapter } = await launchGpu());
    else if (device) browser = await launch({ gpu: false });
    const world = {
      browser,
      adapter,
      url: server.url,
      quick,
      models: models().filter(({ id }) => !model || id === model),
      log: (line) => console.log(`${((performance.now() - start) / 1000).toFixed(0).padStart(4)} s  ${line}`),
    };
    const load = loadavg()[0];
    const result = await run(world);
    const full = {
      section,
      title,
      date: new Date().toISOString().slice(0, 10),
      build: process.env.SIGHTLINE_BUILD ?? 'unknown',
      quick,
      machine: {
        cpu: cpus()[0].model.trim(),
        cores: cpus().length,
        memoryGb: Math.round(totalmem() / 2 ** 30),
        load: [load, loadavg()[0]],
        adapter: adapter?.name ?? null,
      },
      browser: browser && `Chromium ${browser.version()}`,
      versions: {
        sightline: [sightline, commit()].filter(Boolean).join(' '),
        ...(!against && {
          tfjs: version('@tensorflow/tfjs-core'),
          'onnxruntime-web': version('onnxruntime-web'),
        }),
      },
      ...result,
    };
    console.log(`\n${origin(full).join('\n')}`);
    writeFileSync(join(out, `${section}.json`), `${JSON.stringify(full, null, 1)}\n`);
  } catch (error) {
    failed = true;
    console.error(`${section} failed: ${error.stack}`);
  } finally {
    await browser?.close();
  }
  console.log(`${title}: ${((performance.now() - start) / 1000).toFixed(0)} s`);
}
await server.close();
plots(out);
process.exit(failed ? 1 : 0);
