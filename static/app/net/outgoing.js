/**
 * What a user has written and the room's log does not show yet, in the order in which it was written: a page shows it at
 * once and never wonders whether it was lost. Pure rules; `chat.js` beside it sends.
 *
 * With a `storage` (a page's `sessionStorage`) it outlives a reload: whatever has no answer then is sent again under the
 * same `cid`, and stored once.
 */

/**
 * @typedef {object} Outgoing
 * @property {string} room
 * @property {string} cid
 * @property {string} body
 * @property {number | null} reply_to
 * @property {{id: string, [key: string]: any}[]} attachments uploads, as the server described them
 * @property {string} ts when it was written
 * @property {'sending' | 'failed' | 'sent'} state `sent`: it is in the log, and no longer here
 * @property {number} [seq] its place in the log, once that is known
 * @property {string} [code] why it failed
 * @property {string} [reason] the same, for a person
 */

const KEY = 'irongate.outgoing';

export class OutgoingMessages {
  /** @type {Map<string, Outgoing>} */
  #messages = new Map();
  #storage;
  #user = '';

  /** @param {Storage} [storage] */
  constructor(storage) {
    this.#storage = storage;
  }

  /** Takes up what an earlier page of this user left without an answer. @param {string} user @returns {Outgoing[]} */
  takeUp(user) {
    this.#user = user;
    const left = this.#read();
    const mine = left.user === user ? left.messages.filter(({ cid }) => !this.#messages.has(cid)) : [];
    this.#messages = new Map([...mine, ...this.#messages.values()].map((message) => [message.cid, message]));
    this.#write();
    return mine;
  }

  /** @param {Outgoing} message */
  put(message) {
    this.#messages.set(message.cid, message);
    this.#write();
    return message;
  }

  /** @param {string} cid */
  get(cid) {
    return this.#messages.get(cid);
  }

  /** Changes one in its place. @param {string} cid @param {Partial<Outgoing>} change @returns {Outgoing | undefined} */
  change(cid, change) {
    const message = this.#messages.get(cid);
    return message && this.put({ ...message, ...change });
  }

  /** @param {string} cid @returns {Outgoing | undefined} */
  remove(cid) {
    const message = this.#messages.get(cid);
    if (this.#messages.delete(cid)) this.#write();
    return message;
  }

  /** @param {string} room @returns {Outgoing[]} */
  of(room) {
    return [...this.#messages.values()].filter((message) => message.room === room);
  }

  clear() {
    this.#messages.clear();
    this.#write();
  }

  #write() {
    if (!this.#user) return;
    try {
      if (this.#messages.size) this.#storage?.setItem(KEY, JSON.stringify({ user: this.#user, messages: [...this.#messages.values()] }));
      else this.#storage?.removeItem(KEY);
    } catch {
      // No room, or no storage for this page: then a reload forgets.
    }
  }

  /** @returns {{user: string, messages: Outgoing[]}} */
  #read() {
    try {
      const { user, messages } = JSON.parse(this.#storage?.getItem(KEY) ?? '{}');
      return { user, messages: Array.isArray(messages) ? messages : [] };
    } catch {
      return { user: '', messages: [] };
    }
  }
}
