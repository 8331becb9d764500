// @ts-check
// What is told about a method and about a model: the cards. A model's card is its README.md, which
// may come from anywhere: it is shown as text with a few of Markdown's forms, never as markup of
// its own.
import { english, fill, make, parts, percent, say, sayAs, saying, t, text } from './language.js';
import { listModels } from './pkg/index.js';

/** @typedef {import('./pkg/index.js').MethodSpec} MethodSpec */
/** @typedef {import('./pkg/index.js').ModelSource} ModelSource */

const MAX_CARD = 100_000;
const MAX_ROWS = 400;
/** What is longer is not searched for forms, which takes the square of its length at worst. */
const MAX_LINE = 2000;
const MAX_INLINE = 8000;

/** @param {string} href @param {(string | Node)[]} text */
const link = (href, ...text) => make('a', { href, rel: 'noreferrer' }, ...text);

// --- methods -------------------------------------------------------------------------------------

/**
 * What a method asks, what it cannot tell, what it costs, and its paper.
 * @param {MethodSpec} method
 */
export function methodCard({ id, arxiv, equation, shape, sign, random }) {
  // An id that begins with "10." is a DOI.
  const doi = arxiv.startsWith('10.');
  const paper = link(doi ? `https://doi.org/${arxiv}` : `https://arxiv.org/abs/${arxiv}`);
  say(paper, () => `${text(`method.${id}.citation`)}, ${doi ? 'doi' : 'arXiv'} ${arxiv}`);
  const result = () =>
    [shape, sign === 'signed' ? t.cards.signed : t.cards.positive, ...(random ? [t.cards.random] : [])].join(
      t.listSeparator,
    );
  /** @type {[('asks' | 'limits' | 'cost' | 'formula' | 'paper'), Node][]} */
  const rows = [
    ['asks', saying('dd', () => text(`method.${id}.summary`))],
    ['limits', saying('dd', () => text(`method.${id}.caveat`))],
    ['cost', saying('dd', () => text(`method.${id}.cost`))],
    ['formula', saying('dd', () => [make('code', {}, equation), ` (${result()})`])],
    ['paper', make('dd', {}, paper)],
  ];
  return make(
    'dl',
    { className: 'card' },
    ...rows.flatMap(([name, text]) => [saying('dt', () => t.cards[name]), text]),
  );
}

/**
 * The methods by group.
 * @param {MethodSpec[]} methods
 * @returns {[group: keyof typeof t.groups, members: MethodSpec[]][]} groups that have any
 */
export function grouped(methods) {
  const groups = /** @type {(keyof typeof t.groups)[]} */ (Object.keys(t.groups));
  return groups
    .map((id) => /** @type {ReturnType<typeof grouped>[0]} */ ([id, methods.filter(({ group }) => group === id)]))
    .filter(([, members]) => members.length);
}

/**
 * The cards of all methods, by group, each with a button that chooses it.
 * @param {HTMLDetailsElement} box
 * @param {{ methods: MethodSpec[], working: () => string[], choose: (id: string) => void }} page
 */
export function methodCards(box, { methods, working, choose }) {
  box.append(saying('summary', () => fill(t.cards.all, { count: methods.length })));
  const list = make('div', { className: 'cards' });
  box.append(list);
  const show = () => {
    if (!box.open) return;
    const here = working();
    list.replaceChildren(
      ...grouped(methods).flatMap(([id, members]) => {
        const articles = members.map((method) => {
          const works = here.includes(method.id);
          const button = saying('button', () => fill(t.cards.use, { method: method.name }), {
            type: 'button',
            disabled: !works,
          });
          button.addEventListener('click', () => choose(method.id));
          const note = works ? [] : [saying('p', () => t.cards.absent, { className: 'hint' })];
          return make('article', {}, make('h4', {}, method.name), methodCard(method), button, ...note);
        });
        return [saying('h3', () => t.groups[id]), ...articles];
      }),
    );
  };
  box.addEventListener('toggle', show);
  return show;
}

/**
 * The address that a folder's files are relative to.
 * @param {string} url
 */
function folderOf(url) {
  const folder = new URL(url);
  if (!folder.pathname.endsWith('/')) folder.pathname += '/';
  return folder;
}

/**
 * As much of a text as is shown, and one character more where there is more; the rest is not
 * received.
 * @param {Response} response
 */
async function beginning(response) {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
    text += part.value;
    if (text.length > MAX_CARD) {
      reader?.cancel().catch(() => undefined);
      break;
    }
  }
  return text.slice(0, MAX_CARD + 1);
}

// --- the open model ------------------------------------------------------------------------------

/**
 * The card, classes and accuracy of the model that is open.
 * @param {HTMLElement} accuracy
 * @param {HTMLDetailsElement} box
 * @param {() => void} told its figures have come
 */
export function modelCard(accuracy, box, told) {
  const body = make('div', { className: 'readme' });
  box.append(
    saying('summary', () => t.cards.model),
    body,
  );
  let shown = '';
  /** Where the model's files are. @type {URL | undefined} */
  let folder;
  let own = false;
  /** @type {string[]} */
  let labels = [];
  /** For `familiarity`. @type {{ energy?: number }} */
  let limits = {};

  /** @param {string} name */
  async function read(name) {
    if (!folder) throw new Error(t.cards.none);
    const url = new URL(folder);
    url.pathname += name;
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${name}: ${response.status}`);
    return beginning(response);
  }

  function classes() {
    const known = labels;
    const list = make(
      'details',
      {},
      saying('summary', () => fill(t.cards.classes, { count: known.length })),
    );
    list.append(make('p', { lang: 'en' }, known.join(', ')));
    return list;
  }

  async function showCard() {
    const key = shown;
    const page = make('div', {});
    body.replaceChildren(classes(), page);
    if (!folder) return page.append(saying('p', () => t.cards.none, { className: 'hint' }));
    const load = async () => {
      page.replaceChildren(saying('p', () => t.cards.fetching, { className: 'hint', role: 'status' }));
      try {
        const text = await read('README.md');
        if (shown !== key) return;
        // Those that come with the page are in English.
        if (own) page.lang = 'en';
        page.replaceChildren(renderMarkdown(text.slice(0, MAX_CARD), folder?.href));
        if (text.length > MAX_CARD) page.append(saying('p', () => t.cards.cut, { className: 'hint' }));
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        if (shown !== key) return;
        const note = { className: 'hint', role: 'status' };
        page.replaceChildren(saying('p', () => parts(t.cards.missing, { reason: english(reason) }), note));
      }
    };
    // What comes with the page is shown; another host is asked only when a person wants that.
    if (own) return load();
    const { host } = folder;
    const button = saying('button', () => fill(t.cards.fetch, { host }), { type: 'button' });
    button.addEventListener('click', load);
    page.append(button);
  }
  box.addEventListener('toggle', () => {
    if (box.open) showCard();
  });

  return {
    limits: () => limits,
    /**
     * Another model is open.
     * @param {string} id its id on this page
     * @param {{ url: string | null, sha256: string, labels: string[] }} model
     */
    async follow(id, model) {
      const key = `${id} ${model.sha256}`;
      if (key === shown) return;
      shown = key;
      labels = model.labels;
      accuracy.hidden = true;
      limits = {};
      const path = (await listModels().catch(() => [])).find((entry) => entry.id === id)?.path;
      if (shown !== key) return;
      own = path !== undefined;
      folder =
        path !== undefined
          ? new URL(`./pkg/models/${path}/`, document.baseURI)
          : model.url
            ? folderOf(model.url)
            : undefined;
      own ||= folder?.origin === location.origin;
      if (box.open) showCard();
      if (path === undefined) return;
      try {
        const { top1, top5, energy } = JSON.parse(await read('figures.json'));
        if (shown !== key || typeof top1 !== 'number') return;
        const five = typeof top5 === 'number';
        say(accuracy, () =>
          fill(five ? t.cards.accuracyFive : t.cards.accuracy, {
            top1: percent(top1),
            top5: five ? percent(top5) : '',
          }),
        );
        accuracy.hidden = false;
        if (typeof energy === 'number') limits = { energy };
        told();
      } catch {
        // The card says it, too.
      }
    },
  };
}

// --- Markdown ------------------------------------------------------------------------------------

/**
 * Text with Markdown's headings, paragraphs, lists, tables, code, emphasis and links, as elements.
 * Everything else, markup above all, stays text; pictures are named, not loaded; links lead to http
 * and https alone.
 * @param {string} text @param {string} [base] of relative links
 * @returns {DocumentFragment} headings of level 3 and below, none skipped
 */
export function renderMarkdown(text, base) {
  const page = document.createDocumentFragment();
  const lines = text
    .replace(/\r\n?/g, '\n')
    .split('\n')
    .flatMap((line) => (line.length > MAX_LINE ? (line.match(new RegExp(`.{1,${MAX_LINE}}`, 'gu')) ?? []) : [line]));
  let at = 0;
  // Front matter is for programs.
  if (lines[0] === '---') {
    const end = lines.indexOf('---', 1);
    if (end > 0) at = end + 1;
  }
  let level = 2;
  const inline = (/** @type {string} */ part) => spans(part, base);
  const item = /^(\s*)([-*+]|\d+[.)])\s+/;
  const rule = /^\s*([-*_])(\s*\1){2,}\s*$/;
  const special = (/** @type {string} */ line) =>
    /^(#{1,6}\s|```|~~~|>\s?)/.test(line) || item.test(line) || rule.test(line);
  const divider = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
  const isTable = () =>
    (lines[at] ?? '').includes('|') && (lines[at + 1] ?? '').includes('|') && divider.test(lines[at + 1] ?? '');

  while (at < lines.length) {
    const line = lines[at] ?? '';
    const heading = /^(#{1,6})\s+(.*?)\s*#*\s*$/.exec(line);
    const fence = /^(```+|~~~+)/.exec(line)?.[1];
    if (line.trim() === '' || rule.test(line)) {
      at += 1;
    } else if (heading) {
      level = Math.min(level + 1, 2 + (heading[1] ?? '').length, 6);
      page.append(make(/** @type {'h3'} */ (`h${level}`), {}, ...inline(heading[2] ?? '')));
      at += 1;
    } else if (fence) {
      const body = [];
      for (at += 1; at < lines.length && !(lines[at] ?? '').startsWith(fence); at += 1) body.push(lines[at]);
      at += 1;
      page.append(make('pre', { tabIndex: 0 }, make('code', {}, body.join('\n'))));
    } else if (isTable()) {
      const cells = (/** @type {string} */ row) =>
        row
          .trim()
          .replace(/^\||\|$/g, '')
          .split('|')
          .map((cell) => cell.trim());
      const head = cells(line);
      const rows = [];
      for (at += 2; (lines[at] ?? '').includes('|') && rows.length < MAX_ROWS; at += 1)
        rows.push(cells(lines[at] ?? ''));
      const table = make(
        'table',
        {},
        make('thead', {}, make('tr', {}, ...head.map((cell) => make('th', { scope: 'col' }, ...inline(cell))))),
        make(
          'tbody',
          {},
          // A row has the head's cells, whatever it says.
          ...rows.map((row) => make('tr', {}, ...head.map((_, k) => make('td', {}, ...inline(row[k] ?? ''))))),
        ),
      );
      const box = make('div', { className: 'scroller', tabIndex: 0, role: 'group' }, table);
      sayAs(box, 'aria-label', () => t.cards.table);
      page.append(box);
    } else if (item.test(line)) {
      const ordered = /^\s*\d/.test(line);
      const list = make(ordered ? 'ol' : 'ul');
      while (at < lines.length && item.test(lines[at] ?? '')) {
        let body = (lines[at] ?? '').replace(item, '');
        for (at += 1; at < lines.length && (lines[at] ?? '').trim() !== '' && !special(lines[at] ?? ''); at += 1)
          body += ` ${(lines[at] ?? '').trim()}`;
        list.append(make('li', {}, ...inline(body)));
        if (/^\s*\d/.test(lines[at] ?? '') !== ordered && item.test(lines[at] ?? '')) break;
      }
      page.append(list);
    } else {
      const quoted = line.startsWith('>');
      let body = line.replace(/^>\s?/, '');
      for (at += 1; at < lines.length && (lines[at] ?? '').trim() !== '' && !isTable(); at += 1) {
        const next = lines[at] ?? '';
        if (quoted ? !next.startsWith('>') : special(next)) break;
        body += ` ${next.replace(/^>\s?/, '').trim()}`;
      }
      const paragraph = make('p', {}, ...inline(body));
      page.append(quoted ? make('blockquote', {}, paragraph) : paragraph);
    }
  }
  return page;
}

/**
 * Code, links, pictures, strong and emphasised text of a line.
 * @param {string} text
 * @param {string | undefined} base
 * @returns {(string | Node)[]}
 */
function spans(text, base) {
  if (text.length > MAX_INLINE) return [text];
  const form =
    /(?<!`)(`{1,3})(?!`)(?<code>.+?)(?<!`)\1(?!`)|(?<picture>!?)\[(?<label>[^\]]*)\]\((?<href>[^()\s]*)[^()]*\)|<(?<bare>https?:\/\/[^<>\s]+)>|\*\*(?<strong>\S(?:.*?\S)?)\*\*|(?<![\w*])[*_](?<em>[^\s*_](?:[^*_]*[^\s*_])?)[*_](?![\w*])/g;
  const made = [];
  let from = 0;
  for (const found of text.matchAll(form)) {
    const { code, picture, label, href, bare, strong, em } = found.groups ?? {};
    if (found.index > from) made.push(text.slice(from, found.index));
    from = found.index + found[0].length;
    const to = bare ?? href;
    const url = to !== undefined && URL.canParse(to, base) ? new URL(to, base) : undefined;
    const web = url && ['http:', 'https:'].includes(url.protocol);
    if (code !== undefined) made.push(make('code', {}, code));
    else if (strong !== undefined) made.push(make('strong', {}, ...spans(strong, base)));
    else if (em !== undefined) made.push(make('em', {}, em));
    else if (picture) made.push(saying('span', () => fill(t.cards.picture, { text: label ?? '' })));
    else if (web) made.push(link(url.href, label || url.href));
    else made.push(label ?? found[0]);
  }
  if (from < text.length) made.push(text.slice(from));
  return made;
}
