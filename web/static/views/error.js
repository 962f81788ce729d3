/** Why an operation failed, and where. */
import { html } from '../lib.js';
import { clean, titleOf } from '../format.js';
import { Copy } from './copy.js';

/** @typedef {import('../types').Operation} Operation */
/** @typedef {import('../types').Step} Step */

/** @type {Record<string, string>} */
const HEADINGS = { lost: 'Lost', cancelled: 'Cancelled', queued: 'Asked to be run again' };
const STOPPED = new Set(['error', 'running', 'cancelled']);

/** @param {{ operation: Operation, steps: Step[] }} props */
export function ErrorPanel({ operation, steps }) {
  const error = operation.error;
  if (!error) return null;
  return html`<section class=${`panel error is-${operation.status}`} aria-labelledby="error-heading">
    <div class="panel-head"><h2 id="error-heading">${HEADINGS[operation.status] ?? 'Failed'}${place(operation, steps)}</h2>
      <${Copy} text=${() => asText(operation, error)} what="the error as text" /></div>
    ${(error.path ?? []).length > 0 && html`<${Path} parts=${error.path} />`}
    <p class="message" dir="auto" tabindex="0" role="group" aria-label="Error message">
      <b>${clean(error.type, 200)}</b>${error.message && `: ${clean(error.message, 8192)}`}
    </p>
    ${(error.log ?? []).length > 0 && html`<${LastLines} lines=${error.log} />`}
    ${error.traceback && html`<details><summary>Traceback</summary>
      <pre tabindex="0" role="group" aria-label="Traceback">${clean(error.traceback, 16384)}</pre>
    </details>`}
  </section>`;
}

/**
 * The step it stopped at; a batch fails by its children, not at a step of its own.
 * @param {Operation} operation
 * @param {Step[]} steps
 */
function place(operation, steps) {
  const known = steps.find(({ index }) => index === operation.error?.step);
  const step = known ?? steps.find(({ status }) => STOPPED.has(status ?? ''));
  const total = operation.step?.total;
  return step ? ` at step ${step.index}${total ? `/${total}` : ''}` : '';
}

/** The way from the outermost operation to the failing step. @param {{ parts: string[] }} props */
function Path({ parts }) {
  return html`<ol class="path" aria-label="Where it failed">${parts.map((part, at) => html`<li key=${at} dir="auto">${clean(part, 120)}</li>`)}</ol>`;
}

/** What was logged there last. @param {{ lines: string[] }} props */
function LastLines({ lines }) {
  return html`<div class="last-lines">
    <h3>Last log lines</h3>
    <pre tabindex="0" role="group" aria-label="Last log lines">${lines.map((line) => clean(line, 2048)).join('\n')}</pre>
  </div>`;
}

/**
 * All of it, for a ticket or a message.
 * @param {Operation} operation
 * @param {import('../types').Failure} error
 */
function asText(operation, error) {
  const log = error.log ?? [];
  const parts = [
    `${titleOf(operation)} (${operation.id}, attempt ${operation.attempt})`,
    (error.path ?? []).map((part) => clean(part, 200)).join(' › '),
    `${clean(error.type, 200)}: ${clean(error.message, 8192)}`,
    log.length > 0 && `Last log lines:\n${log.map((line) => clean(line, 2048)).join('\n')}`,
    clean(error.traceback, 16384),
  ];
  return parts.filter(Boolean).join('\n\n');
}
