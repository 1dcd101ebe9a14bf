/** Beside the list, when no room is chosen: what waits to be read, and where to begin. On a phone the list itself stands here. */
import { html } from '../html.js';
import { withQuery } from '../router.js';
import { myDirects, myRooms, wanted } from '../state/rooms.js';
import { Avatar } from '../ui/avatar.js';
import { Empty } from '../ui/faces.js';
import { Icon } from '../ui/icon.js';

const MOST = 5;

export function Home() {
  const isNew = !myRooms.value.length && !myDirects.value.length;
  const waiting = [...myDirects.value, ...myRooms.value].filter((room) => room.unread.value)
    .sort((one, other) => wanted(other) - wanted(one)).slice(0, MOST);
  return html`
    <${Empty} icon="message" title=${isNew ? 'Welcome to Irongate' : 'Pick a conversation'}>
      <p>${isNew ? 'Join a room that is already there, or open one of your own.' : waiting.length ? 'This is new since you were here last.' : 'You have read everything. There may be more rooms to discover.'}</p>
      ${waiting.length > 0 && html`<ul class="waiting" aria-label="To be read">${waiting.map((room) => html`<${Waiting} key=${room.id} room=${room} />`)}</ul>`}
      <div class="actions is-centred">
        <a class="button ${waiting.length ? '' : 'is-primary'}" href="/rooms"><${Icon} name="compass" size=${18} />Browse rooms</a>
        <a class="button" href=${withQuery({ dialog: 'new-room' })}><${Icon} name="plus" size=${18} />New room</a>
      </div>
    <//>`;
}

/** @param {{room: import('../state/rooms.js').Room}} props */
function Waiting({ room }) {
  const { kind } = room.summary.value;
  const mentions = kind === 'dm' ? 0 : room.mentions.value;
  return html`
    <li>
      <a href="/rooms/${room.id}">
        ${kind === 'dm' && room.peer ? html`<${Avatar} id=${room.peer} presence />` : html`<span class="room-card-icon"><${Icon} name=${kind === 'private' ? 'lock' : 'hash'} /></span>`}
        <span><strong>${room.title.value}</strong><small>${mentions ? `${mentions} ${mentions === 1 ? 'mention' : 'mentions'} of you, ` : ''}${room.unread.value} unread</small></span>
        <span class="waiting-go"><${Icon} name="back" size=${16} /></span>
      </a>
    </li>`;
}
