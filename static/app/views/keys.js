/** The help for the keyboard. */
import { html } from '../html.js';
import { Dialog } from '../ui/dialog.js';
import { command } from '../ui/keys.js';

/** @type {[string, [string[], string][]][]} */
const SECTIONS = [
  ['Everywhere', [[[command, 'K'], 'Jump to a room or a person'], [['/'], 'Search messages'], [['?'], 'This help']]],
  ['Reading', [[['Shift', 'Tab'], 'From the composer to the messages'], [['↑', '↓'], 'Walk over the messages'], [['R'], 'Reply'], [['+'], 'React'], [['E'], 'Edit'], [['C'], 'Copy text'], [['Del'], 'Delete'], [['Esc'], 'Back to the composer']]],
  ['Writing', [[['Enter'], 'Send'], [['Shift', 'Enter'], 'New line'], [['↑'], 'Edit your last message'], [['Esc'], 'Stop editing or replying'], [['@'], 'Mention somebody']]],
  ['Formatting', [[['*bold*'], 'bold'], [['_italic_'], 'italic'], [['~struck~'], 'struck out'], [['`code`'], 'code'], [['```'], 'block of code'], [['> '], 'quote']]],
];

/** @param {{onClose: () => void}} props */
export function Keys({ onClose }) {
  return html`
    <${Dialog} addressed title="Keyboard and formatting" size="wide" onClose=${onClose}>
      <div class="keys">
        ${SECTIONS.map(([title, keys]) => html`
          <section key=${title}>
            <h3>${title}</h3>
            <dl>${keys.map(([caps, text]) => html`<div key=${text}><dt>${caps.map((cap) => html`<kbd>${cap}</kbd>`)}</dt><dd>${text}</dd></div>`)}</dl>
          </section>`)}
      </div>
    <//>`;
}
