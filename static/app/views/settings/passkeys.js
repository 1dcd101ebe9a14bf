/** Passkeys: what signs in without a password, and stands in for the second factor after one. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { Problem } from '../../net/http.js';
import { hasPasskeys } from '../../net/passkeys.js';
import { notify, notifyFailure } from '../../state/notices.js';
import { deviceName } from '../../ui/device-name.js';
import { Confirm, Dialog } from '../../ui/dialog.js';
import { Failed, Loading } from '../../ui/faces.js';
import { Field } from '../../ui/field.js';
import { Icon } from '../../ui/icon.js';
import { ago, full } from '../../ui/moments.js';
import { FormError } from '../entry/form-error.js';
import { RecoveryCodes } from './recovery-codes.js';

/** @param {{onChange: () => void}} props `onChange`: there is one more or one less */
export function Passkeys({ onChange }) {
  const [passkeys, setPasskeys] = useState(/** @type {api.Passkey[] | null} */ (null));
  const [failed, setFailed] = useState(/** @type {unknown} */ (null));
  const [adding, add] = useState(false);
  const [renamed, rename] = useState(/** @type {api.Passkey | null} */ (null));
  const [ending, end] = useState(/** @type {api.Passkey | null} */ (null));
  const [codes, setCodes] = useState(/** @type {string[] | null} */ (null));
  const load = () => {
    setFailed(null);
    api.passkeys().then(({ items }) => setPasskeys(items), setFailed);
  };
  useEffect(load, []);

  /** @param {string[] | undefined} recoveryCodes */
  function added(recoveryCodes) {
    add(false);
    notify('Passkey added');
    load();
    if (recoveryCodes) setCodes(recoveryCodes);
    else onChange();
  }

  /** @param {api.Passkey} passkey */
  function remove(passkey) {
    end(null);
    api.endPasskey(passkey.id).then(() => {
      notify('Passkey deleted');
      load();
      onChange();
    }, notifyFailure);
  }

  return html`
    <section class="settings-section">
      <h3>Passkeys</h3>
      <p class="is-soft">Sign in with your fingerprint, face or PIN instead of your password. A passkey cannot be guessed, and no other site can ask for it.</p>
      ${failed
        ? html`<${Failed} title="Your passkeys did not load" error=${failed} onRetry=${load} />`
        : !passkeys
          ? html`<${Loading} />`
          : passkeys.length > 0 && html`
            <ul class="devices" aria-label="Passkeys">
              ${passkeys.map((passkey) => html`
                <li key=${passkey.id} class="device">
                  <span class="device-icon"><${Icon} name="key" /></span>
                  <span class="device-text">
                    <strong>${passkey.name}</strong>
                    <small>added <time datetime=${passkey.created_at} title=${full(passkey.created_at)}>${ago(passkey.created_at)}</time> · ${passkey.last_used_at ? html`<time datetime=${passkey.last_used_at} title=${full(passkey.last_used_at)}>used ${ago(passkey.last_used_at)}</time>` : 'not used yet'}</small>
                  </span>
                  <button type="button" class="icon-button" aria-label="Rename ${passkey.name}" title="Rename" onClick=${() => rename(passkey)}><${Icon} name="edit" size=${16} /></button>
                  <button type="button" class="icon-button" aria-label="Delete ${passkey.name}" title="Delete" onClick=${() => end(passkey)}><${Icon} name="trash" size=${16} /></button>
                </li>`)}
            </ul>`}
      ${hasPasskeys
        ? html`<button type="button" class="button" onClick=${() => add(true)}><${Icon} name="plus" size=${16} />Add a passkey</button>`
        : html`<p class="is-soft">This browser has no passkeys.</p>`}
    </section>
    ${adding && html`<${Naming} title="Add a passkey" action="Go on" name=${deviceName(navigator.userAgent)}
      hint="So that you can tell your passkeys apart. Your browser asks for the rest." onClose=${() => add(false)}
      run=${async (/** @type {string} */ name) => added((await api.addPasskey(name)).recovery_codes)} />`}
    ${renamed && html`<${Naming} title="Rename the passkey" action="Save" name=${renamed.name} onClose=${() => rename(null)}
      run=${async (/** @type {string} */ name) => { await api.renamePasskey(renamed.id, name); rename(null); load(); }} />`}
    ${ending && html`
      <${Confirm} title="Delete ${ending.name}?" action="Delete" danger text="It signs in no more. Your device may go on offering it until you delete it there, too."
        onClose=${() => end(null)} onConfirm=${() => remove(ending)} />`}
    ${codes && html`<${RecoveryCodes} codes=${codes} onClose=${() => { setCodes(null); onChange(); }} />`}`;
}

/** @param {{title: string, action: string, name: string, hint?: string, run: (name: string) => Promise<void>, onClose: () => void}} props */
function Naming({ title, action, name: before, hint, run, onClose }) {
  const [name, setName] = useState(before);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await run(name.trim());
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  }

  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <form class="stack" onSubmit=${submit}>
        <${FormError} error=${error} fields=${['name']} />
        <${Field} label="Name" name="name" value=${name} onInput=${setName} hint=${hint} error=${error instanceof Problem ? error.fields.name?.[0] : undefined} maxlength="64" required autofocus autocomplete="off" />
        <div class="actions">
          <button type="button" class="button" onClick=${onClose}>Cancel</button>
          <button class="button is-primary" disabled=${busy || !name.trim()}>${busy ? 'Waiting…' : action}</button>
        </div>
      </form>
    <//>`;
}
