// The public declarations as HTML: signatures, with links to the types that they name, and doc
// comments.

/**
 * @typedef {import('@microsoft/api-extractor-model').ApiItem} Item a declaration, or a member of
 *   one
 * @typedef {import('@microsoft/tsdoc').DocNode} Node a part of a doc comment
 * @typedef {(id: string, html?: string) => string} Link makes a link to an element of the page
 */

/** The kinds of declarations, in the page's order, and as TypeScript writes them. */
const KINDS = { Function: 'function', Class: 'class', Variable: 'const', Interface: 'interface', TypeAlias: 'type' };

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
/** @param {string} text */
export const escaped = (text) => text.replace(/[&<>"]/g, (c) => ENTITIES[c]);

/** @param {import('./api.mjs').Module[]} modules */
export function reference(modules) {
  const declarations = modules.flatMap(({ entry }) => entry.members);
  const ids = new Set(declarations.flatMap((item) => [item, ...item.members]).map(idOf));
  /** @type {Link} */
  const link = (id, html = escaped(id)) => {
    if (!ids.has(id)) throw new Error(`the reference has no ${id} to link to`);
    return `<a href="#${id}">${html}</a>`;
  };
  return modules.map(({ path, entry }) => chapter(path, entry, link)).join('\n');
}

/** One module. @param {string} path @param {Item} entry @param {Link} link */
function chapter(path, entry, link) {
  const strange = entry.members.find(({ kind }) => !(kind in KINDS));
  if (strange) throw new Error(`the reference has no place for a ${strange.kind}: ${strange.displayName}`);
  const items = Object.keys(KINDS).flatMap((kind) => entry.members.filter((item) => item.kind === kind));
  return `<h2><code>${path}</code></h2>
${comment(entry.parent, link)}
<p>${items.map((item) => link(idOf(item))).join(', ')}</p>
${items.map((item) => section(item, link)).join('\n')}`;
}

/** One declaration. @param {Item} item @param {Link} link */
function section(item, link) {
  const kind = item.isExported ? KINDS[item.kind] : `${KINDS[item.kind]}, not exported`;
  const members = item.members.map((one) => `<li${anchor(one)}>${signature(one, link)}\n${comment(one, link)}</li>`);
  return `<section${anchor(item)}>
<h3>${link(idOf(item))} <small>${kind}</small></h3>
${comment(item, link)}${signature(item, link)}
${members.length > 0 ? `<ul class="members">\n${members.join('\n')}\n</ul>` : ''}
</section>`;
}

/** @param {Item} item */
const isMember = (item) => item.parent.kind !== 'EntryPoint';

/** @param {Item} item */
function idOf(item) {
  return isMember(item) ? `${item.parent.displayName}.${item.displayName}` : item.displayName;
}

/** Overloads share an id: the first one has it. @param {Item} item */
const anchor = (item) => ((item.overloadIndex ?? 1) === 1 ? ` id="${idOf(item)}"` : '');

/** @param {Item} item @param {Link} link */
function signature(item, link) {
  const before = item.kind === 'Variable' ? 'export const ' : '';
  const html = before + item.excerptTokens.map((token) => linked(token, link)).join('');
  // In the source, members are indented.
  return `<pre><code>${(isMember(item) ? html.replaceAll('\n  ', '\n') : html).trim()}</code></pre>`;
}

/** @param {import('@microsoft/api-extractor-model').ExcerptToken} token @param {Link} link */
function linked({ text, canonicalReference: to }, link) {
  // Those of the platform come from no package.
  if (to?.source?.packageName === undefined) return escaped(text);
  let path = to.symbol.componentPath;
  while (path.parent) path = path.parent;
  return link(path.component.toString(), escaped(text));
}

/** @param {Item} item @param {Link} link */
function comment({ tsdocComment }, link) {
  if (!tsdocComment) return '';
  const { deprecatedBlock, summarySection, remarksBlock, typeParams, params, returnsBlock } = tsdocComment;
  const { customBlocks, seeBlocks } = tsdocComment;
  const titled = (title, { content }) => `<p><b>${escaped(title)}</b></p>\n${prose(content, link)}`;
  const block = (one) => (one ? titled(one.blockTag.tagName.slice(1), one) : '');
  return [
    block(deprecatedBlock),
    prose(summarySection, link),
    remarksBlock ? prose(remarksBlock.content, link) : '',
    ...[...typeParams.blocks, ...params.blocks].map((one) => titled(one.parameterName, one)),
    ...[returnsBlock, ...customBlocks, ...seeBlocks].map(block),
  ].join('');
}

/** @param {Node} node @param {Link} link */
function prose(node, link) {
  const inner = () => node.nodes.map((one) => prose(one, link)).join('');
  switch (node.kind) {
    case 'Section':
      return inner();
    case 'Paragraph': {
      const html = inner().trim();
      return html && `<p>${html}</p>\n`;
    }
    case 'PlainText':
      return escaped(node.text);
    case 'EscapedText':
      return escaped(node.decodedText);
    case 'SoftBreak':
      return '\n';
    case 'CodeSpan':
      return `<code>${escaped(node.code)}</code>`;
    case 'FencedCode':
      return `<pre><code>${escaped(node.code)}</code></pre>\n`;
    case 'LinkTag': {
      const { urlDestination: url, codeDestination, linkText } = node;
      if (url) return `<a href="${escaped(url)}">${escaped(linkText ?? url)}</a>`;
      const id = codeDestination.memberReferences.map((one) => one.memberIdentifier.identifier).join('.');
      return link(id, linkText ? escaped(linkText) : `<code>${escaped(id)}</code>`);
    }
    default:
      throw new Error(`the reference cannot show ${node.kind} of a doc comment`);
  }
}
