/**
 * The gateway's state as it changes, by server-sent events. Read with `fetch`, because `EventSource` cannot send the
 * `Authorization` header. A broken stream is opened again until `signal` aborts or access is refused.
 */
import { ask, Locked } from './access.js';

const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 10_000;
/** The gateway speaks every second; after this long without a word the connection is dead, whatever TCP thinks. */
const SILENCE_MS = 8_000;

/**
 * @param {{onState: (state: any) => void, onAway: (error: unknown) => void, signal: AbortSignal}} options
 * @returns {Promise<void>} ends by `signal` alone
 * @throws {Locked}
 */
export async function follow({ onState, onAway, signal }) {
  let attempt = 0;
  while (!signal.aborted) {
    const silence = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(new Error('The gateway fell silent.')), SILENCE_MS);
    };
    try {
      heard();
      const answer = await ask('events', { signal: AbortSignal.any([signal, silence.signal]) });
      for await (const { event, data } of events(/** @type {ReadableStream<BufferSource>} */ (answer.body))) {
        heard();
        attempt = 0;
        if (event === 'state') onState(JSON.parse(data));
      }
      throw new Error('The gateway closed the stream.');
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof Locked) throw error;
      onAway(error);
    } finally {
      clearTimeout(timer);
    }
    const wait = Math.random() * Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** attempt);
    attempt += 1;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/**
 * The events in a `text/event-stream` (HTML standard, 9.2.6).
 * @param {ReadableStream<BufferSource>} body
 */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      let event = 'message';
      const data = [];
      for (const line of block.split(/\r?\n/)) {
        const [, field, text] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
        if (field === 'event') event = text;
        else if (field === 'data') data.push(text);
      }
      if (data.length) yield { event, data: data.join('\n') };
    }
  }
}
