/**
 * Completing `@na…` to somebody in the room. The composer keeps the focus and passes its keys here first; the list is
 * tied to it for screen readers by `aria-activedescendant`.
 */
import { html } from '../../html.js';
import { nameOf, person } from '../../state/people.js';
import { myId } from '../../state/session.js';
import { Avatar } from '../../ui/avatar.js';

/** @typedef {import('../../net/api.js').Profile} Profile */

const MOST = 6;

/**
 * The mention being written at the caret, if there is one.
 * @param {string} text
 * @param {number} caret
 */
export function mentionAt(text, caret) {
  const match = /(?:^|[^\w@])@([\w.-]*)$/.exec(text.slice(0, caret));
  return match ? { start: caret - match[1].length, wanted: match[1].toLowerCase() } : null;
}

/** @param {import('../../net/api.js').Member[] | null} members @param {string} wanted @returns {Profile[]} */
export function candidates(members, wanted) {
  const found = (members ?? [])
    .map(({ user }) => person(user.id).value)
    .filter(({ id, username, display_name }) => id !== myId.value && (username.startsWith(wanted) || display_name.toLowerCase().split(/\s+/).some((word) => word.startsWith(wanted))))
    .slice(0, MOST);
  // A name written out in full needs no help, and Enter must send the message then.
  return found.length === 1 && found[0].username === wanted ? [] : found;
}

/** @param {{id: string, people: Profile[], chosen: number, onChoose: (profile: Profile) => void}} props */
export function MentionList({ id, people, chosen, onChoose }) {
  return html`
    <ul class="mention-list" id=${id} role="listbox" aria-label="People to mention">
      ${people.map((profile, index) => html`
        <li key=${profile.id} id="${id}-${index}" role="option" aria-selected=${index === chosen}
          onMouseDown=${(/** @type {Event} */ event) => { event.preventDefault(); onChoose(profile); }}>
          <${Avatar} id=${profile.id} size="small" /><strong>${nameOf(profile)}</strong><small>@${profile.username}</small>
        </li>`)}
    </ul>`;
}
