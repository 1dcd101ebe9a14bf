/** The faces of a view that has nothing to show yet, or cannot: loading, empty, failed. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../html.js';
import { Icon } from './icon.js';

/** A loading that is over in a blink shows nothing at all. */
const PATIENCE_MS = 250;

/** @param {{label?: string}} props */
export function Loading({ label = 'Loading' }) {
  const [shown, show] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => show(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  return html`<div class="face" role="status">${shown && html`<span class="spinner" aria-hidden="true"></span><span class="for-readers">${label}</span>`}</div>`;
}

/** @param {{icon: import('./icon.js').IconName, title: string, isPage?: boolean, children?: any}} props `isPage`: nothing else heads the page */
export function Empty({ icon, title, isPage = false, children }) {
  return html`
    <div class="face">
      <span class="face-icon"><${Icon} name=${icon} size=${28} /></span>
      ${isPage ? html`<h1>${title}</h1>` : html`<h2>${title}</h2>`}
      ${children}
    </div>`;
}

/** @param {{title?: string, error?: unknown, onRetry?: () => void, children?: any}} props */
export function Failed({ title = 'This did not load', error, onRetry, children }) {
  return html`
    <div class="face" role="alert">
      <span class="face-icon is-failed"><${Icon} name="alert" size=${28} /></span>
      <h2>${title}</h2>
      ${error instanceof Error && html`<p>${error.message}</p>`}
      ${onRetry && html`<button type="button" class="button" onClick=${onRetry}><${Icon} name="retry" size=${16} />Try again</button>`}
      ${children}
    </div>`;
}
