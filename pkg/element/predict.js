// @ts-check
// Predict, then reveal: the learner paints where the model must have looked before the map is
// shown.

import { placeOf } from '../picture/crop.js';
import { GRID, PaintArea } from '../picture/paint-area.js';
import { overlap } from '../report/overlap.js';
import { fill, numberFormat, percent } from '../util/text.js';

/** @typedef {import('../index.js').Attribution} Attribution */
/** @typedef {import('./strings.js').Strings} Strings */
/** @typedef {import('./view.js').View} View */

/** The painted area's canvas has at least so many pixels along its longer side. */
const SHARP = 1024;

export class Predict {
  #view;
  #strings;
  #area;
  #onReveal;
  #onAgain;
  #revealed = false;
  /**
   * The photo and the map that the painted area belongs to; empty where nothing is to be predicted.
   */
  #subject = '';
  /** How often the map was let be shown for this photo, and how many of those have been told. */
  #attempts = 0;
  #toldAttempts = 0;
  /** What the learner is asked. @type {(strings: Strings) => string} */
  #question = () => '';

  /**
   * @param {View} view
   * @param {{ strings: () => Strings, onReveal: () => void, onAgain: () => void }} options
   *   `onReveal`: the map may be shown; `onAgain`: it may not any more
   */
  constructor(view, { strings, onReveal, onAgain }) {
    this.#view = view;
    this.#strings = strings;
    this.#onReveal = onReveal;
    this.#onAgain = onAgain;
    const area = new PaintArea(view.area, (at) => this.#painted(at));
    this.#area = area;
    view.brush.addEventListener('input', () => {
      area.brush = Number(view.brush.value);
    });
    view.erase.addEventListener('click', () => {
      area.erasing = !area.erasing;
      this.#dressTools();
    });
    view.clear.addEventListener('click', () => area.clear());
    view.reveal.addEventListener('click', () => this.#reveal());
    view.again.addEventListener('click', () => this.#paintAgain());
  }

  /** Whether the learner has let the map be shown. */
  get isRevealed() {
    return this.#revealed;
  }

  /** Whether there is something to predict. */
  get isOn() {
    return this.#subject !== '';
  }

  /** Whether it can be painted now. */
  get isOpen() {
    return this.#area.open;
  }

  /**
   * Another photo or map begins with nothing painted.
   * @param {string} subject empty where nothing is to be predicted
   */
  begin(subject) {
    if (subject !== this.#subject) {
      this.#subject = subject;
      this.#revealed = false;
      this.#attempts = this.#toldAttempts = 0;
      this.#area.clear();
    }
    this.#view.predict.hidden = this.#view.area.hidden = !this.isOn;
  }

  /**
   * Lays the area over the photo on the map's canvas.
   * @param {import('../index.js').Crop | null} crop @param {(strings: Strings) => string} question
   */
  open(crop, question) {
    const { map, ask } = this.#view;
    // Of its own resolution: lines stay thin over small photos.
    const sharp = Math.max(1, SHARP / Math.max(map.width, map.height));
    const [width, height] = [Math.round(map.width * sharp), Math.round(map.height * sharp)];
    this.#area.place(width, height, placeOf(crop, width, height));
    this.#area.open = !this.#revealed;
    this.#question = question;
    ask.textContent = question(this.#strings());
    this.#dressTools();
  }

  /**
   * The texts of the present language.
   * @param {boolean} isWanted whether the element is to ask for a prediction at all
   */
  dress(isWanted) {
    const [view, strings] = [this.#view, this.#strings()];
    if (!isWanted) view.predict.hidden = view.area.hidden = true;
    view.ask.textContent = this.#question(strings);
    view.area.setAttribute('aria-label', strings.area);
    view.keys.textContent = strings.keys;
    view.brushName.textContent = strings.brush;
    view.erase.textContent = strings.erase;
    view.clear.textContent = strings.clear;
    view.reveal.textContent = strings.reveal;
    view.again.textContent = strings.again;
    this.#dressTools();
  }

  /**
   * Says how the painted area agrees with the map.
   * @param {Attribution} attribution
   * @param {number} top in per cent
   */
  compare(attribution, top) {
    const result = overlap(this.#area.cells, attribution, { rows: GRID, columns: GRID, top });
    const strings = this.#strings();
    const { locale } = strings;
    const twoDigits = numberFormat(locale, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
    this.#view.score.textContent =
      result.share === null || result.iou === null
        ? strings.noScore
        : fill(strings.score, {
            area: percent(result.area, locale),
            share: percent(result.share, locale),
            top: percent(result.top / 100, locale),
            iou: twoDigits.format(result.iou),
          });
    return result;
  }

  /**
   * What the learner painted, once for each time that the map was let be shown.
   * @param {Attribution} attribution
   * @param {number} top
   */
  takeQuiz(attribution, top) {
    const result = this.compare(attribution, top);
    if (this.#toldAttempts === this.#attempts) return undefined;
    this.#toldAttempts = this.#attempts;
    const { cells } = this.#area;
    const painted = [...cells.keys()].filter((i) => cells[i]);
    return { attempt: this.#attempts, ...result, rows: GRID, columns: GRID, painted };
  }

  #dressTools() {
    const [view, area] = [this.#view, this.#area];
    const { open } = area;
    view.ask.hidden = view.keys.hidden = view.tools.hidden = !open;
    view.score.hidden = view.again.hidden = open;
    view.area.classList.toggle('open', open);
    if (open) view.area.tabIndex = 0;
    else view.area.removeAttribute('tabindex');
    view.area.setAttribute('aria-hidden', String(!open));
    view.erase.setAttribute('aria-pressed', String(area.erasing));
    view.brush.value = String(area.brush);
    view.reveal.disabled = view.clear.disabled = area.empty;
  }

  /**
   * @param {{ row: number, column: number, painted: boolean } | undefined} at where the keyboard
   *   painted
   */
  #painted(at) {
    this.#dressTools();
    if (!at) return;
    const strings = this.#strings();
    const painted = at.painted ? strings.painted : strings.unpainted;
    this.#view.live.textContent = fill(strings.at, { row: at.row + 1, column: at.column + 1, of: GRID, painted });
  }

  #reveal() {
    if (this.#area.empty || this.#revealed) return;
    this.#revealed = true;
    this.#attempts += 1;
    this.#area.open = false;
    this.#onReveal();
    this.#dressTools();
    this.#view.again.focus({ preventScroll: true });
  }

  #paintAgain() {
    this.#revealed = this.#area.erasing = false;
    this.#area.clear();
    this.#onAgain();
    this.#view.area.focus({ preventScroll: true });
  }
}
