/**
 * A modal dialog on the browser's own `<dialog>`: it keeps the focus inside, and closes on Escape, on a click beside it and by
 * the back button.
 */
import { useEffect, useId, useRef } from 'preact/hooks';
import { html } from '../html.js';
import { Icon } from './icon.js';
import { useLayer } from './layer.js';

/**
 * @param {{title: string, onClose: () => void, children: any, size?: 'wide' | 'full' | 'list', addressed?: boolean}} props
 *   `list`: what it holds grows and shrinks under the reader's fingers; `addressed`: it is open because the address says so
 */
export function Dialog({ title, onClose, children, size, addressed = false }) {
  /** @type {{current: HTMLDialogElement | null}} */
  const dialog = useRef(null);
  const id = useId();
  useLayer(addressed ? null : onClose);
  useEffect(() => {
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    dialog.current?.showModal();
    // Where no field waits for text, the whole is read out, not the cross in its corner.
    if (!dialog.current?.querySelector('[autofocus]')) dialog.current?.focus();
    // Whoever opened the dialog gets the focus back, as far as it is still there.
    return () => { if (before?.isConnected) before.focus(); };
  }, []);
  return html`
    <dialog ref=${dialog} class="dialog ${size ? `is-${size}` : ''}" tabindex="-1" aria-labelledby=${id}
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
