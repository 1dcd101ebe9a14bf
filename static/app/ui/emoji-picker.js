/** Choosing an emoji: a search field and a grid, with the ones used last in front. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../html.js';
import { Dialog } from './dialog.js';
import { Loading } from './faces.js';
import { Field } from './field.js';

const KEY = 'irongate.emoji';
const REMEMBERED = 16;

/** @param {{title: string, onChoose: (emoji: string) => void, onClose: () => void}} props */
export function EmojiPicker({ title, onChoose, onClose }) {
  const [groups, setGroups] = useState(/** @type {typeof import('./emoji.js').GROUPS | null} */ (null));
  const [text, setText] = useState('');
  useEffect(() => { import('./emoji.js').then(({ GROUPS }) => setGroups(GROUPS)); }, []);

  /** @param {string} emoji */
  function choose(emoji) {
    localStorage.setItem(KEY, [emoji, ...recent().filter((other) => other !== emoji)].slice(0, REMEMBERED).join(' '));
    onChoose(emoji);
  }

  const wanted = text.trim().toLowerCase();
  const shown = (groups ?? [])
    .map(({ name, emoji }) => ({ name, emoji: emoji.filter(({ words }) => words.includes(wanted)) }))
    .filter(({ emoji }) => emoji.length);
  const last = wanted ? [] : recent();
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <${Field} label="Search" name="search" type="search" value=${text} onInput=${setText} autofocus autocomplete="off" placeholder="e.g. thanks, rocket, cat" />
      <div class="emoji-groups">
        ${!groups && html`<${Loading} />`}
        ${last.length > 0 && html`<${Group} name="Used last" emoji=${last.map((emoji) => ({ emoji, words: emoji }))} onChoose=${choose} />`}
        ${shown.map((group) => html`<${Group} key=${group.name} ...${group} onChoose=${choose} />`)}
        ${groups && !shown.length && html`<p class="picker-none">No emoji for “${text}”.</p>`}
      </div>
    <//>`;
}

/** @param {{name: string, emoji: import('./emoji.js').Emoji[], onChoose: (emoji: string) => void}} props */
function Group({ name, emoji, onChoose }) {
  return html`
    <section aria-label=${name}>
      <h3>${name}</h3>
      <div class="emoji-grid">
        ${emoji.map((one) => html`<button type="button" key=${one.emoji} aria-label=${one.words} title=${one.words} onClick=${() => onChoose(one.emoji)}>${one.emoji}</button>`)}
      </div>
    </section>`;
}

const recent = () => (localStorage.getItem(KEY) ?? '').split(' ').filter(Boolean);
