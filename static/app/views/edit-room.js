/** Changing what a room is called and what it is about. */
import { useState } from 'preact/hooks';
import { html } from '../html.js';
import * as api from '../net/api.js';
import { Problem } from '../net/http.js';
import { path } from '../router.js';
import { refreshRoom } from '../state/chat.js';
import { rooms } from '../state/rooms.js';
import { Dialog } from '../ui/dialog.js';
import { Field } from '../ui/field.js';
import { FormError } from './entry/form-error.js';

/** @param {{onClose: () => void}} props */
export function EditRoom({ onClose }) {
  const room = rooms.value.get(path.value.split('/')[2]);
  const [name, setName] = useState(room?.summary.value.name ?? '');
  const [topic, setTopic] = useState(room?.summary.value.topic ?? '');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const fields = error instanceof Problem ? error.fields : {};
  if (!room) return null;

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    if (!room) return;
    setBusy(true);
    try {
      await api.changeRoom(room.id, { name: name.trim(), topic: topic.trim() });
      await refreshRoom(room);
      onClose();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  }

  return html`
    <${Dialog} addressed title="Edit room" onClose=${onClose}>
      <form class="stack" onSubmit=${submit}>
        <${FormError} error=${error} fields=${['name', 'topic']} />
        <${Field} label="Name" name="name" value=${name} onInput=${setName} error=${fields.name?.[0]} required maxlength="80" autofocus autocomplete="off" />
        <${Field} label="Topic" name="topic" optional value=${topic} onInput=${setTopic} error=${fields.topic?.[0]} maxlength="300" autocomplete="off" />
        <div class="actions">
          <button type="button" class="button" onClick=${onClose}>Cancel</button>
          <button class="button is-primary" disabled=${busy || !name.trim()}>${busy ? 'Saving…' : 'Save'}</button>
        </div>
      </form>
    <//>`;
}
