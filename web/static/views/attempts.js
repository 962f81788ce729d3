/** The attempts of an operation, newest first, each with a link to the page as it was then. */
import { html, useEffect, useSignal } from '../lib.js';
import { attemptsOf } from '../api.js';
import { attemptPath, operationPath } from '../router.js';
import { StatusMark } from '../status.js';
import { Ago, Span } from './time.js';

/** @typedef {import('../types').Operation} Operation */

/**
 * All attempts once there is more than one, or one that waits; earlier ones hardly change, so they are read again when a
 * run begins or ends.
 * @param {Operation | undefined} newest
 * @returns {Operation[]}
 */
export function useAttempts(newest) {
  const attempts = useSignal(/** @type {Operation[]} */ ([]));
  const { id, run, attempt, status } = newest ?? { id: '', run: '', attempt: 0, status: '' };
  useEffect(() => {
    if (attempt > (run ? 1 : 0)) attemptsOf(id).then((found) => (attempts.value = found), () => {});
  }, [id, run, attempt, status]);
  return attempts.value;
}

/** @param {{ newest: Operation, attempts: Operation[], shown: Operation }} props */
export function Attempts({ newest, attempts, shown }) {
  const all = attempts.map((attempt) => (attempt.run === newest.run ? newest : attempt)).reverse();
  return html`<nav class="panel attempts" aria-labelledby="attempts-heading">
    <h2 id="attempts-heading">Attempts</h2>
    <ol>${all.map((attempt) => html`<li key=${attempt.run}>
      <a data-inside href=${attempt === newest ? operationPath(newest.id) : attemptPath(newest.id, attempt.attempt)}
        aria-current=${attempt.run === shown.run ? 'page' : undefined} aria-label=${`Attempt ${attempt.attempt}`}>${attempt.attempt}</a>
      <${StatusMark} status=${statusOf(attempt, newest)} />
      <span class="attempt-time">${attempt.started != null && html`<${Ago} at=${attempt.started} />`}</span>
      <span class="attempt-time"><${Span} since=${attempt.started} final=${attempt.duration} open=${attempt.status === 'running'} /></span>
    </li>`)}</ol>
  </nav>`;
}

/** An earlier attempt that is queued has asked to be run again. @param {Operation} attempt @param {Operation} newest */
function statusOf(attempt, newest) {
  return attempt !== newest && attempt.status === 'queued' ? 'again' : attempt.status;
}
