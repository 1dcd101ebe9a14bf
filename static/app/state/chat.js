/**
 * The live side of the application: one chat client, the rooms it keeps current, and everything a user can do in a
 * room. Views call the functions here and read the signals of `rooms.js`, `people.js` and `timeline.js`.
 */
import { effect, signal } from '@preact/signals';
import * as api from '../net/api.js';
import { ChatClient } from '../net/chat.js';
import { alert } from './alerts.js';
import { announcement } from './notices.js';
import { dropDrafts } from './drafts.js';
import { forgetPeople, forgetPresence, meet, nameOf, noticePresence, person } from './people.js';
import { forget, forgetRooms, know, rooms, roomsState } from './rooms.js';
import { mentionsMe, myId, phase, user } from './session.js';
import { gist } from './timeline.js';
import { dropUploads } from './uploads.js';

/**
 * @typedef {import('./rooms.js').Room} Room
 * @typedef {import('../net/chat.js').Frame} Frame
 * @typedef {import('../net/chat.js').Status} Status
 */

const PAGE = 50;
const TYPING_SHOWN_MS = 6_000;
const TYPING_SAID_EVERY_MS = 3_000;

/** @type {import('@preact/signals').Signal<Status>} */
export const connection = signal({ phase: 'idle' });

/** The room whose newest messages are in front of somebody's eyes at this moment; empty when none is. */
export const attended = signal('');

/** Why a room went away under the user, for the view that shows it. @type {import('@preact/signals').Signal<{room: string, why: string} | null>} */
export const removal = signal(null);

const client = new ChatClient({
  url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/chat/ws`,
  token: ({ fresh }) => api.session.token({ fresh }),
  storage: sessionStorage,
});

/** Connects while somebody is signed in; call once. */
export function followSession() {
  effect(() => {
    if (phase.value === 'signed-in') start();
    else if (phase.value === 'anonymous') stop();
  });
  api.session.addEventListener('granted', (event) => client.renew(/** @type {CustomEvent} */ (event).detail.token));
  addEventListener('online', () => client.wake());
  document.addEventListener('visibilitychange', () => { if (!document.hidden) client.wake(); });
}

let running = false;
let hasBeenOnline = false;

function start() {
  if (running) return;
  running = true;
  client.start();
  refreshRooms();
}

function stop() {
  if (!running) return;
  running = hasBeenOnline = false;
  client.stop();
  forgetRooms();
  forgetPeople();
  dropDrafts();
  dropUploads();
}

effect(() => { if (user.value) meet(user.value); });

/** Reads the list of my rooms again: at the start, and after being away, when any of them may have changed. */
export async function refreshRooms() {
  try {
    /** @type {string | null} */
    let cursor = null;
    do {
      const page = await api.rooms('mine', { cursor });
      page.items.forEach(follow);
      cursor = page.next_cursor;
    } while (cursor);
    roomsState.value = 'ready';
  } catch {
    if (roomsState.value === 'loading') roomsState.value = 'failed';
  }
}

/** Keeps a room of mine current from now on. @param {api.RoomSummary} summary */
function follow(summary) {
  if (summary.peer) meet(summary.peer);
  const room = know(summary);
  client.join(room.id, { after: summary.last_seq });
  // What an earlier page of this tab had not got through.
  for (const message of client.outgoing(room.id)) showOutgoing(room, message);
  if (summary.kind === 'dm' && !summary.peer && !room.members.value) loadMembers(room).catch(() => {});
  return room;
}

// What the server tells

/** @param {string} type @param {(detail: any) => void} hear */
const on = (type, hear) => client.addEventListener(type, (event) => hear(/** @type {CustomEvent} */ (event).detail));

on('status', (detail) => {
  connection.value = detail;
  // After the first time, rooms may have come and gone while this client was away.
  if (detail.phase === 'online' && (hasBeenOnline || roomsState.value === 'failed')) refreshRooms();
  hasBeenOnline ||= detail.phase === 'online';
  if (detail.phase === 'waiting') forgetPresence();
  // Revoked, banned or too old: whether the session still stands is the auth service's to say.
  if (detail.phase === 'stopped') api.session.token({ fresh: true }).catch(() => {});
});

on('users', (detail) => {
  for (const [id, profile] of Object.entries(detail)) meet({ id, ...profile });
});

on('event', (frame) => {
  const room = rooms.value.get(frame.room);
  if (!room) return;
  room.summary.value = { ...room.summary.value, last_seq: frame.seq };
  room.timeline.apply(frame);
  if (frame.t === 'msg') heard(room, frame);
  else if (frame.t === 'member') membersChanged(room, frame);
  else if (frame.t === 'room') refreshRoom(room).catch(() => {});
});

on('outgoing', (message) => {
  const room = rooms.value.get(message.room);
  if (room) showOutgoing(room, message);
});

on('joined', ({ room: id }) => {
  const room = rooms.value.get(id);
  // The dot beside a person in the list; of other rooms it is asked when their members are looked at.
  if (room?.summary.value.kind === 'dm' || room?.members.value) loadPresence(room);
});

on('reset', ({ room: id }) => {
  const room = rooms.value.get(id);
  if (room?.timeline.loaded.value) showLatest(room).catch(() => {});
});

on('left', ({ room: id, why }) => {
  const room = rooms.value.get(id);
  if (!room) return;
  if (room.summary.value.member) removal.value = { room: id, why };
  forget(id);
});

on('signal', (frame) => {
  switch (frame.t) {
    case 'typing': return showTyping(frame.room, frame.user);
    case 'pres': return noticePresence(frame.user, frame.room, frame.status !== 'offline');
    case 'read': return markedRead(frame);
    case 'user': return meet(frame.user);
    case 'notify': if (frame.room && !rooms.value.get(frame.room)?.isMine.value) api.room(frame.room).then(follow, () => {}); return;
    default:
  }
});

/** @param {Room} room @param {Frame} message */
function heard(room, message) {
  const { seq, from, ts, body } = /** @type {any} */ (message);
  const text = gist(/** @type {any} */ (message));
  room.summary.value = { ...room.summary.value, last_message: { seq, from, ts, body } };
  room.typing.value = room.typing.value.filter((id) => id !== from);
  if (from === myId.value) return;
  noticePresence(from, room.id, true);
  if (attended.value === room.id) {
    markRead(room);
    announcement.value = `${nameOf(person(from).value)}: ${text}`;
    return;
  }
  room.unread.value += 1;
  const isForMe = mentionsMe(body);
  if (isForMe) room.mentions.value += 1;
  if (isForMe || room.summary.value.kind === 'dm') {
    const author = person(from).value;
    alert({ room: room.id, title: isForMe ? `${nameOf(author)} in ${room.title.value}` : nameOf(author), text, icon: author.avatar_url });
  }
}

/** @param {Room} room @param {Frame} frame */
function membersChanged(room, frame) {
  if (frame.user) meet(frame.user);
  if (room.members.value) loadMembers(room).catch(() => {});
  refreshRoom(room).catch(() => {});
}

/** @param {Frame} frame */
function markedRead({ room: id, user: reader, seq }) {
  const room = rooms.value.get(id ?? '');
  if (!room || typeof seq !== 'number') return;
  if (reader === myId.value) {
    room.lastRead = Math.max(room.lastRead, seq);
    if (seq >= room.summary.value.last_seq) room.unread.value = room.mentions.value = 0;
  } else if (room.members.value) {
    room.members.value = room.members.value.map((member) => (member.user.id === reader ? { ...member, last_read_seq: seq } : member));
  }
}

/** @type {Map<string, ReturnType<typeof setTimeout>>} */
const typingEnds = new Map();

/** @param {string} id @param {string} writer */
function showTyping(id, writer) {
  const room = rooms.value.get(id);
  if (!room || writer === myId.value) return;
  if (!room.typing.value.includes(writer)) room.typing.value = [...room.typing.value, writer];
  const key = `${id} ${writer}`;
  clearTimeout(typingEnds.get(key));
  typingEnds.set(key, setTimeout(() => {
    typingEnds.delete(key);
    room.typing.value = room.typing.value.filter((other) => other !== writer);
  }, TYPING_SHOWN_MS));
}

// Reading

/** The room with this id, asked for when it is not one of mine. @param {string} id @returns {Promise<Room>} */
export async function findRoom(id) {
  const known = rooms.value.get(id);
  if (known) return known;
  const summary = await api.room(id);
  return summary.member ? follow(summary) : know(summary);
}

/** @param {Room} room */
export async function refreshRoom(room) {
  const summary = await api.room(room.id);
  room.summary.value = { ...room.summary.value, ...summary, last_seq: Math.max(room.summary.value.last_seq, summary.last_seq) };
}

/**
 * Asks for a page and hands it on; whatever came in meanwhile is not lost (see `Timeline`).
 * @param {Room} room
 * @param {Parameters<typeof api.messages>[1]} where
 * @param {(page: api.Message[]) => void} show
 */
async function page(room, where, show) {
  room.timeline.pageAsked();
  let items;
  try {
    ({ items } = await api.messages(room.id, { limit: PAGE, ...where }));
  } catch (error) {
    room.timeline.pageFailed();
    throw error;
  }
  show(items);
}

/** @param {Room} room */
export const showLatest = (room) => page(room, {}, (items) => room.timeline.showPage(items, { hasOlder: items.length === PAGE, hasNewer: false }));

/** @param {Room} room @param {number} seq */
export const showAround = (room, seq) => page(room, { around: seq }, (items) => {
  const last = items.at(-1)?.seq ?? 0;
  room.timeline.showPage(items, { hasOlder: items[0]?.seq > 1, hasNewer: last < (room.summary.value.last_message?.seq ?? 0) });
});

/** @param {Room} room */
export function showOlder(room) {
  const before = room.timeline.stretch.value.items[0]?.seq;
  return page(room, { before }, (items) => room.timeline.showOlder(items, items.length === PAGE));
}

/** @param {Room} room */
export function showNewer(room) {
  const after = room.timeline.stretch.value.items.at(-1)?.seq ?? 0;
  return page(room, { after }, (items) => room.timeline.showNewer(items, items.length === PAGE));
}

/** @param {Room} room */
export async function loadMembers(room) {
  const all = [];
  /** @type {string | null} */
  let cursor = null;
  do {
    const { items, next_cursor } = await api.members(room.id, cursor);
    all.push(...items);
    cursor = next_cursor;
  } while (cursor);
  all.forEach(({ user: profile }) => meet(profile));
  room.members.value = all;
  loadPresence(room);
}

/** Presence is a courtesy: without it everybody just looks away. @param {Room} room */
async function loadPresence(room) {
  const { items } = await api.presence(room.id).catch(() => ({ items: [] }));
  for (const id of items) noticePresence(id, room.id, true);
}

/** Everything up to the newest message was seen. @param {Room} room */
export function markRead(room) {
  room.unread.value = 0;
  room.mentions.value = 0;
  const seq = room.summary.value.last_seq;
  if (seq <= room.lastRead || !room.isMine.value) return;
  room.lastRead = seq;
  client.read(room.id, seq);
}

// Writing

/** @param {Room} room @param {string} body @param {number | null} replyTo @param {api.Attachment[]} [attachments] uploaded before */
export function send(room, body, replyTo, attachments = []) {
  client.post(room.id, { body, reply_to: replyTo, attachments });
}

/** Shows what was written before the server has it. @param {Room} room @param {import('../net/outgoing.js').Outgoing} message */
function showOutgoing(room, { cid, ts, body, reply_to, attachments, state, reason }) {
  // The message itself has come, and taken the place of this one.
  if (state === 'sent') return room.timeline.discard(cid);
  room.timeline.expect({
    room: room.id, seq: 0, from: myId.value, cid, ts, body, reply_to, attachments: /** @type {api.Attachment[]} */ (attachments), state, reason,
  });
}

/** Sends again what failed, behind what was written since. @param {Room} room @param {import('./timeline.js').Unconfirmed} message */
export function resend(room, { cid }) {
  room.timeline.discard(cid);
  client.retry(cid);
}

/** Forgets what failed. @param {Room} room @param {import('./timeline.js').Unconfirmed} message */
export function discard(room, { cid }) {
  client.discard(cid);
  room.timeline.discard(cid);
}

/** @param {Room} room @param {number} seq @param {string} body */
export const edit = (room, seq, body) => client.edit(room.id, seq, body);

/** @param {Room} room @param {number} seq */
export const remove = (room, seq) => client.remove(room.id, seq);

/** Puts this user's reaction on a message, or takes it away. @param {Room} room @param {api.Message} message @param {string} emoji */
export function toggleReaction(room, message, emoji) {
  const mine = message.reactions?.find((reaction) => reaction.emoji === emoji)?.users.includes(myId.value);
  return client.react(room.id, message.seq, emoji, !mine);
}

/** @type {Map<string, number>} */
const saidTyping = new Map();

/** Lets the others know that this user is writing; says so at most every few seconds. @param {Room} room */
export function sayTyping(room) {
  const now = Date.now();
  if (now - (saidTyping.get(room.id) ?? 0) < TYPING_SAID_EVERY_MS) return;
  saidTyping.set(room.id, now);
  client.typing(room.id);
}

// Coming and going

/** @param {Room} room */
export async function join(room) {
  await api.joinRoom(room.id);
  follow(await api.room(room.id));
}

/** @param {Room} room */
export async function leave(room) {
  await api.leaveRoom(room.id);
  client.leave(room.id);
  forget(room.id);
}

/** @param {Parameters<typeof api.createRoom>[0]} form */
export const create = async (form) => follow(await api.createRoom(form));

/** @param {string} userId */
export const openDirect = async (userId) => follow(await api.openDirect(userId));
