/** Operations of any age: searched, filtered, in pages, and taken away as CSV or JSON. */
import { html, useEffect } from '../lib.js';
import { apiPath } from '../api.js';
import { clean, clockTime, count } from '../format.js';
import { filtersOf } from '../criteria.js';
import { lastSeen, query } from '../router.js';
import { begin, LOOKED_AT, more, parameters, search, stop } from '../search.js';
import { clear, Filters } from './criteria.js';
import { Headings } from './now.js';
import { Broken, Loading, Nothing } from './quiet.js';
import { Row } from './row.js';

/** Milliseconds after the last change of a filter, before it is looked for. */
const PAUSE = 250;

export function HistoryPage() {
  const key = filtersOf(query.value).toString();
  useEffect(() => {
    document.title = 'History · step tracker';
    returnTo(lastSeen.peek());
    return stop;
  }, []);
  useEffect(() => {
    const { key: before } = search.peek();
    if (before === key) return;
    const timer = setTimeout(() => begin(key), before === null ? 0 : PAUSE);
    return () => clearTimeout(timer);
  }, [key]);
  return html`<main id="main">
    <div class="head"><h1>History</h1><${Exports} /></div>
    <${Filters} />
    <${Results} />
  </main>`;
}

/** The row people come back from gets the focus, on the screen. @param {string} id */
function returnTo(id) {
  const row = id && document.querySelector(`[data-row="${CSS.escape(id)}"]`);
  if (!(row instanceof HTMLElement)) return;
  row.focus({ preventScroll: true });
  // After the router has scrolled to where the page was left, if it knows.
  setTimeout(() => requestAnimationFrame(() => row.scrollIntoView({ block: 'nearest' })), 50);
}

function Exports() {
  const { key } = search.value;
  const path = (/** @type {string} */ format) => `${apiPath('/export')}?${new URLSearchParams([['format', format], ...(key === null ? [] : parameters())])}`;
  return html`<span class="exports"><span class="muted">All that is found, as</span>
    <a class="button" download href=${path('csv')}>CSV</a>
    <a class="button" download href=${path('jsonl')}>JSON lines</a></span>`;
}

function Results() {
  const { key, shown, rows, busy, error, faults } = search.value;
  const here = key ?? '';
  if (error && shown !== key) {
    if (Object.keys(faults).length) return html`<${Nothing} heading="A filter cannot be used"><p dir="auto">${clean(error, 300)}</p></${Nothing}>`;
    return html`<${Broken} error=${error} again=${() => begin(here)} />`;
  }
  if (shown === null) return html`<${Loading} />`;
  return html`<div class=${shown === key ? 'results' : 'results outdated'} aria-busy=${busy}>
    ${rows.length > 0 && html`<div class="table"><${Headings} />
      <ul class="rows" onFocusIn=${follow}>${rows.map((row) => html`<${Row} key=${row.peek().id} row=${row} />`)}</ul></div>`}
    <${End} />
  </div>`;
}

/** Whoever gets to the last row with the keyboard finds more rows behind it. @param {FocusEvent} event */
function follow(event) {
  const row = event.target instanceof Element && event.target.closest('li');
  if (row && !row.nextElementSibling?.nextElementSibling) more();
}

/** What follows the last row: more, how far was looked, or why nothing follows. */
function End() {
  const { key, rows, next, busy, error, at } = search.value;
  if (!rows.length && !next && !busy) return html`<${Empty} />`;
  return html`<div class="end">
    <p role="status">${error ? html`<span class="failed">${clean(error, 300)}</span>` : summary()}</p>
    ${next && !busy && html`<button type="button" class="button" onClick=${more}>${error ? 'Try again' : short() ? 'Go on looking' : 'More'}</button>`}
    ${busy && html`<button type="button" class="button" onClick=${stop}>Stop</button>`}
    <span class="muted">As of ${clockTime(at)}</span>
    <button type="button" class="button" onClick=${() => begin(key ?? '')}>Read again</button>
  </div>`;
}

/** Whether the last page ended because enough had been looked at. */
const short = () => search.value.short > 0;

function summary() {
  const { rows, next, busy, short: pages } = search.value;
  const number = rows.length ? `${count(rows.length)} ${rows.length === 1 ? 'operation' : 'operations'}` : 'nothing yet';
  const looked = `among the newest ${count(pages * LOOKED_AT)} or more`;
  if (busy) return pages ? `Looking… ${number} ${looked}` : 'Reading…';
  if (!next) return `${number}, no more`;
  return pages ? `Found: ${number} ${looked}` : number;
}

function Empty() {
  if (!search.value.key) return html`<${Nothing} heading="No operations yet"><p>Queue one, or run a script that uses <code>StepTracker</code>.</p></${Nothing}>`;
  return html`<${Nothing} heading="Nothing found">
    <p>The history lists top-level operations. Children of a batch are on the page of the batch.</p>
    <p><button type="button" class="button" onClick=${clear}>Show all operations</button></p></${Nothing}>`;
}
