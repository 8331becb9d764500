// @ts-check
// The comparison: methods x classes, methods x layers, or models x the photo. It computes cell by
// cell on the explainer that is open, or opens one model after the other, and marks the same point
// of the photo in every map.
import { Refusal, told } from './faults.js';
import { fill, make, number, say, sayAs, saying, t, titleOf, words } from './language.js';
import {
  createExplainer,
  exportPng,
  renderColorbar,
  renderHeatmap,
  SightlineError,
  sharedScale,
  valueAt,
} from './pkg/index.js';
import { ARROWS } from './point.js';

/** @typedef {import('./pkg/index.js').Explainer} Explainer */
/** @typedef {import('./pkg/index.js').MethodId} MethodId */
/** @typedef {'classes' | 'layers' | 'models'} Kind */
/**
 * What of the main view a cell sets.
 * @typedef {{ model?: string, method: MethodId, target?: import('./pkg/index.js').Target, layer?:
 *   string, options: Record<string, unknown> }} Choice
 */
/**
 * @typedef {{ id: string, name: string, source: import('./pkg/index.js').ModelSource }} Openable
 */
/**
 * What a permalink holds of it.
 * @typedef {{ kind: Kind, rows: string[], columns: string[], shared: boolean }} Comparison
 */
/**
 * @typedef {object} Host the main view
 * @property {() => { explainer?: Explainer | undefined, modelId: string, photo?: Blob | ImageData |
 *   undefined, photoName: string, bitmap?: ImageBitmap | undefined, classification?:
 *   import('./pkg/index.js').Classification | undefined, target?: number | undefined }} now
 * @property {() => { method: MethodId, layer: string, options: Record<string, unknown>, device:
 *   'auto' | 'webgpu' | 'cpu' }} settings
 * @property {() => import('./pkg/index.js').RenderOptions} looks
 * @property {(choice: Choice) => void} choose
 * @property {() => Promise<Openable[]>} models those that open without a download
 * @property {import('./pkg/index.js').MethodSpec[]} methods
 * @property {(blob: Blob, name: string) => void} save
 */
/**
 * @typedef {object} Cell
 * @property {() => string} title @property {Choice} choice @property {HTMLButtonElement} button
 *   @property {HTMLCanvasElement} canvas
 * @property {HTMLElement} mark @property {HTMLElement} ends @property {HTMLElement} value @property
 *   {() => string} [says] its title where that says more
 * @property {import('./pkg/index.js').Attribution} [attribution] @property
 *   {import('./pkg/index.js').Rendered} [rendered]
 */

/** Of the small maps, in pixels along the longer side: the photo is drawn into each. */
const SIDE = 384;
/** How far an arrow key moves the point, in parts of the photo. */
const STEP = 1 / 28;

/** @param {HTMLElement} section @param {Host} host */
export function comparePanel(section, host) {
  const kinds = /** @type {Kind[]} */ (Object.keys(t.compare.kinds));
  const kind = make(
    'select',
    { id: 'compare-kind' },
    ...kinds.map((value) => saying('option', () => t.compare.kinds[value], { value })),
  );
  const shared = make('input', { type: 'checkbox', id: 'compare-shared' });
  const [rowBox, columnBox] = [make('fieldset', { id: 'compare-rows' }), make('fieldset', { id: 'compare-columns' })];
  const go = saying('button', () => t.compare.go, { type: 'button', id: 'compare-go', className: 'primary' });
  const cancel = saying('button', () => t.compare.cancel, { type: 'button', id: 'compare-cancel', hidden: true });
  const bar = make('progress', { id: 'compare-progress' });
  sayAs(bar, 'aria-label', () => t.compare.progress);
  const status = make('p', { id: 'compare-status', className: 'hint', role: 'status' });
  const point = make('p', { id: 'compare-point', className: 'number', role: 'status' });
  const table = make('table', { id: 'compare-grid' });
  const legend = make('canvas', { id: 'compare-colorbar', width: 256, height: 1 });
  legend.setAttribute('aria-hidden', 'true');
  const scaleNote = make('p', { id: 'compare-legend', className: 'hint' });
  const save = saying('button', () => t.compare.save, { type: 'button', id: 'compare-save' });
  const result = make('div', { id: 'compare-result', hidden: true });
  const scroller = make('div', { className: 'scroller' }, table);
  result.append(
    saying('p', () => t.compare.hint, { className: 'hint' }),
    scroller,
    legend,
    scaleNote,
    point,
    make('div', { className: 'inputs' }, save),
  );
  bar.hidden = true;
  section.append(
    make(
      'div',
      { className: 'compare-controls' },
      make(
        'label',
        {},
        saying('span', () => t.compare.what),
        kind,
      ),
      rowBox,
      columnBox,
      make(
        'label',
        { className: 'check' },
        shared,
        saying('span', () => t.compare.sharedScale),
      ),
    ),
    make('div', { className: 'inputs' }, go, cancel, bar),
    status,
    result,
  );

  /** @type {Cell[]} */
  let cells = [];
  /** @type {AbortController | undefined} */
  let running;
  /**
   * What the grid is of.
   * @type {{ kind: Kind, rows: string[], columns: string[], photo: Blob | ImageData, explainer:
   *   Explainer, small: ImageBitmap } | undefined}
   */
  let of;
  /** The point that is marked, in parts of the photo. @type {[number, number] | undefined} */
  let at;
  /** What the choices were last made for. */
  let offered = '';

  const kindNow = () => /** @type {Kind} */ (kind.value);
  const checked = (/** @type {HTMLElement} */ box) =>
    [.../** @type {NodeListOf<HTMLInputElement>} */ (box.querySelectorAll('input:checked'))].map(({ value }) => value);

  /**
   * @param {HTMLFieldSetElement} box
   * @param {() => string} title
   * @param {[id: string, name: () => string][]} entries
   * @param {string[]} chosen
   */
  function fillBox(box, title, entries, chosen) {
    box.hidden = entries.length === 0;
    box.replaceChildren(
      saying('legend', title),
      make(
        'div',
        { className: 'choices' },
        ...entries.map(([value, name]) =>
          make(
            'label',
            { className: 'check' },
            make('input', { type: 'checkbox', value, checked: chosen.includes(value) }),
            saying('span', name),
          ),
        ),
      ),
    );
  }

  /** The methods that make sense in the rows. @param {Kind} what @param {Explainer} explainer */
  const rowsFor = (what, explainer) =>
    host.methods.filter(
      ({ id, reads, classFree }) =>
        explainer.info.model.methods.includes(id) &&
        (what === 'classes' ? !classFree : what !== 'layers' || reads !== 'input'),
    );

  /** What can be compared, with a first choice. @param {Partial<Comparison>} [wanted] */
  async function offer(wanted) {
    const { explainer, classification, target } = host.now();
    if (!explainer || !classification) return;
    const what = kindNow();
    const { method } = host.settings();
    const { layers, labels } = explainer.info.model;
    const rows = rowsFor(what, explainer);
    const first = rows.some(({ id }) => id === method) ? method : rows[0]?.id;
    const usual =
      what === 'models'
        ? []
        : ['grad_cam', 'layer_cam', 'saliency', 'chefer']
            .filter((id) => id !== first && rows.some((r) => r.id === id))
            .slice(0, 1);
    /** @type {[string, () => string][]} */
    let columns;
    let chosen;
    if (what === 'classes') {
      const top = classification.predictions.map(({ index }) => index);
      const ids = [
        ...new Set([...top, ...(target === undefined ? [] : [target]), ...(wanted?.columns ?? []).map(Number)]),
      ];
      columns = ids.filter((k) => labels[k] !== undefined).map((k) => [String(k), () => labels[k] ?? '']);
      chosen = columns.slice(0, 3).map(([id]) => id);
    } else if (what === 'layers') {
      columns = layers.map(({ id }) => [id, () => id]);
      chosen = columns.slice(-3).map(([id]) => id);
    } else {
      columns = (await host.models()).map(({ id, name }) => [id, () => titleOf(id, name)]);
      chosen = columns.map(([id]) => id);
    }
    if (what !== kindNow()) return;
    fillBox(
      rowBox,
      () => t.compare.rows,
      rows.map(({ id, name }) => [id, () => name]),
      wanted?.rows ?? [...(first ? [first] : []), ...usual],
    );
    fillBox(columnBox, () => t.compare.columns[what], columns, wanted?.columns ?? chosen);
  }

  /** @param {() => string} title @param {Choice} choice @returns {Cell} */
  function cell(title, choice) {
    const canvas = make('canvas', { width: of?.small.width ?? 1, height: of?.small.height ?? 1 });
    // The cell's name is this and the numbers below it.
    canvas.role = 'img';
    sayAs(canvas, 'aria-label', title);
    if (of) canvas.getContext('2d')?.drawImage(of.small, 0, 0);
    const mark = make('span', { className: 'mark', hidden: true });
    const ends = make('span', { className: 'ends' }, '…');
    const value = make('span', { className: 'value number' });
    const button = make('button', { type: 'button', className: 'cell', disabled: true });
    button.append(make('span', { className: 'picture' }, canvas, mark), ends, value);
    /** @type {Cell} */
    const made = { title, choice, button, canvas, mark, ends, value };
    button.addEventListener('click', () => host.choose(made.choice));
    const follow = (/** @type {PointerEvent} */ { clientX, clientY }) => {
      const box = canvas.getBoundingClientRect();
      move([(clientX - box.left) / box.width, (clientY - box.top) / box.height]);
    };
    canvas.addEventListener('pointermove', follow);
    canvas.addEventListener('pointerdown', follow);
    button.addEventListener('focus', () => {
      if (button.matches(':focus-visible')) {
        at ??= [0.5, 0.5];
        move(at, made);
      }
    });
    button.addEventListener('keydown', (event) => {
      const step = ARROWS[event.key];
      if (!step) return;
      event.preventDefault();
      const [x, y] = at ?? [0.5, 0.5];
      move([x + step[0] * STEP, y + step[1] * STEP], made);
    });
    return made;
  }

  /**
   * Marks a point in every map.
   * @param {[number, number]} to in parts of the photo
   * @param {Cell} [said] whose value is announced
   */
  function move(to, said) {
    const inside = (/** @type {number} */ v) => Math.min(Math.max(v, 0), 1 - 1e-6);
    at = [inside(to[0]), inside(to[1])];
    for (const { mark, value, attribution, rendered, canvas } of cells) {
      mark.hidden = !rendered;
      mark.style.left = `${at[0] * 100}%`;
      mark.style.top = `${at[1] * 100}%`;
      if (!attribution || !rendered) continue;
      const place = valueAt(attribution, rendered, at[0] * canvas.width, at[1] * canvas.height);
      say(value, () => (place ? number(place.value) : t.compare.outside));
    }
    if (!said) return;
    const [right = 0, down = 0] = at.map((v) => Math.round(v * 100));
    say(point, () => fill(t.compare.point, { title: said.title(), value: said.value.textContent, right, down }));
  }

  /**
   * How a map is painted: with one scale per method where asked for.
   * @param {import('./pkg/index.js').Attribution} attribution
   * @returns {import('./pkg/index.js').RenderOptions}
   */
  function looksOf(attribution) {
    const looks = host.looks();
    const scale = looks.scale === 'symmetric' ? 'symmetric' : 'positive';
    const alike = cells.flatMap((c) =>
      c.attribution && c.attribution.method === attribution.method ? [c.attribution] : [],
    );
    return { ...looks, scale: shared.checked ? sharedScale(alike, { scale }) : scale };
  }

  /** Paints the cells that have numbers. */
  function paint() {
    if (!of) return;
    let { colormap } = host.looks();
    save.disabled = !cells.some((it) => it.attribution);
    for (const it of cells) {
      const { attribution } = it;
      if (!attribution) continue;
      const rendered = renderHeatmap(it.canvas, of.small, attribution, looksOf(attribution));
      it.rendered = rendered;
      colormap = rendered.colormap;
      const { empty, lo, hi } = rendered;
      say(it.ends, () => (empty ? t.compare.empty : fill(t.compare.ends, { lo: number(lo), hi: number(hi) })));
    }
    renderColorbar(legend, colormap ?? 'inferno');
    const scales = shared.checked ? (of.kind === 'models' ? 'models' : 'shared') : 'own';
    say(scaleNote, () => t.compare[scales]);
    if (at) move(at);
  }

  /** The cell whose settings are the main view's. */
  function press() {
    const { modelId, target } = host.now();
    const { method, layer } = host.settings();
    for (const { button, choice } of cells) {
      const same =
        choice.method === method &&
        (choice.model === undefined || choice.model === modelId) &&
        (choice.target === undefined || choice.target === target) &&
        (choice.layer === undefined || choice.layer === layer);
      button.setAttribute('aria-pressed', String(same));
    }
  }

  /** @param {(() => string)[]} heads @param {{ name: string, cells: Cell[] }[]} rows */
  function lay(heads, rows) {
    table.replaceChildren(
      make('thead', {}, make('tr', {}, make('td'), ...heads.map((text) => saying('th', text, { scope: 'col' })))),
      make(
        'tbody',
        {},
        ...rows.map(({ name, cells: row }) =>
          make('tr', {}, make('th', { scope: 'row' }, name), ...row.map(({ button }) => make('td', {}, button))),
        ),
      ),
    );
    cells = rows.flatMap((row) => row.cells);
    result.hidden = false;
  }

  /**
   * @param {Cell} it
   * @param {Explainer} explainer
   * @param {Blob | ImageData} photo
   * @param {AbortSignal} signal
   */
  async function compute(it, explainer, photo, signal) {
    const { method, target, layer, options } = it.choice;
    try {
      it.attribution = await explainer.attribute(photo, {
        method,
        ...(target === undefined ? {} : { target }),
        ...(layer === undefined ? {} : { layer }),
        ...options,
        signal,
      });
      it.button.disabled = false;
      paint();
      press();
    } catch (error) {
      if (signal.aborted) throw error;
      // One that does not work on this model or layer leaves the others.
      say(it.ends, () => told(error));
    }
  }

  /** Ends what is being computed; the cells that are left empty say so. */
  function halt() {
    running?.abort();
    running = undefined;
    cancel.hidden = bar.hidden = true;
    for (const it of cells) if (it.ends.textContent === '…') say(it.ends, () => t.compare.missing);
  }

  async function start() {
    halt();
    const { explainer, photo, bitmap, classification, target } = host.now();
    const what = kindNow();
    const [rows, columns] = [checked(rowBox), checked(columnBox)];
    if (!explainer || !photo || !bitmap || !classification || !rows.length || !columns.length) {
      say(status, () => t.compare.choose);
      return;
    }
    const controller = new AbortController();
    running = controller;
    const { signal } = controller;
    const settings = host.settings();
    cancel.hidden = bar.hidden = false;
    let done = 0;
    const total = rows.length * columns.length;
    const computing = (/** @type {() => string} */ title) => {
      const n = done + 1;
      return () => fill(t.compare.computing, { title: title(), n, total });
    };
    const tell = (/** @type {() => string} */ text) => {
      say(status, text);
      bar.max = total;
      bar.value = done;
    };
    try {
      const shrink = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
      const small = await createImageBitmap(bitmap, {
        resizeWidth: Math.max(1, Math.round(bitmap.width * shrink)),
        resizeHeight: Math.max(1, Math.round(bitmap.height * shrink)),
        resizeQuality: 'medium',
      });
      if (signal.aborted) return small.close();
      of?.small.close();
      of = { kind: what, rows, columns, photo, explainer, small };
      at = undefined;
      say(point, () => '');
      const openable = what === 'models' ? await host.models() : [];
      if (signal.aborted) return;
      const name = (/** @type {string} */ column) =>
        what === 'classes'
          ? (explainer.info.model.labels[Number(column)] ?? column)
          : titleOf(column, openable.find(({ id }) => id === column)?.name ?? column);
      const asked = target ?? classification.predictions[0]?.index;
      const spec = (/** @type {string} */ id) => host.methods.find((m) => m.id === id);
      const layer = settings.layer === 'all' ? explainer.info.model.defaultLayer : settings.layer;
      /** @param {string} row @param {string} column @returns {Choice} */
      const choice = (row, column) => ({
        method: /** @type {MethodId} */ (row),
        // The options that are set belong to the method that is chosen.
        options: row === settings.method ? settings.options : {},
        ...(what === 'models' ? { model: column } : {}),
        ...(what === 'classes'
          ? { target: Number(column) }
          : what === 'layers' && asked !== undefined
            ? { target: asked }
            : {}),
        ...(what === 'layers'
          ? { layer: column }
          : what === 'classes' && spec(row)?.reads !== 'input'
            ? { layer }
            : {}),
      });
      const grid = rows.map((row) => {
        const title = spec(row)?.name ?? row;
        return {
          name: title,
          cells: columns.map((column) => cell(() => `${title}, ${name(column)}`, choice(row, column))),
        };
      });
      lay(
        columns.map((column) => () => name(column)),
        grid,
      );
      say(scaleNote, () => '');
      if (what === 'models') {
        const label = asked === undefined ? undefined : explainer.info.model.labels[asked];
        for (const [k, column] of columns.entries()) {
          const model = openable.find(({ id }) => id === column);
          const own = grid.flatMap((row) => row.cells[k] ?? []);
          tell(() => fill(t.compare.opening, { model: name(column) }));
          /** @type {Explainer | undefined} */
          let other;
          try {
            if (!model) throw new Refusal('bad-model', () => t.compare.gone);
            other = await createExplainer({ model: model.source, device: settings.device, signal });
            const [best] = (await other.classify(photo, { topK: 1, signal })).predictions;
            // The same class where the model knows it, else its own likeliest.
            const same = label === undefined ? -1 : other.info.model.labels.indexOf(label);
            const index = same >= 0 ? same : best?.index;
            const head = table.tHead?.rows[0]?.cells[k + 1];
            const found = index === undefined ? undefined : (other.info.model.labels[index] ?? String(index));
            if (head && found !== undefined)
              say(head, () => fill(t.compare.predicted, { model: name(column), label: found }));
            for (const it of own) {
              if (index !== undefined) it.choice.target = index;
              if (found !== undefined) it.says = () => fill(t.compare.predicted, { model: it.title(), label: found });
              tell(computing(it.title));
              await compute(it, other, photo, signal);
              done += 1;
            }
          } catch (error) {
            if (signal.aborted) throw error;
            for (const it of own) say(it.ends, () => told(error));
            done = (k + 1) * rows.length;
          } finally {
            other?.dispose();
          }
        }
      } else {
        for (const it of cells) {
          tell(computing(it.title));
          await compute(it, explainer, photo, signal);
          done += 1;
        }
      }
      const n = cells.filter((c) => c.attribution).length;
      if (running === controller) say(status, () => fill(t.compare.done, { n, total }));
    } catch (error) {
      const [n, stopped] = [done, signal.aborted];
      if (running === controller) say(status, () => (stopped ? fill(t.compare.stopped, { n, total }) : told(error)));
      if (!stopped && !(error instanceof SightlineError)) console.error(error);
    } finally {
      if (running === controller) halt();
    }
  }

  /** One picture of the grid as it is painted, with its origin. */
  async function take() {
    if (!of) return;
    const done = cells.flatMap(({ attribution, title, says }) =>
      attribution ? [{ attribution, title: says ?? title }] : [],
    );
    const maps = done.map(({ attribution }) => attribution);
    const png = await exportPng(maps, of.small, {
      what: 'comparison',
      strings: words,
      render: maps.map(looksOf),
      titles: done.map(({ title }) => title()),
      // As on the page, where none is missing.
      ...(done.length === cells.length ? { columns: cells.length / (table.tBodies[0]?.rows.length ?? 1) } : {}),
    });
    host.save(png, 'sightline-comparison.png');
  }

  kind.addEventListener('change', () => offer());
  save.addEventListener('click', () => take().catch((error) => say(status, () => told(error))));
  shared.addEventListener('change', paint);
  go.addEventListener('click', start);
  cancel.addEventListener('click', () => running?.abort());

  return {
    /** After the main view has changed: what it is of no longer is dropped. */
    follow() {
      const now = host.now();
      const key = JSON.stringify([
        now.modelId,
        now.photoName,
        now.classification?.predictions.map(({ index }) => index),
      ]);
      if (now.classification && offered !== key) {
        offered = key;
        offer();
      }
      if (!of) return;
      if (now.photo !== of.photo || (of.kind !== 'models' && now.explainer !== of.explainer)) {
        halt();
        of.small.close();
        of = undefined;
        cells = [];
        result.hidden = true;
        say(status, () => t.compare.outdated);
        return;
      }
      press();
    },
    /** The looks have changed. */
    paint,
    /** @returns {Comparison | undefined} what is shown, for a link */
    state: () => (of ? { kind: of.kind, rows: of.rows, columns: of.columns, shared: shared.checked } : undefined),
    /** @param {Comparison} wanted */
    async restore(wanted) {
      kind.value = wanted.kind;
      shared.checked = wanted.shared;
      await offer(wanted);
      await start();
    },
  };
}
