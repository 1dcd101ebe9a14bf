/** The dialogs that an address can open (`?dialog=…`), so that the back button closes them. */
import { html } from '../html.js';
import { goBack, query, withQuery } from '../router.js';
import { lazy } from '../ui/lazy.js';

const DIALOGS = /** @type {Record<string, any>} */ ({
  'new-room': lazy(() => import('./new-room.js').then(({ NewRoom }) => NewRoom), { isDialog: true }),
  'new-message': lazy(() => import('./new-message.js').then(({ NewMessage }) => NewMessage), { isDialog: true }),
  'edit-room': lazy(() => import('./edit-room.js').then(({ EditRoom }) => EditRoom), { isDialog: true }),
  invite: lazy(() => import('./invite.js').then(({ Invite }) => Invite), { isDialog: true }),
  jump: lazy(() => import('./jump.js').then(({ Jump }) => Jump), { isDialog: true }),
  person: lazy(() => import('./person.js').then(({ Person }) => Person), { isDialog: true }),
  keys: lazy(() => import('./keys.js').then(({ Keys }) => Keys), { isDialog: true }),
});

export function Dialogs() {
  const Shown = DIALOGS[query.value.get('dialog') ?? ''];
  return Shown ? html`<${Shown} onClose=${close} />` : null;
}

const close = () => goBack(withQuery({ dialog: null, name: null }));
