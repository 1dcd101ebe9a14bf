/** The rooms this user is in, and what is known of each. Filled and kept current by `chat.js` beside it. */
import { computed, signal } from '@preact/signals';
import { myId } from './session.js';
import { nameOf, person } from './people.js';
import { Timeline } from './timeline.js';

/**
 * @typedef {import('../net/api.js').RoomSummary} RoomSummary
 * @typedef {import('../net/api.js').Member} Member
 */

/** One room. Its id never changes; everything else is a signal. */
export class Room {
  timeline = new Timeline();
  /** Ids of the others who are writing right now. @type {import('@preact/signals').Signal<string[]>} */
  typing = signal([]);
  /** Everybody in the room, once somebody asked. @type {import('@preact/signals').Signal<Member[] | null>} */
  members = signal(null);
  /** Where "new messages" begins, fixed while the room is looked at. 0: nowhere. */
  newFrom = signal(0);

  /** @param {RoomSummary} summary */
  constructor(summary) {
    this.id = summary.id;
    this.summary = signal(summary);
    this.unread = signal(summary.unread ?? 0);
    this.mentions = signal(summary.mentions ?? 0);
    this.lastRead = summary.member?.last_read_seq ?? 0;
    this.isMine = computed(() => this.summary.value.member !== null);
    this.title = computed(() => titleOf(this.summary.value, this.members.value));
  }

  /** The other side of a direct conversation. */
  get peer() {
    return peerOf(this.summary.value, this.members.value);
  }
}

/** @param {RoomSummary} summary @param {Member[] | null} members */
function titleOf(summary, members) {
  if (summary.kind !== 'dm') return summary.name ?? '';
  const peer = peerOf(summary, members);
  return peer ? nameOf(person(peer).value) : 'Direct message';
}

/** @param {RoomSummary} summary @param {Member[] | null} members */
function peerOf(summary, members) {
  if (summary.kind !== 'dm') return undefined;
  return summary.peer?.id ?? members?.find(({ user }) => user.id !== myId.value)?.user.id;
}

/** Every room met, by id: mine, and public ones being looked at. @type {import('@preact/signals').Signal<ReadonlyMap<string, Room>>} */
export const rooms = signal(new Map());

/** @type {import('@preact/signals').Signal<'loading' | 'ready' | 'failed'>} */
export const roomsState = signal('loading');

const mine = computed(() => [...rooms.value.values()].filter((room) => room.isMine.value));

/** Public and private rooms by name. */
export const myRooms = computed(() => mine.value
  .filter((room) => room.summary.value.kind !== 'dm')
  .sort((one, other) => one.title.value.localeCompare(other.title.value)));

/** Direct conversations, the latest first. */
export const myDirects = computed(() => mine.value
  .filter((room) => room.summary.value.kind === 'dm')
  .sort((one, other) => lastMoment(other.summary.value).localeCompare(lastMoment(one.summary.value))));

export const unreadInAll = computed(() => mine.value.reduce((sum, room) => sum + room.unread.value, 0));
export const mentionsInAll = computed(() => mine.value.reduce((sum, room) => sum + wanted(room), 0));

/** How loudly a room asks for attention: mentions, and every message of a direct conversation. @param {Room} room */
export function wanted(room) {
  return room.summary.value.kind === 'dm' ? room.unread.value : room.mentions.value;
}

const RANKS = ['member', 'moderator', 'owner'];

/** Whether this user keeps order in the room; with a role given, towards those who have it. @param {Room} room @param {string} [towards] */
export function mayModerate(room, towards = 'member') {
  const rank = RANKS.indexOf(room.summary.value.member?.role ?? '');
  return rank >= RANKS.indexOf('moderator') && rank > RANKS.indexOf(towards);
}

/** Whether the room is this user's to change. @param {Room} room */
export const mayOwn = (room) => room.summary.value.member?.role === 'owner';

/** @param {RoomSummary} summary */
const lastMoment = (summary) => summary.last_message?.ts ?? summary.created_at;

/** Takes in what the server says of a room. @param {RoomSummary} summary */
export function know(summary) {
  const known = rooms.value.get(summary.id);
  if (known) {
    known.summary.value = { ...known.summary.value, ...summary };
    known.unread.value = summary.unread ?? 0;
    known.mentions.value = summary.mentions ?? 0;
    known.lastRead = Math.max(known.lastRead, summary.member?.last_read_seq ?? 0);
    return known;
  }
  const room = new Room(summary);
  rooms.value = new Map(rooms.value).set(room.id, room);
  return room;
}

/** @param {string} id */
export function forget(id) {
  const rest = new Map(rooms.value);
  if (rest.delete(id)) rooms.value = rest;
}

export function forgetRooms() {
  rooms.value = new Map();
  roomsState.value = 'loading';
}
