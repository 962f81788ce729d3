/** The children of an operation: failures first, filtered by status. */
import { html, useComputed, useEffect, useMemo, useSignal } from '../lib.js';
import { childrenWith } from '../api.js';
import { closeFeed, openFeed } from '../feeds.js';
import { count } from '../format.js';
import { failuresFirst, STATUSES } from '../state.js';
import { Shape, word } from '../status.js';
import { Headings } from './now.js';
import { Loading } from './quiet.js';
import { Row } from './row.js';

/** @typedef {import('../types').Operation} Operation */

/** Rows drawn at most; a batch may have ten thousand children. */
const MOST_ROWS = 200;

/** @param {{ operation: Operation }} props */
export function Children({ operation }) {
  const topic = `children:${operation.id}`;
  const feed = useMemo(() => openFeed(topic), [topic]);
  const chosen = useSignal('');
  useEffect(() => () => closeFeed(topic), [topic]);
  const total = chosen.value ? operation.children[/** @type {import('../types').Status} */ (chosen.value)] : operation.children.total;
  useMissing(feed, operation.id, chosen.value, total);
  const all = useComputed(() => ordered(feed.held.value.operations.values(), chosen.value));
  const shown = all.value.slice(0, MOST_ROWS);
  return html`<section class="children" aria-labelledby="children-heading">
    <div class="head"><h2 id="children-heading">Children</h2><${Choice} counts=${operation.children} chosen=${chosen} /></div>
    ${feed.held.value.ready ? html`<div class="table"><${Headings} />
      <ul class="rows">${shown.map((child) => html`<${Row} key=${child.id} row=${feed.rows.get(child.id)} />`)}</ul></div>` : html`<${Loading} />`}
    ${feed.held.value.ready && html`<p class="muted note">${caption(shown.length, total, chosen.value)}</p>`}
  </section>`;
}

/** @param {Iterable<Operation>} operations @param {string} status */
function ordered(operations, status) {
  return [...operations].filter((child) => !status || child.status === status).sort(failuresFirst);
}

/**
 * The live window holds the first children only; a filter reads the rest of its status over HTTP.
 * @param {import('../feeds').Feed} feed
 * @param {string} id
 * @param {string} status
 * @param {number} total
 */
function useMissing(feed, id, status, total) {
  useEffect(() => {
    if (!status || !total) return;
    const timer = setTimeout(() => childrenWith(id, status).then((children) => feed.merge(children), () => {}), 300);
    return () => clearTimeout(timer);
  }, [id, status, total]);
}

/** @param {number} shown @param {number} total @param {string} status */
function caption(shown, total, status) {
  const kind = status ? `${word(status)} children` : 'children';
  if (!total) return `No ${kind}.`;
  return shown < total ? `${count(shown)} of ${count(total)} ${kind} shown, failures first.` : `All ${count(total)} ${kind} shown.`;
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
