/** Signing in: name and password, and then the second factor where there is one. */
import { useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { path } from '../../router.js';
import { Field } from '../../ui/field.js';
import { FormError } from './form-error.js';
import { onward } from './entry.js';

export function Login() {
  const [challenge, setChallenge] = useState(/** @type {import('../../net/session.js').Challenge | null} */ (null));
  return challenge
    ? html`<${SecondFactor} challenge=${challenge} onBack=${() => setChallenge(null)} />`
    : html`<${Password} onChallenge=${setChallenge} />`;
}

/** @param {{onChallenge: (challenge: import('../../net/session.js').Challenge | null) => void}} props */
function Password({ onChallenge }) {
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
      onChallenge(await api.signIn(username.trim(), password));
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
      <p class="card-foot"><a href="/forgot">Forgot your password?</a></p>
      <p class="card-foot">New here? <a href=${onward('/register')}>Create an account</a></p>
    </form>`;
}

/** @param {{challenge: import('../../net/session.js').Challenge, onBack: () => void}} props */
function SecondFactor({ challenge, onBack }) {
  const [recovery, setRecovery] = useState(!challenge.methods.includes('totp'));
  const [code, setCode] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await api.proveSecondFactor(challenge.mfa_token, code.replaceAll(/\s/g, ''));
    } catch (problem) {
      setError(problem);
      setCode('');
      setBusy(false);
    }
  }

  return html`
    <form class="card" onSubmit=${submit}>
      <h1>${recovery ? 'Recovery code' : 'Second factor'}</h1>
      <p class="lead">${recovery ? 'One of the codes you saved when you turned the second factor on. Each works once.' : 'The six digits that your authenticator app shows right now.'}</p>
      <${FormError} error=${error} />
      <${Field} key=${recovery} label=${recovery ? 'Recovery code' : 'Code'} name="code" value=${code} onInput=${setCode} required autofocus autocomplete="one-time-code" autocapitalize="none" spellcheck=${false}
        inputmode=${recovery ? 'text' : 'numeric'} />
      <button class="button is-primary is-wide" disabled=${busy || !code.trim()}>${busy ? 'Checking…' : 'Go on'}</button>
      <p class="card-foot card-row">
        <button type="button" class="link" onClick=${onBack}>Back</button>
        <button type="button" class="link" onClick=${() => { setRecovery(!recovery); setCode(''); setError(null); }}>${recovery ? 'Use the app instead' : 'Use a recovery code'}</button>
      </p>
    </form>`;
}
