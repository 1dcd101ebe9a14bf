/** Why a form was not accepted, above its fields; spoken at once by screen readers. */
import { html } from '../../html.js';
import { Icon } from '../../ui/icon.js';

/** @param {{error: unknown}} props */
export function FormError({ error }) {
  if (!error) return null;
  const { message, requestId, status } = /** @type {import('../../net/http.js').Problem} */ (error);
  return html`
    <div class="form-error" role="alert">
      <${Icon} name="alert" size=${18} />
      <p>${message}${status >= 500 && requestId && html` <small>Request ${requestId}</small>`}</p>
    </div>`;
}
