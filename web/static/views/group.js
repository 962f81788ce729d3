/** Many operations of one name as one row, which unfolds into theirs. */
import { html } from '../lib.js';
import { now } from '../clock.js';
import { clean, count } from '../format.js';
import { waitingSince } from '../order.js';
import { StatusMark } from '../status.js';
import { isOpen, turn } from './folds.js';
import { Turner } from './head.js';
import { Elapsed } from './time.js';

/**
 * What is to be known of a group without its operations. `since`: when the one began, or might have, of which
 * that is longest ago; null where nothing goes on or waits.
 * @typedef {{ key: string, name: string, status: string, count: number, flagged: number, failure: string, since: number | null }} Sum
 */

/** @param {import('../order').Group} group @returns {Sum} */
export function sumOf({ key, name, operations }) {
  const { status = '', error = null } = operations[0] ?? {};
  const begun = operations.map(({ started, created }) => started ?? created);
  const waits = status === 'queued' ? waitingSince(operations, now.peek()) : null;
  const since = status === 'running' ? Math.min(...begun) : (waits?.oldest ?? null);
  const flagged = operations.filter(({ flags }) => flags.length).length;
  const failure = error && status !== 'queued' ? [error.type, error.message].filter(Boolean).join(': ') : '';
  return { key, name, status, count: operations.length, flagged, failure, since };
}

/** @param {{ sum: Sum, top: number, at: number, of: number }} props */
export function GroupRow({ sum: { key, name, status, count: number, flagged, failure, since }, top, at, of }) {
  const open = isOpen(key, false);
  return html`<li class=${`row group is-${status}`} style=${{ top: `${top}px` }} aria-posinset=${at} aria-setsize=${of}>
    <div class="cell-status"><${StatusMark} status=${status} /></div>
    <div class="cell-title">
      <button type="button" data-row=${key} aria-expanded=${open} onClick=${() => turn(key)}>
        <${Turner} /><span class="clip" dir="auto">${clean(name, 120) || 'without a name'}</span><b>${count(number)}</b>
      </button>
    </div>
    <div class="cell-progress">
      ${failure && html`<span class="line failed"><span class="clip" dir="auto">${clean(failure)}</span></span>`}
      ${flagged > 0 && html`<span class="line"><span class="tag tag-warn">${count(flagged)} flagged</span></span>`}
      ${status === 'queued' && html`<span class="line muted">waiting for ${since === null ? 'their time' : 'a worker'}</span>`}
    </div>
    <div class="cell-worker"></div><div class="cell-started"></div>
    <div class="cell-elapsed">
      ${since !== null && html`<${Elapsed} since=${since} /><span class="under">${status === 'queued' ? 'the oldest' : 'the longest'}</span>`}
    </div>
  </li>`;
}
