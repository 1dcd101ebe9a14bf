/** Whether the system may tell about mentions and direct messages. */
import { html } from '../../html.js';
import { alertsAllowed, alertsWanted, wantAlerts } from '../../state/alerts.js';

const WHY_NOT = /** @type {Record<string, string>} */ ({
  denied: 'Your browser blocks notifications from this page. Its settings for this site can change that.',
  unsupported: 'This browser has no notifications.',
});

export function Notifications() {
  const why = WHY_NOT[alertsAllowed.value];
  return html`
    <h2>Notifications</h2>
    <label class="choice">
      <input type="checkbox" checked=${alertsWanted.value} disabled=${Boolean(why)} onChange=${(/** @type {any} */ event) => wantAlerts(event.currentTarget.checked)} />
      <span><strong>Tell me about mentions and direct messages</strong><small>Only in this browser, and only while you look elsewhere.</small></span>
    </label>
    ${why && html`<p class="is-soft">${why}</p>`}`;
}
