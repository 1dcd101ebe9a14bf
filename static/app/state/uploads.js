/** Files on their way to the server, per room: they go on while another room is looked at, and wait there to be sent. */
import { signal } from '@preact/signals';
import * as api from '../net/api.js';
import { notify } from './notices.js';

/**
 * @typedef {object} Upload
 * @property {number} key
 * @property {File} file
 * @property {string} picture an address to show it by; empty when it is no picture
 * @property {'on-its-way' | 'there' | 'failed' | 'refused'} state `refused`: trying again would change nothing
 * @property {number} part how much has gone out, from 0 to 1
 * @property {string} reason
 * @property {api.Attachment | null} attachment once it is there
 * @property {AbortController} abort
 */

/** What the service takes (docs/chat-protocol.md, "Files"). */
const LARGEST = 25 * 1024 * 1024;
const MOST = 10;
const PICTURES = new Set(['image/jpeg', 'image/png', 'image/webp', 'image/gif']);

/** @type {Map<string, import('@preact/signals').Signal<readonly Upload[]>>} */
const uploads = new Map();
let nextKey = 1;

/** @param {string} room */
export function uploadsOf(room) {
  let known = uploads.get(room);
  if (!known) uploads.set(room, known = signal(/** @type {readonly Upload[]} */ ([])));
  return known;
}

/** Begins to upload. @param {string} room @param {Iterable<File>} files */
export function upload(room, files) {
  const list = uploadsOf(room);
  for (const file of files) {
    if (list.value.length >= MOST) {
      notify(`A message takes up to ${MOST} files.`, 'failed');
      return;
    }
    /** @type {Upload} */
    const one = {
      key: nextKey++, file, picture: PICTURES.has(file.type) ? URL.createObjectURL(file) : '',
      state: 'on-its-way', part: 0, reason: '', attachment: null, abort: new AbortController(),
    };
    const refusal = file.size > LARGEST ? 'Larger than 25 MiB' : file.size === 0 ? 'The file is empty' : '';
    list.value = [...list.value, refusal ? { ...one, state: 'refused', reason: refusal } : one];
    if (!refusal) run(room, one);
  }
}

/** @param {string} room @param {Upload} one */
async function run(room, one) {
  try {
    const attachment = await api.uploadFile(room, one.file, {
      signal: one.abort.signal,
      onProgress: (part) => change(room, one.key, { part }),
    });
    remember(attachment.id, one.file);
    change(room, one.key, { state: 'there', part: 1, attachment });
  } catch (error) {
    if (one.abort.signal.aborted) return;
    change(room, one.key, { state: 'failed', reason: error instanceof Error ? error.message : 'It did not arrive.' });
  }
}

/** @param {string} room @param {number} key @param {Partial<Upload>} what */
function change(room, key, what) {
  const list = uploadsOf(room);
  list.value = list.value.map((one) => (one.key === key ? { ...one, ...what } : one));
}

/** @param {string} room @param {Upload} one */
export function retry(room, one) {
  change(room, one.key, { state: 'on-its-way', part: 0, reason: '' });
  run(room, one);
}

/** @param {string} room @param {Upload} one */
export function cancel(room, one) {
  one.abort.abort();
  forget(one);
  const list = uploadsOf(room);
  list.value = list.value.filter(({ key }) => key !== one.key);
}

/** Hands over what is there, to be sent. @param {string} room @returns {api.Attachment[]} */
export function take(room) {
  const list = uploadsOf(room);
  const taken = list.value.flatMap(({ attachment }) => attachment ?? []);
  list.value.forEach(forget);
  list.value = [];
  return taken;
}

/** At the end of the session. */
export function dropUploads() {
  for (const list of uploads.values()) {
    for (const one of list.value) {
      one.abort.abort();
      forget(one);
    }
  }
  uploads.clear();
  own.clear();
}

/** @param {Upload} one */
function forget({ picture }) {
  if (picture) URL.revokeObjectURL(picture);
}

const REMEMBERED = 20;

/** What this user sent last need not come back over the network. @type {Map<string, Blob>} */
const own = new Map();

/** @param {string} id @param {Blob} file */
function remember(id, file) {
  own.set(id, file);
  if (own.size > REMEMBERED) own.delete(/** @type {string} */ (own.keys().next().value));
}

/** The file of an attachment. @param {string} id @param {AbortSignal} [aborted] @returns {Promise<Blob>} */
export async function fileOf(id, aborted) {
  return own.get(id) ?? api.attachment(id, aborted);
}
