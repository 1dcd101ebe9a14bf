/**
 * The messages of a room, of which only a window is in the page: at most `MOST` rows, however long the conversation.
 * The window moves with the reader; what is above and below stays in the timeline's memory or on the server.
 *
 * The one hard thing here is that nothing may jump. Before every change a visible row is noted, and after it the view is
 * moved so that this row is where it was. While the reader is at the end ("stuck"), the end stays in view instead.
 */
import { Component } from 'preact';
import { html } from '../../html.js';
import { go, query, withQuery } from '../../router.js';
import { attended, markRead, showAround, showLatest, showNewer, showOlder } from '../../state/chat.js';
import { nameOf, person } from '../../state/people.js';
import { myId } from '../../state/session.js';
import { indexOf } from '../../state/timeline.js';
import { Avatar } from '../../ui/avatar.js';
import { Failed, Loading } from '../../ui/faces.js';
import { Icon } from '../../ui/icon.js';
import { dayName, dayOf, dayWithin } from '../../ui/moments.js';
import { MessageRow } from './message-row.js';
import { Seen } from './seen.js';

/**
 * @typedef {import('../../net/api.js').Message} Message
 * @typedef {import('../../state/timeline.js').Unconfirmed} Unconfirmed
 * @typedef {import('../../state/rooms.js').Room} Room
 * @typedef {{room: Room, intent: import('@preact/signals').Signal<import('./room.js').Intent>}} Props
 */

/** Rows shown at the end of a conversation. */
const FEW = 80;
/** Rows added when the reader comes near an edge. */
const STEP = 50;
/** Rows in the page at most. */
const MOST = 220;
/** How near an edge is near, in pixels. */
const NEAR = 900;
/** The row that stays where it is begins this far below the upper edge: the very first one may lose its name to a group. */
const ANCHOR_BELOW = 120;
/** Messages of one person within this time stand under one name. */
const GROUP_MS = 5 * 60_000;
const FLASH_MS = 1_800;

/** @extends {Component<Props, {failed: unknown, stuck: boolean, flashed: number, missed: number}>} */
export class MessageList extends Component {
  state = { failed: /** @type {unknown} */ (null), stuck: true, flashed: 0, missed: 0 };

  /** The window: from this `seq` … */
  #from = 0;
  /** … to this one; Infinity follows the end. */
  #to = Infinity;
  #loading = false;
  /** How high the frame was when the end was last brought into view. */
  #height = 0;
  /** @type {HTMLElement | null} */
  #scroller = null;
  /** @type {HTMLElement | null} */
  #content = null;
  #ended = new AbortController();
  /** The message to bring into view after the next drawing. */
  #revealing = 0;
  #lastSeen = 0;
  #observer = new ResizeObserver(() => this.#keepAtEnd());

  componentDidMount() {
    const { signal } = this.#ended;
    this.#scroller?.addEventListener('scroll', () => this.#scrolled(), { passive: true, signal });
    document.addEventListener('visibilitychange', () => this.#attend(), { signal });
    addEventListener('focus', () => this.#attend(), { signal });
    if (this.#scroller) this.#observer.observe(this.#scroller);
    if (this.#content) this.#observer.observe(this.#content);
    const { room } = this.props;
    room.newFrom.value = room.unread.peek() ? room.lastRead + 1 : 0;
    this.#drawn();
    this.#followAddress();
  }

  componentWillUnmount() {
    this.#ended.abort();
    this.#observer.disconnect();
    if (attended.peek() === this.props.room.id) attended.value = '';
    this.props.room.newFrom.value = 0;
  }

  getSnapshotBeforeUpdate() {
    const scroller = this.#scroller;
    if (!scroller || this.state.stuck) return null;
    const top = scroller.getBoundingClientRect().top + ANCHOR_BELOW;
    let anchor = null;
    for (const row of scroller.querySelectorAll('[data-seq]')) {
      anchor = { row, at: row.getBoundingClientRect().top };
      if (anchor.at > top) break;
    }
    return anchor;
  }

  /** @param {Props} _before @param {unknown} _state @param {{row: Element, at: number} | null} anchor */
  componentDidUpdate(_before, _state, anchor) {
    if (anchor?.row.isConnected && this.#scroller) this.#scroller.scrollTop += anchor.row.getBoundingClientRect().top - anchor.at;
    this.#drawn();
  }

  #drawn() {
    if (this.#revealing) this.#bringIntoView();
    else this.#keepAtEnd();
    this.#count();
    this.#attend();
  }

  #keepAtEnd() {
    if (!this.state.stuck || !this.#scroller) return;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#height = this.#scroller.clientHeight;
  }

  // Reading on

  #scrolled() {
    const scroller = this.#scroller;
    if (!scroller) return;
    // The frame changed under the reader (files above the composer, a keyboard on a phone): that is no scrolling away.
    if (this.state.stuck && scroller.clientHeight !== this.#height) return this.#keepAtEnd();
    const below = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    const { hasNewer } = this.props.room.timeline.stretch.peek();
    const atEnd = below < 40 && this.#to === Infinity && !hasNewer;
    if (atEnd !== this.state.stuck) {
      if (!atEnd) this.#from = this.#window().items[0]?.seq ?? 0;
      this.setState({ stuck: atEnd, ...(atEnd && { missed: 0 }) });
    }
    if (scroller.scrollTop < NEAR) this.#growUp();
    if (below < NEAR && !atEnd) this.#growDown();
    this.#attend();
  }

  #growUp() {
    const { items, hasOlder } = this.props.room.timeline.stretch.peek();
    const { start } = this.#window();
    if (start > 0) {
      this.#from = items[Math.max(0, start - STEP)].seq;
      this.#trimBelow();
      this.setState({ stuck: false });
    } else if (hasOlder && items.length) {
      // From the first message loaded, whichever that will be: the page is drawn in the same step in which it arrives.
      this.#from = 0;
      this.#load(showOlder, () => this.#trimBelow());
    }
  }

  #growDown() {
    const { items, hasNewer } = this.props.room.timeline.stretch.peek();
    const { end } = this.#window();
    if (end < items.length) {
      const next = Math.min(items.length, end + STEP);
      this.#to = next === items.length && !hasNewer ? Infinity : items[next - 1].seq;
      this.#trimAbove();
      this.setState({});
    } else if (hasNewer) {
      this.#to = Infinity;
      this.#load(showNewer, () => this.#trimAbove());
    }
  }

  #trimBelow() {
    const { items, start, end } = this.#window();
    this.#from = items[0]?.seq ?? 0;
    if (end - start > MOST) this.#to = items[MOST - 1].seq;
  }

  #trimAbove() {
    const { items } = this.#window();
    this.#from = items.at(-MOST)?.seq ?? items[0]?.seq ?? 0;
  }

  /** @param {(room: Room) => Promise<void>} page @param {() => void} [trim] */
  #load(page, trim = () => {}) {
    if (this.#loading) return;
    this.#loading = true;
    page(this.props.room).then(
      () => {
        trim();
        this.setState({ failed: null });
      },
      (failed) => this.setState({ failed }),
    ).finally(() => {
      this.#loading = false;
    });
  }

  // Being somewhere

  /** Goes to the message that the address names (`?at=seq`), now and whenever it changes. */
  #followAddress() {
    const stop = query.subscribe((values) => {
      const at = Number(values.get('at'));
      if (at) this.#reveal(at);
    });
    this.#ended.signal.addEventListener('abort', stop);
  }

  /** @param {number} seq */
  async #reveal(seq) {
    const { room } = this.props;
    try {
      if (!room.timeline.find(seq)) await showAround(room, seq);
    } catch (failed) {
      return this.setState({ failed });
    }
    if (this.#ended.signal.aborted) return;
    const { items, hasNewer } = room.timeline.stretch.peek();
    const index = indexOf(items, seq);
    const end = Math.min(items.length, index + STEP);
    this.#from = items[Math.max(0, index - STEP)]?.seq ?? 0;
    this.#to = end === items.length && !hasNewer ? Infinity : items[end - 1]?.seq ?? Infinity;
    this.#revealing = seq;
    this.setState({ stuck: false, flashed: seq });
    setTimeout(() => this.setState({ flashed: 0 }), FLASH_MS);
    // The address has done its work; left there, it would pull the reader back on reload.
    go(withQuery({ at: null }), { replace: true });
  }

  #bringIntoView() {
    const row = this.#scroller?.querySelector(`[data-seq="${this.#revealing}"]`);
    if (!row) return;
    this.#revealing = 0;
    row.scrollIntoView({ block: 'center' });
  }

  toEnd = () => {
    const { room } = this.props;
    this.#to = Infinity;
    if (room.timeline.stretch.peek().hasNewer) this.#load(showLatest);
    this.setState({ stuck: true, missed: 0 });
  };

  /** Counts what arrived below the reader. */
  #count() {
    const { items, unconfirmed } = this.props.room.timeline.stretch.peek();
    const last = items.at(-1);
    if (unconfirmed.length > this.#unconfirmedBefore && !this.state.stuck) this.toEnd();
    this.#unconfirmedBefore = unconfirmed.length;
    if (!last || last.seq <= this.#lastSeen) return;
    const news = this.#lastSeen ? items.slice(indexOf(items, this.#lastSeen + 1)).filter(({ from }) => from !== myId.peek()).length : 0;
    this.#lastSeen = last.seq;
    if (news && !this.state.stuck) this.setState({ missed: this.state.missed + news });
  }

  #unconfirmedBefore = 0;

  /** Tells the rest whether somebody is looking at the newest messages, and marks them read if so. */
  #attend() {
    const { room } = this.props;
    const looking = this.state.stuck && room.timeline.loaded.peek() && !document.hidden && document.hasFocus();
    if (looking) {
      attended.value = room.id;
      markRead(room);
    } else if (attended.peek() === room.id) attended.value = '';
  }

  /** Arrow keys walk over the messages; Escape leads back to the composer. */
  #key = (/** @type {KeyboardEvent} */ event) => {
    const target = /** @type {Element} */ (event.target);
    // A dialog that a row has opened has keys of its own.
    if (target.closest('dialog')) return;
    const row = /** @type {HTMLElement | null} */ (target.closest('.message'));
    if (event.key === 'Escape') /** @type {HTMLElement | null} */ (document.querySelector('.composer textarea'))?.focus();
    // From a link or a button in a message, where Tab leads, to the message itself.
    else if (row && row !== target && event.key.startsWith('Arrow')) row.focus({ preventScroll: true });
    else if (event.key === 'ArrowUp' || event.key === 'ArrowDown') this.#step(row, event.key === 'ArrowUp' ? -1 : 1);
    else return;
    event.preventDefault();
  };

  /** @param {Element | null} from @param {1 | -1} by */
  #step(from, by) {
    const rows = [...this.#scroller?.querySelectorAll('.message') ?? []];
    const next = /** @type {HTMLElement | undefined} */ (rows[from ? rows.indexOf(from) + by : rows.length - 1]);
    next?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: 'nearest' });
  }

  // Drawing

  #window() {
    const { items } = this.props.room.timeline.stretch.value;
    const end = this.#to === Infinity ? items.length : indexOf(items, this.#to + 1);
    const start = this.state.stuck ? Math.max(0, end - FEW) : Math.min(indexOf(items, this.#from), end);
    return { items: items.slice(start, end), start, end, before: items[start - 1] };
  }

  render() {
    const { room } = this.props;
    const { stretch, loaded } = room.timeline;
    const { hasOlder, unconfirmed } = stretch.value;
    const { items, start, before } = this.#window();
    const isStart = loaded.value && start === 0 && !hasOlder;
    return html`
      <div class="messages-frame">
        <div class="messages" ref=${(/** @type {any} */ element) => { this.#scroller = element; }} tabindex="0" role="region" aria-label="Messages" onKeyDown=${this.#key}>
          <div class="messages-content" ref=${(/** @type {any} */ element) => { this.#content = element; }}>
            ${!loaded.value && (this.state.failed ? html`<${Failed} title="The messages did not load" error=${this.state.failed} onRetry=${this.toEnd} />` : html`<${Loading} label="Loading messages" />`)}
            ${isStart && html`<${Beginning} room=${room} />`}
            ${loaded.value && this.state.failed && html`<p class="load-failed" role="alert">Older messages did not load. <button type="button" class="link" onClick=${() => this.#load(showOlder)}>Try again</button></p>`}
            ${loaded.value && html`<ol class="message-rows">${this.#rows(items, before)}${this.#to === Infinity && this.#unconfirmedRows(unconfirmed, items.at(-1))}</ol>`}
            ${this.#to === Infinity && html`<${Seen} room=${room} />`}
          </div>
        </div>
        ${loaded.value && !this.state.stuck && html`
          <button type="button" class="to-end" onClick=${this.toEnd}>
            <${Icon} name="down" size=${16} />${this.state.missed ? `${this.state.missed} new ${this.state.missed === 1 ? 'message' : 'messages'}` : 'To the latest'}
          </button>`}
      </div>`;
  }

  /** @param {Message[]} items @param {Message | undefined} before */
  #rows(items, before) {
    const { room, intent } = this.props;
    const newFrom = room.newFrom.value;
    const rows = [];
    let previous = before;
    for (const message of items) {
      const newDay = !previous || dayOf(previous.ts) !== dayOf(message.ts);
      if (newDay) rows.push(html`<li class="day" key="day ${dayOf(message.ts)}"><span>${dayName(message.ts)}</span></li>`);
      const firstNew = newFrom > 0 && message.seq >= newFrom && (!previous || previous.seq < newFrom) && message.from !== myId.value;
      if (firstNew) rows.push(html`<li class="new-from" key="new"><span>New</span></li>`);
      rows.push(html`
        <${MessageRow} key=${`${message.from}/${message.cid}`} room=${room} intent=${intent} message=${message}
          grouped=${!newDay && !firstNew && isGrouped(previous, message)} flashed=${this.state.flashed === message.seq}
          replied=${message.reply_to ? room.timeline.find(message.reply_to) ?? null : null} />`);
      previous = message;
    }
    return rows;
  }

  /** @param {readonly Unconfirmed[]} unconfirmed @param {Message | undefined} last */
  #unconfirmedRows(unconfirmed, last) {
    const { room, intent } = this.props;
    return unconfirmed.map((message, index) => html`
      <${MessageRow} key=${`${message.from}/${message.cid}`} room=${room} intent=${intent} message=${message}
        grouped=${isGrouped(index ? unconfirmed[index - 1] : last, message)} flashed=${false}
        replied=${message.reply_to ? room.timeline.find(message.reply_to) ?? null : null} />`);
  }
}

/** @param {Message | undefined} previous @param {Message} message */
function isGrouped(previous, message) {
  return Boolean(previous) && previous?.from === message.from && !message.reply_to && Date.parse(message.ts) - Date.parse(previous.ts) < GROUP_MS;
}

/** @param {{room: Room}} props */
function Beginning({ room }) {
  const { kind, created_at, topic } = room.summary.value;
  const title = room.title.value;
  const text = kind === 'dm'
    ? html`This is the beginning of your conversation with <strong>${room.peer ? nameOf(person(room.peer).value) : title}</strong>.`
    : `The room was opened ${dayWithin(created_at)}. This is where it begins.`;
  return html`
    <div class="beginning">
      ${kind === 'dm' && room.peer ? html`<${Avatar} id=${room.peer} size="large" />` : html`<span class="face-icon"><${Icon} name=${kind === 'private' ? 'lock' : 'hash'} size=${28} /></span>`}
      <h2>${title}</h2>
      ${topic && html`<p>${topic}</p>`}
      <p class="is-soft">${text}</p>
    </div>`;
}
