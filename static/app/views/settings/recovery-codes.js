/** The codes for the day on which phone and passkeys are lost. They are shown once. */
import { html } from '../../html.js';
import { notify, notifyFailure } from '../../state/notices.js';
import { Dialog } from '../../ui/dialog.js';
import { save } from '../../ui/save.js';

/** @param {{codes: string[], onClose: () => void}} props */
export function RecoveryCodes({ codes, onClose }) {
  const text = `${codes.join('\n')}\n`;
  return html`
    <${Dialog} title="Keep these codes" onClose=${onClose}>
      <div class="stack">
        <p class="is-soft">The second factor is on. Should you lose your phone or your passkeys, each of these codes lets you in once. They are not shown again.</p>
        <ul class="codes" aria-label="Recovery codes">${codes.map((one) => html`<li key=${one}>${one}</li>`)}</ul>
        <div class="actions">
          <button type="button" class="button" onClick=${() => navigator.clipboard.writeText(text).then(() => notify('Copied'), notifyFailure)}>Copy</button>
          <button type="button" class="button" onClick=${() => save(new Blob([text], { type: 'text/plain' }), 'irongate-recovery-codes.txt')}>Download</button>
          <button type="button" class="button is-primary" onClick=${onClose}>I kept them</button>
        </div>
      </div>
    <//>`;
}
