/** The user's own pages: a list at the side, one page beside it; on a phone the list first, then the page. */
import { html } from '../../html.js';
import * as api from '../../net/api.js';
import { path } from '../../router.js';
import { user } from '../../state/session.js';
import { Icon } from '../../ui/icon.js';
import { Bar } from '../bar.js';
import { Account } from './account.js';
import { Appearance } from './appearance.js';
import { Devices } from './devices.js';
import { Notifications } from './notifications.js';
import { Profile } from './profile.js';
import { Security } from './security.js';

/** @type {{path: string, name: string, icon: import('../../ui/icon.js').IconName, view: any}[]} */
const PAGES = [
  { path: '/settings/profile', name: 'Profile', icon: 'user', view: Profile },
  { path: '/settings/account', name: 'Account', icon: 'key', view: Account },
  { path: '/settings/security', name: 'Security', icon: 'shield', view: Security },
  { path: '/settings/sessions', name: 'Sessions', icon: 'device', view: Devices },
  { path: '/settings/notifications', name: 'Notifications', icon: 'bell', view: Notifications },
  { path: '/settings/appearance', name: 'Appearance', icon: 'sun', view: Appearance },
];

export function Settings() {
  const page = PAGES.find((one) => one.path === path.value) ?? PAGES[0];
  const View = page.view;
  const isList = path.value === '/settings';
  return html`
    <${Bar} title=${isList ? 'Settings' : html`<span class="on-phone">${page.name}</span><span class="on-desk">Settings</span>`} back=${isList ? '/' : '/settings'} />
    <div class="settings ${isList ? 'at-list' : ''}">
      <nav class="settings-nav" aria-label="Settings">
        <ul>
          ${PAGES.map((one) => html`
            <li key=${one.path}><a class="side-link" href=${one.path} aria-current=${one === page ? 'page' : undefined}><${Icon} name=${one.icon} size=${18} />${one.name}</a></li>`)}
          ${user.value?.role === 'admin' && html`<li><a class="side-link" href="/admin/"><${Icon} name="gate" size=${18} />Server health</a></li>`}
          <li class="settings-exit"><button type="button" class="side-link" onClick=${api.signOut}><${Icon} name="exit" size=${18} />Sign out</button></li>
        </ul>
      </nav>
      <div class="scroll"><div class="column settings-page"><${View} /></div></div>
    </div>`;
}
