/**
 * One HTTP exchange with a service, and the one error type that can come of it. Knows problem documents (RFC 9457) and
 * nothing about tokens or endpoints: those are in `session.js` and `api.js`.
 */

/** What a service refused, or why it could not be asked (`status` 0). */
export class Problem extends Error {
  /**
   * @param {{status: number, title: string, detail?: string, fields?: Record<string, string[]>, requestId?: string,
   *          retryAfter?: number, type?: string}} parts
   */
  constructor({ status, title, detail = '', fields = {}, requestId = '', retryAfter = 0, type = 'about:blank' }) {
    super(detail || title);
    this.name = 'Problem';
    this.status = status;
    this.title = title;
    this.detail = detail;
    /** Messages per input field, as the service named the fields. */
    this.fields = fields;
    this.requestId = requestId;
    /** Seconds to wait before trying again; 0 when the service did not say. */
    this.retryAfter = retryAfter;
    this.type = type;
  }

  /** Nobody decided anything: the network, the gateway or a service was away. Asking again later may help. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

/**
 * @typedef {object} Options
 * @property {unknown} [json] body, sent as JSON
 * @property {Blob} [blob] body, sent as it is
 * @property {string} [token] access token
 * @property {string} [ifMatch] entity tag of the version being edited
 * @property {AbortSignal} [signal]
 * @property {(part: number) => void} [onProgress] hears how much of the body is on its way, from 0 to 1
 */

const NO_CONNECTION = { status: 0, title: 'No connection', detail: 'The server could not be reached. Check your network and try again.' };

/**
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<{body: any, etag: string | null}>}
 * @throws {Problem}
 */
export async function exchange(method, path, options = {}) {
  const response = await ask(method, path, options);
  const body = await bodyOf(response);
  if (response.ok) return { body, etag: response.headers.get('etag') };
  throw problemOf(response.status, body, (name) => response.headers.get(name));
}

/**
 * Asks for a file.
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<Blob>}
 * @throws {Problem}
 */
export async function fetchFile(path, options = {}) {
  const response = await ask('GET', path, options);
  if (!response.ok) throw problemOf(response.status, await bodyOf(response), (name) => response.headers.get(name));
  // Cut off half-way.
  return response.blob().catch(() => { throw new Problem(NO_CONNECTION); });
}

/**
 * Sends a file. By `XMLHttpRequest`, because `fetch` does not tell how far it has come.
 * @param {string} path
 * @param {Blob} blob
 * @param {Options} [options]
 * @returns {Promise<any>} the body of the answer
 * @throws {Problem}
 */
export function sendFile(path, blob, { token, signal, onProgress } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.setRequestHeader('accept', 'application/json');
    request.setRequestHeader('content-type', blob.type || 'application/octet-stream');
    if (token) request.setRequestHeader('authorization', `Bearer ${token}`);
    request.upload.onprogress = ({ loaded, total }) => onProgress?.(total ? loaded / total : 0);
    request.onerror = () => reject(new Problem(NO_CONNECTION));
    request.onabort = () => reject(signal?.reason);
    request.onload = () => {
      const body = jsonOf(request.responseText);
      if (request.status >= 200 && request.status < 300) resolve(body);
      else reject(problemOf(request.status, body, (name) => request.getResponseHeader(name)));
    };
    signal?.addEventListener('abort', () => request.abort());
    request.send(blob);
  });
}

/** @param {string} method @param {string} path @param {Options} options */
async function ask(method, path, { json, blob, token, ifMatch, signal }) {
  /** @type {Record<string, string>} */
  const headers = { accept: 'application/json' };
  if (json !== undefined) headers['content-type'] = 'application/json';
  if (blob) headers['content-type'] = blob.type;
  if (token) headers.authorization = `Bearer ${token}`;
  if (ifMatch) headers['if-match'] = ifMatch;

  try {
    return await fetch(path, { method, headers, body: blob ?? (json === undefined ? undefined : JSON.stringify(json)), signal });
  } catch (error) {
    // Whoever gave up asking wants to hear nothing; a time limit is like a dead network.
    if (signal?.aborted && signal.reason?.name !== 'TimeoutError') throw error;
    throw new Problem(NO_CONNECTION);
  }
}

/** @param {number} status @param {any} body @param {(header: string) => string | null} header */
function problemOf(status, body, header) {
  return new Problem({
    status,
    title: body?.title ?? 'Something went wrong',
    detail: body?.detail ?? `The server answered with status ${status}.`,
    fields: body?.errors ?? {},
    requestId: body?.request_id ?? header('x-request-id') ?? '',
    retryAfter: Number(header('retry-after')) || 0,
    type: body?.type,
  });
}

/** @param {Response} response */
async function bodyOf(response) {
  if (!/\bjson\b/.test(response.headers.get('content-type') ?? '')) return null;
  // A body cut off half-way is the network's fault, and the status alone still says whether it worked.
  return response.json().catch(() => null);
}

/** @param {string} text */
function jsonOf(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
