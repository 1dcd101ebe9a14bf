/** Beside a conversation: what the room is, who is in it, and the way out. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { go, withQuery } from '../../router.js';
import { leave, loadMembers, openDirect } from '../../state/chat.js';
import { notifyFailure } from '../../state/notices.js';
import { nameOf, online, person } from '../../state/people.js';
import { mayModerate, mayOwn } from '../../state/rooms.js';
import { myId } from '../../state/session.js';
import { Avatar } from '../../ui/avatar.js';
import { Confirm } from '../../ui/dialog.js';
import { Failed, Loading } from '../../ui/faces.js';
import { Icon } from '../../ui/icon.js';
import { Bans } from './bans.js';
import { MemberDialog } from './member-dialog.js';

/**
 * @typedef {import('../../state/rooms.js').Room} Room
 * @typedef {{title: string, text: string, action: string, run: () => Promise<unknown>}} Question
 */

/** @param {{room: Room}} props */
export function Details({ room }) {
  const [failed, setFailed] = useState(/** @type {unknown} */ (null));
  const [managed, manage] = useState(/** @type {import('../../net/api.js').Member | null} */ (null));
  const [question, ask] = useState(/** @type {Question | null} */ (null));
  const { kind, topic } = room.summary.value;
  const load = () => {
    setFailed(null);
    loadMembers(room).catch(setFailed);
  };
  useEffect(load, [room]);

  const isGroup = kind !== 'dm';
  const isMine = room.isMine.value;
  return html`
      <header class="bar">
        <div class="bar-title"><h2>Details</h2></div>
        <a class="icon-button" href=${withQuery({ details: null })} aria-label="Close details"><${Icon} name="close" /></a>
      </header>
      <div class="scroll">
        ${isGroup && html`
          <section class="details-section">
            <header><h3>Topic</h3>${mayOwn(room) && html`<a class="icon-button" href=${withQuery({ dialog: 'edit-room' })} aria-label="Edit room" title="Edit room"><${Icon} name="edit" size=${16} /></a>`}</header>
            <p class=${topic ? '' : 'is-soft'}>${topic || 'No topic yet.'}</p>
          </section>`}
        <section class="details-section">
          <header><h3>Members</h3>${isMine && isGroup && html`<a class="icon-button" href=${withQuery({ dialog: 'invite' })} aria-label="Invite" title="Invite"><${Icon} name="plus" size=${16} /></a>`}</header>
          ${failed
            ? html`<${Failed} title="The members did not load" error=${failed} onRetry=${load} />`
            : room.members.value
              ? html`<ul class="members">${sorted(room.members.value).map((one) => html`<${Row} key=${one.user.id} room=${room} member=${one} onManage=${() => manage(one)} />`)}</ul>`
              : html`<${Loading} />`}
        </section>
        ${isGroup && mayModerate(room) && html`<${Bans} room=${room} />`}
        <section class="details-section stack">
          <a class="button is-wide" href="/search?room=${room.id}"><${Icon} name="search" size=${18} />Search here</a>
          ${isMine && isGroup && html`<button type="button" class="button is-danger-quiet is-wide" onClick=${() => ask(leaving(room))}><${Icon} name="exit" size=${18} />Leave room</button>`}
          ${isGroup && mayOwn(room) && html`<button type="button" class="button is-danger-quiet is-wide" onClick=${() => ask(deleting(room))}><${Icon} name="trash" size=${18} />Delete room</button>`}
        </section>
      </div>
      ${managed && html`<${MemberDialog} room=${room} member=${managed} onClose=${() => manage(null)} />`}
      ${question && html`
        <${Confirm} ...${question} danger onClose=${() => ask(null)} onConfirm=${() => { ask(null); question.run().catch(notifyFailure); }} />`}`;
}

/** @param {Room} room @returns {Question} */
const leaving = (room) => ({
  title: `Leave ${room.title.value}?`,
  text: room.summary.value.kind === 'private' ? 'You will need an invitation to come back.' : 'You can come back at any time.',
  action: 'Leave',
  run: async () => {
    await leave(room);
    go('/', { replace: true });
  },
});

/** @param {Room} room @returns {Question} */
const deleting = (room) => ({
  title: `Delete ${room.title.value}?`,
  text: 'All its messages go with it, for everybody. This cannot be taken back.',
  action: 'Delete room',
  run: async () => {
    await api.deleteRoom(room.id);
    go('/', { replace: true });
  },
});

/** Who is there first, then by name. @param {import('../../net/api.js').Member[]} members */
function sorted(members) {
  const rank = (/** @type {string} */ id) => (online(id).value ? 0 : 1);
  return [...members].sort(({ user: one }, { user: other }) => rank(one.id) - rank(other.id) || nameOf(one).localeCompare(nameOf(other)));
}

/** @param {{room: Room, member: import('../../net/api.js').Member, onManage: () => void}} props */
function Row({ room, member: { user: { id }, role }, onManage }) {
  const profile = person(id).value;
  const isMe = id === myId.value;
  const isGroup = room.summary.value.kind !== 'dm';
  const write = () => openDirect(id).then((direct) => go(`/rooms/${direct.id}`), notifyFailure);
  return html`
    <li class="member">
      <${Avatar} id=${id} presence />
      <span class="member-text"><strong>${nameOf(profile)}${isMe && html` <small>(you)</small>`}</strong><small>@${profile.username}</small></span>
      ${role !== 'member' && html`<span class="tag">${role}</span>`}
      ${!isMe && isGroup && html`
        <span class="member-tools">
          <button type="button" class="icon-button" aria-label="Message ${nameOf(profile)}" title="Message" onClick=${write}><${Icon} name="message" size=${16} /></button>
          ${(mayModerate(room, role) || (mayOwn(room) && role !== 'owner')) && html`<button type="button" class="icon-button" aria-label="Manage ${nameOf(profile)}" title="Manage" onClick=${onManage}><${Icon} name="more" size=${16} /></button>`}
        </span>`}
    </li>`;
}
