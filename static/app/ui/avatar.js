/** A person's picture, or their initials on a colour that stays theirs; with a dot when they are there. */
import { html } from '../html.js';
import { nameOf, online, person } from '../state/people.js';

const HUES = 12;

/** @param {{id: string, size?: 'small' | 'medium' | 'large', presence?: boolean}} props */
export function Avatar({ id, size = 'medium', presence = false }) {
  const profile = person(id).value;
  const isOnline = presence && online(id).value;
  return html`
    <span class="avatar avatar-${size}">
      ${profile.avatar_url
        ? html`<img src=${profile.avatar_url} alt="" loading="lazy" decoding="async" />`
        : html`<span class="initials hue-${hueOf(id)}" aria-hidden="true">${initials(nameOf(profile))}</span>`}
      ${presence && html`<span class="presence ${isOnline ? 'is-online' : ''}"><span class="for-readers">${isOnline ? 'online' : 'offline'}</span></span>`}
    </span>`;
}

/** @param {string} name */
function initials(name) {
  const words = name.trim().split(/\s+/);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return letters.map((word) => [...word][0] ?? '').join('').toUpperCase();
}

/** The end of a UUIDv7 is random, its start is the time. @param {string} id */
function hueOf(id) {
  return parseInt(id.slice(-4), 16) % HUES || 0;
}
