/** Who is kept out of a room, for those who may let them in again. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { notifyFailure } from '../../state/notices.js';
import { meet, nameOf } from '../../state/people.js';
import { Avatar } from '../../ui/avatar.js';

/** @param {{room: import('../../state/rooms.js').Room}} props */
export function Bans({ room }) {
  const [banned, setBanned] = useState(/** @type {api.Profile[]} */ ([]));
  const load = () => api.bans(room.id).then(({ items }) => {
    items.forEach(({ user }) => meet(user));
    setBanned(items.map(({ user }) => user));
  }, notifyFailure);
  // A ban changes the members, too.
  useEffect(() => { load(); }, [room, room.members.value]);

  if (!banned.length) return null;
  return html`
    <section class="details-section">
      <header><h3>Banned</h3></header>
      <ul class="members">
        ${banned.map((user) => html`
          <li class="member" key=${user.id}>
            <${Avatar} id=${user.id} /><span class="member-text"><strong>${nameOf(user)}</strong><small>@${user.username}</small></span>
            <button type="button" class="button is-small" aria-label="Lift the ban of ${nameOf(user)}" onClick=${() => api.unban(room.id, user.id).then(load, notifyFailure)}>Lift</button>
          </li>`)}
      </ul>
    </section>`;
}
