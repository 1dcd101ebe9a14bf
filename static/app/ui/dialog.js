/** A modal dialog on the browser's own `<dialog>`: it keeps the focus inside, closes on Escape and on a click beside it. */
import { useEffect, useId, useRef } from 'preact/hooks';
import { html } from '../html.js';
import { Icon } from './icon.js';

/** @param {{title: string, onClose: () => void, children: any, wide?: boolean, full?: boolean}} props `full`: as large as the window */
export function Dialog({ title, onClose, children, wide = false, full = false }) {
  /** @type {{current: HTMLDialogElement | null}} */
  const dialog = useRef(null);
  const id = useId();
  useEffect(() => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    dialog.current?.showModal();
    // Whoever opened the dialog gets the focus back, as far as it is still there.
    return () => { if (before?.isConnected) before.focus(); };
  }, []);
  return html`
    <dialog ref=${dialog} class="dialog ${wide ? 'is-wide' : ''} ${full ? 'is-full' : ''}" aria-labelledby=${id}
      onCancel=${(/** @type {Event} */ event) => { event.preventDefault(); onClose(); }}
      onMouseDown=${(/** @type {MouseEvent} */ event) => { if (event.target === dialog.current) onClose(); }}>
      <div class="dialog-body">
        <div class="dialog-head">
          <h2 id=${id}>${title}</h2>
          <button type="button" class="icon-button" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button>
        </div>
        ${children}
      </div>
    </dialog>`;
}

/**
 * Asks before something that cannot be taken back.
 * @param {{title: string, text: any, action: string, danger?: boolean, busy?: boolean, onConfirm: () => void, onClose: () => void}} props
 */
export function Confirm({ title, text, action, danger = false, busy = false, onConfirm, onClose }) {
  return html`
    <${Dialog} title=${title} onClose=${onClose}>
      <div class="dialog-text">${text}</div>
      <div class="actions">
        <button type="button" class="button" onClick=${onClose}>Cancel</button>
        <button type="button" class="button ${danger ? 'is-danger' : 'is-primary'}" disabled=${busy} onClick=${onConfirm}>${action}</button>
      </div>
    <//>`;
}
