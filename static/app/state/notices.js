/** Short messages at the edge of the screen, and the polite voice for screen readers. */
import { signal } from '@preact/signals';

/** @typedef {{id: number, text: string, kind: 'done' | 'failed'}} Notice */

const SHOWN_MS = 6_000;
let nextId = 1;

/** @type {import('@preact/signals').Signal<Notice[]>} */
export const notices = signal([]);

/** What a screen reader says next; see ui/announcer.js. */
export const announcement = signal('');

/** @param {string} text @param {Notice['kind']} [kind] */
export function notify(text, kind = 'done') {
  const notice = { id: nextId++, text, kind };
  notices.value = [...notices.value, notice];
  setTimeout(() => dismiss(notice.id), SHOWN_MS);
}

/** @param {unknown} error */
export const notifyFailure = (error) => notify(error instanceof Error ? error.message : String(error), 'failed');

/** @param {number} id */
export function dismiss(id) {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}
