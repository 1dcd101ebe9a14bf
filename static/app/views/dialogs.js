/** The dialogs that an address can open (`?dialog=…`), so that the back button closes them. */
import { html } from '../html.js';
import { go, query, withQuery } from '../router.js';
import { lazy } from '../ui/lazy.js';

const DIALOGS = /** @type {Record<string, any>} */ ({
  'new-room': lazy(() => import('./new-room.js').then(({ NewRoom }) => NewRoom)),
  'new-message': lazy(() => import('./new-message.js').then(({ NewMessage }) => NewMessage)),
  'edit-room': lazy(() => import('./edit-room.js').then(({ EditRoom }) => EditRoom)),
  invite: lazy(() => import('./invite.js').then(({ Invite }) => Invite)),
  jump: lazy(() => import('./jump.js').then(({ Jump }) => Jump)),
  person: lazy(() => import('./person.js').then(({ Person }) => Person)),
  keys: lazy(() => import('./keys.js').then(({ Keys }) => Keys)),
});

export function Dialogs() {
  const Shown = DIALOGS[query.value.get('dialog') ?? ''];
  return Shown ? html`<${Shown} onClose=${close} />` : null;
}

const close = () => go(withQuery({ dialog: null, name: null }), { replace: true });
