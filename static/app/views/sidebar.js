/** The list at the side: rooms, direct conversations, and the user themselves. */
import { html } from '../html.js';
import { path, withQuery } from '../router.js';
import { connection, refreshRooms } from '../state/chat.js';
import { nameOf } from '../state/people.js';
import { myDirects, myRooms, roomsState, wanted } from '../state/rooms.js';
import { user } from '../state/session.js';
import { Avatar } from '../ui/avatar.js';
import { Failed } from '../ui/faces.js';
import { Icon } from '../ui/icon.js';
import { command } from '../ui/keys.js';

export function Sidebar() {
  return html`
    <nav class="sidebar" aria-label="Rooms and people">
      <header class="sidebar-head">
        <a class="brand" href="/"><span class="brand-mark"><${Icon} name="gate" size=${18} /></span>Irongate</a>
        <a class="icon-button" href=${withQuery({ dialog: 'keys' })} aria-label="Keyboard and formatting" title="Keyboard and formatting (?)"><${Icon} name="keyboard" size=${18} /></a>
      </header>
      <div class="sidebar-scroll">
        <a class="jump" href=${withQuery({ dialog: 'jump' })}><${Icon} name="jump" size=${18} /><span class="side-name">Jump to…<span class="for-readers"> a room or person</span></span><kbd aria-hidden="true">${command} K</kbd></a>
        <a class="side-link" href="/search" aria-current=${path.value === '/search' ? 'page' : undefined}><${Icon} name="search" size=${18} />Search</a>
        <a class="side-link" href="/rooms" aria-current=${path.value === '/rooms' ? 'page' : undefined}><${Icon} name="compass" size=${18} />Browse rooms</a>
        ${roomsState.value === 'failed'
          ? html`<${Failed} title="Your rooms did not load" onRetry=${refreshRooms} />`
          : html`
            <${Section} title="Rooms" action="New room" dialog="new-room" list=${myRooms.value} none="You are in no room yet." />
            <${Section} title="Direct messages" action="New message" dialog="new-message" list=${myDirects.value} none="No conversations yet." />`}
      </div>
      <${Me} />
    </nav>`;
}

/** @param {{title: string, action: string, dialog: string, list: import('../state/rooms.js').Room[], none: string}} props */
function Section({ title, action, dialog, list, none }) {
  return html`
    <section class="side-section">
      <header>
        <h2>${title}</h2>
        <a class="icon-button" href=${withQuery({ dialog })} aria-label=${action} title=${action}><${Icon} name="plus" size=${18} /></a>
      </header>
      ${list.length
        ? html`<ul>${list.map((room) => html`<${Entry} key=${room.id} room=${room} />`)}</ul>`
        : roomsState.value === 'loading'
          ? html`<div class="skeleton" aria-hidden="true"><i></i><i></i><i></i></div>`
          : html`<p class="side-none">${none}</p>`}
    </section>`;
}

/** @param {{room: import('../state/rooms.js').Room}} props */
function Entry({ room }) {
  const { kind } = room.summary.value;
  const isHere = path.value === `/rooms/${room.id}`;
  const unread = room.unread.value;
  const loud = wanted(room);
  return html`
    <li>
      <a class="side-link ${unread ? 'is-unread' : ''}" href="/rooms/${room.id}" aria-current=${isHere ? 'page' : undefined}>
        ${kind === 'dm' && room.peer
          ? html`<${Avatar} id=${room.peer} size="small" presence />`
          : html`<${Icon} name=${kind === 'private' ? 'lock' : kind === 'dm' ? 'user' : 'hash'} size=${18} />`}
        <span class="side-name">${room.title.value}</span>
        ${loud > 0
          ? html`<span class="badge is-loud">${capped(loud)}<span class="for-readers"> ${kind === 'dm' ? 'new' : 'mentions'}</span></span>`
          : unread > 0 && html`<span class="badge">${capped(unread)}<span class="for-readers"> unread</span></span>`}
      </a>
    </li>`;
}

/** @param {number} count */
const capped = (count) => (count > 99 ? '99+' : count);

function Me() {
  const me = user.value;
  if (!me) return null;
  const isOnline = connection.value.phase === 'online';
  return html`
    <footer class="me">
      <${Avatar} id=${me.id} />
      <span class="me-text"><strong>${nameOf(me)}</strong><small>${isOnline ? 'Online' : 'Offline'}</small></span>
      <a class="icon-button" href="/settings" aria-label="Settings" title="Settings"><${Icon} name="settings" size=${18} /></a>
    </footer>`;
}
