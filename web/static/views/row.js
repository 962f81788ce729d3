/** One operation as a row: in the list, and among the children of a batch. */
import { html, useComputed, useRef } from '../lib.js';
import { clean, progress, titleOf } from '../format.js';
import { operationPath } from '../router.js';
import { ENDED, percentOf } from '../state.js';
import { StatusMark } from '../status.js';
import { CountsBar, CountsLine, StepsBar } from './bars.js';
import { useNear } from './near.js';
import { Ago, Span } from './time.js';

/** @typedef {import('../types').Operation} Operation */

/** @param {{ row: import('../lib').Signal<Operation> }} props */
export function Row({ row }) {
  const { ref, near } = useNear();
  const operation = useShown(row, near).value;
  const title = titleOf(operation);
  return html`<li ref=${ref} class=${`row is-${operation.status}`}>
    <div class="cell-status"><${StatusMark} status=${operation.status} /></div>
    <div class="cell-title">
      <a data-inside data-row=${operation.id} href=${operationPath(operation.id)} title=${title} dir="auto">${title}</a>
      <${Subtitle} operation=${operation} />
    </div>
    <div class="cell-progress"><${Progress} operation=${operation} /></div>
    <div class="cell-worker"><${WorkerName} worker=${operation.worker} /></div>
    <div class="cell-started"><${Ago} at=${operation.started ?? operation.created} /></div>
    <div class="cell-elapsed"><${Span} since=${operation.started} final=${operation.duration} open=${!ENDED.has(operation.status)} /></div>
  </li>`;
}

/**
 * The operation as drawn: a row far from the screen follows changes of status only.
 * @param {import('../lib').Signal<Operation>} row
 * @param {import('../lib').Signal<boolean>} near
 */
function useShown(row, near) {
  const shown = useRef(row.peek());
  return useComputed(() => {
    const next = row.value;
    if (near.value || next.status !== shown.current.status) shown.current = next;
    return shown.current;
  });
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
  if (operation.children.total > 0) return html`<${ChildrenProgress} operation=${operation} />`;
  const { error, step } = operation;
  const failed = operation.status === 'error' || operation.status === 'lost';
  return html`
    <span class="line">
      ${step ? html`<${StepWord} step=${step} status=${operation.status} />` : html`<span class="muted">${noStep(operation)}</span>`}
    </span>
    ${failed && error
      ? html`<span class="line failed" title=${clean(error.message)}><span class="clip" dir="auto">${failure(error)}</span></span>`
      : operation.status === 'running' && html`<${StepsBar} operation=${operation} />`}
  `;
}

/** @param {Operation} operation */
function noStep(operation) {
  if (operation.status === 'queued') return 'waiting for a worker';
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
