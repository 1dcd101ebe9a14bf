/**
 * What the text of a message means: *bold*, _italic_, ~struck~, `code`, fenced blocks, > quotes, links and @mentions, as a
 * tree of plain values. `app/ui/markup.js` draws it.
 */

/**
 * @typedef {{kind: 'text', text: string} | {kind: 'code', text: string} | {kind: 'link', href: string}
 *   | {kind: 'mention', name: string} | {kind: 'strong' | 'em' | 'del', parts: Span[]}} Span
 * @typedef {{kind: 'fence', text: string} | {kind: 'quote' | 'lines', parts: Span[]}} Block
 */

const FENCE = /^```[^\n`]*\n?([\s\S]*?)\n?```$/;
/** Pairs open after a space or the start and close before one, so that `2*3*4` and `snake_case_name` stay as they are. */
const SPANS = new RegExp([
  /(?<code>`[^`\n]+`)/,
  /(?<link>https?:\/\/[^\s<>"']+)/,
  /(?<=^|[^\w@])(?<mention>@[a-z0-9][a-z0-9._-]*)/,
  /(?<=^|[\s(*_~])(?<strong>\*(?=\S)[^*\n]*[^*\s]\*)(?=$|[\s).,!?:;*_~])/,
  /(?<=^|[\s(*_~])(?<em>_(?=\S)[^_\n]*[^_\s]_)(?=$|[\s).,!?:;*_~])/,
  /(?<=^|[\s(*_~])(?<del>~(?=\S)[^~\n]*[^~\s]~)(?=$|[\s).,!?:;*_~])/,
].map(({ source }) => source).join('|'), 'gi');

/** @param {string} body @returns {Block[]} */
export function parse(body) {
  return body.split(/(^```[\s\S]*?```$)/m).filter((piece) => piece.trim()).flatMap((piece) => {
    const fence = FENCE.exec(piece);
    return fence ? [{ kind: /** @type {const} */ ('fence'), text: fence[1] }] : paragraphs(piece.replace(/^\n|\n$/g, ''));
  });
}

/** @param {string} text @returns {Block[]} */
function paragraphs(text) {
  /** @type {{quoted: boolean, lines: string[]}[]} */
  const runs = [];
  for (const line of text.split('\n')) {
    const quoted = /^> ?/.test(line);
    if (runs.at(-1)?.quoted !== quoted) runs.push({ quoted, lines: [] });
    runs.at(-1)?.lines.push(quoted ? line.replace(/^> ?/, '') : line);
  }
  return runs.map(({ quoted, lines }) => ({ kind: quoted ? 'quote' : 'lines', parts: spans(lines.join('\n')) }));
}

/** @param {string} text @returns {Span[]} */
function spans(text) {
  /** @type {Span[]} */
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(SPANS)) {
    const { code, link, mention, strong, em, del } = match.groups ?? {};
    let found = match[0];
    /** @type {Span} */
    let part;
    if (code) part = { kind: 'code', text: code.slice(1, -1) };
    else if (link) {
      found = withoutTail(link);
      part = { kind: 'link', href: found };
    } else if (mention) {
      found = mention.replace(/[._-]+$/, '');
      part = { kind: 'mention', name: found.slice(1).toLowerCase() };
    } else part = { kind: strong ? 'strong' : em ? 'em' : 'del', parts: spans((strong ?? em ?? del).slice(1, -1)) };
    if (match.index > end) parts.push({ kind: 'text', text: text.slice(end, match.index) });
    parts.push(part);
    end = match.index + found.length;
  }
  if (end < text.length) parts.push({ kind: 'text', text: text.slice(end) });
  return parts;
}

/** A full stop after a link belongs to the sentence, and so does a bracket that the link did not open. @param {string} link */
function withoutTail(link) {
  let end = link.replace(/[.,;:!?*_~]+$/, '');
  if (end.endsWith(')') && !end.includes('(')) end = end.slice(0, -1);
  return end;
}

/** The words alone, in one line. @param {string} body */
export const plain = (body) => parse(body).map((block) => (block.kind === 'fence' ? block.text : words(block.parts))).join(' ').replace(/\s+/g, ' ');

/** @param {Span[]} parts @returns {string} */
const words = (parts) => parts.map((span) => {
  switch (span.kind) {
    case 'link': return span.href;
    case 'mention': return `@${span.name}`;
    case 'text': case 'code': return span.text;
    default: return words(span.parts);
  }
}).join('');
