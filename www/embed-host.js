// @ts-check
// For the page around embed.html: <script type="module" src="…/embed-host.js"></script> gives its
// iframes the height that they ask for, and turns what a learner did into an event `sightline-quiz`
// on the iframe (it bubbles; `detail` is the element's `quiz`). Only frames that show the
// embed.html beside this script are heard.
const embed = new URL('embed.html', import.meta.url);
const TALLEST = 20_000;

addEventListener('message', ({ source, origin, data }) => {
  // A sandboxed frame has the origin "null".
  if (origin !== embed.origin && origin !== 'null') return;
  const frame = [...document.querySelectorAll('iframe')].find(({ contentWindow }) => contentWindow === source);
  if (!frame) return;
  const shown = new URL(frame.src, document.baseURI);
  if (shown.origin !== embed.origin || shown.pathname !== embed.pathname) return;
  if (data?.type === 'sightline:resize' && data.height > 0 && data.height <= TALLEST)
    frame.style.height = `${Math.ceil(data.height)}px`;
  if (data?.type === 'sightline:quiz') {
    const { type, ...detail } = data;
    frame.dispatchEvent(new CustomEvent('sightline-quiz', { detail, bubbles: true }));
  }
});
