/** The dialogs that an address can open (`?dialog=…`), so that the back button closes them. */
import { html } from '../html.js';
import { go, query, withQuery } from '../router.js';
import { NewMessage } from './new-message.js';
import { NewRoom } from './new-room.js';

const DIALOGS = /** @type {Record<string, any>} */ ({ 'new-room': NewRoom, 'new-message': NewMessage });

export function Dialogs() {
  const Shown = DIALOGS[query.value.get('dialog') ?? ''];
  return Shown ? html`<${Shown} onClose=${close} />` : null;
}

const close = () => go(withQuery('dialog', null), { replace: true });
