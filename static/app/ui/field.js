/** One labelled input with its hint and its error, tied together for screen readers. */
import { useEffect, useId, useRef } from 'preact/hooks';
import { html } from '../html.js';

/**
 * @param {{label: string, name: string, value: string, onInput: (value: string) => void, type?: string, hint?: any,
 *          error?: string, autocomplete?: string, required?: boolean, maxlength?: number, autofocus?: boolean,
 *          multiline?: boolean, inputmode?: string, placeholder?: string, onBlur?: () => void, optional?: boolean,
 *          [rest: string]: any}} props
 */
export function Field({ label, name, value, onInput, hint, error, multiline = false, optional = false, ...rest }) {
  const id = useId();
  /** @type {{current: HTMLInputElement | HTMLTextAreaElement | null}} */
  const element = useRef(null);
  // Browsers heed `autofocus` when a page or a dialog opens, not when a view replaces another.
  useEffect(() => { if (rest.autofocus) element.current?.focus(); }, []);
  const described = error ? `${id}-error` : hint ? `${id}-hint` : undefined;
  const input = {
    ref: element, id, name, value, 'aria-invalid': error ? 'true' : undefined, 'aria-describedby': described,
    onInput: (/** @type {any} */ event) => onInput(event.currentTarget.value), ...rest,
  };
  return html`
    <div class="field ${error ? 'has-error' : ''}">
      <label for=${id}>${label}${optional && html` <span class="optional">optional</span>`}</label>
      ${multiline ? html`<textarea rows="3" ...${input}></textarea>` : html`<input type="text" ...${input} />`}
      ${error
        ? html`<p class="field-error" id="${id}-error">${error}</p>`
        : hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    </div>`;
}
