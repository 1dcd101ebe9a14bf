/** An address that leads nowhere. */
import { html } from '../html.js';
import { Empty } from '../ui/faces.js';

export function NotFound() {
  return html`
    <${Empty} icon="compass" title="There is nothing here" isPage>
      <p>The address may be mistyped, or what it named is gone.</p>
      <a class="button" href="/">Go to your rooms</a>
    <//>`;
}
