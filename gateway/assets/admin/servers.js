/** The upstreams and their servers: how each is, how its last checks went, and its story one click away. */
import { html } from './html.js';
import { between, clock, duration, full, latency, short, shortened, whole } from './format.js';

/**
 * @typedef {import('./view.js').Upstream} Upstream
 * @typedef {import('./view.js').Server} Server
 * @typedef {import('./view.js').Model} Model
 * @typedef {import('./view.js').Actions} Actions
 */

const LABELS = /** @type {Record<string, string>} */ ({ up: 'Up', down: 'Down', degraded: 'Degraded', unknown: 'Not checked yet', draining: 'Draining' });

/** Shape and word tell the state, too: colour alone would leave some people without it. @param {{state: string}} props */
export const State = ({ state }) => html`<span class="state is-${state}"><span class="dot"></span>${LABELS[state] ?? state}</span>`;

/** @param {{model: Model, actions: Actions}} props */
export function Upstreams({ model, actions }) {
  return html`
    <section class="panel upstreams" aria-label="Upstreams">
      ${model.state.upstreams.map((upstream) => html`
        <section class="upstream is-${upstream.state}" key=${upstream.name} aria-label=${upstream.name}>
          <header>
            <h2>${upstream.name}</h2>
            <p class="note">${inService(upstream)}</p>
          </header>
          <ul>${upstream.servers.map((server) => html`<${ServerRow} key=${server.address} upstream=${upstream} server=${server} model=${model} actions=${actions} />`)}</ul>
        </section>`)}
    </section>`;
}

/** @param {Upstream} upstream */
function inService({ servers }) {
  const serving = servers.filter(({ state }) => state === 'up' || state === 'degraded').length;
  return `${serving} of ${servers.length} in service`;
}

/** @param {{upstream: Upstream, server: Server, model: Model, actions: Actions}} props */
function ServerRow({ upstream, server, model, actions }) {
  const key = `${upstream.name}/${server.address}`;
  const isOpen = model.opened.has(key);
  return html`
    <li class="server is-${server.state}">
      <div class="server-line">
        <div class="server-name">
          <code title=${server.address}>${shortened(server.address)}</code>
          <p class="note"><${State} state=${server.state} /> for ${between(server.since, model.state.now)}${server.weight > 1 && ` · weight ${server.weight}`}${server.backup && ' · backup'}</p>
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
          ${server.state === 'draining'
            ? html`<button type="button" class="button is-small" aria-label="Undrain ${server.address}" onClick=${() => actions.undrain(upstream, server)}>Undrain</button>`
            : html`<button type="button" class="button is-small" aria-label="Drain ${server.address}" onClick=${() => actions.drain(upstream, server)}>Drain</button>`}
        </div>
      </div>
      ${server.state === 'down' && server.last_failure && html`<p class="reason">${server.last_failure.reason}<span class="note"> at ${clock(server.last_failure.at)}</span></p>`}
      ${isOpen && html`<${Story} server=${server} now=${model.state.now} />`}
    </li>`;
}

/** How many checks the gateway keeps of each server. */
const CHECKS = 60;
const BAR = 4;
const TALLEST = 24;
const SHORTEST = 5;
/** A check this fast is a short bar, however much faster the others were. */
const QUICK_MS = 2;

/** The last checks, the newest at the right: a bar as high as it took, a full red one where it failed. @param {{checks: import('./view.js').Check[]}} props */
function Strip({ checks }) {
  const slowest = Math.max(QUICK_MS, ...checks.map(({ latency_ms }) => latency_ms ?? 0));
  const passed = checks.filter(({ ok }) => ok).length;
  const place = (/** @type {number} */ index) => (CHECKS - checks.length + index) * BAR;
  return html`
    <svg class="strip" viewBox="0 0 ${CHECKS * BAR} ${TALLEST}" preserveAspectRatio="none" role="img" aria-label="${passed} of the last ${checks.length} checks passed">
      ${Array.from({ length: CHECKS - checks.length }, (_, index) => html`<rect key=${index} class="is-none" x=${index * BAR} y=${TALLEST - 2} width=${BAR - 1} height="2" />`)}
      ${checks.map(({ at, ok, latency_ms, reason }, index) => {
        const height = ok ? Math.max(SHORTEST, Math.sqrt((latency_ms ?? 0) / slowest) * TALLEST) : TALLEST;
        return html`<rect key=${at} class=${ok ? '' : 'is-bad'} x=${place(index)} y=${TALLEST - height} width=${BAR - 1} height=${height} rx="0.8"><title>${clock(at)} ${ok ? latency(latency_ms) : reason}</title></rect>`;
      })}
    </svg>`;
}

/** Every change of state with its reason and how long it lasted, the latest first. @param {{server: Server, now: string}} props */
function Story({ server, now }) {
  const { changes } = server;
  if (!changes.length) return html`<p class="story note">Nothing has changed since the gateway started.</p>`;
  return html`
    <ol class="story" reversed>
      ${changes.map(({ at, state, reason }, index) => {
        const seconds = (Date.parse(changes[index + 1]?.at ?? now) - Date.parse(at)) / 1000;
        return html`<li key=${at}><time datetime=${at}>${full(at)}</time><span><${State} state=${state} /> <span class="note">for ${duration(seconds)}</span></span><span>${reason}</span></li>`;
      }).reverse()}
    </ol>`;
}
