/** What an operation is: ids, times, worker, labels, arguments. */
import { html } from '../lib.js';
import { now } from '../clock.js';
import { clean, clockTime, duration } from '../format.js';
import { isLater, waitsSince } from '../order.js';
import { attemptPath, operationPath } from '../router.js';
import { ENDED } from '../state.js';
import { Copy, Copyable } from './copy.js';
import { Due, Elapsed, Moment, Span } from './time.js';
import { WorkerName } from './row.js';

/** @typedef {import('../types').Operation} Operation */

/** @param {{ operation: Operation, isNewest: boolean }} props */
export function Facts({ operation, isNewest }) {
  const path = isNewest ? operationPath(operation.id) : attemptPath(operation.id, operation.attempt);
  return html`<aside class="panel facts" aria-labelledby="facts-heading">
    <h2 id="facts-heading">Details</h2>
    <dl>${facts(operation).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    <p class="facts-link"><${Copy} text=${() => location.origin + path} what="to this page" word="copy link" /></p>
    ${operation.args && html`<${Arguments} args=${operation.args} />`}
  </aside>`;
}

/** @param {{ args: Record<string, unknown> }} props */
function Arguments({ args }) {
  const text = clean(JSON.stringify(args, null, 2), 8192);
  return html`<details><summary>Arguments</summary>
    <pre tabindex="0" role="group" aria-label="Arguments">${text}</pre>
    <${Copy} text=${() => text} what="the arguments" />
  </details>`;
}

/** @param {Operation} operation @returns {[string, unknown][]} */
function facts(operation) {
  const { created, started, ended, worker, labels, cancel } = operation;
  const waited = started == null ? null : Math.max(0, started - created);
  const queued = waited === null || Boolean(worker?.queue);
  const { next_at } = operation;
  const later = next_at != null && isLater(operation, now.value);
  /** @type {[string, unknown][]} */
  const all = [
    ['Duration', operation.status !== 'queued' && html`<${Span} since=${started} final=${operation.duration} open=${!ENDED.has(operation.status)} />`],
    ['Queued', queued && html`<${Moment} at=${created} />`],
    ['Started', started != null && html`<${Moment} at=${started} />`],
    ['Ended', ended != null && html`<${Moment} at=${ended} />`],
    ['Waited', queued && waited !== null && operation.attempt <= 1 && duration(waited)],
    ['Due', later && html`<span>${clockTime(next_at)} <span class="muted">(<${Due} at=${next_at} />)</span></span>`],
    ['Waiting', operation.status === 'queued' && !later && html`<${Elapsed} since=${waitsSince(operation)} />`],
    ['Cancelled', cancel && html`<span>by ${clean(cancel.by, 80)}, <${Moment} at=${cancel.at} /></span>`],
    ['Worker', worker && html`<${WorkerName} worker=${worker} />`],
    ['Queue', worker?.queue && clean(worker.queue, 80)],
    ['Name', html`<span dir="auto">${clean(operation.name, 200)}</span>`],
    ['Release', operation.release && html`<span dir="auto">${clean(operation.release, 200)}</span>`],
    ['App', operation.app && html`<span dir="auto">${clean(operation.app, 200)}</span>`],
    ['Attempt', operation.attempt > 0 && operation.attempt],
    ['Labels', Object.keys(labels).length > 0 && html`<${Labels} labels=${labels} />`],
    ['Id', html`<${Copyable} text=${operation.id} what="id" />`],
    ['Run', operation.run && html`<${Copyable} text=${operation.run} what="run" />`],
  ];
  return all.filter(([, value]) => value);
}

/** @param {{ labels: Record<string, string> }} props */
function Labels({ labels }) {
  return html`<ul class="labels">${Object.entries(labels).map(
    ([name, value]) => html`<li key=${name} class="tag" dir="auto">${clean(name, 60)}=${clean(value, 120)}</li>`,
  )}</ul>`;
}
