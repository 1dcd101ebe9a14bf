/** The whole page: who is asking decides between the way in and the application, the address decides the rest. */
import { useEffect } from 'preact/hooks';
import { html } from '../html.js';
import { go, path, query } from '../router.js';
import { phase, resumeSession } from '../state/session.js';
import { mentionsInAll, rooms, unreadInAll } from '../state/rooms.js';
import { Failed, Loading } from '../ui/faces.js';
import { Announcer, Notices } from '../ui/notices.js';
import { lazy, sheet } from '../ui/lazy.js';

const Entry = lazy(async () => (await Promise.all([import('./entry/entry.js'), sheet('/css/entry.css')]))[0].Entry);
const Shell = lazy(() => import('./shell.js').then(({ Shell: view }) => view));

export function App() {
  return html`
    <${Page} />
    <${Notices} />
    <${Announcer} />`;
}

function Page() {
  usePageTitle();
  // Who was signed in before most likely still is: the application comes while the session is asked for.
  useEffect(() => { if (phase.peek() === 'starting') Shell.ahead(); }, []);
  switch (phase.value) {
    case 'starting': return html`<main class="whole"><${Loading} label="Starting" /></main>`;
    case 'unreachable': return html`
      <main class="whole">
        <${Failed} title="Irongate does not answer" error=${new Error('The sign-in service could not be reached. You are still signed in; this page goes on as soon as it is back.')} onRetry=${resumeSession} />
        <${RetrySoon} />
      </main>`;
    case 'anonymous': return html`<${Entry} />`;
    default: return ['/reset', '/verify'].includes(path.value) ? html`<${Entry} />` : html`<${SignedIn} />`;
  }
}

function SignedIn() {
  const isEntry = ['/login', '/register', '/forgot'].includes(path.value);
  useEffect(() => {
    // The pages of the way in lead on to where the visitor wanted to go.
    if (isEntry) go(insideOnly(query.value.get('next')), { replace: true });
  }, [isEntry]);
  return isEntry ? null : html`<${Shell} />`;
}

/** SECURITY: `next` is anybody's text; only a path of this origin is followed (no open redirect). @param {string | null} next */
function insideOnly(next) {
  return next && /^\/(?![/\\])/.test(next) ? next : '/';
}

const RETRY_EVERY_MS = 4_000;

function RetrySoon() {
  useEffect(() => {
    const timer = setInterval(resumeSession, RETRY_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return null;
}

const NAMES = /** @type {Record<string, string>} */ ({
  '/login': 'Sign in', '/register': 'Create an account', '/forgot': 'Reset password', '/reset': 'New password', '/verify': 'E-mail address',
  '/rooms': 'Browse rooms', '/search': 'Search',
});

function usePageTitle() {
  const room = rooms.value.get(path.value.match(/^\/rooms\/([^/]+)/)?.[1] ?? '');
  const place = room?.title.value ?? NAMES[path.value] ?? (path.value.startsWith('/settings') ? 'Settings' : '');
  const asking = mentionsInAll.value ? `(${mentionsInAll.value}) ` : unreadInAll.value ? '• ' : '';
  const title = `${asking}${place ? `${place} · ` : ''}Irongate`;
  useEffect(() => { document.title = title; }, [title]);
}
