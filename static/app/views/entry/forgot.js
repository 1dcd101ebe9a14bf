/** Asking for a mail that leads to a new password. */
import { useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { Field } from '../../ui/field.js';
import { FormError } from './form-error.js';

export function Forgot() {
  const [email, setEmail] = useState('');
  const [sent, setSent] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await api.forgotPassword(email.trim());
      setSent(true);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  }

  if (sent) {
    return html`
      <div class="card" role="status">
        <h1>Look into your mail</h1>
        <p class="lead">If there is an account with <strong>${email.trim()}</strong>, a link to choose a new password is on its way. It works for a short while, once.</p>
        <a class="button is-wide" href="/login">Back to sign in</a>
      </div>`;
  }
  return html`
    <form class="card" onSubmit=${submit}>
      <h1>Reset your password</h1>
      <p class="lead">You get a mail with a link to choose a new one.</p>
      <${FormError} error=${error} />
      <${Field} label="E-mail" name="email" type="email" value=${email} onInput=${setEmail} autocomplete="email" required autofocus />
      <button class="button is-primary is-wide" disabled=${busy}>${busy ? 'Sending…' : 'Send the link'}</button>
      <p class="card-foot"><a href="/login">Back to sign in</a></p>
    </form>`;
}
