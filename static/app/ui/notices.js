/** Shows the notices of state/notices.js and speaks its announcements. */
import { html } from '../html.js';
import { announcement, dismiss, notices } from '../state/notices.js';
import { Icon } from './icon.js';

export function Notices() {
  return html`
    <div class="notices" role="status" aria-live="polite">
      ${notices.value.map(({ id, text, kind }) => html`
        <div class="notice is-${kind}" key=${id}>
          <${Icon} name=${kind === 'done' ? 'check' : 'alert'} size=${18} />
          <span>${text}</span>
          <button type="button" class="icon-button" aria-label="Dismiss" onClick=${() => dismiss(id)}><${Icon} name="close" size=${16} /></button>
        </div>`)}
    </div>`;
}

export function Announcer() {
  return html`<div class="for-readers" role="status" aria-live="polite">${announcement.value}</div>`;
}
