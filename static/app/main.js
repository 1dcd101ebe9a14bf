/** The start: takes up the session, begins to listen to the address bar and the server, and draws the page. */
import { render } from 'preact';
import { html } from './html.js';
import { followLinks } from './router.js';
import { followSession } from './state/chat.js';
import { resumeSession } from './state/session.js';
import { followShortcuts } from './state/shortcuts.js';
import { App } from './views/app.js';

followLinks();
followShortcuts();
followSession();
resumeSession();
render(html`<${App} />`, /** @type {Element} */ (document.getElementById('app')));
