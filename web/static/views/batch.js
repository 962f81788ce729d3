/** How a batch stands: counts that add up, percent, throughput and time left. */
import { html, useEffect, useRef } from '../lib.js';
import { now } from '../clock.js';
import { count, ticking } from '../format.js';
import { rateOf, timeLeft, withSample } from '../rate.js';
import { ENDED, percentOf, settled, STATUSES } from '../state.js';
import { StatusMark } from '../status.js';
import { CountsBar } from './bars.js';

/** @typedef {import('../types').Operation} Operation */

const ALWAYS = new Set(['running', 'queued', 'error', 'complete']);

/** @param {{ operation: Operation }} props */
export function BatchPanel({ operation }) {
  const counts = operation.children;
  const shown = STATUSES.filter((status) => ALWAYS.has(status) || counts[status] > 0);
  return html`<section class="panel batch" aria-labelledby="batch-heading">
    <h2 id="batch-heading">${operation.batch ? 'Batch' : 'Progress of its children'}</h2>
    <div class="batch-head">
      <span class="big">${percentOf(counts)}<small> %</small></span>
      <span class="batch-words">
        <b>${count(counts.complete)}</b> of <b>${count(counts.total)}</b> complete<br /><${Pace} operation=${operation} />
      </span>
    </div>
    <${CountsBar} counts=${counts} />
    <dl class="legend">
      ${shown.map((status) => html`<div key=${status} class=${counts[status] ? '' : 'none'}>
        <dt><${StatusMark} status=${status} /></dt><dd>${count(counts[status])}</dd>
      </div>`)}
      <div class="sum"><dt>total</dt><dd>${count(counts.total)}</dd></div>
    </dl>
  </section>`;
}

/** @param {{ operation: Operation }} props */
function Pace({ operation }) {
  const samples = useRef(/** @type {[number, number][]} */ ([]));
  const done = settled(operation.children);
  const open = !ENDED.has(operation.status);
  const at = now.value;
  useEffect(() => {
    samples.current = withSample(samples.current, performance.now() / 1000, done);
  }, [done, Math.floor(at)]);
  const recent = open ? rateOf(samples.current, performance.now() / 1000) : null;
  const rate = recent ?? meanRate(operation, done, operation.ended ?? at);
  const left = open ? timeLeft(operation.children.total - done, rate) : null;
  return html`<span class="muted">${pace(rate, open)}${left !== null && ` · about ${ticking(left)} left`}</span>`;
}

/** @param {number | null} rate @param {boolean} open */
function pace(rate, open) {
  if (!rate) return open ? 'no child has ended lately' : '';
  return `${rate < 10 ? rate.toFixed(1) : count(rate)} children/s${open ? '' : ' on average'}`;
}

/** @param {Operation} operation @param {number} done @param {number} until */
function meanRate(operation, done, until) {
  const seconds = until - (operation.started ?? operation.created);
  return seconds > 0 ? done / seconds : null;
}
