/** Taking somebody into the room that the address shows. */
import { useEffect } from 'preact/hooks';
import { html } from '../html.js';
import * as api from '../net/api.js';
import { path } from '../router.js';
import { loadMembers } from '../state/chat.js';
import { notify, notifyFailure } from '../state/notices.js';
import { nameOf } from '../state/people.js';
import { rooms } from '../state/rooms.js';
import { Dialog } from '../ui/dialog.js';
import { PeoplePicker } from '../ui/people-picker.js';

/** @param {{onClose: () => void}} props */
export function Invite({ onClose }) {
  const room = rooms.value.get(path.value.split('/')[2]);
  useEffect(() => { if (room && !room.members.value) loadMembers(room).catch(notifyFailure); }, [room]);
  if (!room) return null;
  const inside = new Set(room.members.value?.map(({ user }) => user.id));

  /** @param {api.Profile} profile */
  async function add(profile) {
    if (!room) return;
    try {
      await api.putMember(room.id, profile.id);
      await loadMembers(room);
      notify(`${nameOf(profile)} is in ${room.title.value} now`);
    } catch (error) {
      notifyFailure(error);
    }
  }

  return html`
    <${Dialog} addressed size="list" title="Invite to ${room.title.value}" onClose=${onClose}>
      <${PeoplePicker} label="Who" action="Invite" inside=${inside} onChoose=${add} />
    <//>`;
}
