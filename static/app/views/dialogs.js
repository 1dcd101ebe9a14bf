/** The dialogs that an address can open (`?dialog=…`), so that the back button closes them. */
import { html } from '../html.js';
import { go, query, withQuery } from '../router.js';
import { EditRoom } from './edit-room.js';
import { Invite } from './invite.js';
import { Jump } from './jump.js';
import { Keys } from './keys.js';
import { NewMessage } from './new-message.js';
import { NewRoom } from './new-room.js';

const DIALOGS = /** @type {Record<string, any>} */ ({
  'new-room': NewRoom, 'new-message': NewMessage, invite: Invite, 'edit-room': EditRoom, jump: Jump, keys: Keys,
});

export function Dialogs() {
  const Shown = DIALOGS[query.value.get('dialog') ?? ''];
  return Shown ? html`<${Shown} onClose=${close} />` : null;
}

const close = () => go(withQuery('dialog', null), { replace: true });
