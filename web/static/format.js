/** Numbers, times and foreign text as people read them. Pure functions of their arguments. */

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const ONE = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const SHORT = new Intl.NumberFormat('en', { notation: 'scientific', maximumFractionDigits: 2 });
const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const MOMENT = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
// Control characters, and those that turn the direction of the text around them.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/**
 * Foreign text without control characters, at most `limit` characters long.
 * @param {string | null | undefined} text
 */
export function clean(text, limit = 300) {
  const seen = (text ?? '').slice(0, limit * 4).replace(UNSEEN, '').trim();
  return seen.length > limit ? `${seen.slice(0, limit)}…` : seen;
}

/**
 * What people call an operation; never empty.
 * @param {{ title: string, name: string, id: string }} operation
 */
export const titleOf = (operation, limit = 300) => clean(operation.title, limit) || clean(operation.name, limit) || operation.id;

/** @param {number} value */
export const count = (value) => WHOLE.format(value);

/** @param {number} value */
const figure = (value) => (Math.abs(value) < 10 ? ONE : Math.abs(value) < 1e9 ? WHOLE : SHORT).format(value);

/** @param {number} value */
function bytes(value) {
  const power = value >= 1024 ? Math.min(4, Math.floor(Math.log2(value) / 10)) : 0;
  return `${figure(value / 1024 ** power)} ${BYTE_UNITS[power]}`;
}

/**
 * A quantity with its unit: `1,204 rows`, `5 KiB`.
 * @param {number} value
 * @param {string} unit
 */
export function quantity(value, unit) {
  if (unit === 'bytes') return bytes(value);
  return unit ? `${figure(value)} ${clean(unit, 24)}` : figure(value);
}

/**
 * `1,204 / 5,000 rows`, or without a total `1,204 rows`.
 * @param {number} current
 * @param {number | null | undefined} total
 * @param {string} unit
 */
export function progress(current, total, unit) {
  if (total == null) return quantity(current, unit);
  return `${unit === 'bytes' ? bytes(current) : figure(current)} / ${quantity(total, unit)}`;
}

/**
 * Seconds as a length of time: `4 ms`, `0.42 s`, `2.2 s`, `42 s`, `3 m 05 s`, `2 h 03 m`, `4 d 2 h`.
 * @param {number} seconds
 */
export function duration(seconds) {
  if (seconds < 0.0995) return `${Math.max(0, Math.round(seconds * 1000))} ms`;
  if (seconds < 0.995) return `${seconds.toFixed(2)} s`;
  return seconds < 9.95 ? `${seconds.toFixed(1)} s` : ticking(Math.round(seconds));
}

/**
 * The same in whole seconds, for what still counts up or down.
 * @param {number} seconds
 */
export function ticking(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return pair(whole, 60, 'm', 's');
  return whole < 86400 ? pair(Math.floor(whole / 60), 60, 'h', 'm') : pair(Math.floor(whole / 3600), 24, 'd', 'h');
}

/**
 * @param {number} value
 * @param {number} base
 * @param {string} large
 * @param {string} small
 */
function pair(value, base, large, small) {
  const rest = String(value % base).padStart(2, '0');
  return `${Math.floor(value / base)} ${large} ${rest} ${small}`;
}

/**
 * The same in its largest unit only, for what is not known better: `12 s`, `3 m`, `2 h`, `4 d`.
 * @param {number} seconds
 */
export function rough(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m`;
  return seconds < 86400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
}

/**
 * How long ago: `now`, `12 s ago`, `3 m ago`, `2 h ago`, `4 d ago`.
 * @param {number} seconds
 */
export const ago = (seconds) => (seconds < 1 ? 'now' : `${rough(seconds)} ago`);

/** Whether a moment has a date; whoever asks for that of another one gets an exception. @param {number} stamp */
const hasDate = (stamp) => Math.abs(stamp) < 8e12;

/** Local time of day, `14:03:09`. @param {number} stamp UTC seconds */
export const clockTime = (stamp) => (hasDate(stamp) ? TIME.format(stamp * 1000) : '–');

/** Local date and time. @param {number} stamp UTC seconds */
export const moment = (stamp) => (hasDate(stamp) ? MOMENT.format(stamp * 1000) : '–');

/** UTC in ISO 8601, for `<time datetime>`. @param {number} stamp UTC seconds */
export const iso = (stamp) => (hasDate(stamp) ? new Date(stamp * 1000).toISOString() : '');
