/** What those who keep order in a room can do with a member. */
import { useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { loadMembers } from '../../state/chat.js';
import { notify } from '../../state/notices.js';
import { nameOf } from '../../state/people.js';
import { mayModerate, mayOwn } from '../../state/rooms.js';
import { Dialog } from '../../ui/dialog.js';
import { Icon } from '../../ui/icon.js';
import { FormError } from '../entry/form-error.js';

const HOUR_MS = 3_600_000;

/** @typedef {{icon: import('../../ui/icon.js').IconName, name: string, note: string, danger?: boolean, done: string, run: () => Promise<unknown>}} Action */

/** @param {{room: import('../../state/rooms.js').Room, member: api.Member, onClose: () => void}} props */
export function MemberDialog({ room, member, onClose }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));

  /** @param {Action} action */
  async function run({ run: act, done }) {
    setBusy(true);
    setError(null);
    try {
      await act();
      await loadMembers(room);
      notify(done);
      onClose();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  }

  return html`
    <${Dialog} title=${nameOf(member.user)} onClose=${onClose}>
      <${FormError} error=${error} />
      <ul class="member-actions">
        ${actionsFor(room, member).map((action) => html`
          <li key=${action.name}>
            <button type="button" class="picker-item ${action.danger ? 'is-danger' : ''}" disabled=${busy} onClick=${() => run(action)}>
              <${Icon} name=${action.icon} /><span><strong>${action.name}</strong><small>${action.note}</small></span>
            </button>
          </li>`)}
      </ul>
    <//>`;
}

/** @param {import('../../state/rooms.js').Room} room @param {api.Member} member @returns {Action[]} */
function actionsFor(room, { user, role, muted_until: mutedUntil }) {
  const name = nameOf(user);
  /** @type {Action[]} */
  const actions = [];
  if (mayOwn(room) && role === 'member') {
    actions.push({ icon: 'shield', name: 'Make moderator', note: 'May delete messages, and mute, remove and ban members.', done: `${name} is a moderator now`, run: () => api.putMember(room.id, user.id, 'moderator') });
  }
  if (mayOwn(room) && role === 'moderator') {
    actions.push({ icon: 'key', name: 'Make owner', note: 'May change and delete the room, and hand out roles.', done: `${name} is an owner now`, run: () => api.putMember(room.id, user.id, 'owner') });
    actions.push({ icon: 'user', name: 'Make member', note: 'No longer a moderator.', done: `${name} is a member now`, run: () => api.putMember(room.id, user.id, 'member') });
  }
  if (mayModerate(room, role)) {
    const isMuted = mutedUntil && Date.parse(mutedUntil) > Date.now();
    actions.push(isMuted
      ? { icon: 'bell', name: 'Unmute', note: 'May write again.', done: `${name} may write again`, run: () => api.unmute(room.id, user.id) }
      : { icon: 'bell', name: 'Mute for an hour', note: 'Reads on, but does not write.', done: `${name} is muted for an hour`, run: () => api.mute(room.id, user.id, new Date(Date.now() + HOUR_MS)) });
    actions.push({ icon: 'exit', name: 'Remove', note: room.summary.value.kind === 'public' ? 'May join again.' : 'Needs an invitation to come back.', danger: true, done: `${name} was removed`, run: () => api.removeMember(room.id, user.id) });
    actions.push({ icon: 'close', name: 'Ban', note: 'Removed, and kept out until a moderator lifts the ban.', danger: true, done: `${name} was banned`, run: () => api.ban(room.id, user.id) });
  }
  return actions;
}
