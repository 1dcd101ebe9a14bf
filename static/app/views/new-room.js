/** Opening a room. */
import { useState } from 'preact/hooks';
import { html } from '../html.js';
import { Problem } from '../net/http.js';
import { go } from '../router.js';
import { create } from '../state/chat.js';
import { Dialog } from '../ui/dialog.js';
import { Field } from '../ui/field.js';
import { Icon } from '../ui/icon.js';
import { FormError } from './entry/form-error.js';

/** @type {['public' | 'private', import('../ui/icon.js').IconName, string, string][]} */
const KINDS = [
  ['public', 'hash', 'Public', 'Everybody can find it and join.'],
  ['private', 'lock', 'Private', 'Only who is invited sees that it exists.'],
];

/** @param {{onClose: () => void}} props */
export function NewRoom({ onClose }) {
  const [name, setName] = useState('');
  const [topic, setTopic] = useState('');
  const [kind, setKind] = useState(/** @type {'public' | 'private'} */ ('public'));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const fields = error instanceof Problem ? error.fields : {};

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const room = await create({ kind, name: name.trim(), ...(topic.trim() && { topic: topic.trim() }) });
      go(`/rooms/${room.id}`, { replace: true });
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  }

  return html`
    <${Dialog} addressed title="New room" onClose=${onClose}>
      <form class="stack" onSubmit=${submit}>
        <${FormError} error=${error} fields=${['name', 'topic']} />
        <${Field} label="Name" name="name" value=${name} onInput=${setName} error=${fields.name?.[0]} required maxlength="80" autofocus autocomplete="off" placeholder="e.g. engineering" />
        <${Field} label="Topic" name="topic" optional value=${topic} onInput=${setTopic} error=${fields.topic?.[0]} maxlength="300" autocomplete="off" />
        <fieldset class="choices">
          <legend>Who can see it</legend>
          ${KINDS.map(([value, icon, title, text]) => html`
            <label class="choice">
              <input type="radio" name="kind" value=${value} checked=${kind === value} onChange=${() => setKind(value)} />
              <${Icon} name=${icon} />
              <span><strong>${title}</strong><small>${text}</small></span>
            </label>`)}
        </fieldset>
        <div class="actions">
          <button type="button" class="button" onClick=${onClose}>Cancel</button>
          <button class="button is-primary" disabled=${busy || !name.trim()}>${busy ? 'Creating…' : 'Create room'}</button>
        </div>
      </form>
    <//>`;
}
