/** Now, as a live list: top-level operations, newest first, with counts by status and a filter. */
import { html, useComputed, useEffect, useMemo, useRef } from '../lib.js';
import { clean, count } from '../format.js';
import { closeFeed, openFeed } from '../feeds.js';
import { notices } from '../notices.js';
import { lastSeen, query, setQuery } from '../router.js';
import { countByStatus, newestFirst, STATUSES } from '../state.js';
import { Shape, word } from '../status.js';
import { Loading } from './quiet.js';
import { Row } from './row.js';

/** @typedef {import('../types').Operation} Operation */
/** @typedef {import('../feeds').Feed} Feed */

const ALWAYS = new Set(['running', 'queued', 'error', 'complete']);

export function NowPage() {
  const feed = useMemo(() => openFeed('operations'), []);
  useEffect(() => {
    document.title = 'Now · step tracker';
    const row = document.querySelector(`[data-row="${CSS.escape(lastSeen.peek())}"]`);
    if (row instanceof HTMLElement) row.focus({ preventScroll: true });
    return () => closeFeed('operations');
  }, []);
  return html`<main id="main">
    <div class="head">
      <h1>Now</h1>
      <${Filters} feed=${feed} />
    </div>
    <${Rows} feed=${feed} />
  </main>`;
}

/** @param {{ feed: Feed }} props */
function Filters({ feed }) {
  const counts = useComputed(() => countByStatus(feed.held.value.operations.values()));
  const chosen = query.value.get('status') ?? '';
  const shown = STATUSES.filter((status) => ALWAYS.has(status) || counts.value[status] > 0 || status === chosen);
  return html`<div class="tools">
    <div class="chips" role="group" aria-label="Filter by status">
      <${Chip} status="" label="all" number=${counts.value.total} chosen=${chosen} />
      ${shown.map((status) => html`<${Chip} key=${status} status=${status} label=${word(status)} number=${counts.value[status]} chosen=${chosen} />`)}
    </div>
    <input id="filter" type="search" placeholder="Filter  ( / )" aria-label="Filter by text" autocomplete="off" spellcheck=${false}
      value=${query.value.get('q') ?? ''} onInput=${(/** @type {any} */ event) => setQuery('q', event.currentTarget.value)} />
  </div>`;
}

/** @param {{ status: string, label: string, number: number, chosen: string }} props */
function Chip({ status, label, number, chosen }) {
  return html`<button type="button" class=${`chip is-${status || 'all'} ${number ? '' : 'none'}`} aria-pressed=${status === chosen}
    onClick=${() => setQuery('status', status === chosen ? '' : status)}>
    ${status && html`<${Shape} status=${status} />`}<span>${label}</span><b>${count(number)}</b>
  </button>`;
}

/**
 * The ids to show, in order; the same array while nothing about it changed, so that rows alone redraw.
 * @param {Feed} feed
 */
function useOrder(feed) {
  const last = useRef(/** @type {string[]} */ ([]));
  const order = useComputed(() => {
    const status = query.value.get('status');
    const words = (query.value.get('q') ?? '').toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = (/** @type {Operation} */ each) => (!status || each.status === status) && matches(each, words);
    const found = [...feed.held.value.operations.values()].filter(wanted);
    const ids = found.sort(newestFirst).map((operation) => operation.id);
    if (ids.length !== last.current.length || ids.some((id, place) => id !== last.current[place])) last.current = ids;
    return last.current;
  });
  return order.value;
}

/** @param {Operation} operation @param {string[]} words */
function matches(operation, words) {
  if (!words.length) return true;
  const { id, title, name, step, error, worker, labels } = operation;
  const parts = [id, title, name, step?.name, error?.type, error?.message, worker?.host, ...Object.entries(labels).map((pair) => pair.join('='))];
  const text = parts.join('\n').toLowerCase();
  return words.every((each) => text.includes(each));
}

/** @param {{ feed: Feed }} props */
function Rows({ feed }) {
  const order = useOrder(feed);
  const ready = useComputed(() => feed.held.value.ready);
  if (!ready.value) return html`<${Loading} />`;
  if (!order.length) return feed.rows.size ? html`<${NoMatch} />` : html`<${Empty} />`;
  return html`<div class="table">
    <${Headings} />
    <ul class="rows">${order.map((id) => html`<${Row} key=${id} row=${feed.rows.get(id)} />`)}</ul>
  </div>`;
}

export function Headings() {
  return html`<div class="headings" aria-hidden="true">
    <span>Status</span><span>Operation</span><span>Step</span><span class="cell-worker">Worker</span>
    <span class="cell-started">Started</span><span class="cell-elapsed">Duration</span>
  </div>`;
}

function NoMatch() {
  const wanted = [query.value.get('status'), clean(query.value.get('q'), 60)].filter(Boolean).join(' · ');
  return html`<div class="quiet"><h2>Nothing matches</h2><p dir="auto">${wanted}</p>
    <p><button type="button" class="button" onClick=${() => { setQuery('status', ''); setQuery('q', ''); }}>Show all operations</button></p></div>`;
}

function Empty() {
  return html`<div class="quiet">
    <h2>${notices.value.length ? 'No operations here' : 'No operations yet'}</h2>
    <p>Queue one from a terminal, or run a script that uses <code>StepTracker</code>. It appears here by itself.</p>
    <pre><code>tracker jobs          # what there is${'\n'}tracker submit JOB …  # queue one${'\n'}tracker watch         # watch it</code></pre>
  </div>`;
}
