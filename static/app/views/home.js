/** Beside the list, when no room is chosen: where to begin. On a phone the list itself stands here. */
import { html } from '../html.js';
import { withQuery } from '../router.js';
import { myDirects, myRooms } from '../state/rooms.js';
import { Empty } from '../ui/faces.js';
import { Icon } from '../ui/icon.js';

export function Home() {
  const isNew = !myRooms.value.length && !myDirects.value.length;
  return html`
    <${Empty} icon="message" title=${isNew ? 'Welcome to Irongate' : 'Pick a conversation'}>
      <p>${isNew ? 'Join a room that is already there, or open one of your own.' : 'Your rooms are at the side. There may be more to discover.'}</p>
      <div class="actions is-centred">
        <a class="button is-primary" href="/rooms"><${Icon} name="compass" size=${18} />Browse rooms</a>
        <a class="button" href=${withQuery({ dialog: 'new-room' })}><${Icon} name="plus" size=${18} />New room</a>
      </div>
    <//>`;
}
