/** Where the user is signed in, and the way to end any of it. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { notify, notifyFailure } from '../../state/notices.js';
import { deviceName } from '../../ui/device-name.js';
import { Confirm } from '../../ui/dialog.js';
import { Failed, Loading } from '../../ui/faces.js';
import { Icon } from '../../ui/icon.js';
import { ago, full } from '../../ui/moments.js';

export function Devices() {
  const [devices, setDevices] = useState(/** @type {api.SignedInDevice[] | null} */ (null));
  const [failed, setFailed] = useState(/** @type {unknown} */ (null));
  const [asking, ask] = useState(false);
  const load = () => {
    setFailed(null);
    api.devices().then(({ items }) => setDevices(items), setFailed);
  };
  useEffect(load, []);

  /** @param {api.SignedInDevice} device */
  const end = (device) => api.signOutDevice(device.id).then(() => {
    setDevices((before) => before?.filter(({ id }) => id !== device.id) ?? null);
    notify('Signed out there');
  }, notifyFailure);

  return html`
    <h2>Sessions</h2>
    <p class="is-soft">Every browser and app that is signed in with your account.</p>
    ${failed
      ? html`<${Failed} title="Your sessions did not load" error=${failed} onRetry=${load} />`
      : !devices
        ? html`<${Loading} />`
        : html`
          <ul class="devices" aria-label="Sessions">
            ${devices.map((device) => html`
              <li key=${device.id} class="device">
                <span class="device-icon"><${Icon} name="device" /></span>
                <span class="device-text">
                  <strong>${deviceName(device.user_agent)}${device.current && html` <span class="tag is-here">This one</span>`}</strong>
                  <small>${device.ip ?? 'unknown address'} · <time datetime=${device.last_used_at} title=${full(device.last_used_at)}>used ${ago(device.last_used_at)}</time> · <time datetime=${device.created_at} title=${full(device.created_at)}>signed in ${ago(device.created_at)}</time></small>
                </span>
                ${!device.current && html`<button type="button" class="button is-small" aria-label="Sign out ${deviceName(device.user_agent)}" onClick=${() => end(device)}>Sign out</button>`}
              </li>`)}
          </ul>
          <div class="actions"><button type="button" class="button is-danger-quiet" onClick=${() => ask(true)}>Sign out everywhere</button></div>`}
    ${asking && html`
      <${Confirm} title="Sign out everywhere?" action="Sign out everywhere" danger text="All sessions end within a second, this one too."
        onClose=${() => ask(false)} onConfirm=${() => { ask(false); api.signOutEverywhere().catch(notifyFailure); }} />`}`;
}
