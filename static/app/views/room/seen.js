/** Below the newest message, when it is mine: who has read it. Shown in direct conversations and small rooms alone. */
import { useEffect } from 'preact/hooks';
import { html } from '../../html.js';
import { loadMembers } from '../../state/chat.js';
import { nameOf, person } from '../../state/people.js';
import { myId } from '../../state/session.js';

const SMALL = 8;

/** @param {{room: import('../../state/rooms.js').Room}} props */
export function Seen({ room }) {
  const { kind, members: count } = room.summary.value;
  const fits = kind === 'dm' || count <= SMALL;
  useEffect(() => { if (fits && !room.members.value) loadMembers(room).catch(() => {}); }, [fits]);
  const last = room.timeline.stretch.value.items.at(-1);
  if (!fits || !last || last.from !== myId.value || room.timeline.stretch.value.unconfirmed.length) return null;
  const readers = (room.members.value ?? []).filter(({ user, last_read_seq: read }) => user.id !== myId.value && read >= last.seq);
  if (!readers.length) return null;
  const others = (room.members.value ?? []).length - 1;
  return html`<p class="seen">${readers.length === others ? (others === 1 ? 'Seen' : 'Seen by everybody') : `Seen by ${readers.map(({ user }) => nameOf(person(user.id).value)).join(', ')}`}</p>`;
}
