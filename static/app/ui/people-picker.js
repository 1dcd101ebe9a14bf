/** A search field over everybody, with the people found below it. */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../html.js';
import * as api from '../net/api.js';
import { meet, nameOf } from '../state/people.js';
import { myId } from '../state/session.js';
import { Avatar } from './avatar.js';
import { Field } from './field.js';

const PAUSE_MS = 150;

/**
 * @param {{label: string, action: string, onChoose: (profile: api.Profile) => void,
 *          inside?: ReadonlySet<string>}} props `action` names what choosing does; `inside` are those for whom it is done
 */
export function PeoplePicker({ label, action, onChoose, inside = new Set() }) {
  const [text, setText] = useState('');
  const [found, setFound] = useState(/** @type {api.Profile[] | null} */ (null));
  const [failed, setFailed] = useState(/** @type {unknown} */ (null));

  useEffect(() => {
    const asked = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const { items } = await api.findPeople(text.trim(), asked.signal);
        items.forEach(meet);
        setFailed(null);
        setFound(items);
      } catch (error) {
        if (!asked.signal.aborted) setFailed(error);
      }
    }, text ? PAUSE_MS : 0);
    return () => {
      clearTimeout(timer);
      asked.abort();
    };
  }, [text]);

  const rank = (/** @type {api.Profile} */ { id }) => Number(inside.has(id));
  const shown = found?.filter(({ id }) => id !== myId.value).sort((one, other) => rank(one) - rank(other));
  return html`
    <div class="picker">
      <${Field} label=${label} name="search" type="search" value=${text} onInput=${setText} placeholder="Name or username" autocomplete="off" autofocus />
      <ul class="picker-list" aria-label="People found">
        ${failed instanceof Error && html`<li class="picker-none" role="alert">${failed.message}</li>`}
        ${shown?.length === 0 && html`<li class="picker-none">Nobody${text ? ` called “${text}”` : ' else is here yet'}.</li>`}
        ${shown?.map((profile) => html`
          <li key=${profile.id}>
            <button type="button" class="picker-item" disabled=${inside.has(profile.id)} onClick=${() => onChoose(profile)}>
              <span class="for-readers">${action} </span>
              <${Avatar} id=${profile.id} presence />
              <span><strong>${nameOf(profile)}</strong><small>@${profile.username}</small></span>
              ${inside.has(profile.id) && html`<span class="tag">in here</span>`}
            </button>
          </li>`)}
      </ul>
    </div>`;
}
