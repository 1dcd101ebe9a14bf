/** The signed-in application: the list of rooms at the side, and what the address names beside it. */
import { useEffect } from 'preact/hooks';
import { html } from '../html.js';
import { path } from '../router.js';
import { lazy, loadTheRest, sheet } from '../ui/lazy.js';
import { Dialogs } from './dialogs.js';
import { Home } from './home.js';
import { RoomView } from './room/room.js';
import { Sidebar } from './sidebar.js';
import { NotFound } from './not-found.js';

const Directory = lazy(() => import('./directory.js').then(({ Directory: view }) => view));
const Search = lazy(() => import('./search.js').then(({ Search: view }) => view));
const Settings = lazy(async () => (await Promise.all([import('./settings/settings.js'), sheet('/css/settings.css')]))[0].Settings);

export function Shell() {
  const { view, isList } = viewOf(path.value);
  useEffect(loadTheRest, []);
  // On a phone the list is the page, so where it stands alone it is the main part, too. A role instead of the element:
  // another element would draw the list anew and lose where it was scrolled to.
  return html`
    <div class="shell ${isList ? 'at-list' : ''}" role=${isList ? 'main' : undefined}>
      <a class="skip" href="#content" onClick=${skip}>Skip to content</a>
      ${isList && html`<h1 class="for-readers">Your rooms</h1>`}
      <${Sidebar} />
      <div class="main" id="content" tabindex="-1" role=${isList ? undefined : 'main'}>${view}</div>
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
  document.getElementById('content')?.focus();
}
