/** One operation as a row: in the list, and among the children of a batch. */
import { html } from '../lib.js';
import { now } from '../clock.js';
import { clean, duration, progress, titleOf } from '../format.js';
import { operationPath } from '../router.js';
import { isLater, waitsSince } from '../order.js';
import { ENDED, percentOf } from '../state.js';
import { StatusMark } from '../status.js';
import { CountsBar, CountsLine, StepsBar } from './bars.js';
import { Left } from './left.js';
import { Ago, Due, Elapsed, Span } from './time.js';

/** @typedef {import('../types').Operation} Operation */

/** Seconds in the queue that are worth a word. */
const NOTED = 1;

/**
 * A list item; in a virtual list it takes its place there. `inside`: below the row of its group.
 * @param {{ row: import('../lib').Signal<Operation>, top?: number, at?: number, of?: number, inside?: boolean }} props
 */
export function Row({ row, top, at, of, inside = false }) {
  const style = top === undefined ? undefined : { top: `${top}px` };
  return html`<li class=${`row is-${row.value.status} ${inside ? 'inside' : ''}`} style=${style} aria-posinset=${at} aria-setsize=${of}><${Cells} row=${row} /></li>`;
}

/** Apart from the row, so that they are not drawn again when it only moves. @param {{ row: import('../lib').Signal<Operation> }} props */
function Cells({ row }) {
  const operation = row.value;
  const title = titleOf(operation);
  return html`
    <div class="cell-status"><${StatusMark} status=${operation.status} /></div>
    <div class="cell-title">
      <a data-inside data-row=${operation.id} href=${operationPath(operation.id)} title=${title} dir="auto">${title}</a>
      <${Subtitle} operation=${operation} />
    </div>
    <div class="cell-progress"><${Progress} operation=${operation} /></div>
    <div class="cell-worker"><${WorkerName} worker=${operation.worker} /></div>
    <div class="cell-started"><${Started} operation=${operation} /></div>
    <div class="cell-elapsed"><${Length} operation=${operation} /></div>`;
}

/** When it began, and how long it had waited for that. @param {{ operation: Operation }} props */
function Started({ operation: { status, started, created, attempt } }) {
  if (started == null) return status === 'queued' ? html`<span class="muted" aria-hidden="true">–</span>` : html`<${Ago} at=${created} />`;
  const waited = started - created;
  return html`<${Ago} at=${started} />${attempt <= 1 && waited >= NOTED && html`<span class="under" title="time in the queue">waited ${duration(waited)}</span>`}`;
}

/** How long it took, has been running, or has been waiting. @param {{ operation: Operation }} props */
function Length({ operation }) {
  const { status, started, duration: final, next_at } = operation;
  if (status === 'queued' && next_at != null && isLater(operation, now.value)) return html`<${Due} at=${next_at} /><span class="under">due</span>`;
  if (status === 'queued') return html`<${Elapsed} since=${waitsSince(operation)} /><span class="under">waiting</span>`;
  return html`<${Span} since=${started} final=${final} open=${!ENDED.has(status)} /><${Left} operation=${operation} />`;
}

/** @param {{ operation: Operation }} props */
function Subtitle({ operation }) {
  return html`<span class="sub">
    <span class="clip" dir="auto">${aside(operation)}</span>
    ${operation.attempt > 1 && html`<span class="tag">attempt ${operation.attempt}</span>`}
    ${operation.flags.map((flag) => html`<span key=${flag} class="tag tag-warn">${clean(flag, 24)}</span>`)}
    ${operation.cancel && operation.status === 'running' && html`<span class="tag tag-warn">cancel requested</span>`}
  </span>`;
}

/**
 * Name and labels; a name that is the title is not said twice.
 * @param {Operation} operation
 */
function aside({ name, title, labels }) {
  const pairs = Object.entries(labels).map(([key, value]) => `${clean(key, 40)}=${clean(value, 40)}`);
  return [name === title ? '' : clean(name, 120), ...pairs.slice(0, 4)].filter(Boolean).join(' · ') || '\u00a0';
}

/** @param {{ operation: Operation }} props */
function Progress({ operation }) {
  const { batch, children, error, step } = operation;
  // What runs inside a step is a part of it: that all of it is done says nothing of the rest.
  if (children.total > 0 && (batch || !step)) return html`<${ChildrenProgress} operation=${operation} />`;
  const failed = operation.status === 'error' || operation.status === 'lost';
  return html`
    <span class="line">
      ${step ? html`<${StepWord} step=${step} status=${operation.status} />` : html`<span class="muted">${noStep(operation)}</span>`}
    </span>
    ${(failed || operation.status === 'queued') && error
      ? html`<span class=${`line ${failed ? 'failed' : 'muted'}`} title=${clean(error.message)}><span class="clip" dir="auto">${failure(error)}</span></span>`
      : operation.status === 'running' && html`<${StepsBar} operation=${operation} />`}
  `;
}

/** @param {Operation} operation */
function noStep(operation) {
  if (operation.status === 'queued') return isLater(operation, now.peek()) ? 'waiting for its time' : 'waiting for a worker';
  return operation.status === 'running' ? 'no step yet' : 'no steps';
}

/** @param {import('../types').Failure} error */
const failure = (error) => [clean(error.type, 80), clean(error.message)].filter(Boolean).join(': ');

/** `2/4 Check encoding` and how far it came. @param {{ step: import('../types').CurrentStep, status: string }} props */
function StepWord({ step, status }) {
  const of = step.total ? `/${step.total}` : '';
  return html`<span class="place">${step.index}${of}</span>
    <span class="clip" dir="auto" title=${clean(step.name)}>${clean(step.name)}</span>
    ${status === 'running' && step.current != null && html`<span class="amount">${progress(step.current, step.of, step.unit)}</span>`}`;
}

/** @param {{ operation: Operation }} props */
function ChildrenProgress({ operation }) {
  const counts = operation.children;
  return html`
    <span class="line"><${CountsLine} counts=${counts} /><span class="amount">${percentOf(counts)} %</span></span>
    <${CountsBar} counts=${counts} />
  `;
}

/** @param {{ worker: import('../types').Worker | null }} props */
export function WorkerName({ worker }) {
  if (!worker) return html`<span class="muted" aria-hidden="true">–</span>`;
  const name = `${clean(worker.host, 80)}:${worker.pid}`;
  return html`<span class="clip" title=${name}><bdi>${clean(worker.host, 80)}</bdi>:${worker.pid}</span>`;
}
