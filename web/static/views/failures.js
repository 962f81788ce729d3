/** Why children have failed: one line for each cause, with how many it hit and some of them. */
import { html, useEffect, useRef } from '../lib.js';
import { operationAt } from '../api.js';
import { clean, count } from '../format.js';
import { useReading } from '../reading.js';
import { operationPath } from '../router.js';

/** @typedef {import('../types').Operation} Operation */
/** @typedef {import('../types').FailureGroup} FailureGroup */
/** @typedef {{ items: FailureGroup[], looked_at: number }} Failures */

/** Failed children that the server looks at. */
const MOST = 2000;
/** Milliseconds for which failures are gathered before they are read again. */
const GATHER = 2000;

/** @param {{ operation: Operation }} props */
export function FailuresPanel({ operation }) {
  const failed = operation.children.error + operation.children.lost;
  const { value, error, again } = useReading(/** @type {string} */ (`${operationAt(operation.id)}/failures`));
  const read = useRef(failed);
  const timer = useRef(0);
  useEffect(() => {
    if (read.current === failed || timer.current) return;
    timer.current = setTimeout(() => {
      timer.current = 0;
      again();
    }, GATHER);
    read.current = failed;
  }, [failed, timer.current]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const found = /** @type {Failures | null} */ (value);
  return html`<section class="panel failures" aria-labelledby="failures-heading">
    <h2 id="failures-heading">Failures</h2>
    ${error && html`<p class="failed">They could not be read: ${clean(error, 200)}</p>`}
    ${!found && !error && html`<p class="muted">Reading…</p>`}
    <ol>${(found?.items ?? []).map((group) => html`<${Group} key=${`${group.type} ${group.step} ${group.message}`} group=${group} />`)}</ol>
    ${found && rest(found)}
  </section>`;
}

/** What the groups leave out. @param {Failures} found */
function rest({ items, looked_at }) {
  const told = items.reduce((sum, group) => sum + group.count, 0);
  const words = [
    told < looked_at && `${count(looked_at - told)} more failed for rarer reasons.`,
    looked_at >= MOST && `Only the first ${count(looked_at)} that failed were looked at.`,
  ].filter(Boolean);
  return words.length > 0 && html`<p class="muted note">${words.join(' ')}</p>`;
}

/** @param {{ group: FailureGroup }} props */
function Group({ group }) {
  return html`<li>
    <b class="failed">${count(group.count)}</b>
    <span class="cause" dir="auto"><b>${clean(group.type, 200)}</b>${group.message && `: ${clean(group.message, 400)}`}
      ${group.step && html`<span class="muted"> at ${clean(group.step, 120)}</span>`}</span>
    <span class="examples">${group.examples.map((id) => html`<a key=${id} data-inside href=${operationPath(id)} title=${id}>${short(id)}</a>`)}</span>
  </li>`;
}

/** The end of an id tells children of a batch apart. @param {string} id */
const short = (id) => (id.length > 12 ? `…${id.slice(-10)}` : id);
