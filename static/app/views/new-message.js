/** Finding somebody to talk to alone. */
import { useState } from 'preact/hooks';
import { html } from '../html.js';
import { go } from '../router.js';
import { openDirect } from '../state/chat.js';
import { notifyFailure } from '../state/notices.js';
import { Dialog } from '../ui/dialog.js';
import { PeoplePicker } from '../ui/people-picker.js';

/** @param {{onClose: () => void}} props */
export function NewMessage({ onClose }) {
  const [busy, setBusy] = useState(false);

  /** @param {import('../net/api.js').Profile} profile */
  async function choose(profile) {
    if (busy) return;
    setBusy(true);
    try {
      const room = await openDirect(profile.id);
      go(`/rooms/${room.id}`, { replace: true });
    } catch (error) {
      notifyFailure(error);
      setBusy(false);
    }
  }

  return html`
    <${Dialog} addressed size="list" title="New message" onClose=${onClose}>
      <${PeoplePicker} label="To" action="Message" onChoose=${choose} />
    <//>`;
}
