/** All public rooms, to look around and join. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../html.js';
import * as api from '../net/api.js';
import { go, withQuery } from '../router.js';
import { join } from '../state/chat.js';
import { notifyFailure } from '../state/notices.js';
import { know, rooms } from '../state/rooms.js';
import { Empty, Failed, Loading } from '../ui/faces.js';
import { Icon } from '../ui/icon.js';
import { Bar } from './bar.js';

const PAUSE_MS = 150;

export function Directory() {
  const [text, setText] = useState('');
  const [found, setFound] = useState(/** @type {{items: api.RoomSummary[], next: string | null} | null} */ (null));
  const [failed, setFailed] = useState(/** @type {unknown} */ (null));
  const [attempt, retry] = useState(0);

  useEffect(() => {
    const asked = new AbortController();
    const timer = setTimeout(() => load(null, asked.signal), text ? PAUSE_MS : 0);
    return () => {
      clearTimeout(timer);
      asked.abort();
    };
  }, [text, attempt]);

  /** @param {string | null} cursor @param {AbortSignal} [signal] */
  async function load(cursor, signal) {
    try {
      const { items, next_cursor: next } = await api.rooms('public', { search: text.trim(), cursor, signal });
      setFailed(null);
      setFound((before) => ({ items: cursor && before ? [...before.items, ...items] : items, next }));
    } catch (error) {
      if (!signal?.aborted) setFailed(error);
    }
  }

  return html`
    <${Bar} title="Browse rooms">
      <a class="button is-primary" href=${withQuery({ dialog: 'new-room' })}><${Icon} name="plus" size=${18} />New room</a>
    <//>
    <div class="scroll">
      <div class="column">
        <label class="search-box">
          <${Icon} name="search" size=${18} />
          <span class="for-readers">Search rooms</span>
          <input type="search" placeholder="Search rooms" value=${text} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} />
        </label>
        ${failed
          ? html`<${Failed} title="The rooms did not load" error=${failed} onRetry=${() => retry(attempt + 1)} />`
          : !found
            ? html`<${Loading} />`
            : found.items.length === 0
              ? html`<${Empty} icon="compass" title=${text ? 'No room of that name' : 'No public rooms yet'}><p>Open the first one: the others will find it here.</p><//>`
              : html`
                <ul class="rooms">${found.items.map((summary) => html`<${RoomCard} key=${summary.id} summary=${summary} />`)}</ul>
                ${found.next && html`<button type="button" class="button is-wide" onClick=${() => load(found.next)}>More rooms</button>`}`}
      </div>
    </div>`;
}

/** @param {{summary: api.RoomSummary}} props */
function RoomCard({ summary }) {
  const [busy, setBusy] = useState(false);
  const isMine = rooms.value.get(summary.id)?.isMine.value ?? summary.member !== null;

  async function enter() {
    setBusy(true);
    try {
      await join(know(summary));
      go(`/rooms/${summary.id}`);
    } catch (error) {
      notifyFailure(error);
      setBusy(false);
    }
  }

  return html`
    <li class="room-card">
      <a href="/rooms/${summary.id}" class="room-card-link">
        <span class="room-card-icon"><${Icon} name="hash" /></span>
        <span class="room-card-text"><strong>${summary.name}</strong>${summary.topic && html`<small>${summary.topic}</small>`}</span>
      </a>
      <span class="room-card-count">${summary.members} ${summary.members === 1 ? 'member' : 'members'}</span>
      ${isMine
        ? html`<span class="room-card-in"><${Icon} name="check" size=${16} />Joined</span>`
        : html`<button type="button" class="button is-small" disabled=${busy} aria-label="Join ${summary.name}" onClick=${enter}>Join</button>`}
    </li>`;
}
