/** The lower half of the dashboard: what failed lately, the certificate, the configuration; and the question before an action. */
import { html } from './html.js';
import { clock, day, duration, full } from './format.js';

/**
 * @typedef {import('./view.js').State} State
 * @typedef {import('./view.js').Model} Model
 * @typedef {import('./view.js').Actions} Actions
 */

/** The roles are those that the elements have anyway: a phone lays them out as no table, upon which browsers forget them. @param {{errors: State['recent_errors']}} props */
export function Errors({ errors }) {
  return html`
    <section class="panel errors" aria-labelledby="errors">
      <h2 id="errors">Recent errors</h2>
      ${errors.length === 0
        ? html`<p class="note">No request has failed lately.</p>`
        : html`
          <div class="wide" tabindex="0" role="region" aria-label="Table of recent errors">
            <table role="table">
              <thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">Time</th><th role="columnheader" scope="col">Status</th><th role="columnheader" scope="col">Request</th><th role="columnheader" scope="col">Upstream</th><th role="columnheader" scope="col">Reason</th><th role="columnheader" scope="col">Request id</th></tr></thead>
              <tbody role="rowgroup">
                ${errors.map(({ at, status, method, path, upstream, reason, request_id }) => html`
                  <tr role="row" key=${request_id}>
                    <td role="cell"><time datetime=${at} title=${full(at)}>${clock(at)}</time></td>
                    <td role="cell"><span class="status">${status}</span></td>
                    <td role="cell" class="request"><code title=${path}>${method} ${path}</code></td>
                    <td role="cell">${upstream ?? '–'}</td>
                    <td role="cell">${reason}</td>
                    <td role="cell"><code class="id">${request_id}</code></td>
                  </tr>`)}
              </tbody>
            </table>
          </div>`}
    </section>`;
}

const SOON_DAYS = 14;

/** @param {{certificate: State['certificate'], now: string, actions: Actions}} props */
export function Certificate({ certificate, now, actions }) {
  const left = (Date.parse(certificate.not_after) - Date.parse(now)) / 1000;
  return html`
    <section class="panel" aria-labelledby="certificate">
      <h2 id="certificate">Certificate</h2>
      <dl class="pairs">
        <dt>Expires</dt><dd class=${left < SOON_DAYS * 86_400 ? 'is-bad' : ''}>${day(certificate.not_after)}, ${left > 0 ? `in ${duration(left)}` : 'it has run out'}</dd>
        <dt>Names</dt><dd>${certificate.names.join(', ')}</dd>
        <dt>Subject</dt><dd>${certificate.subject}</dd>
        <dt>Kind</dt><dd>${certificate.mode}</dd>
        <dt>SHA-256</dt><dd><code class="print">${fingerprint(certificate.fingerprint_sha256)}</code></dd>
      </dl>
      ${certificate.mode === 'self-signed' && html`<button type="button" class="button" onClick=${actions.downloadAuthority}>Download authority</button>`}
    </section>`;
}

/** @param {string} hex */
const fingerprint = (hex) => hex.replaceAll(':', '').toUpperCase().match(/../g)?.join(' ') ?? '';

/** @param {{model: Model, actions: Actions}} props */
export function Configuration({ model: { state: { config }, configText, away }, actions }) {
  return html`
    <section class="panel" aria-labelledby="configuration">
      <h2 id="configuration">Configuration</h2>
      <dl class="pairs">
        <dt>Version</dt><dd>${config.version}, loaded ${full(config.loaded_at)}</dd>
        <dt>Source</dt><dd>${sources(config.source).map((source) => html`<code class="source" key=${source}>${source}</code> `)}</dd>
      </dl>
      ${config.last_error && html`<p class="reason">The reload of ${clock(config.last_error.at)} was refused; what stood before is in force.</p><pre class="refusal" tabindex="0" aria-label="Why the reload was refused">${config.last_error.message}</pre>`}
      <div class="answers is-start">
        <button type="button" class="button" aria-expanded=${configText !== null} onClick=${actions.toggleConfig}>${configText === null ? 'Show what is in force' : 'Hide'}</button>
        <button type="button" class="button" disabled=${away} onClick=${actions.reload}>Reload configuration</button>
      </div>
      ${configText !== null && html`<pre tabindex="0" aria-label="Configuration in force">${configText}</pre>`}
    </section>`;
}

/** The file first, then each variable of the environment that says something else. @param {string} source */
const sources = (source) => source.split(', ');

/** @param {{model: Model, actions: Actions}} props */
export function Question({ model: { question, busy }, actions }) {
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
