import { createExplainer, describe, renderHeatmap, stringsFor } from 'sightline';

const output = document.querySelector('output');
try {
  // Only where the bundler does not find the package's files is this defined.
  const assetBaseUrl = typeof ASSETS === 'undefined' ? undefined : ASSETS;
  const explainer = await createExplainer({ model: 'sightline-cnn', device: 'cpu', assetBaseUrl });
  const photo = await (await fetch('cat.jpg')).blob();
  const { predictions } = await explainer.classify(photo);
  const attribution = await explainer.attribute(photo, { method: 'grad_cam' });
  renderHeatmap(document.querySelector('canvas'), await createImageBitmap(photo), attribution);
  const sentence = describe(attribution, { strings: await stringsFor('de') });
  output.textContent = `${predictions[0].label}, from ${explainer.info.model.url}. ${sentence}`;
  document.body.dataset.state = 'done';
} catch (error) {
  output.textContent = error.stack;
  document.body.dataset.state = 'failed';
}
