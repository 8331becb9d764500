// What can fail, and in which way: each cell of the matrix names the test that provokes it, or says
// in one line why it cannot be. docs/faults.md is made of this.
//
// A cell is [fault, what has to happen, test's file below tests/, test's name], or { never: why }.
// A test's name is its title (in a table of cases: the case's) or, in Rust, its function.

/**
 * @typedef {[fault: string, expected: string, file: string, test: string] | { never: string }} Cell
 */

export const WAYS = ['absent', 'slow', 'wrong', 'cut off', 'huge', 'twice', 'at once', 'withdrawn'];

const API = 'browser/api/api.test.mjs';
const OPENING = 'browser/api/opening.test.mjs';
const HARDENING = 'browser/api/hardening.test.mjs';
const WIDGET = 'browser/element/widget.test.mjs';
const LINK = 'browser/page/link.test.mjs';
const OFFLINE = 'browser/page/offline.test.mjs';
const COMPARE = 'browser/page/compare.test.mjs';
const HERE = 'browser/faults/cells.test.mjs';
const DOWNLOAD = 'look up, see the size, download, cancel, resume, explain, reload without the server, delete';
const REPEATED = 'after broken connections and faults of the server, by itself';
const OPTIONS = 'options that mean nothing are bad options; what a caller changes after the call does not matter';
const MOUNTED =
  'mounted, unmounted and mounted again while it loads; gone for good; a property set before the definition';
const SLOW_LINK = 'a slow one shows its progress and can be cancelled, and is dropped for another photo';

/** @type {Record<string, Record<string, Cell>>} */
export const PARTS = {
  worker: {
    slow: [
      'it says nothing more, or works without letting a message in',
      'ended after 30 s, or 20 times its longest silence; the call is told',
      'browser/engine/scheduler.test.mjs',
      'a worker that says nothing more is ended after 30 s, or 20 times its longest silence',
    ],
    'cut off': [
      'it is ended from outside while two calls run',
      'both run again, to the same numbers',
      'browser/api/liveness.test.mjs',
      'two at once: each runs again, and ends well',
    ],
    absent: [
      'its script is not found, or is a web page',
      '`internal` names the address; nothing waits',
      HERE,
      'a worker whose script is not there or is none',
    ],
    wrong: [
      'the core traps in the midst of a call',
      'the culprit is told, the worker is replaced, the others’ calls run again',
      API,
      'a trap in the core is told, the worker is replaced, and other calls go on',
    ],
    huge: [
      'a model asks for 4 GB as it runs',
      '`out-of-memory`; the next call works',
      API,
      'a trap in the core is told, the worker is replaced, and other calls go on',
    ],
    twice: [
      'the one that takes its place dies, too',
      'the culprit is told; all others end well',
      'browser/engine/scheduler.test.mjs',
      'the worker dies twice: the culprit is told, all others end well, later calls too',
    ],
    'at once': [
      'three explainers compute at the same time',
      'each ends with the numbers of it alone',
      HARDENING,
      'several explainers at once all come to an end, with the numbers of each alone',
    ],
    withdrawn: [
      'an explainer is disposed of',
      '`bad-option` for its calls; another explainer goes on',
      API,
      'a disposed explainer refuses, another one on the same page goes on',
    ],
  },
  device: {
    slow: [
      'its start never comes to an end',
      'after 5 s `auto` is the CPU, with a reason',
      'browser/api/liveness.test.mjs',
      'its start in the worker: auto takes the CPU, and the next explainer works',
    ],
    twice: [
      'it is lost two times in a row',
      'each call is told `device-lost`; the next one works',
      'browser/api/liveness.test.mjs',
      'a device that is lost twice in a row: each call is told, and the third one works',
    ],
    'at once': [
      'two explainers open on WebGPU at the same time',
      'both have it',
      'browser/api/liveness.test.mjs',
      'two explainers opened on WebGPU at the same time',
    ],
    absent: [
      'no WebGPU',
      '`auto` is the CPU with a reason; `webgpu` is `device-unavailable`',
      API,
      'without WebGPU: auto is the CPU, webgpu is device-unavailable',
    ],
    wrong: [
      'a software adapter',
      '`auto` is the CPU, and says why',
      API,
      'auto never picks a software adapter and says why',
    ],
    'cut off': [
      'the device is lost in the midst of a call',
      '`device-lost`; the next call starts it anew',
      API,
      'a lost GPU device is device-lost, and the next call recovers',
    ],
    huge: [
      'a tensor that the device cannot take',
      '`out-of-memory` names it; `auto` goes to the CPU',
      API,
      'a tensor that the GPU cannot be given: out-of-memory names it, auto goes to the CPU',
    ],
    withdrawn: [
      'the signal is aborted while the adapter is asked for',
      'what was found out stays known',
      'browser/page/start.test.mjs',
      'whether there is WebGPU is found out though the signal that opened the model is aborted meanwhile',
    ],
  },
  network: {
    'at once': [
      'two tabs download one model',
      'it is downloaded once; the second tab sees how far the first is',
      'browser/api/network.test.mjs',
      'two tabs that open one model download it once; the second sees how far the first is',
    ],
    absent: [
      'an unreachable server; a machine that is offline',
      '`network`, in words that tell which',
      OPENING,
      'a missing folder, an unreachable server, one that allows no other page, a machine that is offline',
    ],
    slow: [
      'a download that takes long',
      'its progress is shown, it can be cancelled, it goes on later',
      OPENING,
      DOWNLOAD,
    ],
    wrong: [
      'a gated repository, rate limits, a web page in place of a file',
      '`network` says what to do',
      OPENING,
      'a gated repository',
    ],
    'cut off': ['connections break', 'goes on from where it was', OPENING, REPEATED],
    huge: [
      'weights beyond the limit',
      'refused before the download',
      OPENING,
      'an architecture that is not supported, and weights beyond the limit, are refused before the download',
    ],
    twice: ['faults of several kinds, one after the other', 'tried again each time', OPENING, REPEATED],
    withdrawn: ['the download is aborted', '`aborted`; the next one goes on from there', OPENING, 'after an abort'],
  },
  storage: {
    slow: [
      'it never answers',
      'models open as if there were none',
      'browser/api/liveness.test.mjs',
      'a storage that never answers: models open as if there were none',
    ],
    'at once': [
      'one tab is stopped while another waits for the same download',
      'the other goes on from there',
      'browser/api/network.test.mjs',
      'the tab that waits goes on where the other one was stopped',
    ],
    absent: [
      'no Cache Storage',
      'everything else works',
      OPENING,
      'without Cache Storage, in a sandboxed frame, everything else works',
    ],
    wrong: [
      'a piece was damaged where it is kept',
      '`network`; fetched anew',
      OPENING,
      'weights that were damaged on their way or in storage',
    ],
    'cut off': [
      'the page is reloaded while a model is written',
      'goes on from the whole pieces',
      OPENING,
      'after a reload in its midst',
    ],
    huge: [
      'no room',
      'the model opens, with a warning `quota`',
      OPENING,
      'without room the model opens and says that it is not kept',
    ],
    twice: [
      'another version of a file that is kept in part',
      'from the start',
      OPENING,
      'a file that changed since the page was reloaded: from the start',
    ],
    withdrawn: [
      'a kept model is deleted while an explainer has it',
      'the explainer goes on, also in a new worker',
      OPENING,
      'an explainer outlives the deletion of its copy, also when its worker is replaced',
    ],
  },
  picture: {
    absent: ['an address without a picture', '`network`', API, 'photos'],
    slow: ['a picture that comes slowly', 'progress, and it can be cancelled', LINK, SLOW_LINK],
    wrong: [
      'text, another format, a lying header',
      '`unsupported-image`',
      'native/photo/decode.rs',
      'bad_files_are_refused_with_the_right_code',
    ],
    'cut off': [
      'half a JPEG, with a whole thumbnail',
      '`unsupported-image`',
      'native/photo/decode.rs',
      'a_jpeg_with_a_film_behind_it_is_read_and_one_with_a_whole_thumbnail_but_half_a_picture_is_not',
    ],
    huge: [
      'a header that claims 30,000 pixels a side',
      '`image-too-large` before anything is allocated',
      API,
      'photos',
    ],
    twice: [
      'the same photo again',
      'the same numbers, bit by bit',
      'browser/api/methods.test.mjs',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the title as it stands there.
      '${name}: finite, the same twice, and the devices agree',
    ],
    'at once': [
      'a photo whose bytes come late, and a later call',
      'in the order of the calls',
      OPENING,
      'a photo that comes late is not overtaken by a later call',
    ],
    withdrawn: [
      'another photo takes its place',
      'what was begun ends',
      COMPARE,
      'one that is replaced by nothing, or whose photo goes, ends',
    ],
  },
  model: {
    absent: ['an address without a model', '`network`', API, 'packages'],
    slow: ['weights that come slowly', 'progress, cancelled, resumed', OPENING, DOWNLOAD],
    wrong: [
      'other weights, a hostile pickle, text',
      '`bad-model` says what it is; nothing of it runs',
      OPENING,
      'what cannot be opened is refused by its name',
    ],
    'cut off': [
      'a file that ends anywhere',
      '`bad-model`; no panic',
      'native/package/pth/damage.rs',
      'no_cut_of_a_file_panics_or_hangs',
    ],
    huge: [
      'tensors that a device cannot take',
      'refused before any is read',
      'native/nn/load.rs',
      'tensors_that_a_device_cannot_take_are_refused_before_any_is_read',
    ],
    twice: [
      'ten switches between the same models',
      'the memory of the first time',
      OPENING,
      'memory after ten switches is that after the first of each',
    ],
    'at once': [
      'another model is chosen while one is fetched',
      'the later one is opened',
      OPENING,
      'a model of the page that is chosen while another comes ends the download, and the offer does not return',
    ],
    withdrawn: [
      'an abort while the weights load',
      '`aborted`; nothing stays in the worker',
      HARDENING,
      'an explainer that is aborted while its weights load leaves nothing in the worker',
    ],
  },
  options: {
    huge: [
      'millions of values, a name of 2 MB, a config of 5 MB',
      '`bad-option` or `bad-model` in few words; the next call works',
      'browser/api/network.test.mjs',
      'files that are given: a picture, a config, options',
    ],
    absent: ['no options at all', '`bad-option`', HARDENING, OPTIONS],
    slow: [
      'more steps than anybody waits for',
      'progress, and cancel leaves what was there',
      'browser/page/page.test.mjs',
      'a long explanation shows progress, can be cancelled, and leaves what was there; the page stays responsive',
    ],
    wrong: [
      'each option out of range, unknown ones',
      '`bad-option` by its name',
      'native/methods/contract.rs',
      'options_out_of_range_or_unknown_are_refused_by_name',
    ],
    'cut off': { never: 'Options come as an object, which is there or not; half of their text is half a link.' },
    twice: { never: 'An object has each key once; an address that has one twice is a link.' },
    'at once': ['the caller changes what it passed while the call waits', 'what was passed counts', HARDENING, OPTIONS],
    withdrawn: [
      '`signal` in the midst',
      '`aborted` at once, the queue is free',
      API,
      'an abort in the middle of integrated gradients rejects at once, stops the passes and frees the queue',
    ],
  },
  DOM: {
    absent: [
      'no document: a server',
      'importing does nothing',
      WIDGET,
      'importing it on a server defines nothing and fails nowhere',
    ],
    slow: [
      'the element is far below the fold',
      'it waits, and fetches nothing',
      WIDGET,
      'a lazy one far below fetches nothing at all; its poster is there before the photo',
    ],
    wrong: [
      'attributes that mean nothing',
      'said on the element by code; put right, it works',
      WIDGET,
      'errors by code, said on the element; what is put right is tried again',
    ],
    'cut off': ['removed while it loads', 'what was begun ends', WIDGET, MOUNTED],
    huge: [
      'a map over a photo of two megapixels',
      'painted within a frame',
      HARDENING,
      'painting: one frame for a large photo, zero in the middle of a diverging map, cells as they are, nothing stretched',
    ],
    twice: [
      'three elements, the same model',
      'one worker, one model',
      WIDGET,
      'three on a page share a worker and each model; nothing leaks out; the one below the fold waits',
    ],
    'at once': [
      'attributes change while it computes',
      'the newest counts',
      WIDGET,
      'attributes, properties and controls; looks compute nothing; a newer request replaces an older one',
    ],
    withdrawn: ['removed for good', 'its explainer is given back', WIDGET, MOUNTED],
  },
  'service worker': {
    'at once': [
      'a new version is taken over in one of two tabs',
      'each tab keeps its version until it is loaded anew',
      OFFLINE,
      'two tabs: each has the files of its own version until it is loaded anew',
    ],
    absent: [
      'service workers are forbidden',
      'the page works',
      HERE,
      'without a service worker, and with one that never answers, the page works',
    ],
    slow: [
      'its script never comes',
      'the page does not wait',
      HERE,
      'without a service worker, and with one that never answers, the page works',
    ],
    wrong: [
      'a file that is not the one of its list',
      'not kept; the page says that it has no copy',
      OFFLINE,
      'a file that is not the one of the list is not kept, and the page says that it has no copy',
    ],
    'cut off': [
      'the connection breaks as it is installed',
      'no copy, and the page says so',
      HERE,
      'a service worker whose files break off, or that is removed',
    ],
    huge: {
      never: 'It keeps what its list names, whose size the build knows (tests/sizes.json); no room is “cut off”.',
    },
    twice: [
      'a new version',
      'offered; taken when asked; only what changed is fetched',
      OFFLINE,
      'a new version is offered, takes over when it is asked to, and fetches what changed alone',
    ],
    withdrawn: [
      'it is unregistered while the page is open',
      'the page goes on',
      HERE,
      'a service worker whose files break off, or that is removed',
    ],
  },
  link: {
    absent: [
      'to a host outside the policy, or to one that does not answer',
      'said in words; nothing else is lost',
      LINK,
      'a host outside the list, and one that does not answer',
    ],
    slow: ['to a picture that comes slowly', 'progress, and it can be cancelled', LINK, SLOW_LINK],
    wrong: [
      'hostile text in every part',
      'text; what is wrong is left out',
      COMPARE,
      'hostile links are text, and what is wrong in them is left out',
    ],
    'cut off': ['it ends anywhere', 'what is whole is read', HERE, 'links: cut off anywhere, huge, with a part twice'],
    huge: ['a megabyte', 'nothing is read', HERE, 'links: cut off anywhere, huge, with a part twice'],
    twice: ['a part that is there twice', 'the first counts', HERE, 'links: cut off anywhere, huge, with a part twice'],
    'at once': [
      'the link’s model is opened while another is chosen',
      'its method is not put on the other model',
      COMPARE,
      'a link’s method is not that of a model that is chosen while the link’s is opened',
    ],
    withdrawn: ['another photo is chosen while the link’s picture comes', 'the later choice is shown', LINK, SLOW_LINK],
  },
};
