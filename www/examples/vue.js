// Vue 3. Where templates are compiled by a build, tell the compiler there: isCustomElement: (tag)
// => tag === 'sightline-explainer'. With the package: `import 'sightline/element'`.
import { ref } from 'vue';

import '../pkg/element.js';

export const Explained = {
  props: { src: String, alt: String, method: { type: String, default: 'grad_cam' } },
  setup() {
    const said = ref('');
    return {
      said,
      tell: ({ detail }) => (said.value = `${detail.predictions[0].label}, by ${detail.attribution.method}`),
      fail: ({ detail }) => (said.value = `It failed: ${detail.code}`),
    };
  },
  compilerOptions: { isCustomElement: (tag) => tag === 'sightline-explainer' },
  template: `
    <figure>
      <sightline-explainer :src="src" :alt="alt" :method="method" controls @attribution="tell" @error="fail"></sightline-explainer>
      <figcaption>{{ said }}</figcaption>
    </figure>`,
};
