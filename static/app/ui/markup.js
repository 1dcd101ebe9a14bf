/** Draws the small markup of messages from its tree (`app/state/markup.js`); nothing here ever makes markup of a string. */
import { html } from '../html.js';
import { withQuery } from '../router.js';
import { parse } from '../state/markup.js';
import { nameOf, personNamed } from '../state/people.js';
import { user } from '../state/session.js';

const ONLY_EMOJI = /^(?:\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\u200d\p{Extended_Pictographic}|\ufe0f)*\s?){1,6}$/u;

/** @param {{body: string}} props */
export function Markup({ body }) {
  if (ONLY_EMOJI.test(body)) return html`<p class="only-emoji">${body}</p>`;
  return parse(body).map((block) => {
    if (block.kind === 'fence') return html`<pre tabindex="0"><code>${block.text}</code></pre>`;
    if (block.kind === 'quote') return html`<blockquote>${block.parts.map(draw)}</blockquote>`;
    return html`<p>${block.parts.map(draw)}</p>`;
  });
}

/** @param {import('../state/markup.js').Span} span @returns {any} */
function draw(span) {
  switch (span.kind) {
    case 'text': return span.text;
    case 'code': return html`<code>${span.text}</code>`;
    // SECURITY: only http and https get here (no `javascript:`), and the other page learns nothing of this one.
    case 'link': return html`<a href=${span.href} target="_blank" rel="noopener noreferrer nofollow">${readable(span.href)}</a>`;
    case 'mention': return html`<${Mention} name=${span.name} />`;
    case 'strong': return html`<strong>${span.parts.map(draw)}</strong>`;
    case 'em': return html`<em>${span.parts.map(draw)}</em>`;
    case 'del': return html`<del>${span.parts.map(draw)}</del>`;
    default: return span;
  }
}

/** @param {{name: string}} props */
function Mention({ name }) {
  const profile = personNamed(name);
  if (!profile) return `@${name}`;
  return html`<a class="mention ${user.value?.username === name ? 'is-me' : ''}" title="@${name}" href=${withQuery({ dialog: 'person', name })}>@${nameOf(profile)}</a>`;
}

/** @param {string} href */
const readable = (href) => (href.length > 80 ? `${href.slice(0, 60)}…${href.slice(-12)}` : href);
