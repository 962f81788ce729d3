/** Now: what failed, runs, waits and has ended lately, and where everything is. Left open, it stays calm. */
import { html, useComputed, useEffect, } from '../lib.js';
import { useCalm } from '../calm.js';
import { choiceOf, isEverything } from '../choice.js';
import { useFeed } from '../feeds.js';
import { notices } from '../notices.js';
import { lastSeen, query } from '../router.js';
import { failures, stale } from '../socket.js';
import { useLengths } from '../lengths.js';
import { asked, Filters, showAll } from './filters.js';
import { focusedRow } from './focus.js';
import { Broken } from './quiet.js';
import { Sections, useSections } from './sections.js';
import { Where } from './where.js';

/** @typedef {import('../feeds').Feed} Feed */

/** Milliseconds between two changes of what stands where. */
const PAUSE = 500;
/** Connections tried in vain after which it is said that there is nothing to show yet. */
const TRIED = 2;

export function NowPage() {
  const feed = useFeed('operations');
  const places = useCalm(feed.places, PAUSE);
  const ready = useComputed(() => feed.held.value.ready);
  useLengths();
  useEffect(() => {
    document.title = 'Now · step tracker';
    focusedRow.value = lastSeen.peek();
  }, []);
  return html`<main id="main" class=${stale.value ? 'now is-stale' : 'now'}>
    <div class="head">
      <h1>Now</h1>
      <${Filters} feed=${feed} places=${places} ready=${ready.value} />
    </div>
    <${Body} feed=${feed} places=${places} ready=${ready.value} />
  </main>`;
}

/** @param {{ feed: Feed, places: import('../lib').ReadonlySignal<number>, ready: boolean }} props */
function Body({ feed, places, ready }) {
  const found = useSections(feed, places);
  const some = found.value.some(({ operations }) => operations.length);
  const everything = isEverything(choiceOf(query.value));
  if (!ready && failures.value >= TRIED) return html`<${Broken} error="The server does not answer. This page goes on trying, and fills by itself." again=${() => location.reload()} />`;
  if (ready && !feed.rows.size) return html`<${Empty} />`;
  return html`
    <${Where} />
    ${everything || some
      ? html`<div class="table"><${Headings} /><${Sections} feed=${feed} found=${found} ready=${ready} everything=${everything} /></div>`
      : html`<${NoMatch} />`}`;
}

export function Headings() {
  return html`<div class="headings" aria-hidden="true">
    <span>Status</span><span>Operation</span><span>Step</span><span class="cell-worker">Worker</span>
    <span class="cell-started">Started</span><span class="cell-elapsed">Duration</span>
  </div>`;
}

function NoMatch() {
  return html`<div class="quiet"><h2>Nothing matches</h2><p dir="auto">${asked()}</p>
    <p><button type="button" class="button" onClick=${showAll}>Show all operations</button></p></div>`;
}

function Empty() {
  return html`<div class="quiet">
    <h2>${notices.value.length ? 'No operations here' : 'No operations yet'}</h2>
    <p>Queue one from a terminal, or run a script that uses <code>StepTracker</code>. It appears here by itself.</p>
    <pre><code>tracker jobs          # what there is${'\n'}tracker submit JOB …  # queue one${'\n'}tracker watch         # watch it</code></pre>
  </div>`;
}
