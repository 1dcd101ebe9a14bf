/** Signing in: with a passkey alone, or name and password, and then the second factor where there is one. */
import { useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { hasPasskeys } from '../../net/passkeys.js';
import { path } from '../../router.js';
import { Field } from '../../ui/field.js';
import { Icon } from '../../ui/icon.js';
import { useLayer } from '../../ui/layer.js';
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

  /** @param {() => Promise<void>} way */
  async function enter(way) {
    setBusy(true);
    setError(null);
    try {
      await way();
    } catch (problem) {
      setError(problem);
      setPassword('');
    } finally {
      setBusy(false);
    }
  }

  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    enter(async () => onChallenge(await api.signIn(username.trim(), password)));
  }

  return html`
    <form class="card" onSubmit=${submit}>
      <h1>Sign in</h1>
      ${!['/login', '/'].includes(path.value) && html`<p class="lead">Sign in to go on to the page you asked for.</p>`}
      <${FormError} error=${error} />
      <${Field} label="Username or e-mail" name="username" value=${username} onInput=${setUsername} autocomplete="username" autocapitalize="none" spellcheck=${false} required autofocus />
      <${Field} label="Password" name="password" type="password" value=${password} onInput=${setPassword} autocomplete="current-password" required />
      <button class="button is-primary is-wide" disabled=${busy}>${busy ? 'Signing in…' : 'Sign in'}</button>
      ${hasPasskeys && html`<button type="button" class="button is-wide" disabled=${busy} onClick=${() => enter(api.signInByPasskey)}><${Icon} name="key" size=${18} />Sign in with a passkey</button>`}
      <p class="card-foot"><a href="/forgot">Forgot your password?</a></p>
      <p class="card-foot">New here? <a href=${onward('/register')}>Create an account</a></p>
    </form>`;
}

/** @typedef {'passkey' | 'totp' | 'recovery'} Way */

/** @type {Record<Way, {title: string, lead: string, other: string}>} */
const WAYS = {
  passkey: { title: 'Second factor', lead: 'Your browser asks for the passkey that you made here.', other: 'Use a passkey' },
  totp: { title: 'Second factor', lead: 'The six digits that your authenticator app shows right now.', other: 'Use the app' },
  recovery: { title: 'Recovery code', lead: 'One of the codes you saved when you turned the second factor on. Each works once.', other: 'Use a recovery code' },
};

/** @param {string[]} methods @returns {Way[]} */
const waysOf = (methods) => [
  ...(methods.includes('passkey') && hasPasskeys ? [/** @type {const} */ ('passkey')] : []),
  ...(methods.includes('totp') ? [/** @type {const} */ ('totp')] : []),
  'recovery',
];

/** @param {{challenge: import('../../net/session.js').Challenge, onBack: () => void}} props */
function SecondFactor({ challenge, onBack }) {
  useLayer(onBack);
  const ways = waysOf(challenge.methods);
  const [way, setWay] = useState(ways[0]);
  const [code, setCode] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      if (way === 'passkey') await api.provePasskey(challenge.mfa_token);
      else await api.proveSecondFactor(challenge.mfa_token, code.replaceAll(/\s/g, ''));
    } catch (problem) {
      setError(problem);
      setCode('');
      setBusy(false);
    }
  }

  /** @param {Way} next */
  function choose(next) {
    setWay(next);
    setCode('');
    setError(null);
  }

  const { title, lead } = WAYS[way];
  return html`
    <form class="card" onSubmit=${submit}>
      <h1>${title}</h1>
      <p class="lead">${lead}</p>
      <${FormError} error=${error} />
      ${way !== 'passkey' && html`
        <${Field} key=${way} label=${way === 'recovery' ? 'Recovery code' : 'Code'} name="code" value=${code} onInput=${setCode} required autofocus autocomplete="one-time-code" autocapitalize="none" spellcheck=${false}
          inputmode=${way === 'recovery' ? 'text' : 'numeric'} />`}
      <button class="button is-primary is-wide" disabled=${busy || (way !== 'passkey' && !code.trim())}>${busy ? 'Checking…' : way === 'passkey' ? 'Use your passkey' : 'Go on'}</button>
      <p class="card-foot card-row">
        <button type="button" class="link" onClick=${onBack}>Back</button>
        ${ways.filter((other) => other !== way).map((other) => html`<button type="button" class="link" key=${other} onClick=${() => choose(other)}>${WAYS[other].other}</button>`)}
      </p>
    </form>`;
}
