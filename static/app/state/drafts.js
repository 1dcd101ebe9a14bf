/** What somebody began to write in a room, kept over leaving the room, a reload and a crash. */

/** @param {string} user @param {string} room */
const key = (user, room) => `irongate.draft.${user}.${room}`;

/** @param {string} user @param {string} room */
export const draft = (user, room) => localStorage.getItem(key(user, room)) ?? '';

/** @param {string} user @param {string} room @param {string} text */
export function keepDraft(user, room, text) {
  if (text) localStorage.setItem(key(user, room), text);
  else localStorage.removeItem(key(user, room));
}

/** Drafts are private: whoever signs in next on this machine must not find them. */
export function dropDrafts() {
  for (const name of Object.keys(localStorage)) if (name.startsWith('irongate.draft.')) localStorage.removeItem(name);
}
