// Compiled by `tsc --strict`, never run: what a TypeScript user writes against the public types.
import {
  createExplainer,
  Explainer,
  listMethods,
  type MethodId,
  renderHeatmap,
  SightlineError,
} from '../../pkg/index.js';

export async function explain(file: File, canvas: HTMLCanvasElement): Promise<string> {
  const controller = new AbortController();
  const explainer = await createExplainer({
    model: { url: 'https://example.org/model' },
    device: 'auto',
    signal: controller.signal,
    onProgress: ({ stage, loaded, total }) => console.log(stage, loaded, total ?? 'unknown'),
  });
  try {
    const { predictions } = await explainer.classify(file, { topK: 3 });
    const method: MethodId = 'grad_cam';
    // @ts-expect-error there is no such method
    const wrong: MethodId = 'phrenology';
    console.log(
      wrong,
      listMethods().map((m) => m.options.length),
    );
    const target = predictions[0]?.index;
    const attribution = await explainer.attribute(file, { method, ...(target === undefined ? {} : { target }) });
    const { lo, hi } = renderHeatmap(canvas, await createImageBitmap(file), attribution, {
      scale: 'symmetric',
      alpha: 0.5,
    });
    return `${attribution.score} ${lo} ${hi} ${explainer.info.model.layers.length}`;
  } catch (error) {
    if (error instanceof SightlineError && error.code === 'aborted') return 'aborted';
    throw error;
  } finally {
    explainer.dispose();
  }
}

// @ts-expect-error an explainer comes from createExplainer: its constructor is private
export const unopened = new Explainer();
