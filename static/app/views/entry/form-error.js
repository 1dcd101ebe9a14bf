/** Why a form was not accepted, above its fields; spoken at once by screen readers. */
import { html } from '../../html.js';
import { Problem } from '../../net/http.js';
import { Icon } from '../../ui/icon.js';

/**
 * @param {{error: unknown, fields?: string[]}} props `fields`: those of the form, which show what is wrong with them
 *   themselves
 */
export function FormError({ error, fields = [] }) {
  const text = textOf(error, fields);
  if (!text) return null;
  const { requestId, status } = /** @type {Problem} */ (error);
  return html`
    <div class="form-error" role="alert">
      <${Icon} name="alert" size=${18} />
      <p>${text}${status >= 500 && requestId && html` <small>Request ${requestId}</small>`}</p>
    </div>`;
}

/** @param {unknown} error @param {string[]} fields */
function textOf(error, fields) {
  if (!(error instanceof Error)) return '';
  const found = error instanceof Problem ? Object.entries(error.fields) : [];
  if (!found.length) return error.message;
  return found.filter(([name]) => !fields.includes(name)).map(([name, [message]]) => `${name}: ${message}`).join(' ');
}
