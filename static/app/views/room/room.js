/** One room: finds it, loads its newest messages, and puts head, messages, composer and details together. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { signal } from '@preact/signals';
import { html } from '../../html.js';
import { Problem } from '../../net/http.js';
import { go, query, withQuery } from '../../router.js';
import { findRoom, join, removal, showLatest } from '../../state/chat.js';
import { notify, notifyFailure } from '../../state/notices.js';
import { rooms } from '../../state/rooms.js';
import { upload } from '../../state/uploads.js';
import { Empty, Failed, Loading } from '../../ui/faces.js';
import { Icon } from '../../ui/icon.js';
import { lazy } from '../../ui/lazy.js';
import { Bar } from '../bar.js';
import { Composer } from './composer.js';
import { ConnectionLine } from './connection-line.js';
import { MessageList } from './message-list.js';
import { TypingLine } from './typing-line.js';

const Details = lazy(() => import('./details.js').then(({ Details: view }) => view));

/**
 * What the user is about to do with a message, shared by the list and the composer.
 * @typedef {{kind: 'reply' | 'edit', message: import('../../net/api.js').Message} | null} Intent
 */

/** @param {{id: string}} props */
export function RoomView({ id }) {
  const room = rooms.value.get(id);
  const [failed, setFailed] = useState(/** @type {unknown} */ (null));
  const [attempt, retry] = useState(0);
  useGoodbye(id);

  useEffect(() => {
    setFailed(null);
    findRoom(id).then(
      (found) => (found.timeline.loaded.value || query.peek().has('at') ? undefined : showLatest(found)),
    ).catch(setFailed);
  }, [id, attempt]);

  if (failed instanceof Problem && failed.status === 404) {
    return html`
      <${Empty} icon="lock" title="This room is not here for you" isPage>
        <p>It does not exist, or you would need an invitation.</p>
        <a class="button" href="/rooms">Browse rooms</a>
      <//>`;
  }
  if (failed) return html`<${Failed} title="This room did not load" error=${failed} onRetry=${() => retry(attempt + 1)} />`;
  if (!room) return html`<${Loading} label="Loading the room" />`;
  return html`<${Conversation} room=${room} />`;
}

/** @param {{room: import('../../state/rooms.js').Room}} props */
function Conversation({ room }) {
  const intent = useMemo(() => signal(/** @type {Intent} */ (null)), [room]);
  const { kind, topic, members } = room.summary.value;
  const details = query.value.has('details');
  const { dropping, drop } = useDrop(room);
  return html`
    <div class="room">
      <section class="conversation ${dropping ? 'is-dropping' : ''}" aria-label="Conversation" ...${drop}>
        <${Bar} title=${html`${kind !== 'dm' && html`<${Icon} name=${kind === 'private' ? 'lock' : 'hash'} size=${18} />`}${room.title.value}`} subtitle=${topic}>
          <a class="button is-quiet" href=${withQuery({ details: details ? null : '1' })} aria-expanded=${details}>
            <${Icon} name="people" size=${18} /><span class="for-readers">Room details, </span>${members}<span class="for-readers"> ${members === 1 ? 'member' : 'members'}</span>
          </a>
        <//>
        <${ConnectionLine} />
        <${MessageList} room=${room} intent=${intent} />
        ${room.isMine.value
          ? html`<${TypingLine} room=${room} /><${Composer} key=${room.id} room=${room} intent=${intent} />`
          : html`<${JoinBar} room=${room} />`}
        ${dropping && html`<div class="drop-here" aria-hidden="true"><${Icon} name="clip" size=${28} />Drop files to send them to ${room.title.value}</div>`}
      </section>
      ${details && html`<aside class="details" aria-label="Room details"><${Details} room=${room} /></aside>`}
    </div>`;
}

/** Files that are dragged over the conversation. @param {import('../../state/rooms.js').Room} room */
function useDrop(room) {
  const [dropping, setDropping] = useState(false);
  const hasFiles = (/** @type {DragEvent} */ event) => room.isMine.value && event.dataTransfer?.types.includes('Files');
  const drop = {
    /** @param {DragEvent} event */
    onDragOver: (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setDropping(true);
    },
    /** From one child to the next is no leaving. @param {any} event */
    onDragLeave: (event) => { if (!event.currentTarget.contains(event.relatedTarget)) setDropping(false); },
    /** @param {DragEvent} event */
    onDrop: (event) => {
      setDropping(false);
      if (!hasFiles(event)) return;
      event.preventDefault();
      upload(room.id, [...event.dataTransfer?.files ?? []]);
    },
  };
  return { dropping, drop };
}

/** @param {{room: import('../../state/rooms.js').Room}} props */
function JoinBar({ room }) {
  const [busy, setBusy] = useState(false);
  const enter = () => {
    setBusy(true);
    join(room).catch(notifyFailure).finally(() => setBusy(false));
  };
  return html`
    <div class="join-bar">
      <p>You are looking at <strong>${room.title.value}</strong> from outside.</p>
      <button type="button" class="button is-primary" disabled=${busy} onClick=${enter}>Join room</button>
    </div>`;
}

const REASONS = /** @type {Record<string, string>} */ ({
  kick: 'You were removed from this room.',
  ban: 'You were banned from this room.',
  deleted: 'This room was deleted.',
});

/** Leaves the view when the room went away under it, and says why. @param {string} id */
function useGoodbye(id) {
  const gone = removal.value;
  useEffect(() => {
    if (gone?.room !== id) return;
    removal.value = null;
    notify(REASONS[gone.why] ?? 'You are no longer in this room.', 'failed');
    go('/', { replace: true });
  }, [gone]);
}
