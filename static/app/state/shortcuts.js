/** The keys that work everywhere. What each view adds stands in the view; the help dialog lists them all. */
import { go, withQuery } from '../router.js';
import { phase } from './session.js';

/** Call once. */
export function followShortcuts() {
  document.addEventListener('keydown', (event) => {
    if (phase.value !== 'signed-in' || event.isComposing || event.altKey) return;
    const writes = /** @type {Element} */ (event.target).matches?.('input, textarea, select');
    const command = event.ctrlKey || event.metaKey;
    if (command && !event.shiftKey && event.key.toLowerCase() === 'k') open('jump');
    else if (command && event.key === '/') open('keys');
    else if (!command && !writes && event.key === '?') open('keys');
    else if (!command && !writes && event.key === '/') go('/search');
    else return;
    event.preventDefault();
  });
}

/** @param {string} dialog */
const open = (dialog) => go(withQuery({ dialog }));
