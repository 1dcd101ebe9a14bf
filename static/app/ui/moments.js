/** Times as people read them, in the language and zone of their browser. */

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const DAY_OF_YEAR = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const AGO = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });

/** @param {string} moment */
export const clock = (moment) => CLOCK.format(new Date(moment));

/** @param {string} moment */
export const full = (moment) => FULL.format(new Date(moment));

/** A day, for comparing. @param {string} moment */
export const dayOf = (moment) => new Date(moment).toDateString();

/** @param {string} moment */
export function dayName(moment) {
  const date = new Date(moment);
  const days = daysSince(date);
  if (days < 2 && days >= 0) return capital(AGO.format(-days, 'day'));
  return days < 180 ? DAY.format(date) : DAY_OF_YEAR.format(date);
}

/** A day within a sentence. @param {string} moment */
export function dayWithin(moment) {
  const date = new Date(moment);
  const days = daysSince(date);
  return days < 2 && days >= 0 ? AGO.format(-days, 'day') : DAY_OF_YEAR.format(date);
}

/** @param {string} moment */
export function ago(moment) {
  const seconds = (Date.parse(moment) - Date.now()) / 1000;
  for (const [unit, size] of /** @type {const} */ ([['day', 86_400], ['hour', 3_600], ['minute', 60]])) {
    if (Math.abs(seconds) >= size) return AGO.format(Math.round(seconds / size), unit);
  }
  return 'just now';
}

/** @param {Date} date */
const daysSince = (date) => Math.round((startOfDay(new Date()) - startOfDay(date)) / 86_400_000);

/** @param {Date} date */
const startOfDay = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
