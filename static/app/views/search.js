/** Searching what was said. The question is in the address, so that a search can be linked and come back to. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../html.js';
import * as api from '../net/api.js';
import { go, query, withQuery } from '../router.js';
import { nameOf, person } from '../state/people.js';
import { myDirects, myRooms, rooms } from '../state/rooms.js';
import { gist } from '../state/timeline.js';
import { Avatar } from '../ui/avatar.js';
import { Empty, Failed, Loading } from '../ui/faces.js';
import { Icon } from '../ui/icon.js';
import { clock, dayName, full } from '../ui/moments.js';
import { Bar } from './bar.js';

const PAUSE_MS = 250;

export function Search() {
  const asked = query.value.get('q') ?? '';
  const within = query.value.get('room');
  const [text, setText] = useState(asked);
  const [found, setFound] = useState(/** @type {{items: api.Message[], next: string | null} | null} */ (null));
  const [failed, setFailed] = useState(/** @type {unknown} */ (null));
  const [attempt, retry] = useState(0);

  useEffect(() => {
    const timer = setTimeout(() => go(withQuery({ q: text.trim() || null }), { replace: true }), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  useEffect(() => {
    setFound(null);
    setFailed(null);
    if (!asked) return undefined;
    const search = new AbortController();
    more(null, search.signal);
    return () => search.abort();
  }, [asked, within, attempt]);

  /** @param {string | null} cursor @param {AbortSignal} [signal] */
  async function more(cursor, signal) {
    try {
      const { items, next_cursor: next } = await api.findMessages({ text: asked, room: within, cursor, signal });
      setFound((before) => ({ items: cursor && before ? [...before.items, ...items] : items, next }));
    } catch (error) {
      if (!signal?.aborted) setFailed(error);
    }
  }

  return html`
    <${Bar} title="Search" />
    <div class="scroll">
      <div class="column">
        <form class="search-form" role="search" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
          <label class="search-box">
            <${Icon} name="search" size=${18} />
            <span class="for-readers">Search messages</span>
            <input type="search" placeholder="Search messages" autofocus value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} />
          </label>
          <select aria-label="In" value=${within ?? ''} onChange=${(/** @type {any} */ event) => go(withQuery({ room: event.currentTarget.value || null }), { replace: true })}>
            <option value="">All my rooms</option>
            ${[...myRooms.value, ...myDirects.value].map((room) => html`<option key=${room.id} value=${room.id}>${room.title.value}</option>`)}
          </select>
        </form>
        ${failed
          ? html`<${Failed} title="The search did not work" error=${failed} onRetry=${() => retry(attempt + 1)} />`
          : !asked
            ? html`<${Empty} icon="search" title="Find what was said"><p>Only rooms that you are in are searched.</p><//>`
            : !found
              ? html`<${Loading} label="Searching" />`
              : found.items.length === 0
                ? html`<${Empty} icon="search" title="Nothing found"><p>Try other words, or look in all rooms.</p><//>`
                : html`
                  <ul class="hits" aria-label="Messages found">${found.items.map((message) => html`<${Hit} key=${`${message.room} ${message.seq}`} message=${message} wanted=${asked} />`)}</ul>
                  ${found.next && html`<button type="button" class="button is-wide" onClick=${() => more(found.next)}>More</button>`}`}
      </div>
    </div>`;
}

/** @param {{message: api.Message, wanted: string}} props */
function Hit({ message, wanted }) {
  const room = rooms.value.get(message.room);
  return html`
    <li>
      <a class="hit" href="/rooms/${message.room}?at=${message.seq}">
        <${Avatar} id=${message.from} />
        <span class="hit-text">
          <span class="hit-head"><strong>${nameOf(person(message.from).value)}</strong> in ${room?.title.value ?? 'a room'} <time datetime=${message.ts} title=${full(message.ts)}>${dayName(message.ts)}, ${clock(message.ts)}</time></span>
          <span class="hit-body">${highlighted(gist(message), wanted)}</span>
        </span>
      </a>
    </li>`;
}

const AROUND = 120;

/** The part of a text around the first word found, with the words marked. @param {string} body @param {string} wanted */
function highlighted(body, wanted) {
  const words = wanted.split(/\s+/).filter(Boolean).map((word) => word.replaceAll(/[^\p{L}\p{N}]/gu, '\\$&'));
  const pattern = new RegExp(`(${words.join('|')})`, 'giu');
  const first = Math.max(0, body.search(pattern) - AROUND);
  const part = (first ? '…' : '') + body.slice(first, first + 3 * AROUND);
  return part.split(pattern).map((piece, index) => (index % 2 ? html`<mark>${piece}</mark>` : piece));
}
