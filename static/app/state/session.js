/** Whether somebody is signed in, as signals. The tokens themselves are net/session.js' business. */
import { computed, signal } from '@preact/signals';
import { session } from '../net/api.js';

/** @typedef {'starting' | 'unreachable' | 'anonymous' | 'signed-in'} Phase */

export const phase = signal(/** @type {Phase} */ ('starting'));

/** @type {import('@preact/signals').Signal<import('../net/api.js').User | null>} */
export const user = signal(null);

/** The signed-in user's id; empty when there is none. */
export const myId = computed(() => user.value?.id ?? '');

/** Whether a text calls the signed-in user by name. @param {string} body */
export function mentionsMe(body) {
  const name = user.value?.username;
  return Boolean(name) && new RegExp(`(^|[^\\w@])@${name?.replaceAll(/[.-]/g, '\\$&')}(?![\\w-])`, 'i').test(body);
}

session.addEventListener('granted', () => {
  user.value = session.user;
  phase.value = 'signed-in';
});
session.addEventListener('user', () => { user.value = session.user; });
session.addEventListener('ended', () => {
  user.value = null;
  phase.value = 'anonymous';
});

/** Takes up where the last visit ended. */
export async function resumeSession() {
  phase.value = 'starting';
  try {
    if (!await session.resume()) phase.value = 'anonymous';
  } catch {
    phase.value = 'unreachable';
  }
}
