/** Filters of the history: how they stand in the address of the page, and how the API is asked. Pure functions. */

/** What the API can filter by, under the names it has there. */
export const NAMES = ['status', 'name', 'label', 'worker', 'step', 'error', 'release', 'q', 'since', 'until'];

/** Times that move along with now, by the name they have in the address. @type {Record<string, { seconds: number, text: string }>} */
export const LAST = {
  hour: { seconds: 3600, text: 'last hour' },
  day: { seconds: 86400, text: 'last day' },
  week: { seconds: 604800, text: 'last 7 days' },
};

/**
 * The filters in the address of a page, in one order and without what is none.
 * @param {URLSearchParams} query
 */
export function filtersOf(query) {
  const found = new URLSearchParams();
  for (const name of [...NAMES, 'last']) {
    const value = query.get(name);
    if (value) found.set(name, value);
  }
  return found;
}

/**
 * The same as the API understands them at the moment `now`.
 * @param {URLSearchParams} filters
 * @param {number} now  UTC seconds
 */
export function asked(filters, now) {
  const found = new URLSearchParams(filters);
  const last = LAST[found.get('last') ?? ''];
  found.delete('last');
  if (last) found.set('since', String(Math.floor(now - last.seconds)));
  return found;
}

/**
 * A moment as a field for local time shows it; empty if it is none.
 * @param {string | null} text  UTC seconds
 */
export function toField(text) {
  const stamp = Number(text);
  if (!text || !Number.isFinite(stamp) || Math.abs(stamp) > 2e11) return '';
  const date = new Date(stamp * 1000);
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  const day = `${String(date.getFullYear()).padStart(4, '0')}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** UTC seconds of what a field for local time shows; empty if that is none. @param {string} text */
export function fromField(text) {
  const time = new Date(text).getTime();
  return Number.isNaN(time) ? '' : String(Math.floor(time / 1000));
}
