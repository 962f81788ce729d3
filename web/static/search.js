/**
 * A search in the history: the pages read so far, one after the other. It is kept while people look at the operations
 * it found, so that they come back to where they were; on any other page it is forgotten.
 */
import { effect, signal } from './lib.js';
import { get, Refusal } from './api.js';
import { serverNow } from './clock.js';
import { asked } from './criteria.js';
import { route } from './router.js';

/** @typedef {import('./types').Operation} Operation */
/** @typedef {import('./lib').Signal<Operation>} RowSignal */
/**
 * `key` are the filters that are looked for, `shown` those that `rows` are the answer to, as of `at` (UTC seconds).
 * `short` counts the pages that ended because enough had been looked at. `faults` are told at their fields.
 * @typedef {{ key: string | null, shown: string | null, rows: RowSignal[], next: string | null, at: number, since: string,
 *   short: number, busy: boolean, error: string, faults: Record<string, string> }} Search
 */

/** Rows wanted at once. */
const PAGE = 100;
/** Pages that are read in one go while few operations fit. */
const PATIENCE = 20;
/** About how many operations a page with a filter looks at. */
export const LOOKED_AT = 5000;

/** @returns {Search} */
const nothing = () => ({ key: null, shown: null, rows: [], next: null, at: 0, since: '', short: 0, busy: false, error: '', faults: {} });

export const search = signal(nothing());

let reading = new AbortController();

/** @param {Partial<Search>} change */
const become = (change) => (search.value = { ...search.peek(), ...change });

/** Look for something else, or anew. What was found before stays until the first answer. @param {string} key */
export function begin(key) {
  stop();
  const since = asked(new URLSearchParams(key), serverNow()).get('since') ?? '';
  become({ key, since, error: '', faults: {} });
  void go(true);
}

/** Read on, until there is a page more of what is looked for. */
export function more() {
  const { busy, next } = search.peek();
  if (!busy && next) void go(false);
}

/** Read no further for now; what was found stays. */
export function stop() {
  reading.abort();
  become({ busy: false });
}

/** The filters as the API takes them, with the beginning of the time that was meant when the search began. */
export function parameters() {
  const { key, since } = search.peek();
  const found = asked(new URLSearchParams(key ?? ''), serverNow());
  if (since) found.set('since', since);
  return found;
}

/** @param {boolean} fresh */
async function go(fresh) {
  reading = new AbortController();
  const { signal: stopped } = reading;
  become({ busy: true, error: '' });
  try {
    await readOn(fresh, stopped);
    if (!stopped.aborted) become({ busy: false });
  } catch (error) {
    if (!stopped.aborted) become({ busy: false, ...told(error) });
  }
}

/** @param {boolean} fresh @param {AbortSignal} stopped */
async function readOn(fresh, stopped) {
  const query = parameters();
  query.set('limit', String(PAGE));
  let found = 0;
  for (let pages = 0; pages < PATIENCE && found < PAGE; pages += 1) {
    const first = fresh && pages === 0;
    if (!first) query.set('page', search.peek().next ?? '');
    const answer = await get(`/operations?${query}`, stopped);
    if (stopped.aborted) return;
    found += answer.items.length;
    take(answer, first);
    if (!answer.next) return;
  }
}

/** @param {{ items: Operation[], next: string | null }} answer @param {boolean} first */
function take({ items, next }, first) {
  const held = search.peek();
  const rows = items.map((operation) => signal(operation));
  const short = (first ? 0 : held.short) + (next && items.length < PAGE ? 1 : 0);
  const start = first ? { shown: held.key, at: serverNow(), rows } : { rows: [...held.rows, ...rows] };
  become({ ...start, next, short });
}

/** @param {unknown} error @returns {Partial<Search>} */
function told(error) {
  const text = error instanceof Error ? error.message : 'the server did not answer';
  const faults = /** @type {{ parameter?: string, detail: string }[]} */ (error instanceof Refusal ? error.errors : []);
  return { error: text, faults: Object.fromEntries(faults.map(({ parameter, detail }) => [parameter ?? '', detail])) };
}

effect(() => {
  const { page } = route.value;
  if (page === 'history' || page === 'operation' || search.peek().key === null) return;
  reading.abort();
  search.value = nothing();
});
