/** Proving an e-mail address with the link of a mail; open to everybody, signed in or not. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { fragment, go } from '../../router.js';
import { Loading } from '../../ui/faces.js';

export function Verify() {
  const [outcome, setOutcome] = useState(/** @type {{error: unknown} | null} */ (null));
  useEffect(() => {
    const token = fragment.peek().get('token') ?? '';
    go('/verify', { replace: true });
    api.verifyEmail(token).then(() => setOutcome({ error: null }), (error) => setOutcome({ error }));
  }, []);

  if (!outcome) return html`<div class="card"><${Loading} label="Checking" /></div>`;
  const { error } = outcome;
  return html`
    <div class="card" role="status">
      <h1>${error ? 'That did not work' : 'Your address is confirmed'}</h1>
      <p class="lead">${error instanceof Error ? error.message : 'Thank you. You can close this page or go on.'}</p>
      <a class="button is-primary is-wide" href="/">Go on</a>
    </div>`;
}
