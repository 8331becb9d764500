// The public declarations of a .d.ts file, for the API reference and for the test of the public surface.

/**
 * @param {string} text of a .d.ts file as biome formats it
 * @returns {{ about: string, all: { name: string, kind: string, doc: string, code: string }[] }} `about`: the comment that the file begins with
 */
export function declarations(text) {
  const all = [];
  let about = '';
  let doc = [];
  let code;
  let inDoc = false;
  const plain = (lines) =>
    lines
      .map((line) => line.replace(/^\s*(\/\*\*|\*\/|\*)? ?/, '').replace(/\s*\*\/$/, ''))
      .join('\n')
      .trim();
  for (const line of text.split('\n')) {
    if (code) {
      code.push(line);
    } else if (inDoc || line.startsWith('/**')) {
      if (!inDoc) doc = [];
      doc.push(line);
      inDoc = !line.trimEnd().endsWith('*/');
      continue;
    } else if (/^export (declare )?(function|class|interface|type|const|abstract)\b/.test(line) && !/^export type \{/.test(line)) {
      code = [line];
    } else if (line.startsWith('import') && doc.length) {
      [about, doc] = [plain(doc), []];
    }
    // A declaration ends where a line at its own level closes it.
    if (
      code &&
      (code.length > 1 ? /^(\S.*)?[;}]$|^ {2}\S.*;$/.test(line) && closed(code.join('\n')) : closed(line) && /[;}]$/.test(line))
    ) {
      const [, kind, name] = /^export (?:declare |abstract )*(\w+) (\w+)/.exec(code[0]) ?? [];
      all.push({ name, kind, doc: plain(doc), code: code.join('\n') });
      [code, doc] = [undefined, []];
    }
  }
  if (code) throw new Error(`a declaration does not end: ${code[0]}`);
  return { about, all };
}

/** Whether every bracket is closed. @param {string} code */
function closed(code) {
  const bare = withoutComments(code).replace(/'[^'\n]*'|=>/g, '');
  const count = (brackets) => [...bare].filter((c) => brackets.includes(c)).length;
  return count('({[<') === count(')}]>');
}

/** @param {string} code */
export const withoutComments = (code) => code.replace(/\/\*[\s\S]*?\*\//g, '');
