/** The children of an operation: failures first, filtered by status. All can be reached by scrolling. */
import { html, useComputed, useSignal } from '../lib.js';
import { useCalm } from '../calm.js';
import { useFeed } from '../feeds.js';
import { clean, count } from '../format.js';
import { failuresFirst } from '../order.js';
import { usePages } from '../paging.js';
import { STATUSES } from '../state.js';
import { Shape, word } from '../status.js';
import { Headings } from './now.js';
import { Loading } from './quiet.js';
import { Row } from './row.js';
import { VirtualList } from './virtual.js';
import { WhereChildren } from './where.js';

/** @typedef {import('../types').Operation} Operation */
/** @typedef {import('../feeds').Feed} Feed */

/** Milliseconds between two changes of what stands where. */
const PAUSE = 500;

/** @param {{ operation: Operation }} props */
export function Children({ operation }) {
  const feed = useFeed(`children:${operation.id}`);
  const chosen = useSignal('');
  const ready = useComputed(() => feed.held.value.ready);
  return html`<section class="children" aria-labelledby="children-heading">
    <div class="head"><h2 id="children-heading">Children</h2><${Choice} counts=${operation.children} chosen=${chosen} /></div>
    <${WhereChildren} operation=${operation} />
    ${ready.value ? html`<${All} key=${chosen.value} feed=${feed} operation=${operation} status=${chosen.value} />` : html`<${Loading} />`}
  </section>`;
}

/** @param {{ feed: Feed, operation: Operation, status: string }} props */
function All({ feed, operation: { id, children }, status }) {
  const places = useCalm(feed.places, PAUSE);
  const total = status ? children[/** @type {import('../types').Status} */ (status)] : children.total;
  const pages = usePages(feed, id, status, total);
  const keys = useComputed(() => {
    void places.value;
    return ordered(feed.held.peek().operations.values(), status);
  }).value;
  const draw = (/** @type {string} */ key, /** @type {import('./virtual').Place} */ { top, at, of }) => {
    const row = feed.rows.get(key);
    return row && html`<${Row} key=${key} row=${row} top=${top} at=${at} of=${of} />`;
  };
  const kind = status ? `${word(status)} children` : 'children';
  return html`${total > 0 && html`<div class="table"><${Headings} />
      <${VirtualList} keys=${keys} of=${Math.max(total, keys.length)} draw=${draw} reach=${pages.reach} label=${kind} /></div>`}
    ${pages.error
      ? html`<p class="note failed" role="alert">Not all could be read: ${clean(pages.error)}. <button type="button" class="button" onClick=${() => pages.reach(total)}>Try again</button></p>`
      : html`<p class="muted note">${total ? `${count(total)} ${kind}, failures first.` : `No ${kind}.`}</p>`}`;
}

/** @param {Iterable<Operation>} operations @param {string} status */
function ordered(operations, status) {
  const found = [...operations].filter((child) => !status || child.status === status);
  return found.sort(failuresFirst).map(({ id }) => id);
}

/** @param {{ counts: import('../types').Counts, chosen: import('../lib').Signal<string> }} props */
function Choice({ counts, chosen }) {
  const present = STATUSES.filter((status) => counts[status] > 0 || status === chosen.value);
  return html`<div class="chips" role="group" aria-label="Filter children by status">
    ${['', ...present].map((status) => html`<button key=${status} type="button" class=${`chip is-${status || 'all'}`} aria-pressed=${status === chosen.value}
      onClick=${() => (chosen.value = status)}>
      ${status && html`<${Shape} status=${status} />`}<span>${status ? word(status) : 'all'}</span>
      <b>${count(status ? counts[/** @type {import('../types').Status} */ (status)] : counts.total)}</b></button>`)}
  </div>`;
}
