/** The page from the gateway's state: markup only, every number as the gateway gave it. */
import { html } from './html.js';
import { Chart } from './charts.js';
import { between, clock, day, duration, full, latency, rate, short, whole } from './format.js';

/**
 * @typedef {{at: string, ok: boolean, latency_ms: number | null, reason: string | null}} Check
 * @typedef {{address: string, state: 'up' | 'down' | 'unknown' | 'draining', since: string, latency_ms: number | null,
 *            last_failure: {reason: string, at: string} | null, in_flight: number, requests: number, failures: number,
 *            history: Check[], changes: {at: string, state: string, reason: string}[]}} Server
 * @typedef {{name: string, state: 'up' | 'degraded' | 'down', servers: Server[]}} Upstream
 * @typedef {object} Model everything the page shows
 * @property {any} state the gateway's own state
 * @property {boolean} away the stream is broken; what is shown may be old
 * @property {ReadonlySet<string>} opened servers whose story is open, as `upstream/address`
 * @property {string | null} configText the configuration in force, once asked for
 * @property {{text: string, failed: boolean} | null} outcome of the last action
 * @property {{title: string, text: string, action: string, run: () => Promise<void>} | null} question
 * @property {boolean} busy
 * @typedef {object} Actions
 * @property {(key: string) => void} toggleStory
 * @property {(upstream: Upstream, server: Server) => void} drain
 * @property {(upstream: Upstream, server: Server) => void} undrain
 * @property {() => void} reload
 * @property {() => void} toggleConfig
 * @property {() => void} downloadAuthority
 * @property {() => void} confirm
 * @property {() => void} dismiss
 */

const LABELS = /** @type {Record<string, string>} */ ({ up: 'Up', down: 'Down', degraded: 'Degraded', unknown: 'Not checked yet', draining: 'Draining' });

/** @param {{model: Model, actions: Actions}} props */
export function Dashboard({ model, actions }) {
  const { state } = model;
  const rates = perSecond(state.history);
  return html`
    <${Head} model=${model} actions=${actions} />
    <main>
      ${model.outcome && html`<p class="outcome ${model.outcome.failed ? 'is-failed' : ''}" role="status">${model.outcome.text}<button type="button" class="quiet" aria-label="Dismiss" onClick=${actions.dismiss}>✕</button></p>`}
      <${Traffic} traffic=${state.traffic} />
      <${Upstreams} model=${model} actions=${actions} />
      <section class="charts" aria-label="The last hour">
        <${Chart} title="Requests per second" ticks=${rates} lines=${REQUESTS} />
        <${Chart} title="Latency, 99th percentile" ticks=${rates} lines=${LATENCY} />
      </section>
      <${Errors} errors=${state.recent_errors} />
      <div class="pair">
        <${Certificate} certificate=${state.certificate} now=${state.now} actions=${actions} />
        <${Configuration} model=${model} actions=${actions} />
      </div>
    </main>
    ${model.question && html`<${Question} model=${model} actions=${actions} />`}`;
}

/**
 * The gateway counts what happened from one point to the next; the chart shows how fast.
 * @param {import('./charts.js').Tick[]} history
 */
function perSecond(history) {
  return history.map((tick, index) => {
    const [from, to] = index ? [history[index - 1], tick] : [tick, history[1] ?? tick];
    const seconds = (Date.parse(to.at) - Date.parse(from.at)) / 1000 || 1;
    return { ...tick, requests: tick.requests / seconds, errors: tick.errors / seconds };
  });
}

/** @type {import('./charts.js').Line[]} */
const REQUESTS = [
  { label: 'Requests', colour: '--accent', wash: '--accent-wash', of: ({ requests }) => requests, text: rate },
  { label: 'Errors', colour: '--bad', of: ({ errors }) => errors, text: rate },
];
/** @type {import('./charts.js').Line[]} */
const LATENCY = [{ label: 'p99', colour: '--accent', wash: '--accent-wash', of: ({ p99_ms }) => p99_ms, text: (value) => (value < 10 ? latency(value) : latency(Math.round(value)).replace('.0', '')) }];

/** @param {{model: Model, actions: Actions}} props */
function Head({ model: { state, away }, actions }) {
  const worst = state.upstreams.some((/** @type {Upstream} */ { state: one }) => one === 'down') ? 'down'
    : state.upstreams.some((/** @type {Upstream} */ { state: one }) => one !== 'up') ? 'degraded' : 'up';
  const sentence = { up: 'Everything is up', degraded: 'Running with fewer servers', down: 'A service is down' }[worst];
  return html`
    <header class="head">
      <a class="brand" href="/"><img src="gate.svg" alt="" width="30" height="30" />Irongate</a>
      <h1 class="verdict is-${away ? 'unknown' : worst}" aria-live="polite"><span class="dot"></span>${away ? 'Waiting for the gateway…' : sentence}</h1>
      <p class="facts">Version ${state.version}<span>·</span>up ${duration(state.uptime_s)}<span>·</span>${clock(state.now)}</p>
      <button type="button" class="button" disabled=${away} onClick=${actions.reload}>Reload configuration</button>
    </header>`;
}

/** @param {{traffic: any}} props */
function Traffic({ traffic }) {
  /** @type {[string, string, string][]} */
  const tiles = [
    ['Requests', `${rate(traffic.requests_per_s)}/s`, `${short(traffic.total_requests)} in all`],
    ['Errors', `${rate(traffic.errors_per_s)}/s`, 'answers with 5xx'],
    ['Latency', latency(traffic.p50_ms), `p95 ${latency(traffic.p95_ms)} · p99 ${latency(traffic.p99_ms)}`],
    ['Connections', whole(traffic.connections), 'open now'],
    ['WebSockets', whole(traffic.websockets), 'open now'],
  ];
  return html`
    <dl class="tiles">
      ${tiles.map(([name, value, note]) => html`
        <div class="panel tile ${name === 'Errors' && traffic.errors_per_s > 0 ? 'is-bad' : ''}" key=${name}><dt>${name}</dt><dd>${value}</dd><dd class="note">${note}</dd></div>`)}
    </dl>`;
}

/** @param {{model: Model, actions: Actions}} props */
function Upstreams({ model, actions }) {
  return html`
    <section class="upstreams" aria-label="Upstreams">
      ${model.state.upstreams.map((/** @type {Upstream} */ upstream) => html`
        <section class="panel upstream" key=${upstream.name} aria-label=${upstream.name}>
          <header>
            <h2>${upstream.name}</h2>
            <${State} state=${upstream.state} />
            <p class="note">${upstream.servers.filter(({ state }) => state === 'up').length} of ${upstream.servers.length} ${upstream.servers.length === 1 ? 'server' : 'servers'} in service</p>
          </header>
          <ul>${upstream.servers.map((server) => html`<${ServerRow} key=${server.address} upstream=${upstream} server=${server} model=${model} actions=${actions} />`)}</ul>
        </section>`)}
    </section>`;
}

/** @param {{state: string}} props */
const State = ({ state }) => html`<span class="state is-${state}"><span class="dot"></span>${LABELS[state] ?? state}</span>`;

/** @param {{upstream: Upstream, server: Server, model: Model, actions: Actions}} props */
function ServerRow({ upstream, server, model, actions }) {
  const key = `${upstream.name}/${server.address}`;
  const isOpen = model.opened.has(key);
  const isDraining = server.state === 'draining';
  return html`
    <li class="server">
      <div class="server-line">
        <div class="server-name">
          <code>${server.address}</code>
          <p class="note"><${State} state=${server.state} /> for ${between(server.since, model.state.now)}</p>
        </div>
        <${Strip} checks=${server.history} />
        <dl class="figures">
          <div><dt>Check</dt><dd>${latency(server.latency_ms)}</dd></div>
          <div><dt>In flight</dt><dd>${whole(server.in_flight)}</dd></div>
          <div><dt>Requests</dt><dd>${short(server.requests)}</dd></div>
          <div><dt>Failures</dt><dd class=${server.failures ? 'is-bad' : ''}>${short(server.failures)}</dd></div>
        </dl>
        <div class="server-actions">
          <button type="button" class="button is-small" aria-expanded=${isOpen} aria-label="Story of ${server.address}" onClick=${() => actions.toggleStory(key)}>Story</button>
          ${isDraining
            ? html`<button type="button" class="button is-small" aria-label="Undrain ${server.address}" onClick=${() => actions.undrain(upstream, server)}>Undrain</button>`
            : html`<button type="button" class="button is-small" aria-label="Drain ${server.address}" onClick=${() => actions.drain(upstream, server)}>Drain</button>`}
        </div>
      </div>
      ${server.state === 'down' && server.last_failure && html`<p class="reason">${server.last_failure.reason}<span class="note"> at ${clock(server.last_failure.at)}</span></p>`}
      ${isOpen && html`<${Story} server=${server} />`}
    </li>`;
}

const BAR = 4;
const TALLEST = 24;

/** The last checks, the newest at the right: a bar as high as it took, a full red one where it failed. @param {{checks: Check[]}} props */
function Strip({ checks }) {
  const slowest = Math.max(2, ...checks.map(({ latency_ms }) => latency_ms ?? 0));
  const passed = checks.filter(({ ok }) => ok).length;
  return html`
    <svg class="strip" viewBox="0 0 ${60 * BAR} ${TALLEST}" preserveAspectRatio="none" role="img" aria-label="${passed} of the last ${checks.length} checks passed">
      ${checks.map(({ at, ok, latency_ms, reason }, index) => {
        const height = ok ? Math.max(5, Math.sqrt((latency_ms ?? 0) / slowest) * TALLEST) : TALLEST;
        return html`<rect key=${at} class=${ok ? '' : 'is-bad'} x=${(60 - checks.length + index) * BAR} y=${TALLEST - height} width=${BAR - 1} height=${height} rx="0.8"><title>${clock(at)} ${ok ? latency(latency_ms) : reason}</title></rect>`;
      })}
    </svg>`;
}

/** @param {{server: Server}} props */
function Story({ server }) {
  if (!server.changes.length) return html`<p class="story note">Nothing has changed since the gateway started.</p>`;
  return html`
    <ol class="story" reversed>
      ${[...server.changes].reverse().map(({ at, state, reason }) => html`
        <li key=${at}><time datetime=${at}>${full(at)}</time><${State} state=${state} /><span>${reason}</span></li>`)}
    </ol>`;
}

/** @param {{errors: any[]}} props */
function Errors({ errors }) {
  return html`
    <section class="panel errors" aria-labelledby="errors">
      <h2 id="errors">Recent errors</h2>
      ${errors.length === 0
        ? html`<p class="note">No request has failed lately.</p>`
        : html`
          <div class="wide" tabindex="0" role="region" aria-label="Table of recent errors">
            <table>
              <thead><tr><th scope="col">Time</th><th scope="col">Status</th><th scope="col">Request</th><th scope="col">Upstream</th><th scope="col">Reason</th><th scope="col">Request id</th></tr></thead>
              <tbody>
                ${errors.map(({ at, status, method, path, upstream, reason, request_id }) => html`
                  <tr key=${request_id}><td><time datetime=${at} title=${full(at)}>${clock(at)}</time></td><td class=${status >= 500 ? 'is-bad' : ''}>${status}</td><td><code>${method} ${path}</code></td><td>${upstream ?? '–'}</td><td>${reason}</td><td><code class="id">${request_id}</code></td></tr>`)}
              </tbody>
            </table>
          </div>`}
    </section>`;
}

const SOON_DAYS = 14;

/** @param {{certificate: any, now: string, actions: Actions}} props */
function Certificate({ certificate, now, actions }) {
  const left = (Date.parse(certificate.not_after) - Date.parse(now)) / 1000;
  return html`
    <section class="panel" aria-labelledby="certificate">
      <h2 id="certificate">Certificate</h2>
      <dl class="pairs">
        <dt>Kind</dt><dd>${certificate.mode}</dd>
        <dt>Subject</dt><dd>${certificate.subject}</dd>
        <dt>Names</dt><dd>${certificate.names.join(', ')}</dd>
        <dt>Expires</dt><dd class=${left < SOON_DAYS * 86_400 ? 'is-bad' : ''}>${day(certificate.not_after)}, ${left > 0 ? `in ${duration(left)}` : 'it has run out'}</dd>
        <dt>SHA-256</dt><dd><code class="print">${fingerprint(certificate.fingerprint_sha256)}</code></dd>
      </dl>
      ${certificate.mode === 'self-signed' && html`<button type="button" class="button" onClick=${actions.downloadAuthority}>Download authority</button>`}
    </section>`;
}

/** @param {string} hex */
const fingerprint = (hex) => hex.replaceAll(':', '').toUpperCase().match(/../g)?.join(' ') ?? '';

/** @param {{model: Model, actions: Actions}} props */
function Configuration({ model: { state: { config }, configText }, actions }) {
  return html`
    <section class="panel" aria-labelledby="configuration">
      <h2 id="configuration">Configuration</h2>
      <dl class="pairs">
        <dt>Version</dt><dd>${config.version}</dd>
        <dt>Loaded</dt><dd>${full(config.loaded_at)}</dd>
        <dt>Source</dt><dd><code>${config.source}</code></dd>
      </dl>
      ${config.last_error && html`<p class="reason">The reload of ${clock(config.last_error.at)} was refused; what stood before is in force.</p><pre class="refusal">${config.last_error.message}</pre>`}
      <button type="button" class="button" aria-expanded=${configText !== null} onClick=${actions.toggleConfig}>${configText === null ? 'Show what is in force' : 'Hide'}</button>
      ${configText !== null && html`<pre tabindex="0" aria-label="Configuration in force">${configText}</pre>`}
    </section>`;
}

/** @param {{model: Model, actions: Actions}} props */
function Question({ model: { question, busy }, actions }) {
  if (!question) return null;
  return html`
    <dialog aria-labelledby="question" ref=${(/** @type {HTMLDialogElement | null} */ dialog) => { if (dialog && !dialog.open) dialog.showModal(); }}
      onCancel=${(/** @type {Event} */ event) => { event.preventDefault(); actions.dismiss(); }}>
      <h2 id="question">${question.title}</h2>
      <p>${question.text}</p>
      <div class="answers">
        <button type="button" class="button" onClick=${actions.dismiss}>Cancel</button>
        <button type="button" class="button is-primary" disabled=${busy} onClick=${actions.confirm}>${question.action}</button>
      </div>
    </dialog>`;
}

const LOCKED = {
  missing: ['Who is asking?', 'Sign in as an administrator, or give the token that the gateway printed at its first start. It is also in the file admin-token of the data directory.'],
  refused: ['That token is not right', 'The gateway keeps it in the file admin-token of its data directory.'],
  'not-admin': ['Administrators only', 'You are signed in, but your account is no administrator. Ask one to change your role, or use the gateway’s own token.'],
};

/** @param {{why: keyof typeof LOCKED, onToken: (token: string) => void}} props */
export function Door({ why, onToken }) {
  const [title, text] = LOCKED[why];
  return html`
    <main class="door">
      <form class="panel" onSubmit=${(/** @type {any} */ event) => { event.preventDefault(); onToken(event.currentTarget.elements.token.value.trim()); }}>
        <img src="gate.svg" alt="" width="44" height="44" />
        <h1>${title}</h1>
        <p class="note">${text}</p>
        ${why !== 'not-admin' && html`<a class="button is-primary" href="/login?next=/admin/">Sign in</a>`}
        <label for="token">Admin token</label>
        <input id="token" name="token" type="password" autocomplete="off" required />
        <button class="button">Use token</button>
      </form>
    </main>`;
}

/** @param {{error: unknown}} props */
export function Away({ error }) {
  return html`
    <main class="door">
      <div class="panel" role="status">
        <img src="gate.svg" alt="" width="44" height="44" />
        <h1>${error ? 'The gateway does not answer' : 'Looking…'}</h1>
        ${error instanceof Error && html`<p class="note">${error.message} Trying again by itself.</p>`}
      </div>
    </main>`;
}
