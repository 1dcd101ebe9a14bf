/** Who is writing. The line keeps its height, so that nothing moves when it appears. */
import { html } from '../../html.js';
import { nameOf, person } from '../../state/people.js';

/** @param {{room: import('../../state/rooms.js').Room}} props */
export function TypingLine({ room }) {
  const names = room.typing.value.map((id) => nameOf(person(id).value));
  return html`<p class="typing-line" aria-live="off">${names.length > 0 && html`<span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>${sentence(names)}`}</p>`;
}

/** @param {string[]} names */
function sentence(names) {
  if (names.length === 1) return `${names[0]} is typing`;
  if (names.length === 2) return `${names[0]} and ${names[1]} are typing`;
  return 'Several people are typing';
}
