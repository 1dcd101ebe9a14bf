/** The front door: what this is, and the two ways in. */
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
      <h1>A place to talk, behind your own gate.</h1>
      <p class="lead">Rooms for your team, direct messages, and a history you can search.</p>
      <div class="welcome-actions">
        <a class="button is-primary is-large" href="/register">Create an account</a>
        <a class="button is-large" href="/login">Sign in</a>
      </div>
      <ul class="facts">
        ${FACTS.map(([icon, title, text]) => html`
          <li><span class="fact-icon"><${Icon} name=${icon} /></span><h2>${title}</h2><p>${text}</p></li>`)}
      </ul>
    </section>`;
}
