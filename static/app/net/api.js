/**
 * Every endpoint that the application uses, as one function each. With `session.js` and `chat.js` the only file that
 * knows URLs; what a function returns is the service's own shape.
 */
import { exchange, fetchFile, Problem, sendFile } from './http.js';
import { Session } from './session.js';

/**
 * @typedef {import('./session.js').User} User
 * @typedef {{id: string, username: string, display_name: string, avatar_url: string | null}} Profile
 * @typedef {{role: string, last_read_seq: number, muted_until?: string}} Membership
 * @typedef {{id: string, kind: 'public' | 'private' | 'dm', name: string | null, topic: string | null,
 *            last_seq: number, created_at: string, member: Membership | null, members: number, unread: number, mentions: number,
 *            peer?: Profile,
 *            last_message?: {seq: number, from: string, ts: string, body: string | null}}} RoomSummary
 * @typedef {{emoji: string, users: string[]}} Reaction
 * @typedef {{id: string, name: string, content_type: string, size: number, width: number | null, height: number | null}} Attachment
 * @typedef {{room: string, seq: number, from: string, from_name?: string, cid: string, ts: string,
 *            body: string | null, reply_to: number | null, edited_at?: string, deleted?: boolean,
 *            reactions?: Reaction[], attachments?: Attachment[]}} Message
 * @typedef {Membership & {user: Profile}} Member
 * @typedef {{id: string, created_at: string, last_used_at: string, ip: string, user_agent: string,
 *            current: boolean}} SignedInDevice
 * @typedef {{username: {min_length: number, max_length: number, pattern: string},
 *            password: {min_length: number, max_bytes: number}, display_name: {max_length: number}}} Rules
 */
/** @template T @typedef {{items: T[], next_cursor: string | null}} Page */

export const session = new Session();

/**
 * @param {string} method
 * @param {string} path
 * @param {import('./http.js').Options} [options]
 */
const signed = (method, path, options = {}) => withToken((token) => exchange(method, path, { ...options, token }));

/** @template T @param {(token: string) => Promise<T>} ask @returns {Promise<T>} */
async function withToken(ask) {
  try {
    return await ask(await session.token());
  } catch (error) {
    // The token was good by its times, so it was revoked or its key is gone: one new token decides which.
    if (!(error instanceof Problem) || error.status !== 401 || !session.user) throw error;
    return ask(await session.token({ fresh: true }));
  }
}

/** @param {string} path @param {Record<string, string | number | null | undefined>} [query] */
async function get(path, query = {}, /** @type {AbortSignal | undefined} */ signal = undefined) {
  return (await signed('GET', path + search(query), { signal })).body;
}

/** @param {Record<string, string | number | null | undefined>} query */
function search(query) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== '');
  return given.length ? `?${new URLSearchParams(given.map(([key, value]) => [key, String(value)]))}` : '';
}

/** @param {string} id */
const roomPath = (id) => `/chat/rooms/${encodeURIComponent(id)}`;

// Identity

/** @param {{username: string, email: string, password: string, display_name?: string}} form @returns {Promise<User>} */
export const register = async (form) => (await exchange('POST', '/user/register', { json: form })).body;

/** @returns {Promise<Rules>} */
export const rules = async () => (await exchange('GET', '/user/rules')).body;

/**
 * Signs in, or returns the second factor that is still asked for.
 * @param {string} username or an e-mail address
 * @param {string} password
 * @returns {Promise<import('./session.js').Challenge | null>}
 */
export async function signIn(username, password) {
  const { body } = await exchange('POST', '/auth/login', { json: { username, password } });
  if (body.mfa_required) return body;
  session.adopt(body);
  return null;
}

export async function signOut() {
  // Whatever the server says, this browser forgets the session; a token that could not be revoked runs out by itself.
  await signed('POST', '/auth/logout').catch(() => {});
  session.end();
}

// The signed-in user

/** @returns {Promise<{user: User, etag: string | null}>} */
export async function me() {
  const { body, etag } = await signed('GET', '/user/me');
  session.update(body);
  return { user: body, etag };
}

/** @param {Partial<Pick<User, 'display_name' | 'bio' | 'email'>>} changes @param {string | null} etag */
export async function updateMe(changes, etag) {
  const answer = await signed('PATCH', '/user/me', { json: changes, ifMatch: etag ?? undefined });
  session.update(answer.body);
  return { user: /** @type {User} */ (answer.body), etag: answer.etag };
}

/** @param {string} text @param {AbortSignal} [signal] @returns {Promise<Page<Profile>>} */
export const findPeople = (text, signal) => get('/user/users', { search: text, limit: 20 }, signal);

/** @typedef {Profile & {bio?: string, created_at?: string}} PublicProfile */

/** @param {string} username @returns {Promise<PublicProfile>} */
export const personNamed = (username) => get(`/user/users/${encodeURIComponent(username)}`);

// Rooms

/** @param {'mine' | 'public'} scope @param {{search?: string, cursor?: string | null, signal?: AbortSignal}} [more] @returns {Promise<Page<RoomSummary>>} */
export const rooms = (scope, { search, cursor, signal } = {}) => get('/chat/rooms', { scope, search, cursor }, signal);

/** @param {string} id @returns {Promise<RoomSummary>} */
export const room = (id) => get(roomPath(id));

/** @param {{kind: 'public' | 'private', name: string, topic?: string}} form @returns {Promise<RoomSummary>} */
export const createRoom = async (form) => (await signed('POST', '/chat/rooms', { json: form })).body;

/** @param {string} id */
export const joinRoom = (id) => signed('PUT', `${roomPath(id)}/members/me`);

/** @param {string} id */
export const leaveRoom = (id) => signed('DELETE', `${roomPath(id)}/members/me`);

/** @param {string} id @param {string | null} [cursor] @returns {Promise<Page<Member>>} */
export const members = (id, cursor) => get(`${roomPath(id)}/members`, { cursor, limit: 200 });

/** @param {string} user @returns {Promise<RoomSummary>} */
export const openDirect = async (user) => (await signed('POST', '/chat/dms', { json: { user } })).body;

/**
 * One page of a room's messages, oldest first.
 * @param {string} id
 * @param {{before?: number, after?: number, around?: number, limit?: number}} where
 * @returns {Promise<Page<Message>>}
 */
export const messages = (id, where) => get(`${roomPath(id)}/messages`, where);

/** @param {string} id @param {{name?: string, topic?: string}} changes @returns {Promise<RoomSummary>} */
export const changeRoom = async (id, changes) => (await signed('PATCH', roomPath(id), { json: changes })).body;

/** @param {string} id */
export const deleteRoom = (id) => signed('DELETE', roomPath(id));

/** Takes somebody into a room, or changes their role in it. @param {string} id @param {string} user @param {string} [role] */
export const putMember = (id, user, role) => signed('PUT', `${roomPath(id)}/members/${encodeURIComponent(user)}`, { json: role ? { role } : {} });

/** @param {string} id @param {string} user */
export const removeMember = (id, user) => signed('DELETE', `${roomPath(id)}/members/${encodeURIComponent(user)}`);

/** Removes somebody and keeps them out. @param {string} id @param {string} user */
export const ban = (id, user) => signed('PUT', `${roomPath(id)}/bans/${encodeURIComponent(user)}`, { json: {} });

/** @param {string} id @param {string} user */
export const unban = (id, user) => signed('DELETE', `${roomPath(id)}/bans/${encodeURIComponent(user)}`);

/** @param {string} id @returns {Promise<Page<{user: Profile}>>} */
export const bans = (id) => get(`${roomPath(id)}/bans`);

/** Keeps somebody from writing until a moment. @param {string} id @param {string} user @param {Date} until */
export const mute = (id, user, until) => signed('PUT', `${roomPath(id)}/mutes/${encodeURIComponent(user)}`, { json: { until: until.toISOString() } });

/** @param {string} id @param {string} user */
export const unmute = (id, user) => signed('DELETE', `${roomPath(id)}/mutes/${encodeURIComponent(user)}`);

/** @param {{text: string, room?: string | null, cursor?: string | null, signal?: AbortSignal}} wanted @returns {Promise<Page<Message>>} */
export const findMessages = ({ text, room: id, cursor, signal }) => get('/chat/search', { q: text, room: id, cursor, limit: 30 }, signal);

// Files

/**
 * Takes a file to the server, for a message to come.
 * @param {string} id of the room
 * @param {File} file
 * @param {{signal: AbortSignal, onProgress: (part: number) => void}} options
 * @returns {Promise<Attachment>}
 */
export const uploadFile = (id, file, options) => withToken((token) => sendFile(`${roomPath(id)}/attachments${search({ name: file.name.slice(0, 200) })}`, file, { ...options, token }));

/** @param {string} id @param {AbortSignal} [signal] */
export const attachment = (id, signal) => withToken((token) => fetchFile(`/chat/attachments/${encodeURIComponent(id)}`, { token, signal }));

// Security of the account

/** @returns {Promise<Page<SignedInDevice>>} */
export const devices = () => get('/auth/sessions');

/** @param {string} id */
export const signOutDevice = (id) => signed('DELETE', `/auth/sessions/${encodeURIComponent(id)}`);

export async function signOutEverywhere() {
  await signed('POST', '/auth/logout-all');
  session.end();
}

/** @param {string} current_password @param {string} new_password */
export const changePassword = (current_password, new_password) => signed('POST', '/auth/password/change', { json: { current_password, new_password } });

/** Asks for a mail with a link. The answer does not tell whether the address is known. @param {string} email */
export const forgotPassword = (email) => exchange('POST', '/auth/password/forgot', { json: { email } });

/** @param {string} token from the mail @param {string} new_password */
export const resetPassword = (token, new_password) => exchange('POST', '/auth/password/reset', { json: { token, new_password } });

/** @param {Blob} picture */
export async function setAvatar(picture) {
  await signed('PUT', '/user/me/avatar', { blob: picture });
  return me();
}

export async function removeAvatar() {
  await signed('DELETE', '/user/me/avatar');
  return me();
}

/** Everything that is stored about the user. @returns {Promise<unknown>} */
export const exportMe = () => get('/user/me/export');

export async function deleteMe() {
  await signed('DELETE', '/user/me');
  session.end();
}

/** Who of a room is there right now. @param {string} id @returns {Promise<Page<string>>} */
export const presence = (id) => get(`${roomPath(id)}/presence`);

// The second factor

/**
 * @typedef {{totp: boolean, passkeys: number, recovery_codes_left: number}} SecondFactor
 * @typedef {{secret: string, otpauth_url: string}} TotpSetup
 */

/** Finishes a sign-in with the second factor. @param {string} mfa_token @param {string} code of the app, or a recovery code */
export async function proveSecondFactor(mfa_token, code) {
  session.adopt((await exchange('POST', '/auth/mfa/verify', { json: { mfa_token, code } })).body);
}

/** @returns {Promise<SecondFactor>} */
export const secondFactor = () => get('/auth/mfa');

/** @returns {Promise<TotpSetup>} */
export const beginTotp = async () => (await signed('POST', '/auth/mfa/totp', { json: {} })).body;

/** Turns the second factor on. The codes are shown once. @param {string} code @returns {Promise<{recovery_codes: string[]}>} */
export const confirmTotp = async (code) => (await signed('POST', '/auth/mfa/totp/confirm', { json: { code } })).body;

/** @param {string} code */
export const endTotp = (code) => signed('DELETE', '/auth/mfa/totp', { json: { code } });

// Passkeys

/** @typedef {{id: string, name: string, created_at: string, last_used_at: string | null}} Passkey */

/** @returns {Promise<Page<Passkey>>} */
export const passkeys = () => get('/auth/passkeys');

/** Makes a passkey on this device. Who had no second factor gets recovery codes with it, shown once. @param {string} name @returns {Promise<Passkey & {recovery_codes?: string[]}>} */
export async function addPasskey(name) {
  const { body: { ceremony, public_key: options } } = await signed('POST', '/auth/passkeys/register/start');
  const { makePasskey } = await import('./passkeys.js');
  const credential = await makePasskey(options.publicKey ?? options);
  return (await signed('POST', '/auth/passkeys/register/finish', { json: { ceremony, name, credential } })).body;
}

/** @param {string} id @param {string} name */
export const renamePasskey = (id, name) => signed('PATCH', `/auth/passkeys/${encodeURIComponent(id)}`, { json: { name } });

/** @param {string} id */
export const endPasskey = (id) => signed('DELETE', `/auth/passkeys/${encodeURIComponent(id)}`);

/** Signs in without a name or a password. */
export async function signInByPasskey() {
  const { body: { ceremony, public_key: options } } = await exchange('POST', '/auth/passkeys/login/start', { json: {} });
  const { showPasskey } = await import('./passkeys.js');
  const credential = await showPasskey(options.publicKey ?? options);
  session.adopt((await exchange('POST', '/auth/passkeys/login/finish', { json: { ceremony, credential } })).body);
}

/** Finishes a sign-in with a passkey instead of a code. @param {string} mfa_token */
export async function provePasskey(mfa_token) {
  const { body: { ceremony, public_key: options } } = await exchange('POST', '/auth/mfa/passkey/start', { json: { mfa_token } });
  const { showPasskey } = await import('./passkeys.js');
  const credential = await showPasskey(options.publicKey ?? options);
  session.adopt((await exchange('POST', '/auth/mfa/verify', { json: { mfa_token, passkey: { ceremony, credential } } })).body);
}

/** @param {string} token from the mail */
export const verifyEmail = (token) => exchange('POST', '/auth/email/verify', { json: { token } });

/** @typedef {{id: string, event: string, ip: string, user_agent: string | null, created_at: string}} AccountEvent */

/** What happened to the account, the newest first. @param {string | null} cursor @returns {Promise<Page<AccountEvent>>} */
export const accountEvents = (cursor) => get('/auth/audit', { cursor, limit: 20 });

/** Sends the mail that proves the address once more. */
export const sendVerification = () => signed('POST', '/auth/email/send', { json: {} });
