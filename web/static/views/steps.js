/** The steps of an operation: status, progress, rate and time left, durations against the longest and the usual ones. */
import { html, useEffect, useRef } from '../lib.js';
import { now } from '../clock.js';
import { clean, count, duration, progress, quantity, ticking } from '../format.js';
import { timeLeft } from '../rate.js';
import { ENDED } from '../state.js';
import { StatusMark } from '../status.js';
import { isSlow, useUsual } from '../usual.js';
import { Bar, share } from './bars.js';
import { Span } from './time.js';

/** @typedef {import('../types').Operation} Operation */
/** @typedef {import('../types').Step} Step */
/** @typedef {import('../types').Usual} Usual */

/** What a step is called that had not ended when its operation did. @type {Record<string, string>} */
const UNENDED = { pending: 'notrun', running: 'unfinished' };

/** Steps beyond this many scroll in a box of their own. */
const MANY = 40;

/** Where a step stands, to people. @param {Step} step @param {boolean} over  its operation has ended */
export function shownStatus({ status = 'pending' }, over) {
  return over ? (UNENDED[status] ?? status) : status;
}

/** @param {{ operation: Operation, steps: Step[] }} props */
export function Steps({ operation, steps }) {
  const over = ENDED.has(operation.status);
  const usual = useUsual(operation.name);
  const longest = Math.max(0.001, ...steps.map((step) => Math.max(lasted(step, over), usual.get(step.name)?.p50 ?? 0)));
  const unnamed = (operation.step?.total ?? 0) - steps.length;
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const many = steps.length > MANY;
  useEffect(() => {
    const place = list.current?.querySelector('.is-error, .is-running');
    if (list.current && place instanceof HTMLElement) list.current.scrollTop = place.offsetTop - list.current.clientHeight / 2;
  }, [many]);
  return html`<section class="panel steps" aria-labelledby="steps-heading">
    <h2 id="steps-heading">Steps${many && html` <small class="muted">${count(steps.length)}</small>`}</h2>
    ${steps.length === 0 && html`<p class="muted">${over ? 'It ended without a step.' : 'No step has begun yet.'}</p>`}
    <ol ref=${list} class=${many ? 'many' : ''} tabindex=${many ? 0 : undefined} aria-labelledby="steps-heading">
      ${steps.map((step) => html`<${StepRow} key=${step.index} step=${step} over=${over} longest=${longest} usual=${usual.get(step.name)} />`)}
    </ol>
    ${unnamed > 0 && steps.length > 0 && html`<p class="muted note">${unnamed} more ${over ? 'did not run' : 'to come'}.</p>`}
  </section>`;
}

/** Seconds a step took so far. @param {Step} step @param {boolean} over */
function lasted(step, over) {
  if (step.duration != null) return step.duration;
  return step.started != null && !over ? Math.max(0, now.value - step.started) : 0;
}

/** @param {{ step: Step, over: boolean, longest: number, usual: Usual | undefined }} props */
function StepRow({ step, over, longest, usual }) {
  const shown = shownStatus(step, over);
  const running = shown === 'running';
  return html`<li class=${`step is-${shown}`} aria-current=${running ? 'step' : undefined}>
    <span class="step-index">${step.index}</span>
    <span class="step-name" dir="auto">${clean(step.name)}<${Remarks} step=${step} over=${over} usual=${usual} /></span>
    <${StatusMark} status=${shown} />
    <${Length} seconds=${lasted(step, over)} longest=${longest} kind=${shown} usual=${step.started == null ? undefined : usual} />
    <span class="step-time"><${Span} since=${step.started} final=${step.duration} open=${running} /></span>
    <${StepMore} step=${step} shown=${shown} running=${running} />
  </li>`;
}

/**
 * How long it took as a bar, with marks where half and 95 % of the last successes had ended.
 * @param {{ seconds: number, longest: number, kind: string, usual: Usual | undefined }} props
 */
function Length({ seconds, longest, kind, usual }) {
  const marks = usual ? [usual.p50, usual.p95].filter((mark) => mark <= longest) : [];
  const words = usual && `usually ${duration(usual.p50)}, 95 % within ${duration(usual.p95)}`;
  return html`<span class="step-length" title=${words}>
    <${Bar} value=${share(seconds, longest)} kind=${kind} />
    ${marks.map((mark, place) => html`<span key=${place} class=${`mark-usual ${place ? 'most' : ''}`} style=${{ left: `${(share(mark, longest) * 100).toFixed(2)}%` }}></span>`)}
  </span>`;
}

/** What is unusual about it, in a word each. @param {{ step: Step, over: boolean, usual: Usual | undefined }} props */
function Remarks({ step, over, usual }) {
  const limit = step.warn_after;
  const late = limit != null && lasted(step, over) > limit;
  const slow = usual && step.status !== 'skipped' && !step.reused && isSlow(lasted(step, over), usual);
  return html`${step.reused && html` <span class="tag">reused</span>`}
    ${slow && html` <span class="tag tag-warn">slow: usual ${duration(usual.p50)}</span>`}
    ${late && html` <span class="tag tag-warn">over ${duration(limit)}</span>`}
    ${(step.warned ?? 0) > 0 && html` <span class="tag tag-warn">⚠ ${step.warned === 1 ? 'warning' : `${step.warned} warnings`}</span>`}`;
}

/** Progress, detail, warning and error: only what there is. @param {{ step: Step, shown: string, running: boolean }} props */
function StepMore({ step, shown, running }) {
  const counted = step.current != null;
  if (!counted && !step.detail && !step.error && !step.warning) return null;
  return html`<div class="step-more">
    ${counted && html`<span class="step-progress">
      ${step.total ? html`<${Bar} value=${share(step.current, step.total)} kind=${shown} />` : null}
      <span>${progress(step.current ?? 0, step.total, step.unit ?? '')}</span>
      ${running && html`<${StepPace} step=${step} />`}
    </span>`}
    ${step.detail && html`<span class="detail" dir="auto">${clean(step.detail, 400)}</span>`}
    ${step.warning && html`<span class="detail warned" dir="auto">${clean(step.warning, 400)}</span>`}
    ${step.error && html`<span class="detail failed" dir="auto">${clean(step.error, 400)}</span>`}
  </div>`;
}

/** Mean rate since the step began, and what it means for the rest. @param {{ step: Step }} props */
function StepPace({ step }) {
  const seconds = step.started != null ? now.value - step.started : 0;
  if (seconds < 1 || !step.current) return null;
  const rate = step.current / seconds;
  const left = step.total ? timeLeft(step.total - step.current, rate) : null;
  return html`<span class="muted">${quantity(rate, step.unit ?? '')}/s${left !== null && ` · about ${ticking(left)} left`}</span>`;
}
