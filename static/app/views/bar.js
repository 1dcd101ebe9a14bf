/** The bar on top of a view: the way back on a phone, the title, and the view's own controls. */
import { html } from '../html.js';
import { Icon } from '../ui/icon.js';

/** @param {{title: any, subtitle?: any, back?: string, children?: any}} props */
export function Bar({ title, subtitle, back = '/', children }) {
  return html`
    <div class="bar">
      <a class="icon-button bar-back" href=${back} aria-label="Back"><${Icon} name="back" /></a>
      <div class="bar-title">
        <h1>${title}</h1>
        ${subtitle && html`<p>${subtitle}</p>`}
      </div>
      ${children}
    </div>`;
}
