/** The front door: what this is, how it looks inside, and the two ways in. */
import { html } from '../../html.js';
import { Icon } from '../../ui/icon.js';

/** @type {[import('../../ui/icon.js').IconName, string, string][]} */
const FACTS = [
  ['message', 'Every message arrives', 'Lose the network, close the lid, restart a server: what was said is there, once and in order.'],
  ['lock', 'On your own server', 'Accounts, rooms and history live in your database. Nothing on this page is loaded from anywhere else.'],
  ['device', 'Wherever you are', 'Phone and desktop, light and dark, keyboard and screen reader.'],
];

export function Welcome() {
  return html`
    <section class="welcome">
      <div class="welcome-words">
        <h1>A place to talk, behind your own gate.</h1>
        <p class="lead">Rooms for your team, direct messages, and a history you can search.</p>
        <div class="welcome-actions">
          <a class="button is-primary is-large" href="/register">Create an account</a>
          <a class="button is-large" href="/login">Sign in</a>
        </div>
      </div>
      <${Glimpse} />
      <ul class="facts">
        ${FACTS.map(([icon, title, text]) => html`
          <li><${Icon} name=${icon} size=${22} /><h2>${title}</h2><p>${text}</p></li>`)}
      </ul>
    </section>`;
}

/** A conversation as it looks inside, drawn with its own styles: it is light or dark as the visitor is, and needs no picture. */
function Glimpse() {
  return html`
    <div class="glimpse" aria-hidden="true">
      <p class="glimpse-bar"><${Icon} name="hash" size=${16} /><strong>harbour</strong></p>
      <${Said} hue=${2} letters="AL" name="Ann Lee" time="9:12">Good morning! The <strong>Aurora</strong> comes in with the tide.<//>
      <${Said} hue=${1} letters="BO" name="Bob Okafor" time="9:14">Crane 2 is free from noon.
        <span class="reactions"><span class="reaction is-mine"><span>👍</span><span>2</span></span><span class="reaction"><span>🎉</span><span>1</span></span></span>
      <//>
      <${Said} hue=${8} letters="CM" name="Chloé Martin" time="9:15"><span class="mention is-me">@ann</span> the new chart of the quay is up.<//>
      <p class="typing-line"><span class="dots"><i></i><i></i><i></i></span>Ann Lee is typing</p>
    </div>`;
}

/** @param {{hue: number, letters: string, name: string, time: string, children?: any}} props */
const Said = ({ hue, letters, name, time, children }) => html`
  <div class="message">
    <div class="message-side"><span class="avatar avatar-medium"><span class="initials hue-${hue}">${letters}</span></span></div>
    <div class="message-main"><header><span class="message-author">${name}</span><time>${time}</time></header><div class="message-body">${children}</div></div>
  </div>`;
