/** What happened to the account: the place to look when something seems odd. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { deviceName } from '../../ui/device-name.js';
import { Failed, Loading } from '../../ui/faces.js';
import { ago, full } from '../../ui/moments.js';

const WORDS = /** @type {Record<string, string>} */ ({
  signed_in: 'Signed in', sign_in_failed: 'A sign-in failed', signed_out: 'Signed out', signed_out_everywhere: 'Signed out everywhere',
  session_ended: 'A session was ended', refresh_token_reused: 'An old session token was used; the session was ended',
  password_changed: 'Password changed', password_reset: 'Password reset by mail', email_verified: 'E-mail address confirmed',
  second_factor_added: 'Second factor turned on', second_factor_removed: 'Second factor turned off', recovery_codes_renewed: 'New recovery codes',
  passkey_added: 'Passkey added', passkey_removed: 'Passkey deleted', passkey_copied: 'A copy of a passkey was used; it was refused',
});
const WORRYING = new Set(['sign_in_failed', 'refresh_token_reused', 'second_factor_removed', 'passkey_removed', 'passkey_copied']);

export function Activity() {
  const [events, setEvents] = useState(/** @type {{items: api.AccountEvent[], next: string | null} | null} */ (null));
  const [failed, setFailed] = useState(/** @type {unknown} */ (null));
  const load = (/** @type {string | null} */ cursor) => {
    setFailed(null);
    api.accountEvents(cursor).then(({ items, next_cursor: next }) => {
      setEvents((before) => ({ items: cursor && before ? [...before.items, ...items] : items, next }));
    }, setFailed);
  };
  useEffect(() => load(null), []);

  if (failed) return html`<${Failed} title="The activity did not load" error=${failed} onRetry=${() => load(null)} />`;
  if (!events) return html`<${Loading} />`;
  return html`
    <ul class="activity" aria-label="Activity">
      ${events.items.map(({ id, event, ip, user_agent: agent, created_at: at }) => html`
        <li key=${id} class=${WORRYING.has(event) ? 'is-worrying' : ''}>
          <strong>${WORDS[event] ?? event.replaceAll('_', ' ')}</strong>
          <small>${deviceName(agent)} · ${ip} · <time datetime=${at} title=${full(at)}>${ago(at)}</time></small>
        </li>`)}
    </ul>
    ${events.next && html`<button type="button" class="button" onClick=${() => load(events.next)}>Earlier</button>`}`;
}
