/** Going somewhere by a few letters: rooms and conversations of mine first, then everybody else. */
import { useEffect, useId, useState } from 'preact/hooks';
import { html } from '../html.js';
import * as api from '../net/api.js';
import { go } from '../router.js';
import { openDirect } from '../state/chat.js';
import { notifyFailure } from '../state/notices.js';
import { meet, nameOf } from '../state/people.js';
import { myDirects, myRooms } from '../state/rooms.js';
import { myId } from '../state/session.js';
import { Avatar } from '../ui/avatar.js';
import { Dialog } from '../ui/dialog.js';
import { Icon } from '../ui/icon.js';

const MOST = 12;
const PAUSE_MS = 150;

/** @typedef {{key: string, name: string, note: string, face: any, go: () => void}} Target */

/** @param {{onClose: () => void}} props */
export function Jump({ onClose }) {
  const [text, setText] = useState('');
  const [marked, setMarked] = useState(0);
  const [people, setPeople] = useState(/** @type {api.Profile[]} */ ([]));
  const id = useId();
  const wanted = text.trim().toLowerCase();

  useEffect(() => {
    setMarked(0);
    if (!wanted) return setPeople([]);
    const asked = new AbortController();
    const timer = setTimeout(() => api.findPeople(wanted, asked.signal).then(({ items }) => {
      items.forEach(meet);
      setPeople(items);
    }, () => {}), PAUSE_MS);
    return () => {
      clearTimeout(timer);
      asked.abort();
    };
  }, [wanted]);

  const targets = [...conversations(wanted), ...strangers(people)].slice(0, MOST);

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (event.key === 'ArrowDown') setMarked((marked + 1) % Math.max(targets.length, 1));
    else if (event.key === 'ArrowUp') setMarked((marked + targets.length - 1) % Math.max(targets.length, 1));
    else if (event.key === 'Enter' && !event.isComposing) targets[marked]?.go();
    else return;
    event.preventDefault();
  }

  return html`
    <${Dialog} addressed size="list" title="Jump to" onClose=${onClose}>
      <input type="text" role="combobox" aria-label="Room or person" aria-expanded="true" aria-controls=${id} aria-activedescendant=${targets.length ? `${id}-${marked}` : undefined}
        placeholder="Room or person" autocomplete="off" autofocus value=${text} onKeyDown=${key} onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)} />
      <ul class="picker-list jump-list" id=${id} role="listbox" aria-label="Places">
        ${targets.map((target, index) => html`
          <li key=${target.key} id="${id}-${index}" class="picker-item" role="option" aria-selected=${index === marked} onClick=${target.go} onMouseMove=${() => setMarked(index)}>
            ${target.face}<span><strong>${target.name}</strong><small>${target.note}</small></span>
          </li>`)}
      </ul>
      ${!targets.length && html`<p class="picker-none">Nothing by that name.</p>`}
    <//>`;
}

/** @param {string} wanted @returns {Target[]} */
function conversations(wanted) {
  return [...myRooms.value, ...myDirects.value]
    .filter((room) => room.title.value.toLowerCase().includes(wanted))
    .sort((one, other) => other.unread.value - one.unread.value)
    .map((room) => {
      const { kind, topic } = room.summary.value;
      return {
        key: room.id, name: room.title.value, note: kind === 'dm' ? 'Direct messages' : topic ?? '',
        face: kind === 'dm' && room.peer ? html`<${Avatar} id=${room.peer} presence />` : html`<span class="room-card-icon"><${Icon} name=${kind === 'private' ? 'lock' : 'hash'} /></span>`,
        go: () => go(`/rooms/${room.id}`, { replace: true }),
      };
    });
}

/** @param {api.Profile[]} people @returns {Target[]} */
function strangers(people) {
  const known = new Set([myId.value, ...myDirects.value.map((room) => room.peer)]);
  return people.filter(({ id }) => !known.has(id)).map((profile) => ({
    key: profile.id, name: nameOf(profile), note: `@${profile.username}`, face: html`<${Avatar} id=${profile.id} presence />`,
    go: () => openDirect(profile.id).then((room) => go(`/rooms/${room.id}`, { replace: true }), notifyFailure),
  }));
}
