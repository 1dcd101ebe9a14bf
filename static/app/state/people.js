/** Profiles and presence of everybody met so far, each person one signal, so that a new name redraws only its places. */
import { signal } from '@preact/signals';

/** @typedef {import('../net/api.js').Profile} Profile */

/** @type {Map<string, import('@preact/signals').Signal<Profile>>} */
const people = new Map();
/** @type {Map<string, import('@preact/signals').Signal<boolean>>} */
const presence = new Map();

/** @param {string} id */
export function person(id) {
  let known = people.get(id);
  if (!known) people.set(id, known = signal({ id, username: '', display_name: '', avatar_url: null }));
  return known;
}

/** @param {Profile} profile */
export function meet(profile) {
  const known = person(profile.id);
  const { username, display_name, avatar_url } = known.value;
  if (username !== profile.username || display_name !== profile.display_name || avatar_url !== profile.avatar_url) {
    known.value = { id: profile.id, username: profile.username, display_name: profile.display_name, avatar_url: profile.avatar_url };
  }
}

/** What to call somebody. @param {Profile} profile */
export const nameOf = (profile) => profile.display_name || profile.username || 'Somebody';

/** @param {string} name @returns {Profile | undefined} */
export function personNamed(name) {
  for (const { value } of people.values()) if (value.username === name) return value;
  return undefined;
}

/** Whether somebody is there at this moment. @param {string} id */
export function online(id) {
  let known = presence.get(id);
  if (!known) presence.set(id, known = signal(false));
  return known;
}

/** The rooms that somebody follows at this moment; whoever follows one is there. @type {Map<string, Set<string>>} */
const followed = new Map();

/** @param {string} id @param {string} room @param {boolean} isThere whether they follow the room */
export function noticePresence(id, room, isThere) {
  let rooms = followed.get(id);
  if (!rooms) followed.set(id, rooms = new Set());
  if (isThere) rooms.add(room);
  else rooms.delete(room);
  online(id).value = rooms.size > 0;
}

/** Nobody can be seen from here any more. */
export function forgetPresence() {
  followed.clear();
  for (const known of presence.values()) known.value = false;
}

export function forgetPeople() {
  people.clear();
  forgetPresence();
  presence.clear();
}
