/** Notifications of the system, for what is meant for this user while they look elsewhere. Off until they ask for it. */
import { signal } from '@preact/signals';
import { go } from '../router.js';

const KEY = 'irongate.alerts';

/** Whether alerts are wanted in this browser. */
export const alertsWanted = signal(localStorage.getItem(KEY) === '1');

/** What the browser says to them. */
export const alertsAllowed = signal(/** @type {NotificationPermission | 'unsupported'} */ ('Notification' in window ? Notification.permission : 'unsupported'));

/** @param {boolean} wanted */
export async function wantAlerts(wanted) {
  if (wanted && alertsAllowed.value === 'default') alertsAllowed.value = await Notification.requestPermission();
  alertsWanted.value = wanted && alertsAllowed.value === 'granted';
  if (alertsWanted.value) localStorage.setItem(KEY, '1');
  else localStorage.removeItem(KEY);
}

/**
 * @param {{room: string, title: string, text: string, icon: string | null}} about Every room has at most one alert, the
 *   newest; all tabs share it by its tag.
 */
export function alert({ room, title, text, icon }) {
  if (!alertsWanted.value || alertsAllowed.value !== 'granted' || (!document.hidden && document.hasFocus())) return;
  const shown = new Notification(title, { body: text.slice(0, 200), tag: `room ${room}`, icon: icon ?? '/favicon.svg' });
  shown.onclick = () => {
    window.focus();
    go(`/rooms/${room}`);
    shown.close();
  };
}
