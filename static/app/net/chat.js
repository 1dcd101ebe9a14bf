/**
 * The chat client: one WebSocket, kept alive, speaking the protocol of docs/chat-protocol.md. It knows nothing of this
 * application and can be lifted out as it is, with `outgoing.js` beside it:
 *
 *     const chat = new ChatClient({ url: 'wss://host/chat/ws', token: ({ fresh }) => …, storage: sessionStorage });
 *     chat.addEventListener('event', ({ detail }) => …);     // messages, edits, …: each once, in order, per room
 *     chat.addEventListener('outgoing', ({ detail }) => …);  // what this user wrote, shown before the server has it
 *     chat.join(room, { after: lastSeqSeen });
 *     chat.start();
 *     chat.post(room, { body: 'hi' });                       // or, to wait for it: await chat.send(room, { cid, body })
 *
 * What it promises: every durable event of a joined room is dispatched exactly once, in the order of its `seq`, across
 * any number of reconnects. A command (send, edit, …) is repeated until the server has answered it; `cid` makes the
 * repetition harmless. Messages stand in a room in the order in which they were sent, whatever the server asked to wait.
 *
 * Events, each a `CustomEvent`:
 *   `status`     {@link Status} changed
 *   `event`      a durable frame: `msg`, `edit`, `del`, `react`, `member`, `room`
 *   `outgoing`   a message of {@link ChatClient.post} changed: `sending`, `failed`, or `sent`, right after its `event`
 *   `signal`     a passing frame: `typing`, `pres`, `read`, `notify`, `user`, and whatever a newer server sends
 *   `users`      profiles by id, as far as the server told them
 *   `joined`     the answer to a join: `{room, last, you, …}`
 *   `reset`      too much was missed: load the room's newest page again; events go on from `last`
 *   `left`       this user is no longer in the room: `{room, why}`
 */

import { OutgoingMessages } from './outgoing.js';

/**
 * @typedef {import('./outgoing.js').Outgoing} Outgoing
 * @typedef {{phase: 'idle' | 'connecting' | 'online' | 'waiting' | 'stopped', retryAt?: number, code?: number}} Status
 * @typedef {{t: string, room?: string, seq?: number, [key: string]: any}} Frame
 * @typedef {{after: number | undefined, joining: boolean}} Subscription
 * @typedef {{frame: Frame, resolve: (ok: Frame) => void, reject: (error: Error) => void}} Command
 */

const PROTOCOL = 'chat.v1.json';
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MOST_MS = 30_000;
/** Grows slowly, so that a service that is back after seconds is found after seconds. */
const BACKOFF_GROWTH = 1.5;
/** A connection that held this long starts the backoff anew. */
const STEADY_MS = 60_000;
/** How long a handshake and the `hello` after it may take. */
const HELLO_MS = 10_000;
/** With an answer due, silence for this long means a dead connection; without, heartbeats alone can tell. */
const ANSWER_MS = 10_000;
/** The same, when somebody looks at the page again: a machine that slept may have a connection that is long gone. */
const PROBE_MS = 3_000;

/** Close codes after which trying again would only repeat the refusal. */
const FINAL = new Set([4400, 4403]);
const TOKEN_EXPIRED = 4401;

/** `err` codes that ask for patience instead of saying no. */
const PASSING = new Set(['rate_limited', 'overloaded', 'unavailable']);

export class ChatError extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.name = 'ChatError';
    this.code = code;
  }
}

export class ChatClient extends EventTarget {
  /** @type {Status} */
  status = { phase: 'idle' };

  #url;
  #token;
  #random;
  /** @type {WebSocket | null} */
  #socket = null;
  /** Between `hello` and the close. */
  #open = false;
  /** @type {Map<string, Subscription>} */
  #rooms = new Map();
  /** Commands without an answer, in the order they were given. @type {Set<Command>} */
  #outbox = new Set();
  /** The same commands and the joins, by the request id they went out under on this connection. @type {Map<number, Command>} */
  #asked = new Map();
  /** What was posted and does not stand in its room yet. */
  #outgoing;
  /** How far rooms were read, where the server may not know it yet. @type {Map<string, number>} */
  #marks = new Map();
  /** Rooms whose mark is on its way: a newer one waits for its answer. @type {Set<string>} */
  #marking = new Set();
  /** Who this is, as the server greets. */
  #user = '';
  #nextId = 1;
  #attempts = 0;
  /** Handshakes in a row that never reached `hello`. */
  #refused = 0;
  #openedAt = 0;
  /** What a draining server asked to wait. */
  #askedToWait = -1;
  #heartbeat = 30_000;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #silence;

  /**
   * @param {object} options
   * @param {string} options.url
   * @param {(options: {fresh: boolean}) => Promise<string>} options.token a valid access token; `fresh` asks for
   *   another one than the last. A rejection with `isPassing` is tried again later, any other stops the client.
   * @param {Storage} [options.storage] keeps what was posted over a reload of the page
   * @param {() => number} [options.random] for tests
   */
  constructor({ url, token, storage, random = Math.random }) {
    super();
    this.#outgoing = new OutgoingMessages(storage);
    this.#url = url;
    this.#token = token;
    this.#random = random;
  }

  start() {
    if (this.status.phase === 'idle' || this.status.phase === 'stopped') this.#connect(false);
  }

  /** Closes the connection for good; commands without an answer are rejected. */
  stop() {
    this.#become({ phase: 'idle' });
    clearTimeout(this.#retry);
    this.#disconnect(1000);
    for (const command of this.#outbox) command.reject(new ChatError('stopped', 'The connection was closed.'));
    this.#outbox.clear();
    this.#outgoing.clear();
    this.#marks.clear();
    this.#rooms.clear();
  }

  /** The network may be back, or somebody looks at the page again: do not wait out the backoff, nor trust the silence. */
  wake() {
    if (this.status.phase === 'waiting') return void this.#connect(false);
    if (!this.#open) return;
    this.#ask({ t: 'ping' }).catch(() => {});
    this.#expectWord(PROBE_MS);
  }

  /** Hands a renewed token to the open connection. @param {string} token */
  renew(token) {
    if (this.#open) this.#ask({ t: 'auth', token }).catch(() => {});
  }

  /**
   * Follows a room until {@link leave}.
   * @param {string} room
   * @param {{after?: number}} [options] the last `seq` already seen; without it, only what comes from now on
   */
  join(room, { after } = {}) {
    if (this.#rooms.has(room)) return;
    const subscription = { after, joining: false };
    this.#rooms.set(room, subscription);
    if (this.#open) this.#subscribe(room, subscription);
  }

  /** @param {string} room */
  leave(room) {
    if (this.#rooms.delete(room) && this.#open) this.#ask({ t: 'leave', room }).catch(() => {});
  }

  /** The last `seq` of the room that was dispatched. @param {string} room */
  position(room) {
    return this.#rooms.get(room)?.after;
  }

  /**
   * Writes a message that shows at once: it is told of by `outgoing` now, and whenever something becomes of it.
   * @param {string} room
   * @param {{body: string, reply_to?: number | null, attachments?: Outgoing['attachments'], cid?: string}} message
   * @returns {Outgoing}
   */
  post(room, { body, reply_to = null, attachments = [], cid = crypto.randomUUID() }) {
    const message = this.#outgoing.put({ room, cid, body, reply_to, attachments, ts: new Date().toISOString(), state: 'sending' });
    this.#emit('outgoing', message);
    this.#deliver(message);
    return message;
  }

  /** What was posted to the room and does not stand there yet, oldest first. @param {string} room */
  outgoing(room) {
    return this.#outgoing.of(room);
  }

  /** Sends again what failed. @param {string} cid */
  retry(cid) {
    const failed = this.#outgoing.get(cid);
    if (failed?.state !== 'failed') return;
    // Behind what was written since: the page shows it there too.
    this.#outgoing.remove(cid);
    this.post(failed.room, failed);
  }

  /** Forgets what failed. @param {string} cid */
  discard(cid) {
    if (this.#outgoing.get(cid)?.state === 'failed') this.#outgoing.remove(cid);
  }

  /** @param {string} room @param {{cid: string, body: string, reply_to?: number | null, attachments?: string[]}} message `attachments`: ids of uploads */
  send(room, { cid, body, reply_to, attachments }) {
    return this.#command({ t: 'send', room, cid, body, ...(reply_to ? { reply_to } : {}), ...(attachments?.length ? { attachments } : {}) });
  }

  /** @param {string} room @param {number} seq @param {string} body */
  edit(room, seq, body) {
    return this.#command({ t: 'edit', room, seq, body });
  }

  /** @param {string} room @param {number} seq */
  remove(room, seq) {
    return this.#command({ t: 'del', room, seq });
  }

  /** @param {string} room @param {number} seq @param {string} emoji @param {boolean} on */
  react(room, seq, emoji, on) {
    return this.#command({ t: 'react', room, seq, emoji, on });
  }

  /** Everything up to `seq` was read. Told when there is a connection; the newest says it all. @param {string} room @param {number} seq */
  read(room, seq) {
    if (seq <= (this.#marks.get(room) ?? 0)) return;
    this.#marks.set(room, seq);
    if (this.#open) this.#mark(room);
  }

  /** @param {string} room */
  typing(room) {
    this.#post({ t: 'typing', room });
  }

  // The life of a connection

  /** @param {boolean} fresh */
  async #connect(fresh) {
    clearTimeout(this.#retry);
    /** @type {Status} */
    const connecting = { phase: 'connecting' };
    this.#become(connecting);
    let token;
    try {
      token = await this.#token({ fresh });
    } catch (error) {
      if (this.status !== connecting) return;
      if (/** @type {any} */ (error).isPassing) this.#wait();
      else this.#become({ phase: 'stopped', code: TOKEN_EXPIRED });
      return;
    }
    // Stopped, or stopped and started again, while the token was on its way.
    if (this.status !== connecting) return;
    // SECURITY: the token goes in the handshake's protocol list, not in the URL, which proxies and logs would keep.
    const socket = new WebSocket(this.#url, [PROTOCOL, `base64url.bearer.chat.${base64url(token)}`]);
    this.#socket = socket;
    this.#expectWord();
    socket.onmessage = ({ data }) => this.#receive(socket, data);
    socket.onclose = ({ code }) => this.#closed(socket, code);
  }

  /** @param {WebSocket} socket @param {string} data */
  #receive(socket, data) {
    if (socket !== this.#socket) return;
    this.#take(JSON.parse(data));
    if (socket === this.#socket) this.#expectWord();
  }

  /** @param {Frame} frame */
  #take(frame) {
    if (frame.users) this.#emit('users', frame.users);
    switch (frame.t) {
      case 'hello': return this.#welcomed(frame);
      case 'ok': return this.#answered(frame);
      case 'err': return this.#refusedCommand(frame);
      case 'hb': return;
      case 'bye': this.#askedToWait = frame.retry_ms ?? -1; return;
      case 'reset': return this.#reset(frame);
      case 'left': return this.#left(/** @type {string} */ (frame.room), frame);
      default:
        if (frame.seq !== undefined && frame.room && frame.t !== 'read') this.#durable(frame);
        else this.#emit('signal', frame);
    }
  }

  /** @param {Frame} hello */
  #welcomed(hello) {
    this.#open = true;
    this.#user = hello.user;
    this.#openedAt = Date.now();
    this.#refused = 0;
    this.#heartbeat = hello.hb ?? this.#heartbeat;
    for (const [room, subscription] of this.#rooms) this.#subscribe(room, subscription);
    for (const message of this.#outgoing.takeUp(hello.user)) {
      this.#emit('outgoing', message);
      if (message.state === 'sending') this.#deliver(message);
    }
    for (const command of this.#outbox) this.#dispatchInTurn(command);
    for (const room of this.#marks.keys()) this.#mark(room);
    this.#become({ phase: 'online' });
  }

  /** @param {WebSocket} socket @param {number} code */
  #closed(socket, code) {
    if (socket !== this.#socket) return;
    const wasOpen = this.#open;
    this.#forgetSocket();
    if (FINAL.has(code)) return this.#become({ phase: 'stopped', code });
    if (!wasOpen) this.#refused += 1;
    if (wasOpen && Date.now() - this.#openedAt > STEADY_MS) this.#attempts = 0;
    // A browser does not tell why a handshake failed. If it keeps failing, the token is the likeliest reason.
    const fresh = code === TOKEN_EXPIRED || this.#refused % 3 === 2;
    this.#wait(fresh);
  }

  #wait(fresh = false) {
    const most = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * BACKOFF_GROWTH ** this.#attempts);
    const delay = this.#askedToWait >= 0 ? this.#askedToWait : this.#random() * most;
    this.#askedToWait = -1;
    this.#attempts += 1;
    this.#become({ phase: 'waiting', retryAt: Date.now() + delay });
    this.#retry = setTimeout(() => this.#connect(fresh), delay);
  }

  /** Gives the server time for its next word, from now on. */
  #expectWord(ms = !this.#open ? HELLO_MS : this.#asked.size ? ANSWER_MS : 2 * this.#heartbeat + 5_000) {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      // A dead network answers no close frame either, so waiting for `onclose` could take minutes.
      const socket = this.#socket;
      if (!socket) return;
      socket.close();
      this.#closed(socket, 1006);
    }, ms);
  }

  /** @param {number} code */
  #disconnect(code) {
    const socket = this.#socket;
    this.#forgetSocket();
    socket?.close(code);
  }

  #forgetSocket() {
    clearTimeout(this.#silence);
    this.#socket = null;
    this.#open = false;
    this.#asked.clear();
    this.#marking.clear();
    for (const subscription of this.#rooms.values()) subscription.joining = false;
  }

  // Rooms

  /** @param {string} room @param {Subscription} subscription */
  #subscribe(room, subscription) {
    if (subscription.joining) return;
    subscription.joining = true;
    const { after } = subscription;
    // Answered by plain calls, not by a promise: the replay may follow in the same tick, and must find `after` set.
    this.#dispatch({
      frame: { t: 'join', room, ...(after === undefined ? {} : { after }) },
      resolve: (ok) => {
        subscription.joining = false;
        subscription.after ??= ok.last;
        this.#emit('joined', { ...ok, room });
      },
      reject: (error) => {
        subscription.joining = false;
        if (this.#rooms.get(room) !== subscription) return;
        this.#left(room, { room, why: /** @type {ChatError} */ (error).code });
      },
    });
  }

  /** @param {string} room @param {{room?: string, [key: string]: any}} left */
  #left(room, left) {
    this.#rooms.delete(room);
    this.#marks.delete(room);
    this.#emit('left', left);
  }

  /** @param {Frame} frame */
  #durable(frame) {
    const room = /** @type {string} */ (frame.room);
    const seq = /** @type {number} */ (frame.seq);
    const subscription = this.#rooms.get(room);
    if (!subscription || subscription.after === undefined || seq <= subscription.after) return;
    if (seq > subscription.after + 1) return this.#subscribe(room, subscription);
    subscription.after = seq;
    this.#emit('event', frame);
    if (frame.t === 'msg' && frame.from === this.#user) this.#sent(frame.cid, seq);
  }

  /** @param {Frame} frame */
  #reset(frame) {
    const subscription = this.#rooms.get(/** @type {string} */ (frame.room));
    if (!subscription) return;
    subscription.after = frame.last;
    this.#emit('reset', frame);
    // Among what is not replayed, and on the page that is loaded instead.
    for (const { cid, seq } of this.#outgoing.of(/** @type {string} */ (frame.room))) {
      if (seq && seq <= frame.last) this.#sent(cid, seq);
    }
  }

  // Messages that show before the server has them

  /** @param {Outgoing} message */
  #deliver({ room, cid, body, reply_to, attachments }) {
    this.send(room, { cid, body, reply_to, attachments: attachments.map(({ id }) => id) }).then(
      (ok) => {
        const seq = /** @type {number} */ (ok.seq);
        const position = this.position(room);
        // Where the room is followed, the message itself may still be on its way.
        if (position === undefined || position >= seq) this.#sent(cid, seq);
        else this.#outgoing.change(cid, { seq });
      },
      ({ code, message: reason }) => {
        const failed = this.#outgoing.change(cid, { state: 'failed', code, reason });
        if (failed) this.#emit('outgoing', failed);
      },
    );
  }

  /** @param {string} cid @param {number} seq */
  #sent(cid, seq) {
    const message = this.#outgoing.remove(cid);
    if (message) this.#emit('outgoing', { ...message, seq, state: 'sent' });
  }

  // Questions and answers

  /** Something the user did: it is repeated over connections until it is answered. @param {Frame} frame @returns {Promise<Frame>} */
  #command(frame) {
    return new Promise((resolve, reject) => {
      const command = { frame, resolve, reject };
      this.#outbox.add(command);
      if (this.#open) this.#dispatchInTurn(command);
    });
  }

  /**
   * Messages of one room go out one after the other, each when the one before has its answer: one that is asked to wait
   * must not be overtaken. A round trip each is less than what the server's own pace costs.
   * @param {Command} command
   */
  #dispatchInTurn(command) {
    if (command.frame.t !== 'send' || this.#firstSend(command.frame.room) === command) this.#dispatch(command);
  }

  /** The first message for the room that has no answer. @param {string | undefined} room */
  #firstSend(room) {
    for (const command of this.#outbox) if (command.frame.t === 'send' && command.frame.room === room) return command;
  }

  /** @param {Command} command */
  #finish(command) {
    if (!this.#outbox.delete(command) || command.frame.t !== 'send') return;
    const next = this.#firstSend(command.frame.room);
    if (next) this.#dispatch(next);
  }

  /** Tells how far a room was read, unless that is being told. @param {string} room */
  #mark(room) {
    const seq = this.#marks.get(room);
    if (seq === undefined || this.#marking.has(room)) return;
    this.#marking.add(room);
    const answered = () => {
      this.#marking.delete(room);
      if (this.#marks.get(room) === seq) this.#marks.delete(room);
      else this.#mark(room);
    };
    this.#dispatch({ frame: { t: 'read', room, seq }, resolve: answered, reject: answered });
  }

  /** Something about this connection alone: forgotten when it closes. @param {Frame} frame @returns {Promise<Frame>} */
  #ask(frame) {
    return new Promise((resolve, reject) => this.#dispatch({ frame, resolve, reject }));
  }

  /** @param {Command} command */
  #dispatch(command) {
    const id = this.#nextId++;
    this.#asked.set(id, command);
    if (this.#asked.size === 1) this.#expectWord();
    this.#post({ ...command.frame, id });
  }

  /** @param {Frame} frame */
  #post(frame) {
    if (this.#open && this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  /** @param {Frame} ok */
  #answered(ok) {
    const command = this.#asked.get(ok.id);
    if (!command) return;
    this.#asked.delete(ok.id);
    this.#finish(command);
    command.resolve(ok);
  }

  /** @param {Frame} err */
  #refusedCommand(err) {
    const command = this.#asked.get(err.id);
    if (!command) return;
    this.#asked.delete(err.id);
    if (PASSING.has(err.code)) {
      const socket = this.#socket;
      const delay = (err.retry_ms ?? 1_000) + this.#random() * 250;
      setTimeout(() => { if (socket === this.#socket && this.#open) this.#dispatch(command); }, delay);
      return;
    }
    this.#finish(command);
    command.reject(new ChatError(err.code, err.msg ?? 'The server refused that.'));
  }

  // Telling

  /** @param {Status} status */
  #become(status) {
    this.status = status;
    this.#emit('status', status);
  }

  /** @param {string} type @param {unknown} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** @param {string} text */
function base64url(text) {
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
