// @ts-check
// The element as a page of its own, for an iframe. It takes its options from the query string,
// listens to nobody, keeps nothing, and tells the page around it its height (to anyone) and what a
// learner did (only to the origin that the query names; the browser delivers it to no other).
import { OptionError, readOptions, unreachable } from './embed-options.js';
import { elementStrings } from './pkg/element/strings.js';
import './pkg/element.js';

const main = document.getElementById('main') ?? document.body;

/** @param {object} message @param {string} to */
const tell = (message, to) => {
  if (parent !== window) parent.postMessage(message, to);
};

/** @type {string | undefined} */
let origin;
try {
  const { attributes, caption, ...rest } = readOptions(location.search);
  origin = rest.origin;
  const meta = /** @type {HTMLMetaElement | null} */ (
    document.querySelector('meta[http-equiv="Content-Security-Policy"]')
  );
  const outside = meta && unreachable(attributes, meta.content, location.href);
  if (outside) throw new OptionError(outside);
  if (attributes.lang) {
    // Where they cannot be fetched the heading stays as it is, in English.
    elementStrings(attributes.lang).then(
      ({ locale, page }) => {
        document.documentElement.lang = locale;
        const heading = document.querySelector('h1');
        if (heading) heading.textContent = page;
      },
      () => undefined,
    );
  }
  // Also around the element, which has round corners.
  if (attributes.theme) document.documentElement.style.colorScheme = attributes.theme;
  const element = document.createElement('sightline-explainer');
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (caption !== undefined)
    element.append(Object.assign(document.createElement('span'), { slot: 'caption', textContent: caption }));
  const to = origin;
  if (to !== undefined)
    element.addEventListener('quiz', ({ detail }) => tell({ type: 'sightline:quiz', ...detail }, to));
  main.replaceChildren(element);
} catch (error) {
  if (!(error instanceof OptionError)) throw error;
  const said = Object.assign(document.createElement('p'), { textContent: error.message });
  said.setAttribute('role', 'alert');
  said.dataset.code = 'bad-option';
  main.replaceChildren(said);
}

let height = 0;
new ResizeObserver(() => {
  const now = Math.ceil(document.body.getBoundingClientRect().height);
  if (now === height) return;
  height = now;
  tell({ type: 'sightline:resize', height }, origin ?? '*');
}).observe(document.body);
