/** What surrounds every page: the header with the state of the connection, notices, the sheet of keys. */
import { html } from '../lib.js';
import { HOLDER, isOwn, logOut } from '../api.js';
import { announcement } from '../announce.js';
import { clean, clockTime } from '../format.js';
import { lagging, notice, polling, serverVersion } from '../feeds.js';
import { notices } from '../notices.js';
import { PAGES, pagePath, route } from '../router.js';
import { failures, heard, phase, silentFor, stale } from '../socket.js';
import { showKeys } from './keys.js';
import { HistoryPage } from './history.js';
import { NowPage } from './now.js';
import { OperationPage, UnknownPage } from './operation.js';
import { sentence } from './prose.js';
import { QueuePage } from './queue.js';
import { StatisticsPage } from './statistics.js';
import { ThemeButton } from './theme.js';
import { WorkersPage } from './workers.js';

/** @type {Record<string, () => unknown>} */
const VIEWS = { now: NowPage, history: HistoryPage, statistics: StatisticsPage, workers: WorkersPage, queue: QueuePage };

export function Shell() {
  return html`
    <header>
      <a class="brand" data-inside href=${pagePath('')}><${Mark} /><span class="clip">step tracker</span></a>
      <${Navigation} />
      <${Connection} />
      <${ThemeButton} />
      ${HOLDER && html`<${LogOut} />`}
      <button type="button" class="button small" aria-label="Keys" onClick=${showKeys}>?</button>
    </header>
    <${Passing} />
    <${Standing} />
    <${Page} />
    <p class="unseen" role="status" aria-live="polite">${announcement}</p>
  `;
}

function Page() {
  const { page, id } = route.value;
  if (page === 'operation') return html`<${OperationPage} key=${id} id=${id} />`;
  return html`<${VIEWS[page] ?? UnknownPage} key=${page} />`;
}

function Navigation() {
  return html`<nav class="pages" aria-label="Pages">${PAGES.map(
    ([page, path, text]) => html`<a key=${page} data-inside href=${pagePath(path)} aria-current=${route.value.page === page ? 'page' : undefined}>${text}</a>`,
  )}</nav>`;
}

function Mark() {
  return html`<svg class="mark" viewBox="0 0 16 16" aria-hidden="true"><path d="M2 3.5h6M2 8h9M2 12.5h12" /></svg>`;
}

function LogOut() {
  const text = `Log out ${HOLDER}`;
  return html`<button type="button" class="button small" aria-label=${text} title=${text} onClick=${logOut}>
    <svg class="shape" viewBox="0 0 16 16" aria-hidden="true"><path d="M9.5 2.5h-7v11h7M6.5 8h7.5M11 5l3 3l-3 3" /></svg>
  </button>`;
}

/** The state of the connection in one word, and since when nothing was heard. */
function Connection() {
  const [kind, text] = connection();
  return html`<span class=${`connection is-${kind}`}><span class="dot" aria-hidden="true"></span>${text}</span>`;
}

/** @returns {[string, string]} */
function connection() {
  if (stale.value) return ['stale', 'stale'];
  if (polling.value) return ['polling', 'every 2 s'];
  if (phase.value === 'reconnecting') return ['broken', `reconnecting (${failures.value})`];
  if (phase.value === 'live' && lagging.value) return ['polling', 'lagging'];
  return phase.value === 'live' ? ['live', 'live'] : ['waiting', 'connecting'];
}

/** What holds until somebody mends it, as long sentences with code in them. */
function Standing() {
  return html`<div class="standing" role="status">${notices.value.map((text) => html`<p key=${text}>${sentence(text)}</p>`)}</div>`;
}

/** One line over the page while what is shown may not be the latest. */
function Passing() {
  const text = warning() || notice.value;
  return html`<aside class=${`notice ${text ? 'shown' : ''}`} aria-label="Connection">${clean(text, 300)}</aside>`;
}

function warning() {
  const asOf = heard.value ? `as of ${clockTime(heard.value / 1000)}` : 'nothing was heard yet';
  if (polling.value) return 'Live connection blocked, refreshing every 2 s';
  if (stale.value) return `Shown ${asOf}: nothing heard for ${silentFor.value} s`;
  if (phase.value === 'reconnecting' && failures.value > 1) return `Not connected, ${asOf}. Trying again (${failures.value}).`;
  return serverVersion.value && !isOwn(serverVersion.value) ? 'The server has been renewed. Reload this page.' : '';
}
