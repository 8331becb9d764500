// React 19: a custom element's properties and events are set like any other. With the package:
// `import 'sightline/element'`.
import { useState } from 'react';

import '../pkg/element.js';

export function Explained({ src, alt, method = 'grad_cam' }) {
  const [said, setSaid] = useState('');
  return (
    <figure>
      <sightline-explainer
        src={src}
        alt={alt}
        method={method}
        controls
        options={method === 'smooth_grad' ? { nSamples: 10 } : null}
        onattribution={({ detail }) => setSaid(`${detail.predictions[0].label}, by ${detail.attribution.method}`)}
        onerror={({ detail }) => setSaid(`It failed: ${detail.code}`)}
      />
      <figcaption>{said}</figcaption>
    </figure>
  );
}
