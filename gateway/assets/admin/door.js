/** What stands in the place of the dashboard while nobody may look, or nobody answers. */
import { html } from './html.js';

const LOCKED = {
  missing: ['Who is asking?', 'Sign in as an administrator, or give the token that the gateway printed at its first start. It is also in the file admin-token of the data directory.'],
  refused: ['That token is not right', 'The gateway keeps it in the file admin-token of its data directory.'],
  'not-admin': ['Administrators only', 'You are signed in, but your account is no administrator. Ask one to change your role, or use the gateway’s own token.'],
};

/** @param {{why: keyof typeof LOCKED, onToken: (token: string) => void}} props */
export function Door({ why, onToken }) {
  const [title, text] = LOCKED[why];
  return html`
    <main class="door">
      <form class="panel" onSubmit=${(/** @type {any} */ event) => { event.preventDefault(); onToken(event.currentTarget.elements.token.value.trim()); }}>
        <img src="gate.svg" alt="" width="44" height="44" />
        <h1>${title}</h1>
        <p class="lead">${text}</p>
        ${why !== 'not-admin' && html`<a class="button is-primary is-large" href="/login?next=/admin/">Sign in</a><p class="or">or</p>`}
        <label for="token">Admin token</label>
        <input id="token" name="token" type="password" autocomplete="off" required />
        <button class="button is-large">Use token</button>
      </form>
    </main>`;
}

/** @param {{error: unknown}} props */
export function Away({ error }) {
  return html`
    <main class="door">
      <div class="panel" role="status">
        <img src="gate.svg" alt="" width="44" height="44" />
        <h1>${error ? 'The gateway does not answer' : 'Looking…'}</h1>
        ${error instanceof Error && html`<p class="lead">${error.message} Trying again by itself.</p>`}
      </div>
    </main>`;
}
