/** What an operation is: ids, times, worker, labels, arguments. */
import { html, useSignal } from '../lib.js';
import { clean, duration } from '../format.js';
import { ENDED } from '../state.js';
import { Moment, Span } from './time.js';
import { WorkerName } from './row.js';

/** @typedef {import('../types').Operation} Operation */

/** @param {{ operation: Operation }} props */
export function Facts({ operation }) {
  return html`<aside class="panel facts" aria-labelledby="facts-heading">
    <h2 id="facts-heading">Details</h2>
    <dl>${facts(operation).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
    ${operation.args && html`<details><summary>Arguments</summary>
      <pre tabindex="0" role="group" aria-label="Arguments">${clean(JSON.stringify(operation.args, null, 2), 8192)}</pre>
    </details>`}
  </aside>`;
}

/** @param {Operation} operation @returns {[string, unknown][]} */
function facts(operation) {
  const { created, started, ended, worker, labels } = operation;
  const waited = started == null ? null : Math.max(0, started - created);
  const queued = waited === null || Boolean(worker?.queue);
  /** @type {[string, unknown][]} */
  const all = [
    ['Duration', html`<${Span} since=${started} final=${operation.duration} open=${!ENDED.has(operation.status)} />`],
    ['Queued', queued && html`<${Moment} at=${created} />`],
    ['Started', started != null && html`<${Moment} at=${started} />`],
    ['Ended', ended != null && html`<${Moment} at=${ended} />`],
    ['Waited', queued && waited !== null && duration(waited)],
    ['Worker', worker && html`<${WorkerName} worker=${worker} />`],
    ['Queue', worker?.queue && clean(worker.queue, 80)],
    ['Name', html`<span dir="auto">${clean(operation.name, 200)}</span>`],
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

/** @param {{ text: string, what: string }} props */
function Copyable({ text, what }) {
  const label = useSignal('copy');
  const copy = async (/** @type {any} */ event) => {
    const shown = event.currentTarget.previousElementSibling;
    label.value = (await copied(text)) ? 'copied' : select(shown);
    setTimeout(() => (label.value = 'copy'), 1500);
  };
  return html`<span class="copyable"><code>${clean(text, 128)}</code>
    <button type="button" class="copy" aria-label=${`Copy ${what}`} onClick=${copy}>${label}</button></span>`;
}

/** The clipboard exists over HTTPS and on this machine only. @param {string} text */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** @param {Element} element */
function select(element) {
  getSelection()?.selectAllChildren(element);
  return 'selected';
}
