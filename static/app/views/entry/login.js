/** Signing in. */
import { useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { path } from '../../router.js';
import { Field } from '../../ui/field.js';
import { FormError } from './form-error.js';
import { onward } from './entry.js';

export function Login() {
  const [username, setUsername] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await api.signIn(username.trim(), password);
    } catch (problem) {
      setError(problem);
      setPassword('');
    } finally {
      setBusy(false);
    }
  }

  return html`
    <form class="card" onSubmit=${submit}>
      <h1>Sign in</h1>
      ${!['/login', '/'].includes(path.value) && html`<p class="lead">Sign in to go on to the page you asked for.</p>`}
      <${FormError} error=${error} />
      <${Field} label="Username or e-mail" name="username" value=${username} onInput=${setUsername} autocomplete="username" autocapitalize="none" spellcheck=${false} required autofocus />
      <${Field} label="Password" name="password" type="password" value=${password} onInput=${setPassword} autocomplete="current-password" required />
      <button class="button is-primary is-wide" disabled=${busy}>${busy ? 'Signing in…' : 'Sign in'}</button>
      <p class="card-foot">New here? <a href=${onward('/register')}>Create an account</a></p>
    </form>`;
}
