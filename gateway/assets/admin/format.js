/** Numbers and times as an operator reads them: short, and never wider than they need. */

const WHOLE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** @param {number} n */
export const whole = (n) => WHOLE.format(n);
/** @param {number} n */
export const short = (n) => (n < 10_000 ? WHOLE.format(n) : SHORT.format(n));
/** @param {number} n */
export const rate = (n) => (n === 0 ? '0' : n < 10 ? n.toFixed(n < 0.1 ? 2 : 1) : WHOLE.format(n));

/** @param {number | null | undefined} ms */
export function latency(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms === 0) return '0';
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  return ms < 1000 ? `${three(ms)} ms` : `${three(ms / 1000)} s`;
}

/** As many digits as can be told apart at a glance. @param {number} n */
const three = (n) => (n < 10 ? n.toFixed(1) : n.toFixed(0)).replace(/\.0$/, '');

/** The two largest units of a time in seconds. @param {number} seconds */
export function duration(seconds) {
  const units = /** @type {const} */ ([['d', 86_400], ['h', 3_600], ['min', 60], ['s', 1]]);
  const first = units.findIndex(([, size]) => seconds >= size);
  if (first < 0) return 'a moment';
  let rest = Math.floor(seconds);
  return units.slice(first, first + 2).map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest -= count * size;
    return count ? `${count} ${unit}` : '';
  }).filter(Boolean).join(' ');
}

/** @param {string} from @param {string} to */
export const between = (from, to) => duration((Date.parse(to) - Date.parse(from)) / 1000);

/** @param {string} moment */
export const clock = (moment) => CLOCK.format(new Date(moment));
/** @param {string} moment */
export const day = (moment) => DAY.format(new Date(moment));
/** @param {string} moment */
export const full = (moment) => FULL.format(new Date(moment));

/** A socket's path is long, and its end is what tells it from others. @param {string} address */
export const shortened = (address) => (address.startsWith('unix:') ? `unix:…/${address.split('/').at(-1)}` : address);
