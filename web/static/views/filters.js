/** What the page Now is filtered by: status, text, and what was chosen of where everything is. */
import { html, useComputed } from '../lib.js';
import { clean, count } from '../format.js';
import { query, setQuery } from '../router.js';
import { countByStatus, STATUSES } from '../state.js';
import { Shape, word } from '../status.js';

const ALWAYS = new Set(['running', 'queued', 'error', 'complete']);
const NAMES = ['status', 'name', 'step', 'q'];

export function showAll() {
  for (const name of NAMES) setQuery(name, '');
}

/** What is asked for, in words. @param {string[]} [names] */
export const asked = (names = NAMES) => names.map((name) => clean(query.value.get(name), 60)).filter(Boolean).join(' · ');

/** @param {{ feed: import('../feeds').Feed, places: import('../lib').ReadonlySignal<number>, ready: boolean }} props */
export function Filters({ feed, places, ready }) {
  const counts = useComputed(() => {
    void places.value;
    return countByStatus(feed.held.peek().operations.values());
  });
  const chosen = query.value.get('status') ?? '';
  const shown = STATUSES.filter((status) => ALWAYS.has(status) || counts.value[status] > 0 || status === chosen);
  return html`<div class="tools">
    <div class="chips" role="group" aria-label="Filter by status">
      <${Chip} status="" label="all" number=${ready ? counts.value.total : null} chosen=${chosen} />
      ${shown.map((status) => html`<${Chip} key=${status} status=${status} label=${word(status)} number=${ready ? counts.value[status] : null} chosen=${chosen} />`)}
    </div>
    <input id="filter" type="search" placeholder="Filter  ( / )" aria-label="Filter by text" autocomplete="off" spellcheck=${false}
      value=${query.value.get('q') ?? ''} onInput=${(/** @type {any} */ event) => setQuery('q', event.currentTarget.value)} />
  </div>`;
}

/** What is not known yet is no zero. @param {{ status: string, label: string, number: number | null, chosen: string }} props */
function Chip({ status, label, number, chosen }) {
  return html`<button type="button" class=${`chip is-${status || 'all'} ${number ? '' : 'none'}`} aria-pressed=${status === chosen}
    onClick=${() => setQuery('status', status === chosen ? '' : status)}>
    ${status && html`<${Shape} status=${status} />`}<span>${label}</span><b>${number === null ? '–' : count(number)}</b>
  </button>`;
}
