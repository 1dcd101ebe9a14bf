/** The signed-in application: the list of rooms at the side, and what the address names beside it. */
import { html } from '../html.js';
import { path } from '../router.js';
import { Dialogs } from './dialogs.js';
import { Directory } from './directory.js';
import { Home } from './home.js';
import { RoomView } from './room/room.js';
import { Search } from './search.js';
import { Settings } from './settings/settings.js';
import { Sidebar } from './sidebar.js';
import { NotFound } from './not-found.js';

export function Shell() {
  const { view, isList } = viewOf(path.value);
  return html`
    <div class="shell ${isList ? 'at-list' : ''}">
      <a class="skip" href="#main" onClick=${skip}>Skip to content</a>
      <${Sidebar} />
      <main class="main" id="main" tabindex="-1">${view}</main>
      <${Dialogs} />
    </div>`;
}

/** `isList`: on a phone, the address of the room list itself. @param {string} at */
function viewOf(at) {
  const room = at.match(/^\/rooms\/([^/]+)$/);
  if (room) return { view: html`<${RoomView} key=${room[1]} id=${decodeURIComponent(room[1])} />`, isList: false };
  if (at === '/rooms') return { view: html`<${Directory} />`, isList: false };
  if (at === '/settings' || at.startsWith('/settings/')) return { view: html`<${Settings} />`, isList: false };
  if (at === '/search') return { view: html`<${Search} />`, isList: false };
  if (at === '/') return { view: html`<${Home} />`, isList: true };
  return { view: html`<${NotFound} />`, isList: false };
}

/** @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
