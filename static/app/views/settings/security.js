/** The second factor (an authenticator app), passkeys, and what happened to the account. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { Problem } from '../../net/http.js';
import { notify } from '../../state/notices.js';
import { Dialog } from '../../ui/dialog.js';
import { Failed, Loading } from '../../ui/faces.js';
import { Field } from '../../ui/field.js';
import { QrCode } from '../../ui/qr-code.js';
import { FormError } from '../entry/form-error.js';
import { Activity } from './activity.js';
import { Passkeys } from './passkeys.js';
import { RecoveryCodes } from './recovery-codes.js';

export function Security() {
  const [factor, setFactor] = useState(/** @type {api.SecondFactor | null} */ (null));
  const [failed, setFailed] = useState(/** @type {unknown} */ (null));
  const [dialog, open] = useState(/** @type {'on' | 'off' | null} */ (null));
  const load = () => {
    setFailed(null);
    api.secondFactor().then(setFactor, setFailed);
  };
  useEffect(load, []);
  const close = () => {
    open(null);
    load();
  };

  if (failed) return html`<${Failed} error=${failed} onRetry=${load} />`;
  if (!factor) return html`<${Loading} />`;
  return html`
    <h2>Security</h2>
    <section class="settings-section">
      <h3>Authenticator app</h3>
      <p class="is-soft">${factor.totp
        ? `On. Signing in asks for a code of your authenticator app. ${factor.recovery_codes_left} recovery ${factor.recovery_codes_left === 1 ? 'code is' : 'codes are'} left.`
        : 'Off. With it, your password alone is not enough to sign in: a code of an app on your phone is asked for, too.'}</p>
      ${factor.totp
        ? html`<button type="button" class="button is-danger-quiet" onClick=${() => open('off')}>Turn off</button>`
        : html`<button type="button" class="button is-primary" onClick=${() => open('on')}>Turn on</button>`}
    </section>
    <${Passkeys} onChange=${load} />
    <section class="settings-section">
      <h3>Recent activity</h3>
      <p class="is-soft">If something here was not you, change your password and sign out everywhere.</p>
      <${Activity} key=${`${factor.totp} ${factor.passkeys}`} />
    </section>
    ${dialog === 'on' && html`<${TurnOn} onClose=${close} />`}
    ${dialog === 'off' && html`<${TurnOff} onClose=${close} />`}`;
}

/** @param {{onClose: () => void}} props */
function TurnOn({ onClose }) {
  const [setup, setSetup] = useState(/** @type {api.TotpSetup | null} */ (null));
  const [codes, setCodes] = useState(/** @type {string[] | null} */ (null));
  const [code, setCode] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  useEffect(() => { api.beginTotp().then(setSetup, setError); }, []);

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      setCodes((await api.confirmTotp(code.replaceAll(/\s/g, ''))).recovery_codes);
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  }

  if (codes) return html`<${RecoveryCodes} codes=${codes} onClose=${onClose} />`;
  return html`
    <${Dialog} title="Turn on the second factor" onClose=${onClose}>
      <form class="stack" onSubmit=${submit}>
        <p class="is-soft">Scan this with your authenticator app, then type the six digits that it shows.</p>
        ${setup
          ? html`<${QrCode} text=${setup.otpauth_url} label="QR image for the authenticator app" /><p class="is-soft">Or type this key: <span class="secret">${setup.secret.match(/.{1,4}/g)?.join(' ')}</span></p>`
          : !error && html`<${Loading} />`}
        <${FormError} error=${error} fields=${['code']} />
        <${Field} label="Code" name="code" value=${code} onInput=${setCode} error=${error instanceof Problem ? error.fields.code?.[0] : undefined} inputmode="numeric" autocomplete="one-time-code" required />
        <div class="actions">
          <button type="button" class="button" onClick=${onClose}>Cancel</button>
          <button class="button is-primary" disabled=${busy || !code.trim()}>${busy ? 'Checking…' : 'Turn on'}</button>
        </div>
      </form>
    <//>`;
}

/** @param {{onClose: () => void}} props */
function TurnOff({ onClose }) {
  const [code, setCode] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    try {
      await api.endTotp(code.replaceAll(/\s/g, ''));
      notify('The second factor is off');
      onClose();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  }

  return html`
    <${Dialog} title="Turn off the second factor?" onClose=${onClose}>
      <form class="stack" onSubmit=${submit}>
        <p class="is-soft">Your password alone will be enough to sign in. Give a code of the app, or a recovery code, to go on.</p>
        <${FormError} error=${error} fields=${['code']} />
        <${Field} label="Code" name="code" value=${code} onInput=${setCode} error=${error instanceof Problem ? error.fields.code?.[0] : undefined} autocomplete="one-time-code" required autofocus />
        <div class="actions">
          <button type="button" class="button" onClick=${onClose}>Cancel</button>
          <button class="button is-danger" disabled=${busy || !code.trim()}>${busy ? 'Checking…' : 'Turn off'}</button>
        </div>
      </form>
    <//>`;
}
