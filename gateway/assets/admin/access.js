/**
 * The right to look. On the admin listener it is the token that the gateway printed at its first start, handed over in the
 * address (`#token=…`) or typed in; on the main port it is the access token of a signed-in administrator, got with the
 * same cookie, lock and channel that the application uses, so that the two never refresh at once.
 */

const KEPT = 'irongate.admin-token';
const MARGIN_MS = 60_000;

/** Nobody may look yet: a token is wanted, or the one at hand was refused. */
export class Locked extends Error {
  /** @param {'missing' | 'refused' | 'not-admin'} why */
  constructor(why) {
    super(`no access: ${why}`);
    this.why = why;
  }
}

/** As the application has it, so that either takes what the other got. @type {{token: string, expiresAt: number, user: unknown} | null} */
let grant = null;

const channel = new BroadcastChannel('irongate.session');
channel.onmessage = ({ data }) => { grant = data.kind === 'granted' ? data.held : null; };

/** Takes the token out of the address, where it would stay in the history and be seen by whoever looks over a shoulder. */
export function takeTokenFromAddress() {
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!token) return;
  sessionStorage.setItem(KEPT, token);
  history.replaceState(null, '', location.pathname + location.search);
}

/** @param {string} token */
export const useToken = (token) => sessionStorage.setItem(KEPT, token);

export const forgetToken = () => sessionStorage.removeItem(KEPT);

/** Whether the token was typed or handed over, not got by signing in. */
export const hasOwnToken = () => sessionStorage.getItem(KEPT) !== null;

/** @returns {Promise<string>} @throws {Locked} */
export async function token() {
  const own = sessionStorage.getItem(KEPT);
  if (own) return own;
  if (grant && grant.expiresAt - Date.now() > MARGIN_MS) return grant.token;
  // The application's mark that this browser is signed in: without it a refresh could only be refused.
  if (!localStorage.getItem('irongate.signed-in')) throw new Locked('missing');
  const before = grant;
  return navigator.locks.request('irongate.refresh', async () => {
    if (grant && grant !== before && grant.expiresAt - Date.now() > MARGIN_MS) return grant.token;
    const answer = await fetch('/auth/refresh', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
    if (!answer.ok) throw new Locked('missing');
    const { access_token, expires_in, user } = await answer.json();
    grant = { token: access_token, expiresAt: Date.now() + expires_in * 1000, user };
    channel.postMessage({ kind: 'granted', held: grant });
    return access_token;
  });
}

/**
 * One request to the admin API.
 * @param {string} path below `/admin/api/`
 * @param {RequestInit} [options]
 * @throws {Locked} @throws {Error} with a sentence to show
 */
export async function ask(path, options = {}) {
  const answer = await fetch(`api/${path}`, { ...options, headers: { authorization: `Bearer ${await token()}` } });
  if (answer.ok) return answer;
  if (answer.status === 401) {
    grant = null;
    throw new Locked(hasOwnToken() ? 'refused' : 'missing');
  }
  if (answer.status === 403) throw new Locked('not-admin');
  const problem = await answer.json().catch(() => ({}));
  throw new Error(problem.error || problem.detail || problem.title || `The gateway answered with status ${answer.status}.`);
}
