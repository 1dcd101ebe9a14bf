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

export function forgetPeople() {
  people.clear();
  presence.clear();
}
