/** How others see the user. Saved against the version that was loaded, so that two windows do not overwrite each other. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { Problem } from '../../net/http.js';
import { notify, notifyFailure } from '../../state/notices.js';
import { user } from '../../state/session.js';
import { Avatar } from '../../ui/avatar.js';
import { Failed, Loading } from '../../ui/faces.js';
import { Field } from '../../ui/field.js';
import { FormError } from '../entry/form-error.js';
import { AvatarEditor } from './avatar-editor.js';

/** @typedef {{display_name: string, bio: string, email: string}} Form */

const CHANGED_MEANWHILE = 412;

export function Profile() {
  const [etag, setEtag] = useState(/** @type {string | null} */ (null));
  const [form, setForm] = useState(/** @type {Form | null} */ (null));
  const [saved, setSaved] = useState(/** @type {Form | null} */ (null));
  const [failed, setFailed] = useState(/** @type {unknown} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [busy, setBusy] = useState(false);
  const [picture, setPicture] = useState(/** @type {File | null} */ (null));

  /** @param {{user: api.User, etag: string | null}} answer */
  function show({ user: { display_name, bio, email }, etag: version }) {
    const loaded = { display_name: display_name ?? '', bio: bio ?? '', email };
    setForm(loaded);
    setSaved(loaded);
    setEtag(version);
  }
  const load = () => {
    setFailed(null);
    api.me().then(show, setFailed);
  };
  useEffect(load, []);

  if (failed) return html`<${Failed} title="Your profile did not load" error=${failed} onRetry=${load} />`;
  if (!form || !saved || !user.value) return html`<${Loading} />`;
  const changes = Object.fromEntries(Object.entries(form).filter(([name, value]) => value !== saved[/** @type {keyof Form} */ (name)]));
  const fields = error instanceof Problem ? error.fields : {};

  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      show(await api.updateMe(changes, etag));
      notify('Profile saved');
    } catch (problem) {
      if (problem instanceof Problem && problem.status === CHANGED_MEANWHILE) {
        const { etag: version } = await api.me();
        setEtag(version);
        setError(new Error('Your profile was changed in another window meanwhile. Look through it and save again.'));
      } else setError(problem);
    } finally {
      setBusy(false);
    }
  }

  /** A picture is a change of the profile, too: what is saved next is saved against this version. @param {{etag: string | null}} answer */
  const pictureSaved = ({ etag: version }) => setEtag(version);

  /** @param {any} event */
  function choose({ currentTarget }) {
    setPicture(currentTarget.files[0] ?? null);
    currentTarget.value = '';
  }

  /** @param {keyof Form} name */
  const field = (name) => ({ name, value: form[name], error: fields[name]?.[0], onInput: (/** @type {string} */ value) => setForm({ ...form, [name]: value }) });

  return html`
    <h2>Profile</h2>
    <div class="profile-head">
      <${Avatar} id=${user.value.id} size="large" />
      <div class="stack">
        <p><strong>@${user.value.username}</strong> <span class="is-soft">is how others mention you.</span></p>
        <div class="actions is-start">
          <label class="button is-small">Change picture<input class="for-readers" type="file" accept="image/*" onChange=${choose} /></label>
          ${user.value.avatar_url && html`<button type="button" class="button is-small" onClick=${() => api.removeAvatar().then(pictureSaved, notifyFailure)}>Remove</button>`}
        </div>
      </div>
    </div>
    <form class="stack" onSubmit=${submit}>
      <${FormError} error=${error} fields=${['display_name', 'bio', 'email']} />
      <${Field} label="Display name" ...${field('display_name')} autocomplete="name" maxlength="64" />
      <${Field} label="About you" multiline optional ...${field('bio')} maxlength="500" />
      <${Field} label="E-mail" type="email" ...${field('email')} autocomplete="email" required hint=${html`<${Proof} />`} />
      <div class="actions"><button class="button is-primary" disabled=${busy || !Object.keys(changes).length}>${busy ? 'Saving…' : 'Save changes'}</button></div>
    </form>
    ${picture && html`<${AvatarEditor} file=${picture} onSaved=${pictureSaved} onClose=${() => setPicture(null)} />`}`;
}

/** Whether the address is proven to be the user's, and the way to prove it. */
function Proof() {
  const [sent, setSent] = useState(false);
  const send = () => api.sendVerification().then(() => setSent(true), notifyFailure);
  if (user.value?.email_verified) return 'Confirmed. Not shown to others.';
  if (sent) return 'The mail is on its way. Follow the link in it.';
  return html`Not confirmed yet, and not shown to others. <button type="button" class="link" onClick=${send}>Send me the link</button>`;
}
