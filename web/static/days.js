/** What the API tells of the days of a name, added up. Pure functions. */

/** @typedef {{ count: number, p50: number, p90: number, p95: number, p99: number }} Percentiles */
/** @typedef {{ day: string, complete: number, error: number, cancelled: number, lost: number, p50: number | null, p95: number | null }} Day */
/**
 * @typedef {{ name: string, steps: (Percentiles & { name: string })[], took: Percentiles | null,
 *   failures: { name: string, count: number }[], days: Day[] }} Summary
 */

/** How a run may end, in the order in which charts pile them up. */
export const ENDS = /** @type {const} */ (['complete', 'cancelled', 'lost', 'error']);

const DAY = 86400;

/** The day as UTC seconds of its beginning. @param {Day} day */
export const beginOf = ({ day }) => Date.parse(`${day}T00:00:00Z`) / 1000;

/**
 * The last `number` days without a gap, today last; those without runs are zero.
 * @param {Day[]} days
 * @param {number} number
 * @param {number} now  UTC seconds
 * @returns {Day[]}
 */
export function filled(days, number, now) {
  const known = new Map(days.map((day) => [day.day, day]));
  const today = Math.floor(now / DAY);
  return Array.from({ length: number }, (_, place) => {
    const day = new Date((today - number + 1 + place) * DAY * 1000).toISOString().slice(0, 10);
    return known.get(day) ?? { day, complete: 0, error: 0, cancelled: 0, lost: 0, p50: null, p95: null };
  });
}

/** @param {Day} day */
export const runsOf = (day) => day.complete + day.error + day.cancelled + day.lost;

/** @param {Day} day */
export const failedOf = (day) => day.error + day.lost;

/**
 * All days together: how many ended how, the share of complete ones (null of none), and how many ended per day since
 * the first of these days on which any did.
 * @param {Day[]} days  without gaps
 */
export function totals(days) {
  const sum = { complete: 0, error: 0, cancelled: 0, lost: 0 };
  for (const day of days) for (const end of ENDS) sum[end] += day[end];
  const runs = sum.complete + sum.error + sum.cancelled + sum.lost;
  const first = days.findIndex((day) => runsOf(day) > 0);
  return { ...sum, runs, success: runs ? sum.complete / runs : null, perDay: runs ? runs / (days.length - first) : 0 };
}

/** A share in per cent that says 100 only of all, and 0 only of none. @param {number} share */
export function percent(share) {
  const exact = share * 100;
  if (exact > 99.9 && exact < 100) return '99.9 %';
  if (exact > 0 && exact < 0.1) return '0.1 %';
  return `${exact.toFixed(exact >= 99 && exact < 100 ? 1 : 0)} %`;
}
