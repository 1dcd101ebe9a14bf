/** Somebody's profile, by their username in the address (`?dialog=person&name=…`). */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../html.js';
import * as api from '../net/api.js';
import { go, query } from '../router.js';
import { openDirect } from '../state/chat.js';
import { notifyFailure } from '../state/notices.js';
import { meet, nameOf, online } from '../state/people.js';
import { myId } from '../state/session.js';
import { Avatar } from '../ui/avatar.js';
import { Dialog } from '../ui/dialog.js';
import { Failed, Loading } from '../ui/faces.js';
import { Icon } from '../ui/icon.js';
import { dayWithin } from '../ui/moments.js';

/** @param {{onClose: () => void}} props */
export function Person({ onClose }) {
  const name = query.value.get('name') ?? '';
  const [profile, setProfile] = useState(/** @type {api.PublicProfile | null} */ (null));
  const [failed, setFailed] = useState(/** @type {unknown} */ (null));
  useEffect(() => {
    api.personNamed(name).then((found) => {
      meet(found);
      setProfile(found);
    }, setFailed);
  }, [name]);

  const write = () => profile && openDirect(profile.id).then((room) => go(`/rooms/${room.id}`, { replace: true }), notifyFailure);
  return html`
    <${Dialog} addressed title="Profile" onClose=${onClose}>
      ${failed
        ? html`<${Failed} title="This profile did not load" error=${failed} />`
        : !profile
          ? html`<${Loading} />`
          : html`
            <div class="person">
              <${Avatar} id=${profile.id} size="large" presence />
              <div>
                <h3>${nameOf(profile)}</h3>
                <p class="is-soft">@${profile.username} · ${online(profile.id).value || profile.id === myId.value ? 'online' : 'offline'}</p>
                ${profile.bio && html`<p class="person-bio">${profile.bio}</p>`}
                ${profile.created_at && html`<p class="hint">Here since ${dayWithin(profile.created_at)}</p>`}
              </div>
            </div>
            <div class="actions">
              ${profile.id === myId.value
                ? html`<a class="button" href="/settings/profile">Edit your profile</a>`
                : html`<button type="button" class="button is-primary" onClick=${write}><${Icon} name="message" size=${18} />Message</button>`}
            </div>`}
    <//>`;
}
