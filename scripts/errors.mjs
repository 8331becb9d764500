// Collects every message that the package can end a call with, from the sources of the package and
// of the core, and writes them as a table: code, what happened, what to do. A value stands as
// {name}.
// usage: node scripts/errors.mjs        (prints docs/errors.md)
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const CODES =
  /^(unsupported-image|image-too-large|bad-model|unsupported-architecture|bad-option|unsupported|device-unavailable|device-lost|out-of-memory|aborted|network|quota|internal)$/;
/** What begins a call, or an object, that holds a message. */
const JS = /\b(SightlineError|bad|fault|refusal|because|die|bound)\(|\{(?=\s*code: ¤)/g;
const RUST = /\b(?:Error::(\w+)|(bad_model|bad_option|bad|unsupported))\(/g;
/** The code of a function that makes errors of one code, where a file has such a one. */
const MAKERS = {
  die: 'internal',
  trap: 'out-of-memory',
  fault: 'network',
  bad: 'bad-option',
  bad_model: 'bad-model',
  unsupported: 'unsupported-image',
};
/** What a message must have beside what happened. */
const REMEDY =
  /\b(must|choose|give|use|check|try|pass|scale|open|reload|add|set|free|load|update|wait|close|create|report|connect|allow|serve|turn|lower|raise|name|install|download|convert|save|make|remove|leave|reduce|limit is|at most|no such option|can be|accepts|has only|supports?|needs?|there (is|are) only|will start|restarts)\b/;

/**
 * The literals of a text in either language: start, end, and the value with {names} for what is put
 * in.
 */
function literals(text, isRust) {
  const found = [];
  for (let at = 0; at < text.length; at += 1) {
    const c = text[at];
    const next = text[at + 1];
    if (c === '/' && next === '/') at = Math.max(at, text.indexOf('\n', at) - 1);
    else if (c === '/' && next === '*') at = text.indexOf('*/', at) + 1;
    // A lifetime or a character of Rust; a regular expression of JavaScript.
    else if (isRust && c === "'")
      at = /^'(\\.[^']*|[^\\])'/.test(text.slice(at, at + 12)) ? text.indexOf("'", at + 2) : at;
    else if (!isRust && c === '/' && /[(,=:[!&|?{};]\s*$|\breturn\s*$/.test(text.slice(Math.max(0, at - 20), at)))
      at += (/^\/(\\.|\[(\\.|[^\]\\\n])*\]|[^/\\\n])+\//.exec(text.slice(at))?.[0].length ?? 1) - 1;
    else if (c === '"' || (!isRust && (c === "'" || c === '`'))) {
      const start = at;
      let value = '';
      for (at += 1; text[at] !== c; at += 1) {
        if (text[at] === '\\') {
          at += 1;
          // A line that goes on.
          if (text[at] === '\n') at += (/^\s*/.exec(text.slice(at))?.[0].length ?? 1) - 1;
          else value += text[at] === 'n' ? ' ' : text[at];
        } else if (c === '`' && text.startsWith('${', at)) {
          const end = closing(text, at + 1, '{', '}');
          value += `{${nameOf(text.slice(at + 2, end))}}`;
          at = end;
        } else value += text[at];
      }
      found.push({
        start,
        end: at + 1,
        value: isRust ? value.replace(/\{\w*:[^}]*\}/g, (put) => put.replace(/:[^}]*/, '')) : value,
      });
    }
  }
  return found;
}

/** Where what opens at `at` closes. */
function closing(text, at, open, close) {
  for (let depth = 0, i = at; i < text.length; i += 1) {
    if (text[i] === open) depth += 1;
    if (text[i] === close && --depth === 0) return i;
  }
  return text.length;
}

/** A name for an expression: its first name's last part. */
const nameOf = (expression) => {
  const inner = /(?:quote|inWords|fill|String|JSON\.stringify)\(([^()]*)\)/.exec(expression)?.[1] ?? expression;
  return (/[a-zA-Z_$][\w$.?]*/.exec(inner)?.[0] ?? 'value').split('.').pop();
};

/** The messages of a file. */
function messagesOf(text, isRust) {
  // A file's own tests end it.
  const source = isRust ? text.split('#[cfg(test)]')[0] : text;
  const all = literals(source, isRust);
  // Without what the literals hold, so that brackets and names in them do not count.
  let bare = '';
  let last = 0;
  for (const { start, end } of all) {
    bare += source.slice(last, start) + '¤'.repeat(end - start);
    last = end;
  }
  bare += source.slice(last);
  bare = bare.replace(/\/\/.*/g, (comment) => ' '.repeat(comment.length));
  /** Functions of this file that make errors: their code, and what they put before a message. */
  const makers = new Map();
  for (const { index, 0: head, 1: name } of bare.matchAll(/(?:const|let|fn) (\w+)\b[^;{]*[=>{]/g)) {
    const body = bare.slice(index + head.length, index + head.length + 240).split(/;|\n\}/)[0];
    const made = isRust ? /Error::(\w+)\(/.exec(body)?.[1] : /SightlineError\(/.test(body);
    if (!made) continue;
    const within = all.filter(({ start }) => start >= index && start < index + head.length + body.length);
    const code = isRust ? kebab(made) : within.find(({ value }) => CODES.test(value))?.value;
    const parameter = /(\w+)(?:: [&'\w\s<>]+)?[|)]/.exec(
      bare.slice(index + name.length, index + head.length + body.length),
    )?.[1];
    const frame = within
      .find(({ value }) => value.includes(`{${parameter}}`))
      ?.value.replace(`{${parameter}}`, '\u0002');
    makers.set(name, { code, frame, from: index, to: index + head.length + body.length });
  }
  const used = new Set();
  const messages = [];
  for (const { index, 0: head, 1: a, 2: b } of bare.matchAll(isRust ? RUST : JS)) {
    const maker = isRust ? b : a;
    const inMaker = [...makers.values()].some(
      ({ from, to, frame }) => frame !== undefined && index >= from && index < to,
    );
    const end = closing(bare, index + head.length - 1, head.at(-1), head.at(-1) === '(' ? ')' : '}');
    const within = all.filter(({ start }) => start > index && start < end && !used.has(start));
    const code =
      (isRust && a ? kebab(a) : within.find(({ value }) => CODES.test(value))?.value) ??
      makers.get(maker)?.code ??
      MAKERS[maker === 'die' && bare.startsWith('undefined', index + head.length) ? 'trap' : maker];
    if (inMaker || !code) continue;
    const frame = makers.get(maker)?.frame ?? '\u0002';
    for (const { start, value } of within) {
      if (CODES.test(value) || !/[a-z] [a-z{"]/i.test(value)) continue;
      used.add(start);
      messages.push({ code, message: frame.replace('\u0002', () => value), maker });
    }
  }
  // One that puts what it is given into a sentence of its own, and is given no words.
  for (const [name, { code, frame }] of makers)
    if (frame && code && !messages.some(({ maker }) => maker === name))
      messages.push({ code, message: frame.replace('\u0002', '{value}') });
  return messages;
}
const kebab = (name) => name.replace(/(?!^)([A-Z])/g, '-$1').toLowerCase();

/** The files of a folder with an ending. */
const files = (folder, ending, without) =>
  readdirSync(join(root, folder), { recursive: true })
    .filter((name) => name.endsWith(ending) && !without.test(name))
    .map((name) => join(folder, name))
    .sort();

/** What a code asks for where a message of the core says only what happened. */
const USUAL = {
  'bad-model': 'check that config.json and the weights belong to one model, and save or download them again',
  'bad-option': 'change what the message names',
  unsupported: 'choose another method or model',
  'unsupported-architecture': 'choose a model of one of the architectures that it names',
  'unsupported-image': 'use a JPEG or PNG',
  'device-unavailable': 'use the CPU',
  internal: 'report it',
};

/** Constant texts of the core, by name. @param {string[]} sources */
function constants(sources) {
  const found = new Map();
  for (const source of sources)
    for (const [, name, text] of source.matchAll(/const ([A-Z_]+): &str = "([^"]*)"/g)) found.set(name, text);
  return found;
}

/**
 * All messages, each once, by where they come from.
 * @returns {{ code: string, message: string, from: string }[]}
 */
export function collect() {
  const seen = new Map();
  for (const [list, isRust] of [
    [files('pkg', '.js', /^wasm\//), false],
    [files('src', '.rs', /^$/), true],
  ]) {
    const texts = list.map((file) => readFileSync(join(root, file), 'utf8'));
    const known = constants(isRust ? texts : []);
    for (const [i, file] of list.entries())
      for (const { code, message: raw } of messagesOf(texts[i], isRust)) {
        const message = raw.replace(/\{([A-Z_]+)\}/g, (whole, name) => known.get(name) ?? whole);
        if (!seen.has(code + message)) seen.set(code + message, { code, message, from: file });
      }
  }
  return [...seen.values()];
}

/** Whether a message says itself what to do; of one who cancelled, nothing is asked. */
export const helps = ({ code, message }) => code === 'aborted' || REMEDY.test(message);
/** Whether the reader of the table knows what to do. */
export const isCovered = (one) => helps(one) || USUAL[one.code] !== undefined;

/** The table, by code. */
export function table(messages) {
  const cell = (text) => text.replaceAll('|', '\\|').replaceAll('{', '\\{').replaceAll('<', '&lt;');
  const codes = [...new Set(messages.map(({ code }) => code))].sort();
  const section = (code) => {
    const rows = messages
      .filter((one) => one.code === code)
      .map(({ message }) => {
        // What to do stands last, behind what happened.
        const [, what, remedy] = /^(.*?)(?:[;:]\s+(?=[^;:]*$)|\.\s+)(.+)$/.exec(message) ?? [];
        const isSplit = remedy && REMEDY.test(remedy);
        const todo = isSplit ? cell(remedy) : helps({ code, message }) ? 'as it says' : USUAL[code];
        return `| ${cell(isSplit ? what : message)} | ${todo} |`;
      });
    return [`## ${code}`, '', '| what happened | what to do |', '|---|---|', ...[...new Set(rows)].sort(), ''].join(
      '\n',
    );
  };
  return [
    '# Every message',
    '',
    'Made by `scripts/errors.mjs` from the sources; a test compares them (`UPDATE=1 node --test tests/browser/page/errors.test.mjs`',
    'writes this file). `{name}` stands for a value. `error.code` is stable, a message is not. A message of the code `internal` is a',
    'defect of Sightline: please report it.',
    '',
    ...codes.map(section),
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(table(collect()));
