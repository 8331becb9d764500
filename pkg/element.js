// @ts-check
// <sightline-explainer>, the public face: it defines the element. Importing it where there is no
// document (on a server) defines nothing and fails nowhere.

import { SightlineExplainer } from './element/element.js';

export { overlap } from './report/overlap.js';
export { SightlineExplainer };

if (globalThis.customElements && !customElements.get('sightline-explainer'))
  customElements.define('sightline-explainer', SightlineExplainer);
