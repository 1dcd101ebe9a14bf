/**
 * Who is signed in, and the access token that proves it. The token lives in memory alone; the refresh token is in a
 * cookie that scripts cannot read. All tabs of a browser share one cookie, so only one of them refreshes at a time (a
 * lock), and tells the others what it got (a channel).
 */
import { exchange, Problem } from './http.js';

/**
 * @typedef {{id: string, username: string, email: string, email_verified: boolean, display_name: string, bio: string,
 *            role: string, avatar_url: string | null, created_at: string, updated_at: string}} User
 * @typedef {{access_token: string, token_type: string, expires_in: number, user: User}} Grant
 * @typedef {{mfa_required: true, mfa_token: string, methods: string[]}} Challenge
 * @typedef {{token: string, expiresAt: number, user: User}} Held
 */

/** A token with less than this left is renewed before it is used, so that it cannot run out on the way. */
const MARGIN_MS = 60_000;

/** All tabs wait for the one that refreshes, so it must not wait for ever. */
const REFRESH_MS = 15_000;

/** Says that this browser was signed in, so that a visitor who never was is not asked about at every start. */
const HINT = 'irongate.signed-in';

/**
 * Events: `granted` (a fresh token, `detail` is the {@link Held}), `user` (the profile changed), `ended` (signed out
 * here or in another tab, or the session was revoked).
 */
export class Session extends EventTarget {
  /** @type {Held | null} */
  #held = null;
  /** @type {Promise<Held> | null} */
  #refreshing = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #renewal;
  #channel = new BroadcastChannel('irongate.session');

  constructor() {
    super();
    this.#channel.onmessage = ({ data }) => {
      if (data.kind === 'granted') this.#hold(data.held);
      else if (data.kind === 'ended') this.#drop();
    };
  }

  /** @returns {User | null} */
  get user() {
    return this.#held?.user ?? null;
  }

  /** Takes up the session of an earlier visit. Resolves to whether there was one. */
  async resume() {
    if (!localStorage.getItem(HINT)) return false;
    try {
      await this.#refresh();
      return true;
    } catch (error) {
      if (error instanceof Problem && !error.isPassing) return false;
      throw error;
    }
  }

  /** @param {Grant} grant what signing in returned */
  adopt(grant) {
    const held = toHeld(grant);
    this.#hold(held);
    this.#channel.postMessage({ kind: 'granted', held });
  }

  /**
   * A token that is good for at least a minute.
   * @param {{fresh?: boolean}} [options] `fresh` asks for another one than the last, which was refused somewhere
   */
  async token({ fresh = false } = {}) {
    if (this.#held && !fresh && this.#held.expiresAt - Date.now() > MARGIN_MS) return this.#held.token;
    return (await this.#refresh()).token;
  }

  /** @param {User} user the profile as a service just returned it */
  update(user) {
    if (!this.#held) return;
    this.#held = { ...this.#held, user };
    this.dispatchEvent(new CustomEvent('user', { detail: user }));
  }

  /** Forgets the session in every tab. Revoking it is the caller's part (`api.signOut`). */
  end() {
    this.#channel.postMessage({ kind: 'ended' });
    this.#drop();
  }

  #refresh() {
    this.#refreshing ??= this.#refreshAlone().finally(() => { this.#refreshing = null; });
    return this.#refreshing;
  }

  /** @returns {Promise<Held>} */
  #refreshAlone() {
    const before = this.#held;
    return navigator.locks.request('irongate.refresh', async () => {
      // Another tab may have refreshed while this one waited for the lock, and said so on the channel.
      if (this.#held && this.#held !== before && this.#held.expiresAt - Date.now() > MARGIN_MS) return this.#held;
      try {
        const { body } = await exchange('POST', '/auth/refresh', { json: {}, signal: AbortSignal.timeout(REFRESH_MS) });
        const held = toHeld(body);
        this.#hold(held);
        this.#channel.postMessage({ kind: 'granted', held });
        return held;
      } catch (error) {
        if (error instanceof Problem && !error.isPassing) this.end();
        throw error;
      }
    });
  }

  /** @param {Held} held */
  #hold(held) {
    this.#held = held;
    localStorage.setItem(HINT, '1');
    clearTimeout(this.#renewal);
    // Renewed ahead of time so that an open WebSocket never meets its token's end. A failure here is no news yet: the
    // next use of the token tries again and speaks up.
    const ahead = Math.max(held.expiresAt - Date.now() - 1.5 * MARGIN_MS, 5_000) + Math.random() * 10_000;
    this.#renewal = setTimeout(() => this.token({ fresh: true }).catch(() => {}), ahead);
    this.dispatchEvent(new CustomEvent('granted', { detail: held }));
  }

  #drop() {
    clearTimeout(this.#renewal);
    localStorage.removeItem(HINT);
    if (!this.#held) return;
    this.#held = null;
    this.dispatchEvent(new CustomEvent('ended'));
  }
}

/** @param {Grant} grant @returns {Held} */
function toHeld(grant) {
  return { token: grant.access_token, expiresAt: Date.now() + grant.expires_in * 1000, user: grant.user };
}
