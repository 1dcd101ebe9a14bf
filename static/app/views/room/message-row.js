/** One message, and what can be done with it. Drawn again only when its own data changes. */
import { Component } from 'preact';
import { html } from '../../html.js';
import { withQuery } from '../../router.js';
import { discard, remove, resend, toggleReaction } from '../../state/chat.js';
import { notify, notifyFailure } from '../../state/notices.js';
import { nameOf, person } from '../../state/people.js';
import { mayModerate } from '../../state/rooms.js';
import { mentionsMe, myId } from '../../state/session.js';
import { gist } from '../../state/timeline.js';
import { Avatar } from '../../ui/avatar.js';
import { Confirm } from '../../ui/dialog.js';
import { EmojiPicker } from '../../ui/emoji-picker-later.js';
import { Icon } from '../../ui/icon.js';
import { Markup } from '../../ui/markup.js';
import { clock, full } from '../../ui/moments.js';
import { Attachments } from './attachments.js';

/**
 * @typedef {import('../../net/api.js').Message} Message
 * @typedef {import('../../state/timeline.js').Unconfirmed} Unconfirmed
 * @typedef {object} Props
 * @property {import('../../state/rooms.js').Room} room
 * @property {import('@preact/signals').Signal<import('./room.js').Intent>} intent
 * @property {Message | Unconfirmed} message
 * @property {boolean} grouped under the name of the message before it
 * @property {boolean} flashed just jumped to
 * @property {Message | null} replied what it replies to, as far as it is loaded
 */

const QUICK = ['👍', '❤️', '😂', '🎉', '👀'];

/** @extends {Component<Props, {active: boolean, picking: false | 'quick' | 'all', deleting: boolean}>} */
export class MessageRow extends Component {
  state = { active: false, picking: /** @type {false | 'quick' | 'all'} */ (false), deleting: false };

  /** @param {Props} next @param {any} state */
  shouldComponentUpdate(next, state) {
    const { message, grouped, flashed, replied } = this.props;
    return state !== this.state || next.message !== message || next.grouped !== grouped || next.flashed !== flashed || next.replied !== replied;
  }

  #show = () => this.setState({ active: true });
  #hide = () => this.setState({ active: false, picking: this.state.picking === 'all' ? 'all' : false });
  /** Focus also ends, with no successor, when the focused button itself goes away: then the tools stay. */
  #left = (/** @type {FocusEvent} */ { currentTarget, relatedTarget }) => {
    if (relatedTarget && !(/** @type {Element} */ (currentTarget)).contains(/** @type {Node} */ (relatedTarget))) this.#hide();
  };

  /** Letters that act on the focused message; shown in the keyboard help. */
  #key = (/** @type {KeyboardEvent} */ event) => {
    const { intent, message } = this.props;
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey || !this.#may.act) return;
    if (event.key === 'r') intent.value = { kind: 'reply', message };
    else if (event.key === 'e' && this.#may.edit) intent.value = { kind: 'edit', message };
    else if (event.key === '+') this.setState({ picking: 'all' });
    else if (event.key === 'c') copy(message.body ?? '');
    else if (event.key === 'Delete' && this.#may.remove) this.setState({ deleting: true });
    else return;
    event.preventDefault();
  };

  #react = (/** @type {string} */ emoji) => {
    this.setState({ picking: false });
    toggleReaction(this.props.room, this.props.message, emoji).catch(notifyFailure);
  };

  get #may() {
    const { room, message } = this.props;
    const act = !('state' in message) && !message.deleted && room.isMine.value;
    const isMine = message.from === myId.value;
    return { act, edit: act && isMine, remove: act && (isMine || mayModerate(room)) };
  }

  render() {
    const { room, intent, message, grouped, flashed, replied } = this.props;
    const { active, picking, deleting } = this.state;
    const author = person(message.from).value;
    const unconfirmed = 'state' in message ? message : null;
    const isEdited = intent.value?.kind === 'edit' && intent.value.message.seq === message.seq && !unconfirmed;
    const kinds = [
      'message', grouped && 'is-grouped', flashed && 'is-flashed', unconfirmed && `is-${unconfirmed.state}`, isEdited && 'is-being-edited',
      !message.deleted && message.from !== myId.value && message.body && mentionsMe(message.body) && 'is-for-me',
    ];
    return html`
      <li class=${kinds.filter(Boolean).join(' ')} data-seq=${message.seq || undefined} tabindex="-1" onKeyDown=${this.#key}
        onMouseEnter=${this.#show} onMouseLeave=${this.#hide} onFocusIn=${this.#show} onFocusOut=${this.#left}>
        ${message.reply_to && html`<${Replied} seq=${message.reply_to} message=${replied} />`}
        <div class="message-side">
          ${grouped
            ? html`<time class="message-clock" datetime=${message.ts} title=${full(message.ts)}>${clock(message.ts)}</time>`
            : html`<${Avatar} id=${message.from} />`}
        </div>
        <div class="message-main">
          ${grouped
            ? html`<span class="for-readers">${nameOf(author)}</span>`
            : html`<header><a class="message-author" href=${withQuery({ dialog: 'person', name: author.username })}>${nameOf(author)}</a><time datetime=${message.ts} title=${full(message.ts)}>${clock(message.ts)}</time></header>`}
          <div class="message-body">
            ${message.deleted
              ? html`<p class="is-gone">This message was deleted.</p>`
              : html`<${Markup} body=${message.body ?? ''} />${message.edited_at && html`<small class="message-edited" title=${full(message.edited_at)}>edited</small>`}`}
          </div>
          ${message.attachments && message.attachments.length > 0 && html`<${Attachments} files=${message.attachments} />`}
          ${message.reactions && message.reactions.length > 0 && html`<${Reactions} room=${room} message=${message} />`}
          ${unconfirmed?.state === 'failed' && html`<${NotSent} room=${room} message=${unconfirmed} />`}
        </div>
        ${active && this.#may.act && this.#tools()}
        ${picking === 'all' && html`<${EmojiPicker} title="Add reaction" onChoose=${this.#react} onClose=${() => this.setState({ picking: false })} />`}
        ${deleting && html`
          <${Confirm} title="Delete message" action="Delete" danger text="It will be gone for everybody. The others see that a message was deleted."
            onClose=${() => this.setState({ deleting: false })}
            onConfirm=${() => { this.setState({ deleting: false }); remove(room, message.seq).catch(notifyFailure); }} />`}
      </li>`;
  }

  #tools() {
    const { intent, message } = this.props;
    return html`
      <div class="message-tools" role="toolbar" aria-label="Message actions">
        ${this.state.picking === 'quick'
          ? html`
            ${QUICK.map((emoji, index) => html`<button type="button" class="icon-button" key=${emoji} aria-label="React with ${emoji}" ref=${index ? undefined : focus} onClick=${() => this.#react(emoji)}>${emoji}</button>`)}
            <button type="button" class="icon-button" aria-label="More reactions" title="More" onClick=${() => this.setState({ picking: 'all' })}><${Icon} name="plus" size=${18} /></button>`
          : html`
            <button type="button" class="icon-button" aria-label="Add reaction" title="React (+)" onClick=${() => this.setState({ picking: 'quick' })}><${Icon} name="smile" size=${18} /></button>
            <button type="button" class="icon-button" aria-label="Reply" title="Reply (R)" onClick=${() => { intent.value = { kind: 'reply', message }; }}><${Icon} name="reply" size=${18} /></button>
            <button type="button" class="icon-button" aria-label="Copy text" title="Copy text (C)" onClick=${() => copy(message.body ?? '')}><${Icon} name="copy" size=${18} /></button>
            ${this.#may.edit && html`<button type="button" class="icon-button" aria-label="Edit" title="Edit (E)" onClick=${() => { intent.value = { kind: 'edit', message }; }}><${Icon} name="edit" size=${18} /></button>`}
            ${this.#may.remove && html`<button type="button" class="icon-button is-danger" aria-label="Delete" title="Delete (Del)" onClick=${() => this.setState({ deleting: true })}><${Icon} name="trash" size=${18} /></button>`}`}
      </div>`;
  }
}

/** @param {HTMLElement | null} element */
const focus = (element) => element?.focus();

/** @param {string} text */
function copy(text) {
  navigator.clipboard.writeText(text).then(() => notify('Copied'), notifyFailure);
}

/** @param {{seq: number, message: Message | null}} props */
function Replied({ seq, message }) {
  return html`
    <a class="replied" href=${withQuery({ at: String(seq) })}>
      <span class="for-readers">In reply to</span>
      <${Icon} name="reply" size=${14} />
      ${message
        ? html`<strong>${nameOf(person(message.from).value)}</strong><span>${gist(message).slice(0, 140)}</span>`
        : html`<span>An earlier message</span>`}
    </a>`;
}

/** @param {{room: import('../../state/rooms.js').Room, message: Message}} props */
function Reactions({ room, message }) {
  return html`
    <ul class="reactions" aria-label="Reactions">
      ${message.reactions?.map(({ emoji, users }) => {
        const isMine = users.includes(myId.value);
        const names = users.map((id) => (id === myId.value ? 'you' : nameOf(person(id).value))).join(', ');
        return html`
          <li key=${emoji}>
            <button type="button" class="reaction ${isMine ? 'is-mine' : ''}" aria-pressed=${isMine} aria-label="${emoji} ${users.length}, ${names}" title=${names}
              disabled=${!room.isMine.value} onClick=${() => toggleReaction(room, message, emoji).catch(notifyFailure)}>
              <span>${emoji}</span><span>${users.length}</span>
            </button>
          </li>`;
      })}
    </ul>`;
}

/** @param {{room: import('../../state/rooms.js').Room, message: Unconfirmed}} props */
function NotSent({ room, message }) {
  return html`
    <p class="not-sent" role="alert">
      <${Icon} name="alert" size=${14} />Not sent: ${message.reason}
      <button type="button" class="link" onClick=${() => resend(room, message)}>Send again</button>
      <button type="button" class="link" onClick=${() => discard(room, message)}>Discard</button>
    </p>`;
}
