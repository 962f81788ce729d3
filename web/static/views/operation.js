/** The page of one operation: what it is, how far it came, what failed, and its children. */
import { html, useEffect, } from '../lib.js';
import { clean, titleOf } from '../format.js';
import { useFeed } from '../feeds.js';
import { listPath, operationPath, query, route } from '../router.js';
import { ENDED, percentOf } from '../state.js';
import { StatusMark } from '../status.js';
import { Actions } from './actions.js';
import { Attempts, useAttempts } from './attempts.js';
import { BatchPanel } from './batch.js';
import { Children } from './children.js';
import { ErrorPanel } from './error.js';
import { EventsPanel } from './events.js';
import { Facts } from './facts.js';
import { FailuresPanel } from './failures.js';
import { LogPanel } from './logs.js';
import { Loading } from './quiet.js';
import { sentence } from './prose.js';
import { Steps } from './steps.js';
import { Timeline } from './timeline.js';

/** @typedef {import('../types').Operation} Operation */

/** @param {{ id: string }} props */
export function OperationPage({ id }) {
  const feed = useFeed(`operation:${id}`);
  const held = feed.held.value;
  const operation = held.operations.get(id);
  useEffect(() => {
    document.title = operation ? documentTitle(operation) : 'Operation · step tracker';
  });
  useEffect(() => document.querySelector('h1')?.focus({ preventScroll: true }), [Boolean(operation)]);
  const attempts = useAttempts(operation);
  if (!operation) return html`<main id="main">${held.ready ? html`<${Unknown} id=${id} problem=${held.problem} />` : html`<h1 class="unseen">Operation</h1><${Loading} />`}</main>`;
  const earlier = attempts.find((each) => each.run !== operation.run && String(each.attempt) === query.value.get('attempt'));
  const shown = earlier ?? operation;
  return html`<main id="main" class="one">
    <${Title} operation=${shown} newest=${operation} />
    <div class="columns">
      <div class="work"><${Work} key=${shown.run} operation=${shown} held=${earlier ? null : held} attempts=${attempts} /></div>
      <div class="work">
        <${Facts} key=${shown.run} operation=${shown} isNewest=${!earlier} />
        ${attempts.length > (operation.run ? 1 : 0) && html`<${Attempts} newest=${operation} attempts=${attempts} shown=${shown} />`}
      </div>
    </div>
    ${shown.children.total > 0 && html`<${Children} key=${id} operation=${shown} />`}
    ${!earlier && html`<${EventsPanel} key=${id} id=${id} />`}
  </main>`;
}

/**
 * What it does, and how that went.
 * @param {{ operation: Operation, held: import('../types').Held | null, attempts: Operation[] }} props  held: of the newest attempt only
 */
function Work({ operation, held, attempts }) {
  const steps = held ? held.steps : (operation.steps ?? []);
  const { children } = operation;
  return html`
    ${operation.error && html`<${ErrorPanel} operation=${operation} steps=${steps} />`}
    ${children.total > 0 && html`<${BatchPanel} key=${operation.id} operation=${operation} />`}
    ${children.error + children.lost > 0 && html`<${FailuresPanel} operation=${operation} />`}
    <${Steps} operation=${operation} steps=${steps} />
    <${Timeline} operation=${operation} steps=${steps} attempts=${attempts} />
    <${LogPanel} operation=${operation} steps=${steps} held=${held} />
  `;
}

/** @param {{ operation: Operation, newest: Operation }} props */
function Title({ operation, newest }) {
  return html`<div class="title">
    <nav class="trail" aria-label="Where this is">
      <a data-inside href=${listPath()}>Operations</a>
      ${operation.parent && html`<span aria-hidden="true">›</span><${Parent} id=${operation.parent} />`}
    </nav>
    <div class="title-line">
      <h1 tabindex="-1" dir="auto">${titleOf(operation)}</h1>
      <span class="badges">
        <span class=${`badge is-${operation.status}`}><${StatusMark} status=${operation.status} /></span>
        ${newest.attempt > (newest.run ? 1 : 0) && html`<span class="tag">${operation.run ? 'attempt' : 'after attempt'} ${operation.attempt}</span>`}
        ${operation !== newest && html`<a data-inside href=${operationPath(newest.id)}>Show the newest</a>`}
        ${operation.warned > 0 && html`<span class="tag tag-warn">⚠ ${operation.warned === 1 ? '1 warning' : `${operation.warned} warnings`}</span>`}
        ${operation.flags.map((flag) => html`<span key=${flag} class="tag tag-warn">${clean(flag, 24)}</span>`)}
        ${operation.cancel && operation.status === 'running' && html`<span class="tag tag-warn">cancel requested</span>`}
      </span>
      ${operation === newest && html`<${Actions} operation=${operation} />`}
    </div>
  </div>`;
}

/** The parent by its title, once known. @param {{ id: string }} props */
function Parent({ id }) {
  const feed = useFeed(`operation:${id}`);
  const parent = feed.held.value.operations.get(id);
  return html`<a data-inside data-parent class="clip" dir="auto" href=${operationPath(id)}>${parent ? titleOf(parent, 120) : id}</a>`;
}

/** @param {Operation} operation */
function documentTitle(operation) {
  const title = titleOf(operation, 80);
  if (operation.children.total > 0 && !ENDED.has(operation.status)) return `${percentOf(operation.children)} % ${title}`;
  return `${operation.status} · ${title}`;
}

/** @param {{ id: string, problem: string }} props */
function Unknown({ id, problem }) {
  if (problem) return html`<div class="quiet broken" role="alert">
    <h1 tabindex="-1">This operation cannot be read</h1>
    <p>${sentence(problem)}</p>
    <p><a data-inside href=${listPath()}>All operations</a></p>
  </div>`;
  return html`<div class="quiet">
    <h1 tabindex="-1">Nothing known of this operation</h1>
    <p><code>${clean(id, 128)}</code></p>
    <p>It may not have begun, or it ended so long ago that it is no longer kept. This page fills by itself when it appears.</p>
    <p><a data-inside href=${listPath()}>All operations</a></p>
  </div>`;
}

export function UnknownPage() {
  return html`<main id="main"><div class="quiet">
    <h1>There is no such page</h1><p><code>${clean(location.pathname, 200)}</code></p>
    <p><a data-inside href=${listPath()}>All operations</a></p>
  </div></main>`;
}

/** One more than the page of the operation: its parent, else the list. */
export function upward() {
  const parent = document.querySelector('[data-parent]');
  return route.peek().page === 'operation' && parent instanceof HTMLAnchorElement ? parent.href : listPath();
}
