/**
 * Where the user is, as a signal of the address bar, and the two ways to be somewhere else: a plain `<a href>` and
 * `go()`. What has no address of its own (a question, an emoji picker) lies over the page as a layer with an entry in the
 * history, so the back button works everywhere: it closes the uppermost layer, or leads to the address before.
 */
import { computed, signal } from '@preact/signals';

/** Paths of this origin that are somebody else's pages. */
const OUTSIDE = /^\/(admin|auth|user|chat)(\/|$)/;

/**
 * What an entry of the history remembers.
 * @typedef {{from?: string, layer?: number}} Entry `from`: the address that was left for this one; `layer`: how many layers
 *   lie over the page
 */

/** @type {import('@preact/signals').Signal<URL>} */
const address = signal(new URL(location.href));

/** The path in front of the user. */
export const path = computed(() => address.value.pathname);

/** The query of the address. */
export const query = computed(() => address.value.searchParams);

/** What stands behind the `#`, which never reaches a server: one-time tokens of mails come this way. */
export const fragment = computed(() => new URLSearchParams(address.value.hash.slice(1)));

/** @param {string} to @param {{replace?: boolean}} [options] `replace` leaves no entry behind for the back button */
export function go(to, options = {}) {
  if (layers.length) leaveLayers();
  if (settling) {
    waiting.push(() => go(to, options));
    return;
  }
  const target = new URL(to, location.href);
  if (target.href === location.href) return;
  const { replace = false } = options;
  if (OUTSIDE.test(target.pathname)) return location[replace ? 'replace' : 'assign'](target);
  if (replace) history.replaceState({ from: entry().from }, '', target);
  else history.pushState({ from: location.href }, '', target);
  address.value = target;
}

/** Undoes a `go()`: back to where it led from when that is the address meant, else there. @param {string} to */
export function goBack(to) {
  if (settling) waiting.push(() => goBack(to));
  else if (!layers.length && entry().from === new URL(to, location.href).href) back(1);
  else go(to, { replace: true });
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

/** @returns {Entry} */
const entry = () => history.state ?? {};

/** What closes each layer, the uppermost last. @type {(() => void)[]} */
const layers = [];
/** How many entries the browser is going back on our behalf, which takes it a moment, and how many more are to follow. */
let settling = 0;
let owed = 0;
/** What wants to change the history meanwhile; done at once, it would be undone. @type {(() => void)[]} */
let waiting = [];
/** @type {ReturnType<typeof setTimeout> | undefined} */
let patience;
/** A browser that says nothing for this long has had nowhere to go. */
const PATIENCE_MS = 1_000;

/**
 * Something lies over the page from here on.
 * @param {() => void} close what the back button does
 * @returns {() => void} for when it was closed in another way
 */
export function openLayer(close) {
  let isClosed = false;
  const open = () => {
    if (isClosed) return;
    layers.push(close);
    history.pushState({ ...entry(), layer: layers.length }, '');
  };
  if (settling) waiting.push(open);
  else open();
  return () => {
    isClosed = true;
    const index = layers.indexOf(close);
    if (index >= 0) back(layers.splice(index).length);
  };
}

function leaveLayers() {
  const left = layers.splice(0);
  back(left.length);
  for (const close of left) close();
}

/** @param {number} entries */
function back(entries) {
  // Two orders at once may become one.
  if (settling) {
    owed += entries;
    return;
  }
  settling = entries;
  history.go(-entries);
  patience = setTimeout(moved, PATIENCE_MS);
}

function moved() {
  clearTimeout(patience);
  settling = 0;
  if (owed) {
    const more = owed;
    owed = 0;
    return back(more);
  }
  const { layer = 0 } = entry();
  while (layers.length > layer) layers.pop()?.();
  // Forward again, to a layer that is gone: there is nothing to see there.
  if (layer > layers.length) return back(layer - layers.length);
  if (address.peek().href !== location.href) address.value = new URL(location.href);
  const orders = waiting;
  waiting = [];
  for (const order of orders) order();
}

/** Begins to listen to the address bar, and turns clicks on links of this application into `go()`; call once. */
export function followLinks() {
  // A layer does not outlive a reload.
  if (entry().layer) history.replaceState({ from: entry().from }, '');
  addEventListener('popstate', moved);
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = /** @type {Element} */ (event.target).closest?.('a[href]');
    if (!(link instanceof HTMLAnchorElement) || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (OUTSIDE.test(link.pathname)) return;
    event.preventDefault();
    go(link.href);
  });
}
