/**
 * A view whose file is loaded when it is first shown, or when the browser has nothing else to do. So the first page comes
 * quickly, and the later ones are there even when the server is away for a moment.
 */
import { useEffect, useState } from 'preact/hooks';
import { html } from '../html.js';
import { Failed, Loading } from './faces.js';

/** @type {(() => Promise<unknown>)[]} */
const waiting = [];

/** Some browsers (Safari) have no idle callback; a moment later is good enough there. */
const whenIdle = window.requestIdleCallback ?? ((/** @type {() => void} */ call) => setTimeout(call, 1_000));

/** The first view has the network to itself for this long. */
const FIRST_VIEW_MS = 2_000;

/** Loads what is not loaded yet, once the first view is there. @returns {() => void} takes the order back */
export function loadTheRest() {
  const timer = setTimeout(loadNext, FIRST_VIEW_MS);
  return () => clearTimeout(timer);
}

/** One file after the other, in idle moments. */
function loadNext() {
  const load = waiting.shift();
  if (load) whenIdle(() => load().catch(() => {}).finally(loadNext));
}

/**
 * @param {() => Promise<any>} load the view itself, e.g. `() => import('./search.js').then(({ Search }) => Search)`
 * @param {{isDialog?: boolean}} [options] a dialog comes over the page: on its way it must not take a place in it
 */
export function lazy(load, { isDialog = false } = {}) {
  /** @type {any} */
  let View = null;
  const fetch = async () => { View ??= await load(); };
  waiting.push(fetch);

  /** @param {any} props */
  function Lazy(props) {
    const [failed, setFailed] = useState(/** @type {unknown} */ (null));
    const [, arrived] = useState(false);
    const get = () => {
      setFailed(null);
      fetch().then(() => arrived(true), setFailed);
    };
    const wasThere = View !== null;
    useEffect(() => {
      if (!View) get();
      // Begun ahead, it came after the drawing and before this.
      else if (!wasThere) arrived(true);
    }, []);
    if (failed) return html`<${Failed} error=${new Error('The server could not be reached.')} onRetry=${get} />`;
    if (View) return html`<${View} ...${props} />`;
    return isDialog ? null : html`<${Loading} />`;
  }
  /** Begins to load ahead of the first showing. A failure is no matter here: showing it tries again, and tells. */
  Lazy.ahead = () => { fetch().catch(() => {}); };
  return Lazy;
}

/** The style sheet of a lazy view; resolved once it is in force, so that the view never shows without it. @param {string} href */
export const sheet = (href) => new Promise((resolve, reject) => {
  const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href });
  link.onload = resolve;
  link.onerror = () => {
    // The next attempt asks again.
    link.remove();
    reject(new Error(`${href} did not load`));
  };
  document.head.append(link);
});
