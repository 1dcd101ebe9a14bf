/** The password, a copy of everything, and the end of the account. */
import { useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { Problem } from '../../net/http.js';
import { notify, notifyFailure } from '../../state/notices.js';
import { user } from '../../state/session.js';
import { Dialog } from '../../ui/dialog.js';
import { Field } from '../../ui/field.js';
import { save } from '../../ui/save.js';
import { FormError } from '../entry/form-error.js';

export function Account() {
  const [deleting, setDeleting] = useState(false);
  const download = () => api.exportMe().then((all) => save(new Blob([JSON.stringify(all, null, 2)], { type: 'application/json' }), 'irongate-account.json'), notifyFailure);
  return html`
    <h2>Account</h2>
    <${Password} />
    <section class="settings-section">
      <h3>Your data</h3>
      <p class="is-soft">A file with everything that is stored about you.</p>
      <button type="button" class="button" onClick=${download}>Download</button>
    </section>
    <section class="settings-section">
      <h3>Delete account</h3>
      <p class="is-soft">Your profile and your sign-in go at once. What you wrote in rooms stays, without your name.</p>
      <button type="button" class="button is-danger-quiet" onClick=${() => setDeleting(true)}>Delete account</button>
    </section>
    ${deleting && html`<${Deletion} onClose=${() => setDeleting(false)} />`}`;
}

function Password() {
  const [current, setCurrent] = useState('');
  const [next, setNext] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const fields = error instanceof Problem ? error.fields : {};

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await api.changePassword(current, next);
      setCurrent('');
      setNext('');
      notify('Password changed. Your other sessions were signed out.');
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  }

  return html`
    <form class="stack settings-section" onSubmit=${submit}>
      <h3>Password</h3>
      <${FormError} error=${error} fields=${['current_password', 'new_password']} />
      <input class="for-readers" type="text" autocomplete="username" value=${user.value?.username} tabindex="-1" aria-hidden="true" readonly />
      <${Field} label="Current password" name="current_password" type="password" value=${current} onInput=${setCurrent} error=${fields.current_password?.[0]} autocomplete="current-password" required />
      <${Field} label="New password" name="new_password" type="password" value=${next} onInput=${setNext} error=${fields.new_password?.[0]} autocomplete="new-password" required hint="At least 8 characters." />
      <div class="actions"><button class="button is-primary" disabled=${busy || !current || !next}>${busy ? 'Changing…' : 'Change password'}</button></div>
    </form>`;
}

/** @param {{onClose: () => void}} props */
function Deletion({ onClose }) {
  const [name, setName] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    try {
      await api.deleteMe();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  }

  return html`
    <${Dialog} title="Delete your account?" onClose=${onClose}>
      <form class="stack" onSubmit=${submit}>
        <p class="is-soft">This cannot be taken back. To go on, write your username: ${user.value?.username}.</p>
        <${FormError} error=${error} />
        <${Field} label="Username" name="username" value=${name} onInput=${setName} autocomplete="off" autocapitalize="none" required autofocus />
        <div class="actions">
          <button type="button" class="button" onClick=${onClose}>Cancel</button>
          <button class="button is-danger" disabled=${busy || name !== user.value?.username}>${busy ? 'Deleting…' : 'Delete my account'}</button>
        </div>
      </form>
    <//>`;
}
