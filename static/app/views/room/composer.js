/** Where a message is written: a draft that is kept, a reply or an edit in hand, Enter to send. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from '../../html.js';
import { edit, sayTyping, send } from '../../state/chat.js';
import { draft, keepDraft } from '../../state/drafts.js';
import { notifyFailure } from '../../state/notices.js';
import { nameOf, person } from '../../state/people.js';
import { myId } from '../../state/session.js';
import { Icon } from '../../ui/icon.js';

/** What the service takes in one message, in characters. */
const LONGEST = 8_000;

/** @param {{room: import('../../state/rooms.js').Room, intent: import('@preact/signals').Signal<import('./room.js').Intent>}} props */
export function Composer({ room, intent }) {
  const [text, setText] = useState(() => draft(myId.value, room.id));
  /** @type {{current: HTMLTextAreaElement | null}} */
  const area = useRef(null);
  const doing = intent.value;
  const editing = doing?.kind === 'edit' ? doing.message : null;

  useEffect(() => {
    if (editing) setText(editing.body ?? '');
    if (doing) area.current?.focus();
  }, [doing]);
  useEffect(() => { if (matchMedia('(hover: hover)').matches) area.current?.focus(); }, []);
  useEffect(() => grow(area.current), [text]);

  /** @param {string} value */
  function write(value) {
    setText(value);
    if (editing) return;
    keepDraft(myId.value, room.id, value);
    if (value.trim()) sayTyping(room);
  }

  function cancel() {
    if (editing) setText(draft(myId.value, room.id));
    intent.value = null;
  }

  function submit() {
    const body = text.trim();
    if (!body || body.length > LONGEST) return;
    if (editing) {
      if (body !== editing.body) edit(room, editing.seq, body).catch(notifyFailure);
      cancel();
      return;
    }
    send(room, body, doing?.message.seq ?? null);
    keepDraft(myId.value, room.id, '');
    setText('');
    intent.value = null;
    area.current?.focus();
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (event.isComposing) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      submit();
    } else if (event.key === 'Escape' && doing) {
      event.preventDefault();
      cancel();
    } else if (event.key === 'ArrowUp' && !text && !doing) {
      const last = room.timeline.stretch.peek().items.findLast(({ from, deleted }) => from === myId.value && !deleted);
      if (last) {
        event.preventDefault();
        intent.value = { kind: 'edit', message: last };
      }
    }
  }

  const left = LONGEST - text.length;
  return html`
    <form class="composer" aria-label="Write a message" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); submit(); }}>
      ${doing && html`
        <div class="composer-intent">
          <${Icon} name=${doing.kind} size=${16} />
          <span>${editing ? 'Editing your message' : html`Replying to <strong>${nameOf(person(doing.message.from).value)}</strong>`}</span>
          <button type="button" class="icon-button" aria-label=${editing ? 'Stop editing' : 'Do not reply'} onClick=${cancel}><${Icon} name="close" size=${16} /></button>
        </div>`}
      <div class="composer-box">
        <textarea ref=${area} rows="1" aria-label="Message ${room.title.value}" placeholder="Message ${room.title.value}" value=${text}
          enterkeyhint="send" onInput=${(/** @type {any} */ event) => write(event.currentTarget.value)} onKeyDown=${key}></textarea>
        <button class="send" aria-label=${editing ? 'Save' : 'Send'} disabled=${!text.trim() || left < 0}><${Icon} name=${editing ? 'check' : 'send'} size=${18} /></button>
      </div>
      ${left < 500 && html`<p class="composer-left ${left < 0 ? 'is-over' : ''}" role="status">${left < 0 ? `${-left} characters too long` : `${left} characters left`}</p>`}
    </form>`;
}

/** As high as its text, up to the limit in the style sheet. @param {HTMLTextAreaElement | null} area */
function grow(area) {
  if (!area || CSS.supports('field-sizing', 'content')) return;
  area.style.height = 'auto';
  area.style.height = `${area.scrollHeight}px`;
}
