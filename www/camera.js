// @ts-check
// The camera: asked for when a person presses for it, and released when it is stopped, the page is
// hidden or another photo is opened. A frame that is taken becomes the photo. Live mode explains
// the newest frame as soon as the one before is done; what comes meanwhile is dropped.
import { Refusal } from './faults.js';
import { fill, make, number, say, sayAs, saying, t } from './language.js';

/**
 * @typedef {object} Host the main view
 * @property {(frame: ImageData) => void} take opens a frame as the photo
 * @property {(work: (show: (frame: ImageData) => Promise<string>, signal: AbortSignal) =>
 *   Promise<void>) => Promise<void>} live runs `work` until
 *   something else is asked for; `show` explains a frame and paints both, and gives the likeliest
 *   class
 * @property {() => string} method the name of what explains
 * @property {(error: unknown) => void} complain
 */

/** Below so many frames per second nothing is live. */
const LEAST = 2;
/** The rate is measured over so much time of explaining (ms). */
const WINDOW = 3000;
/** The longer side of a live frame (pixels): models read less. */
const LIVE_SIDE = 640;
/** Between the stills for who asks for reduced motion (ms). */
const STILL = 2000;
/** The class is announced at most so often (ms). */
const ANNOUNCE = 4000;

/**
 * How fast frames are explained: takes the time that each took (ms), says the rate of the last
 * seconds, and whether that is too slow to be live.
 */
export function pace() {
  /** @type {number[]} */
  const times = [];
  let sum = 0;
  return (/** @type {number} */ ms) => {
    times.push(ms);
    sum += ms;
    for (let first = times[0] ?? 0; sum - first >= WINDOW; first = times[0] ?? 0) {
      times.shift();
      sum -= first;
    }
    const rate = (1000 * times.length) / sum;
    return { rate, slow: sum >= WINDOW && rate < LEAST };
  };
}

/** @param {unknown} error what `getUserMedia` rejects with */
function inWords(error) {
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  const { none, denied, busy, failed } = t.camera;
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return none;
  if (name === 'NotAllowedError' || name === 'SecurityError') return denied;
  if (name === 'NotReadableError' || name === 'AbortError') return busy;
  return fill(failed, { detail: message || name });
}

/** @param {MediaStream} stream */
const release = (stream) => stream.getTracks().forEach((track) => track.stop());

/**
 * @param {HTMLButtonElement} toggle
 * @param {HTMLElement} box
 * @param {HTMLElement} status a live region
 * @param {Host} host
 */
export function cameraPanel(toggle, box, status, host) {
  const video = make('video', { muted: true, playsInline: true, autoplay: true });
  const take = saying('button', () => t.camera.take, {
    type: 'button',
    id: 'camera-take',
    className: 'primary',
    disabled: true,
  });
  const live = saying('button', () => t.camera.live, { type: 'button', id: 'camera-live', disabled: true });
  const which = make('select', { id: 'camera-which' });
  const label = make(
    'label',
    {},
    saying('span', () => t.camera.which),
    which,
  );
  const rate = make('p', { id: 'camera-rate', className: 'number' });
  const buttons = make('div', { className: 'inputs' }, take, live);
  sayAs(video, 'aria-label', () => t.camera.preview);
  box.append(video, buttons, label, rate);
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const calm = matchMedia('(prefers-reduced-motion: reduce)');

  /** The camera that is open or being asked for. @type {{ stream?: MediaStream } | undefined} */
  let now;
  /** Live mode, until it is to end. @type {{ on: boolean } | undefined} */
  let running;

  const tell = (/** @type {() => string} */ text) => say(status, text);

  /**
   * @param {number} [side] at most so many pixels along the longer side
   * @returns {ImageData | undefined} the newest frame
   */
  function frame(side = Number.POSITIVE_INFINITY) {
    const { videoWidth, videoHeight } = video;
    const shrink = Math.min(1, side / Math.max(videoWidth, videoHeight));
    const [width, height] = [Math.round(videoWidth * shrink), Math.round(videoHeight * shrink)];
    if (!width || !height || !context) return undefined;
    Object.assign(canvas, { width, height });
    context.drawImage(video, 0, 0, width, height);
    return context.getImageData(0, 0, width, height);
  }

  /** Releases the camera. @param {(() => string) | undefined} [why] */
  function close(why = () => t.camera.off) {
    if (!now) return;
    if (running) running.on = false;
    if (now.stream) release(now.stream);
    now = undefined;
    video.srcObject = null;
    take.disabled = live.disabled = true;
    if (box.contains(document.activeElement)) toggle.focus();
    box.hidden = true;
    say(toggle, () => t.camera.open);
    toggle.setAttribute('aria-expanded', 'false');
    tell(why);
  }

  /** @param {() => string} why */
  function fail(why) {
    close(() => '');
    host.complain(new Refusal('device-unavailable', why));
  }

  /** @param {string} [device] */
  async function open(device) {
    const choosing = document.activeElement === which;
    close();
    const mine = (now = /** @type {{ stream?: MediaStream }} */ ({}));
    if (!isSecureContext) return fail(() => t.camera.insecure);
    if (!navigator.mediaDevices?.getUserMedia) return fail(() => t.camera.unsupported);
    say(toggle, () => t.camera.close);
    tell(() => t.camera.asking);
    try {
      const side = device ? { deviceId: { exact: device } } : { facingMode: 'environment' };
      const stream = await navigator.mediaDevices.getUserMedia({
        video: { ...side, width: { ideal: 1280 }, height: { ideal: 720 } },
      });
      if (now !== mine) return release(stream);
      mine.stream = stream;
      for (const track of stream.getTracks())
        track.addEventListener('ended', () => now === mine && fail(() => t.camera.gone));
      video.srcObject = stream;
      box.hidden = false;
      toggle.setAttribute('aria-expanded', 'true');
      await list(stream);
      if (choosing) which.focus();
      await video.play();
    } catch (error) {
      if (now === mine) fail(() => inWords(error));
      return;
    }
    if (now !== mine) return;
    take.disabled = live.disabled = false;
    tell(() => t.camera.ready);
  }

  /**
   * Offers the cameras, where there are several; browsers name them once one is open.
   * @param {MediaStream} stream
   */
  async function list(stream) {
    const found = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === 'videoinput');
    const open = stream.getVideoTracks()[0]?.getSettings().deviceId;
    which.replaceChildren(
      ...found.map((device, k) => {
        const sides = /** @type {any} */ (device).getCapabilities?.().facingMode ?? [];
        const option = new Option('', device.deviceId, false, device.deviceId === open);
        say(option, () => {
          const name = device.label || fill(t.camera.nth, { n: k + 1 });
          const side = sides.includes('user') ? t.camera.front : sides.includes('environment') ? t.camera.back : '';
          return side && !/front|back/i.test(name) ? fill(t.camera.facing, { name, side }) : name;
        });
        return option;
      }),
    );
    label.hidden = found.length < 2;
  }

  /**
   * A frame that has not been explained yet; undefined when live mode is to end.
   * @param {{ on: boolean }} mine
   * @param {AbortSignal} signal
   * @param {number} wait (ms)
   */
  async function next(mine, signal, wait) {
    const last = video.currentTime;
    const until = performance.now() + wait;
    do await new Promise(requestAnimationFrame);
    while (mine.on && !signal.aborted && (video.currentTime === last || performance.now() < until));
    return mine.on && !signal.aborted ? frame(LIVE_SIDE) : undefined;
  }

  async function explainLive() {
    const mine = (running = { on: true });
    const measure = pace();
    let heard = { label: '', at: 0 };
    /** Set where it is too slow. @type {(() => string) | undefined} */
    let why;
    say(live, () => t.camera.pause);
    box.dataset.live = '';
    try {
      await host.live(async (show, signal) => {
        const method = host.method();
        tell(() => fill(calm.matches ? t.camera.stills : t.camera.begun, { method, seconds: STILL / 1000 }));
        for (let first = true; ; first = false) {
          const picture = await next(mine, signal, calm.matches && !first ? STILL : 0);
          if (!picture) return;
          const began = performance.now();
          const label = await show(picture);
          const ended = performance.now();
          if (first) heard = { label, at: ended };
          // The first one compiles and allocates.
          else {
            const measured = measure(ended - began);
            say(rate, () => fill(t.camera.rate, { rate: number(measured.rate) }));
            if (measured.slow) {
              why = () => fill(t.camera.slow, { least: LEAST, method: host.method(), rate: number(measured.rate) });
              return;
            }
          }
          if (label !== heard.label && ended - heard.at > ANNOUNCE) {
            heard = { label, at: ended };
            tell(() => fill(t.camera.sees, { label }));
          }
        }
      });
    } catch (error) {
      why = () => t.camera.ready;
      host.complain(error);
    }
    running = undefined;
    say(live, () => t.camera.live);
    say(rate, () => '');
    delete box.dataset.live;
    if (now) tell(why ?? (() => t.camera.paused));
  }

  say(toggle, () => t.camera.open);
  toggle.addEventListener('click', () => (now ? close() : open()));
  which.addEventListener('change', () => open(which.value));
  take.addEventListener('click', () => {
    const picture = frame();
    if (picture) host.take(picture);
  });
  live.addEventListener('click', () => {
    if (running?.on) running.on = false;
    else if (!running) explainLive();
  });
  document.addEventListener('visibilitychange', () => document.hidden && close(() => t.camera.hidden));
  addEventListener('pagehide', () => close(() => t.camera.hidden));

  return {
    /** Another photo is being opened. */
    release: () => close(() => t.camera.photo),
  };
}
