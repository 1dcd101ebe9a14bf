/** The page from the gateway's state, the most important first: the verdict, the traffic, the servers, the last hour. */
import { html } from './html.js';
import { Chart } from './charts.js';
import { between, clock, duration, latency, rate, short, whole } from './format.js';
import { Certificate, Configuration, Errors, Question } from './panels.js';
import { Upstreams } from './servers.js';
import { troubles, verdict } from './trouble.js';

/**
 * @typedef {{at: string, ok: boolean, latency_ms: number | null, reason: string | null}} Check
 * @typedef {{address: string, state: 'up' | 'degraded' | 'down' | 'unknown' | 'draining', since: string, latency_ms: number | null,
 *            last_failure: {reason: string, at: string} | null, in_flight: number, requests: number, failures: number,
 *            weight: number, backup: boolean,
 *            history: Check[], changes: {at: string, state: string, reason: string | null}[]}} Server
 * @typedef {{name: string, state: 'up' | 'degraded' | 'down', servers: Server[]}} Upstream
 * @typedef {{requests_per_s: number, errors_per_s: number, p50_ms: number, p95_ms: number, p99_ms: number,
 *            connections: number, websockets: number, total_requests: number}} Traffic
 * @typedef {{at: string, status: number, method: string, path: string, upstream: string | null, reason: string, request_id: string}} RecentError
 * @typedef {{mode: string, subject: string, names: string[], not_after: string, fingerprint_sha256: string}} CertificateFacts
 * @typedef {{version: number, loaded_at: string, source: string, last_error: {at: string, message: string} | null}} Config
 * @typedef {{version: string, uptime_s: number, now: string, config: Config, certificate: CertificateFacts, traffic: Traffic,
 *            history: import('./charts.js').Tick[], upstreams: Upstream[], recent_errors: RecentError[]}} State
 * @typedef {object} Model everything the page shows
 * @property {State} state the gateway's own state
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

/** @param {{model: Model, actions: Actions}} props */
export function Dashboard({ model, actions }) {
  const { state, away } = model;
  const rates = perSecond(state.history);
  return html`
    <header class="head">
      <a class="brand" href="/"><img src="gate.svg" alt="" width="28" height="28" />Irongate</a>
      <p class="facts"><span class="version">Version ${state.version} · </span>up ${duration(state.uptime_s)} · <span class="pulse ${away ? 'is-away' : ''}"></span>${clock(state.now)}</p>
    </header>
    <main class=${away ? 'is-away' : ''}>
      <${Verdict} model=${model} />
      ${model.outcome && html`<p class="outcome ${model.outcome.failed ? 'is-failed' : ''}" role="status"><span>${model.outcome.text}</span><button type="button" class="quiet" aria-label="Dismiss" onClick=${actions.dismiss}>✕</button></p>`}
      <${Tiles} traffic=${state.traffic} />
      <${Upstreams} model=${model} actions=${actions} />
      <section class="charts" aria-label="The last hour">
        <${Chart} title="Requests per second" ticks=${rates} lines=${REQUESTS} />
        <${Chart} title="Latency" ticks=${rates} lines=${LATENCY} />
        <${Chart} title="Open" ticks=${rates} lines=${OPEN} />
      </section>
      <${Errors} errors=${state.recent_errors} />
      <div class="pair">
        <${Certificate} certificate=${state.certificate} now=${state.now} actions=${actions} />
        <${Configuration} model=${model} actions=${actions} />
      </div>
    </main>
    ${model.question && html`<${Question} model=${model} actions=${actions} />`}`;
}

/** What the tab of the page says, for whoever looks at another one. @param {Model} model */
export function titleOf({ state, away }) {
  return `${away ? 'Waiting for the gateway' : verdict(state).sentence} · Irongate`;
}

/** @param {{model: Model}} props */
function Verdict({ model: { state, away } }) {
  const { grade, sentence, note } = verdict(state);
  const found = away ? [] : troubles(state);
  return html`
    <section class="verdict is-${away ? 'unknown' : grade}" aria-label="Verdict">
      <h1 aria-live="polite"><span class="dot"></span>${away ? 'Waiting for the gateway…' : sentence}</h1>
      <p>${away ? 'What is below may be old.' : note}</p>
      ${found.length > 0 && html`
        <ul class="troubles">
          ${found.map((trouble) => html`
            <li key=${trouble.key} class="is-${trouble.grade}">
              <span class="dot"></span>
              <span><strong>${trouble.what}</strong>${trouble.where && html`<code>${trouble.where}</code>`}<span>${trouble.why}</span></span>
              ${trouble.since && html`<time datetime=${trouble.since}>for ${between(trouble.since, state.now)}</time>`}
            </li>`)}
        </ul>`}
    </section>`;
}

/**
 * The gateway counts what happened from one point to the next; the chart shows how fast.
 * @param {import('./charts.js').Tick[]} history
 */
function perSecond(history) {
  let ticks = reckoned.get(history);
  if (!ticks) {
    ticks = history.map((tick, index) => {
      const [from, to] = index ? [history[index - 1], tick] : [tick, history[1] ?? tick];
      const seconds = (Date.parse(to.at) - Date.parse(from.at)) / 1000 || 1;
      return { ...tick, requests: tick.requests / seconds, errors: tick.errors / seconds };
    });
    reckoned.set(history, ticks);
  }
  return ticks;
}

/** The same ticks for the same history, so that charts are drawn again only when there is something new. @type {WeakMap<object, import('./charts.js').Tick[]>} */
const reckoned = new WeakMap();

/** @type {import('./charts.js').Line[]} */
const REQUESTS = [
  { label: 'all', colour: '--accent', wash: '--accent-wash', of: ({ requests }) => requests, text: rate },
  { label: 'errors', colour: '--bad', of: ({ errors }) => errors, text: rate },
];
/** @type {import('./charts.js').Line[]} */
const LATENCY = [
  { label: 'p99', colour: '--accent', wash: '--accent-wash', of: ({ p99_ms }) => p99_ms, text: latency },
  { label: 'p95', colour: '--second', of: ({ p95_ms }) => p95_ms, text: latency },
  { label: 'p50', colour: '--third', of: ({ p50_ms }) => p50_ms, text: latency },
];
/** @type {import('./charts.js').Line[]} */
const OPEN = [
  { label: 'connections', colour: '--accent', wash: '--accent-wash', of: ({ connections }) => connections, text: whole },
  { label: 'WebSockets', colour: '--second', of: ({ websockets }) => websockets, text: whole },
];

/** @param {{traffic: Traffic}} props */
function Tiles({ traffic }) {
  /** @type {[string, string, string][]} */
  const tiles = [
    ['Requests', `${rate(traffic.requests_per_s)}/s`, `${short(traffic.total_requests)} in all`],
    ['Errors', `${rate(traffic.errors_per_s)}/s`, 'answers with 5xx'],
    ['Latency', latency(traffic.p50_ms), `p95 ${latency(traffic.p95_ms)} · p99 ${latency(traffic.p99_ms)}`],
    ['Connections', whole(traffic.connections), 'open now'],
    ['WebSockets', whole(traffic.websockets), 'open now'],
  ];
  return html`
    <dl class="panel tiles">
      ${tiles.map(([name, value, note]) => html`
        <div class="tile ${name === 'Errors' && traffic.errors_per_s > 0 ? 'is-bad' : ''}" key=${name}><dt>${name}</dt><dd>${value}</dd><dd class="note">${note}</dd></div>`)}
    </dl>`;
}
