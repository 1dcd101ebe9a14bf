/** Choosing a new password with the link of a mail. The token stands behind the `#`, which no server log ever sees. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { Problem } from '../../net/http.js';
import { fragment, go } from '../../router.js';
import { Field } from '../../ui/field.js';
import { FormError } from './form-error.js';

export function Reset() {
  const [token] = useState(() => fragment.peek().get('token') ?? '');
  const [password, setPassword] = useState('');
  const [done, setDone] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  // Used up or not, the token has no business in the history of the browser.
  useEffect(() => go('/reset', { replace: true }), []);

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await api.resetPassword(token, password);
      setDone(true);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  }

  if (done) {
    return html`
      <div class="card" role="status">
        <h1>Your password is changed</h1>
        <p class="lead">All your sessions were signed out. Sign in with the new password.</p>
        <a class="button is-primary is-wide" href="/login">Sign in</a>
      </div>`;
  }
  if (!token) {
    return html`
      <div class="card">
        <h1>This link is not complete</h1>
        <p class="lead">Open the link of the mail again, or ask for another one.</p>
        <a class="button is-primary is-wide" href="/forgot">Ask for another link</a>
      </div>`;
  }
  const fields = error instanceof Problem ? error.fields : {};
  return html`
    <form class="card" onSubmit=${submit}>
      <h1>Choose a new password</h1>
      <${FormError} error=${error} fields=${['new_password']} />
      <${Field} label="New password" name="new_password" type="password" value=${password} onInput=${setPassword} error=${fields.new_password?.[0]} autocomplete="new-password" required autofocus hint="At least 8 characters." />
      <button class="button is-primary is-wide" disabled=${busy || !password}>${busy ? 'Saving…' : 'Save password'}</button>
    </form>`;
}
