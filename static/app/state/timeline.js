/**
 * The messages of one room as far as they are loaded: a gap-free stretch of the room's log, plus what this user sent
 * and the server has not confirmed. Pure data and rules; loading and sending are in `chat.js` beside it.
 *
 * Messages are values: a change makes a new object, so that a row is drawn again exactly when its message changed.
 */
import { signal } from '@preact/signals';
import { plain } from './markup.js';

/**
 * @typedef {import('../net/api.js').Message} Message
 * @typedef {import('../net/chat.js').Frame} Frame
 * @typedef {Message & {state: 'sending' | 'failed', reason?: string}} Unconfirmed
 * @typedef {object} Stretch
 * @property {readonly Message[]} items oldest first
 * @property {readonly Unconfirmed[]} unconfirmed
 * @property {boolean} hasOlder whether the server has messages before the first item
 * @property {boolean} hasNewer whether the server has messages after the last item that are not here
 */

export class Timeline {
  /** @type {import('@preact/signals').Signal<Stretch>} */
  stretch = signal({ items: [], unconfirmed: [], hasOlder: true, hasNewer: false });
  /** Whether the first page was loaded. */
  loaded = signal(false);

  /**
   * Changes that came in while a page was on its way. The page may have been read before them, so they are applied to
   * it again on arrival; each is idempotent.
   * @type {Frame[]}
   */
  #changesMeanwhile = [];
  #pagesUnderWay = 0;

  /** Call before a page is asked for; pass what it returns to one of the `show` methods or to {@link pageFailed}. */
  pageAsked() {
    this.#pagesUnderWay += 1;
  }

  pageFailed() {
    this.#pageDone();
  }

  /** Starts over from a page: the newest one, or one around a message. @param {Message[]} page @param {{hasOlder: boolean, hasNewer: boolean}} more */
  showPage(page, more) {
    const arrived = this.#caughtUp(page);
    const live = more.hasNewer ? [] : this.#liveAfter(arrived);
    this.#change({ items: [...arrived, ...live], ...more });
    this.loaded.value = true;
    this.#pageDone();
  }

  /** @param {Message[]} page @param {boolean} hasOlder */
  showOlder(page, hasOlder) {
    const { items } = this.stretch.value;
    const first = items[0]?.seq ?? Infinity;
    this.#change({ items: [...this.#caughtUp(page).filter((message) => message.seq < first), ...items], hasOlder });
    this.#pageDone();
  }

  /** @param {Message[]} page @param {boolean} hasNewer */
  showNewer(page, hasNewer) {
    const { items } = this.stretch.value;
    const last = items.at(-1)?.seq ?? 0;
    const arrived = [...items, ...this.#caughtUp(page).filter((message) => message.seq > last)];
    this.#change({ items: hasNewer ? arrived : [...arrived, ...this.#liveAfter(arrived)], hasNewer });
    this.#pageDone();
  }

  /** Takes in a durable event of the room. @param {Frame} frame */
  apply(frame) {
    if (this.#pagesUnderWay) this.#changesMeanwhile.push(frame);
    if (frame.t === 'msg') this.#append(messageOf(frame));
    else if (changes(frame)) this.#replace(frame.ref, (message) => changed(message, frame));
  }

  /** Shows a message before the server has it, or what became of it since. @param {Unconfirmed} message */
  expect(message) {
    const { unconfirmed } = this.stretch.value;
    const known = unconfirmed.findIndex(({ cid }) => cid === message.cid);
    this.#change({ unconfirmed: known < 0 ? [...unconfirmed, message] : unconfirmed.with(known, message) });
  }

  /** @param {string} cid */
  discard(cid) {
    this.#change({ unconfirmed: this.stretch.value.unconfirmed.filter((message) => message.cid !== cid) });
  }

  /** @param {number} seq @returns {Message | undefined} */
  find(seq) {
    const { items } = this.stretch.value;
    const index = indexOf(items, seq);
    return items[index]?.seq === seq ? items[index] : undefined;
  }

  /** @param {Message} message */
  #append(message) {
    const { items, unconfirmed, hasNewer } = this.stretch.value;
    const rest = unconfirmed.filter(({ cid, from }) => cid !== message.cid || from !== message.from);
    const isNew = this.loaded.value && !hasNewer && message.seq > (items.at(-1)?.seq ?? 0);
    this.#change({ items: isNew ? [...items, message] : items, unconfirmed: rest });
  }

  /** @param {number} seq @param {(message: Message) => Message} change */
  #replace(seq, change) {
    const { items } = this.stretch.value;
    const index = indexOf(items, seq);
    if (items[index]?.seq === seq) this.#change({ items: items.with(index, change(items[index])) });
  }

  /** @param {Message[]} page */
  #caughtUp(page) {
    return this.#changesMeanwhile.reduce(
      (messages, frame) => (changes(frame) ? messages.map((message) => (message.seq === frame.ref ? changed(message, frame) : message)) : messages),
      page,
    );
  }

  /** Messages that arrived live after the last of a page that was still on its way. @param {readonly Message[]} page */
  #liveAfter(page) {
    const last = page.at(-1)?.seq ?? 0;
    return this.#caughtUp(this.#changesMeanwhile.filter(({ t, seq }) => t === 'msg' && /** @type {number} */ (seq) > last).map(messageOf));
  }

  #pageDone() {
    this.#pagesUnderWay -= 1;
    if (this.#pagesUnderWay === 0) this.#changesMeanwhile = [];
  }

  /** @param {Partial<Stretch>} change */
  #change(change) {
    this.stretch.value = { ...this.stretch.value, ...change };
  }
}

/** A message in one line, for where there is no more room. @param {Pick<Message, 'body' | 'deleted' | 'attachments'>} message */
export function gist({ body, deleted, attachments }) {
  if (deleted) return 'Deleted message';
  return (body && plain(body)) || (attachments ?? []).map(({ name }) => name).join(', ');
}

/** The place of `seq` in the list, or where it would stand. @param {readonly Message[]} items @param {number} seq */
export function indexOf(items, seq) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle].seq < seq) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** @param {Frame} frame @returns {Message} */
function messageOf(frame) {
  const { t, ...message } = frame;
  return /** @type {any} */ (message);
}

/** @param {Frame} frame */
const changes = ({ t }) => t === 'edit' || t === 'del' || t === 'react';

/** @param {Message} message @param {Frame} frame @returns {Message} */
function changed(message, frame) {
  switch (frame.t) {
    // Deleted since: the event that says so follows.
    case 'edit': return frame.body === null ? message : { ...message, body: frame.body, edited_at: frame.ts ?? new Date().toISOString() };
    case 'del': return { ...message, body: null, deleted: true, reactions: [], attachments: [] };
    case 'react': return { ...message, reactions: reacted(message.reactions ?? [], frame.emoji, frame.from, frame.on) };
    default: return message;
  }
}

/** @param {import('../net/api.js').Reaction[]} reactions @param {string} emoji @param {string} user @param {boolean} on */
function reacted(reactions, emoji, user, on) {
  const known = reactions.some((reaction) => reaction.emoji === emoji) ? reactions : [...reactions, { emoji, users: [] }];
  return known
    .map((reaction) => (reaction.emoji !== emoji ? reaction : { emoji, users: [...reaction.users.filter((other) => other !== user), ...(on ? [user] : [])] }))
    .filter(({ users }) => users.length);
}
