/** Beside a conversation: what the room is, who is in it, and the way out. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../../html.js';
import { go, withQuery } from '../../router.js';
import { leave, loadMembers } from '../../state/chat.js';
import { notifyFailure } from '../../state/notices.js';
import { nameOf, online, person } from '../../state/people.js';
import { myId } from '../../state/session.js';
import { Avatar } from '../../ui/avatar.js';
import { Confirm } from '../../ui/dialog.js';
import { Failed, Loading } from '../../ui/faces.js';
import { Icon } from '../../ui/icon.js';

/** @param {{room: import('../../state/rooms.js').Room}} props */
export function Details({ room }) {
  const [failed, setFailed] = useState(/** @type {unknown} */ (null));
  const [leaving, setLeaving] = useState(false);
  const { kind, topic } = room.summary.value;
  const load = () => {
    setFailed(null);
    loadMembers(room).catch(setFailed);
  };
  useEffect(load, [room]);

  const out = () => {
    setLeaving(false);
    go('/', { replace: true });
    leave(room).catch(notifyFailure);
  };

  return html`
    <aside class="details" aria-label="Room details">
      <header class="bar">
        <div class="bar-title"><h2>Details</h2></div>
        <a class="icon-button" href=${withQuery('details', null)} aria-label="Close details"><${Icon} name="close" /></a>
      </header>
      <div class="scroll">
        ${kind !== 'dm' && html`
          <section class="details-section">
            <h3>Topic</h3>
            <p class=${topic ? '' : 'is-soft'}>${topic || 'No topic yet.'}</p>
          </section>`}
        <section class="details-section">
          <h3>Members</h3>
          ${failed
            ? html`<${Failed} title="The members did not load" error=${failed} onRetry=${load} />`
            : room.members.value
              ? html`<ul class="members">${sorted(room.members.value).map((member) => html`<${Row} key=${member.user.id} member=${member} />`)}</ul>`
              : html`<${Loading} />`}
        </section>
        ${room.isMine.value && kind !== 'dm' && html`
          <section class="details-section">
            <button type="button" class="button is-danger-quiet is-wide" onClick=${() => setLeaving(true)}><${Icon} name="exit" size=${18} />Leave room</button>
          </section>`}
      </div>
      ${leaving && html`
        <${Confirm} title="Leave ${room.title.value}?" action="Leave" danger onClose=${() => setLeaving(false)} onConfirm=${out}
          text=${kind === 'private' ? 'You will need an invitation to come back.' : 'You can come back at any time.'} />`}
    </aside>`;
}

/** Who is there first, then by name. @param {import('../../net/api.js').Member[]} members */
function sorted(members) {
  const rank = (/** @type {string} */ id) => (online(id).value ? 0 : 1);
  return [...members].sort(({ user: one }, { user: other }) => rank(one.id) - rank(other.id) || nameOf(one).localeCompare(nameOf(other)));
}

/** @param {{member: import('../../net/api.js').Member}} props */
function Row({ member: { user: { id }, role } }) {
  const profile = person(id).value;
  return html`
    <li class="member">
      <${Avatar} id=${id} presence />
      <span class="member-text"><strong>${nameOf(profile)}${id === myId.value && html` <small>(you)</small>`}</strong><small>@${profile.username}</small></span>
      ${role !== 'member' && html`<span class="tag">${role}</span>`}
    </li>`;
}
