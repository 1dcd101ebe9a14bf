/**
 * The dashboard's start and its only state: what the gateway last said, and what the operator has open. Every change draws
 * the page again from the whole model; Preact touches only what differs.
 */
import { render } from './preact.js';
import { ask, forgetToken, Locked, takeTokenFromAddress, useToken } from './access.js';
import { html } from './html.js';
import { follow } from './stream.js';
import { Away, Door } from './door.js';
import { verdict } from './trouble.js';
import { Dashboard, titleOf } from './view.js';

/** @typedef {import('./view.js').Upstream} Upstream */
/** @typedef {import('./view.js').Server} Server */

const root = /** @type {Element} */ (document.getElementById('app'));

/** @type {Omit<import('./view.js').Model, 'state'> & {state: import('./view.js').State | null, locked: Locked['why'] | null, error: unknown}} */
let model = {
  state: null, away: false, opened: new Set(), configText: null, outcome: null, question: null, busy: false, locked: null, error: null,
};

/** @param {Partial<typeof model>} change */
function show(change) {
  model = { ...model, ...change };
  render(page(), root);
  markTab();
}

function page() {
  if (model.locked) return html`<${Door} why=${model.locked} onToken=${enter} />`;
  if (!model.state) return html`<${Away} error=${model.error} />`;
  return html`<${Dashboard} model=${model} actions=${actions} />`;
}

/** Trouble shows in the tab, too, where the page is not looked at. */
function markTab() {
  const { state } = model;
  document.title = state ? titleOf({ ...model, state }) : 'Server health · Irongate';
  const wanted = state && !model.away && verdict(state).grade === 'down' ? 'gate-down.svg' : 'gate.svg';
  const icon = /** @type {HTMLLinkElement} */ (document.querySelector('link[rel=icon]'));
  if (icon.getAttribute('href') !== wanted) icon.setAttribute('href', wanted);
}

function watch() {
  const ended = new AbortController();
  show({ locked: null, error: null });
  follow({
    // The history comes with the first event and whenever it has changed.
    onState: (state) => show({ state: { ...state, history: state.history ?? model.state?.history ?? [] }, away: false, error: null }),
    onAway: (error) => show({ away: true, error }),
    signal: ended.signal,
  }).catch(lock);
}

/** @param {unknown} error */
function lock(error) {
  if (!(error instanceof Locked)) throw error;
  if (error.why === 'refused') forgetToken();
  show({ locked: error.why, state: null });
}

/** @param {string} token */
function enter(token) {
  useToken(token);
  watch();
}

/** Runs an action and says how it ended. @param {() => Promise<string>} action */
async function run(action) {
  show({ busy: true });
  try {
    show({ outcome: { text: await action(), failed: false } });
  } catch (error) {
    if (error instanceof Locked) lock(error);
    else show({ outcome: { text: error instanceof Error ? error.message : String(error), failed: true } });
  } finally {
    show({ busy: false, question: null });
  }
}

/** @param {Upstream} upstream @param {Server} server @param {'drain' | 'undrain'} verb */
const order = (upstream, server, verb) => ask(`upstreams/${encodeURIComponent(upstream.name)}/servers/${encodeURIComponent(server.address)}/${verb}`, { method: 'POST' });

/** @type {import('./view.js').Actions} */
const actions = {
  toggleStory(key) {
    const opened = new Set(model.opened);
    if (!opened.delete(key)) opened.add(key);
    show({ opened });
  },
  drain(upstream, server) {
    const others = upstream.servers.filter(({ address, state }) => address !== server.address && state === 'up').length;
    show({
      question: {
        title: `Drain ${server.address}?`,
        text: others
          ? `It gets no new requests; what is under way may finish. ${others} other ${others === 1 ? 'server takes' : 'servers take'} over.`
          : `It is the only server of “${upstream.name}” in service: until it is undrained, every request there is answered with 503.`,
        action: 'Drain',
        run: () => run(async () => {
          await order(upstream, server, 'drain');
          return `${server.address} is draining.`;
        }),
      },
    });
  },
  undrain(upstream, server) {
    run(async () => {
      await order(upstream, server, 'undrain');
      return `${server.address} gets requests again.`;
    });
  },
  reload() {
    show({
      question: {
        title: 'Reload the configuration?',
        text: 'Routes, upstreams, limits and certificates are read again. No connection is dropped, and a file with a mistake is refused.',
        action: 'Reload',
        run: () => run(async () => {
          const { version } = await (await ask('reload', { method: 'POST' })).json();
          return `Version ${version} is in force.`;
        }),
      },
    });
  },
  toggleConfig() {
    if (model.configText !== null) show({ configText: null });
    else ask('config').then(async (answer) => show({ configText: await answer.text() }), (error) => run(() => Promise.reject(error)));
  },
  downloadAuthority() {
    run(async () => {
      const file = URL.createObjectURL(await (await ask('authority.pem')).blob());
      const link = Object.assign(document.createElement('a'), { href: file, download: 'irongate-authority.pem' });
      link.click();
      URL.revokeObjectURL(file);
      return 'Add the file to the authorities that your browser or system trusts.';
    });
  },
  confirm: () => model.question?.run(),
  dismiss: () => show({ question: null, outcome: null }),
};

// On the main port the application's choice of light or dark holds here, too.
document.documentElement.style.colorScheme = localStorage.getItem('irongate.theme') ?? '';
takeTokenFromAddress();
watch();
