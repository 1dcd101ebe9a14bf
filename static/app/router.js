/**
 * Where the user is, as a signal of the address bar, and the two ways to be somewhere else: a plain `<a href>` and
 * `go()`. There is no other navigation state, so the back button works everywhere by itself.
 */
import { computed, signal } from '@preact/signals';

/** Paths of this origin that are somebody else's pages. */
const OUTSIDE = /^\/(admin|auth|user|chat)(\/|$)/;

/** @type {import('@preact/signals').Signal<URL>} */
const address = signal(new URL(location.href));

/** The path in front of the user. */
export const path = computed(() => address.value.pathname);

/** The query of the address. */
export const query = computed(() => address.value.searchParams);

/** What stands behind the `#`, which never reaches a server: one-time tokens of mails come this way. */
export const fragment = computed(() => new URLSearchParams(address.value.hash.slice(1)));

/** @param {string} to @param {{replace?: boolean}} [options] `replace` leaves no entry behind for the back button */
export function go(to, { replace = false } = {}) {
  const target = new URL(to, location.href);
  if (target.href === location.href) return;
  if (OUTSIDE.test(target.pathname)) return location[replace ? 'replace' : 'assign'](target);
  history[replace ? 'replaceState' : 'pushState'](null, '', target);
  address.value = target;
}

/** The address with query values changed; `null` takes one away. @param {Record<string, string | null>} changes */
export function withQuery(changes) {
  const target = new URL(address.value);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) target.searchParams.delete(name);
    else target.searchParams.set(name, value);
  }
  return target.pathname + target.search;
}

/** Turns clicks on links of this application into `go()`; call once. */
export function followLinks() {
  addEventListener('popstate', () => { address.value = new URL(location.href); });
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = /** @type {Element} */ (event.target).closest?.('a[href]');
    if (!(link instanceof HTMLAnchorElement) || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (OUTSIDE.test(link.pathname)) return;
    event.preventDefault();
    go(link.href);
  });
}
