/**
 * What an operator has to know before anything else: one sentence over the whole system, and what is wrong, worst first.
 * Everything comes from the state that the page shows anyway; here it is only put into words.
 */

import { shortened } from './format.js';

/**
 * @typedef {import('./view.js').State} State
 * @typedef {import('./view.js').Upstream} Upstream
 * @typedef {import('./view.js').Server} Server
 * @typedef {'up' | 'degraded' | 'down'} Grade
 * @typedef {object} Trouble
 * @property {string} key
 * @property {Grade} grade
 * @property {string} what
 * @property {string} where which server; empty where `what` says it
 * @property {string} why
 * @property {string | null} since
 */

/** A certificate that ends this soon was not renewed when it should have been. */
const CERTIFICATE_DAYS = 14;
/** Answers with 5xx among all, from which on they are trouble and no accident. */
const ERROR_SHARE = 0.05;
const RANK = { down: 0, degraded: 1, up: 2 };

/** @param {State} state @returns {Trouble[]} */
export function troubles(state) {
  return [...state.upstreams.flatMap(ofUpstream), ...ofTraffic(state), ...ofCertificate(state), ...ofConfiguration(state)]
    .sort((one, other) => RANK[one.grade] - RANK[other.grade]);
}

/** @param {State} state @returns {{grade: Grade, sentence: string, note: string}} */
export function verdict(state) {
  const named = (/** @type {Grade} */ grade) => state.upstreams.filter((upstream) => upstream.state === grade);
  const [down, degraded] = [named('down'), named('degraded')];
  if (down.length) {
    const drained = down.every(isDrained);
    return {
      grade: 'down',
      sentence: `${listed(down)} ${down.length === 1 ? 'is' : 'are'} ${drained ? 'drained' : 'down'}`,
      note: 'Every request there is answered with 503.',
    };
  }
  const servers = state.upstreams.flatMap((upstream) => upstream.servers);
  if (degraded.length) {
    const fewer = degraded.some((upstream) => upstream.servers.some(({ state: one }) => one !== 'up' && one !== 'degraded'));
    return {
      grade: 'degraded',
      sentence: `${listed(degraded)} ${degraded.length === 1 ? 'runs' : 'run'} ${fewer ? 'on fewer servers' : 'with something missing'}`,
      note: 'Every request is served.',
    };
  }
  return {
    grade: troubles(state).length ? 'degraded' : 'up',
    sentence: 'Everything is up',
    note: servers.length === 0 ? 'No upstream is configured.' : `${servers.length} ${servers.length === 1 ? 'server' : 'servers'} in service.`,
  };
}

/** @param {Upstream[]} upstreams */
const listed = (upstreams) => new Intl.ListFormat('en').format(upstreams.map(({ name }) => name));

/** @param {Upstream} upstream */
const isDrained = ({ servers }) => servers.length > 0 && servers.every(({ state }) => state === 'draining');

/** @param {Upstream} upstream @returns {Trouble[]} */
function ofUpstream({ name, state, servers }) {
  if (servers.length === 0) return [{ key: name, grade: 'down', what: `${name} has no server`, where: '', why: 'Its name leads to no address.', since: null }];
  return servers.filter((server) => server.state !== 'up').map((server) => ({
    key: `${name}/${server.address}`,
    grade: state === 'down' ? 'down' : 'degraded',
    what: name,
    where: shortened(server.address),
    why: reason(server),
    since: server.since,
  }));
}

/** @param {Server} server */
function reason({ state, last_failure: failure, changes }) {
  switch (state) {
    case 'draining': return 'Drained by an operator';
    case 'unknown': return 'Not checked yet: no request goes there before a check has passed';
    case 'degraded': return `Says of itself that something is missing${changes.at(-1)?.reason ? `: ${changes.at(-1)?.reason}` : ''}`;
    default: return failure?.reason ?? 'Down';
  }
}

/** @param {State} state @returns {Trouble[]} */
function ofTraffic({ traffic: { requests_per_s: requests, errors_per_s: errors } }) {
  const share = requests ? errors / requests : 0;
  if (share < ERROR_SHARE) return [];
  return [{ key: 'errors', grade: 'degraded', what: `${Math.round(share * 100)} % of requests fail`, where: '', why: 'They are answered with 5xx; the latest are listed below.', since: null }];
}

/** @param {State} state @returns {Trouble[]} */
function ofCertificate({ certificate, now }) {
  const days = (Date.parse(certificate.not_after) - Date.parse(now)) / 86_400_000;
  if (days >= CERTIFICATE_DAYS) return [];
  return [{
    key: 'certificate', grade: days > 0 ? 'degraded' : 'down', where: certificate.subject, since: null,
    what: days > 0 ? `The certificate ends in ${Math.ceil(days)} d` : 'The certificate has run out',
    why: days > 0 ? 'It should have been renewed by now.' : 'Browsers refuse it.',
  }];
}

/** @param {State} state @returns {Trouble[]} */
function ofConfiguration({ config: { last_error: error } }) {
  return error ? [{ key: 'configuration', grade: 'degraded', what: 'A reload was refused', where: '', why: 'What stood before is in force; the configuration below says what was wrong.', since: error.at }] : [];
}
