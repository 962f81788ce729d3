/** Bars: how far an operation's steps came, and how a batch's children divide. Never more than is known. */
import { html } from '../lib.js';
import { count } from '../format.js';

/** @typedef {import('../types').Operation} Operation */
/** @typedef {import('../types').Counts} Counts */

/** Steps beyond this many are drawn as one bar. */
const MOST_CELLS = 16;
/** The order of segments, from settled to waiting. */
const SEGMENTS = /** @type {const} */ (['complete', 'error', 'lost', 'cancelled', 'running', 'queued']);

/** @param {number | null | undefined} part @param {number | null | undefined} whole */
export const share = (part, whole) => (part != null && whole ? Math.min(1, Math.max(0, part / whole)) : 0);

/** One bar filled to `value` (0 to 1). @param {{ value: number, kind?: string }} props */
export function Bar({ value, kind = 'running' }) {
  return html`<span class="bar" aria-hidden="true">
    <span class=${`fill is-${kind}`} style=${{ transform: `scaleX(${value.toFixed(4)})` }}></span>
  </span>`;
}

/** A cell per declared step, or one bar when they are many. @param {{ operation: Operation }} props */
export function StepsBar({ operation }) {
  const step = operation.step;
  const total = step?.total;
  if (!step || !total || total < step.index) return null;
  const inside = share(step.current, step.of);
  if (total > MOST_CELLS) return html`<${Bar} value=${(step.index - 1 + inside) / total} kind=${operation.status} />`;
  const cells = Array.from({ length: total }, (_, place) => cell(operation.status, place + 1, step.index, inside));
  return html`<span class="cells" aria-hidden="true">${cells}</span>`;
}

/** @param {string} status @param {number} place @param {number} current @param {number} inside */
function cell(status, place, current, inside) {
  if (place < current) return html`<${Bar} value=${1} kind="passed" />`;
  if (place > current) return html`<${Bar} value=${0} />`;
  return html`<${Bar} value=${status === 'running' ? inside : 1} kind=${status === 'running' ? 'running' : status} />`;
}

/** Segments as wide as the counts are large. @param {{ counts: Counts }} props */
export function CountsBar({ counts }) {
  const present = SEGMENTS.filter((status) => counts[status] > 0);
  return html`<span class="segments" aria-hidden="true">${present.map(
    (status) => html`<span key=${status} class=${`segment is-${status}`} style=${{ flexGrow: counts[status] }}></span>`,
  )}</span>`;
}

/** The counts in words; what is zero is left out. @param {{ counts: Counts }} props */
export function CountsLine({ counts }) {
  const failed = counts.error + counts.lost;
  return html`<span class="counts">
    <b>${count(counts.complete)}</b> of ${count(counts.total)}
    ${failed > 0 && html`<span class="failed"> · ✗ ${count(failed)} failed</span>`}
    ${counts.running > 0 && html`<span> · ${count(counts.running)} running</span>`}
    ${counts.cancelled > 0 && html`<span> · ${count(counts.cancelled)} cancelled</span>`}
  </span>`;
}
