/** Above the composer: the files that the next message takes along, with how far each has come. */
import { html } from '../../html.js';
import { cancel, retry, uploadsOf } from '../../state/uploads.js';
import { Icon } from '../../ui/icon.js';
import { size } from '../../ui/size.js';

/** @typedef {import('../../state/uploads.js').Upload} Upload */

/** @param {{room: string}} props */
export function UploadList({ room }) {
  const list = uploadsOf(room).value;
  if (!list.length) return null;
  return html`
    <ul class="uploads" aria-label="Files to send">
      ${list.map((one) => html`
        <li class="upload is-${one.state}" key=${one.key}>
          ${one.picture ? html`<img class="upload-picture" src=${one.picture} alt="" />` : html`<span class="file-icon"><${Icon} name="file" /></span>`}
          <span class="file-text"><strong>${one.file.name}</strong><small role=${one.reason ? 'alert' : undefined}>${one.reason || size(one.file.size)}</small></span>
          ${one.state === 'on-its-way' && html`<progress value=${one.part} aria-label="Uploading ${one.file.name}"></progress>`}
          ${one.state === 'failed' && html`<button type="button" class="icon-button" aria-label="Upload ${one.file.name} again" title="Try again" onClick=${() => retry(room, one)}><${Icon} name="retry" size=${16} /></button>`}
          <button type="button" class="icon-button" aria-label="${one.state === 'on-its-way' ? 'Cancel' : 'Remove'} ${one.file.name}" title=${one.state === 'on-its-way' ? 'Cancel' : 'Remove'} onClick=${() => cancel(room, one)}><${Icon} name="close" size=${16} /></button>
        </li>`)}
    </ul>`;
}
