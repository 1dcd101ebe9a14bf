/** Where a message is written: a draft that is kept, a reply or an edit in hand, Enter to send. */
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { html } from '../../html.js';
import { edit, loadMembers, sayTyping, send } from '../../state/chat.js';
import { draft, keepDraft } from '../../state/drafts.js';
import { notifyFailure } from '../../state/notices.js';
import { nameOf, person } from '../../state/people.js';
import { myId } from '../../state/session.js';
import { take, upload, uploadsOf } from '../../state/uploads.js';
import { EmojiPicker } from '../../ui/emoji-picker-later.js';
import { Icon } from '../../ui/icon.js';
import { candidates, mentionAt, MentionList } from './mention-list.js';
import { UploadList } from './upload-list.js';

/** What the service takes in one message, in characters. */
const LONGEST = 8_000;

/** @param {{room: import('../../state/rooms.js').Room, intent: import('@preact/signals').Signal<import('./room.js').Intent>}} props */
export function Composer({ room, intent }) {
  const [text, setText] = useState(() => draft(myId.value, room.id));
  const [caret, setCaret] = useState(0);
  const [chosen, setChosen] = useState(0);
  const [refused, setRefused] = useState(-1);
  const [picking, setPicking] = useState(false);
  /** @type {{current: HTMLTextAreaElement | null}} */
  const area = useRef(null);
  const listId = useId();
  const doing = intent.value;
  const editing = doing?.kind === 'edit' ? doing.message : null;

  const files = uploadsOf(room.id).value;
  const body = text.trim();
  const isLong = body.length > LONGEST;
  // An edit changes the words alone, and needs none where there are files.
  const isReady = !isLong && (editing
    ? Boolean(body || editing.attachments?.length)
    : Boolean(body || files.length) && files.every(({ state }) => state === 'there'));

  const mention = mentionAt(text, caret);
  const people = mention && mention.start !== refused ? candidates(room.members.value, mention.wanted) : [];
  const marked = Math.min(chosen, people.length - 1);

  useEffect(() => {
    if (editing) setText(editing.body ?? '');
    if (doing) area.current?.focus();
  }, [doing]);
  useEffect(() => { if (matchMedia('(hover: hover)').matches) area.current?.focus(); }, []);
  useEffect(() => grow(area.current), [text]);
  useEffect(() => { if (mention && !room.members.value) loadMembers(room).catch(() => {}); }, [mention === null]);

  /** @param {string} value @param {number} at where the caret stands in it */
  function write(value, at) {
    setText(value);
    setCaret(at);
    if (editing) return;
    keepDraft(myId.value, room.id, value);
    if (value.trim()) sayTyping(room);
  }

  /** Puts a piece in place of a part of the text, with the caret behind it. @param {string} piece @param {number} start @param {number} end */
  function insert(piece, start, end) {
    const at = start + piece.length;
    write(text.slice(0, start) + piece + text.slice(end), at);
    requestAnimationFrame(() => {
      area.current?.focus();
      area.current?.setSelectionRange(at, at);
    });
  }

  function cancel() {
    if (editing) setText(draft(myId.value, room.id));
    intent.value = null;
  }

  function submit() {
    if (!isReady) return;
    if (editing) {
      if (body !== editing.body) edit(room, editing.seq, body).catch(notifyFailure);
      cancel();
      return;
    }
    send(room, body, doing?.message.seq ?? null, take(room.id));
    write('', 0);
    intent.value = null;
    area.current?.focus();
  }

  /** @param {ClipboardEvent} event */
  function paste(event) {
    const pasted = [...event.clipboardData?.files ?? []];
    // What was copied from a document comes as text and as a picture of it: then the text is meant.
    if (!pasted.length || event.clipboardData?.types.includes('text/plain')) return;
    event.preventDefault();
    upload(room.id, pasted);
  }

  /** @param {any} event */
  function choose({ currentTarget }) {
    upload(room.id, [...currentTarget.files]);
    currentTarget.value = '';
    area.current?.focus();
  }

  /** Keys that belong to the list of people, while it is open. @param {KeyboardEvent} event */
  function keyInList(event) {
    if (!people.length || !mention) return false;
    if (event.key === 'ArrowDown') setChosen((marked + 1) % people.length);
    else if (event.key === 'ArrowUp') setChosen((marked + people.length - 1) % people.length);
    else if (event.key === 'Enter' || event.key === 'Tab') insert(`${people[marked].username} `, mention.start, caret);
    else if (event.key === 'Escape') setRefused(mention.start);
    else return false;
    event.preventDefault();
    return true;
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    if (event.isComposing || keyInList(event)) return;
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

  const left = LONGEST - body.length;
  return html`
    <form class="composer" aria-label="Write a message" onSubmit=${(/** @type {Event} */ event) => { event.preventDefault(); submit(); }}>
      ${people.length > 0 && mention && html`<${MentionList} id=${listId} people=${people} chosen=${marked} onChoose=${(/** @type {any} */ profile) => insert(`${profile.username} `, mention.start, caret)} />`}
      ${doing && html`
        <div class="composer-intent">
          <${Icon} name=${doing.kind} size=${16} />
          <span>${editing ? 'Editing your message' : html`Replying to <strong>${nameOf(person(doing.message.from).value)}</strong>`}</span>
          <button type="button" class="icon-button" aria-label=${editing ? 'Stop editing' : 'Do not reply'} onClick=${cancel}><${Icon} name="close" size=${16} /></button>
        </div>`}
      ${!editing && html`<${UploadList} room=${room.id} />`}
      <div class="composer-box">
        <textarea ref=${area} rows="1" aria-label="Message ${room.title.value}" placeholder="Message ${room.title.value}" value=${text} enterkeyhint="send"
          aria-autocomplete="list" aria-controls=${people.length ? listId : undefined} aria-activedescendant=${people.length ? `${listId}-${marked}` : undefined}
          onInput=${(/** @type {any} */ { currentTarget: { value, selectionStart } }) => write(value, selectionStart)}
          onSelect=${(/** @type {any} */ { currentTarget: { selectionStart } }) => setCaret(selectionStart)}
          onKeyDown=${key} onPaste=${paste}></textarea>
        ${!editing && html`<label class="icon-button composer-tool composer-attach" title="Attach files (up to 25 MiB each)"><${Icon} name="clip" /><span class="for-readers">Attach files</span><input class="for-readers" type="file" multiple onChange=${choose} /></label>`}
        <button type="button" class="icon-button composer-tool" aria-label="Emoji" title="Emoji" onClick=${() => setPicking(true)}><${Icon} name="smile" /></button>
        <button class="send" aria-label=${editing ? 'Save' : 'Send'} disabled=${!isReady}><${Icon} name=${editing ? 'check' : 'send'} size=${18} /></button>
      </div>
      ${left < 500 && html`<p class="composer-left ${left < 0 ? 'is-over' : ''}" role="status">${left < 0 ? `${-left} characters too long` : `${left} characters left`}</p>`}
    </form>
    ${picking && html`<${EmojiPicker} title="Emoji" onClose=${() => setPicking(false)} onChoose=${(/** @type {string} */ emoji) => { setPicking(false); insert(emoji, caret, caret); }} />`}`;
}

/** As high as its text, up to the limit in the style sheet. @param {HTMLTextAreaElement | null} area */
function grow(area) {
  if (!area || CSS.supports('field-sizing', 'content')) return;
  area.style.height = 'auto';
  area.style.height = `${area.scrollHeight}px`;
}
