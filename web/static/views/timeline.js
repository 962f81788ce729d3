/** When each step and child ran: rows with bars on one time axis, earlier attempts as lanes, children opened on demand. */
import { Fragment, html, useSignal } from '../lib.js';
import { operationAt } from '../api.js';
import { now } from '../clock.js';
import { useFeed } from '../feeds.js';
import { clean, clockTime, count, duration, ticking, titleOf } from '../format.js';
import { useReading } from '../reading.js';
import { operationPath } from '../router.js';
import { axisOf, laneOf, lengthOf, MOST_ROWS, placeOf, rowsOfChildren, rowsOfSteps, ticksOf, worthDrawing } from '../spans.js';
import { ENDED } from '../state.js';
import { word } from '../status.js';
import { shownStatus } from './steps.js';

/** @typedef {import('../types').Operation} Operation */
/** @typedef {import('../types').Step} Step */
/** @typedef {import('../spans').Row} Row */
/** @typedef {{ from: number, to: number }} Axis */

const MOST_LANES = 20;
/** Children of a child that are read when it is opened. */
const INSIDE = 50;
/** Earlier attempts are left out at first where they would make the axis longer than this many times. */
const STRETCH = 20;
const TICKS = 4;
/** Pixels, and rows that are seen at once. */
const ROW = 24;
const TALLEST = 20;
/** Beyond this many held children the timeline follows the clock, not each of their changes. */
const BUSY = 500;

/** @param {{ operation: Operation, steps: Step[], attempts: Operation[] }} props */
export function Timeline({ operation, steps, attempts }) {
  const held = useChildren(operation);
  const wanted = useSignal(/** @type {boolean | null} */ (null));
  const own = stepRows(operation, steps);
  const children = rowsOfChildren(held, (child) => titleOf(child, 120));
  const lanes = attempts.filter((each) => each.run !== operation.run).slice(-MOST_LANES).map(laneFor);
  const expected = own.length + Math.min(MOST_ROWS, operation.children.total - operation.children.queued) + lanes.length;
  if (expected < 2) return null;
  const isOpen = [...own, ...children].some((row) => row.bars.some((bar) => bar.to === null));
  const at = isOpen ? now.value : now.peek();
  const withLanes = wanted.value ?? isNear([...own, ...children], lanes, at);
  const rows = [...(withLanes ? lanes : []), ...worthDrawing(own, children.length ? MOST_ROWS / 2 : MOST_ROWS, at)];
  const drawn = [...rows, ...worthDrawing(children, MOST_ROWS - rows.length, at)];
  return html`<section class="panel timeline" aria-labelledby="timeline-heading">
    <div class="panel-head"><h2 id="timeline-heading">Timeline</h2>
      ${lanes.length > 0 && html`<button type="button" class="chip small" aria-pressed=${withLanes} onClick=${() => (wanted.value = !withLanes)}>other attempts</button>`}
    </div>
    <${Chart} rows=${drawn} at=${at} room=${expected} />
    ${caption(operation, own.length, children.length, drawn.length - (withLanes ? lanes.length : 0), held.length)}
  </section>`;
}

/** @param {Operation} operation @param {Step[]} steps */
function stepRows(operation, steps) {
  const over = ENDED.has(operation.status);
  return rowsOfSteps(operation, steps, (step) => shownStatus(step, over)).map((row) => ({ ...row, label: clean(row.label, 120) }));
}

/** @param {Operation} attempt */
const laneFor = (attempt) => laneOf(attempt, (step) => shownStatus(step, attempt.status !== 'running'));

/** @param {Row[]} own @param {Row[]} lanes @param {number} at */
function isNear(own, lanes, at) {
  const [all, short] = [axisOf([...own, ...lanes], at), axisOf(own, at)];
  return !own.some((row) => row.bars.length) || all.to - all.from <= STRETCH * (short.to - short.from);
}

/** The children that are held of it. @param {Operation} operation @returns {Operation[]} */
function useChildren(operation) {
  const feed = useFeed(operation.children.total > 0 ? `children:${operation.id}` : '');
  if (!feed) return [];
  const isBusy = feed.held.peek().operations.size > BUSY && now.value > 0;
  return [...(isBusy ? feed.held.peek() : feed.held.value).operations.values()];
}

/**
 * What is drawn, and what is not.
 * @param {Operation} operation
 * @param {number} steps
 * @param {number} begun  children that are held and have begun
 * @param {number} drawn
 * @param {number} held
 */
function caption({ children: { total } }, steps, begun, drawn, held) {
  if (drawn === steps + begun && held >= total) return total > begun && html`<p class="muted note">${count(total - begun)} of ${count(total)} children have not begun.</p>`;
  const what = [steps === 1 ? '1 step' : steps > 0 && `${count(steps)} steps`, total > 0 && `${count(total)} children`].filter(Boolean).join(' and ');
  const from = held < total ? ` of the ${count(held)} children listed below` : '';
  return html`<p class="muted note">${count(drawn)} rows for ${what}: what failed, what runs, and the slowest${from}.</p>`;
}

/** @param {{ rows: Row[], at: number, room: number }} props  room: for how many rows, which may still be read */
function Chart({ rows, at, room }) {
  const height = `${Math.min(TALLEST, room + 1) * ROW}px`;
  const axis = axisOf(rows, at);
  if (!Number.isFinite(axis.from)) return html`<p class="muted" style=${{ minHeight: height }}>Nothing has begun yet.</p>`;
  const length = axis.to - axis.from;
  const ticks = ticksOf(length, TICKS);
  const hosts = new Set(rows.map((row) => row.host).filter(Boolean)).size > 1;
  const gap = `${(((ticks[1] ?? length * 2) / length) * 100).toFixed(3)}%`;
  return html`<div class="spans" tabindex="0" role="group" aria-label=${`From ${clockTime(axis.from)}, ${duration(length)} long`} style=${{ '--tick': gap, minHeight: height }}>
    <div class="axis" aria-hidden="true"><span>from ${clockTime(axis.from)}</span>
      <span class="axis-ticks">${ticks.map((tick) => html`<span key=${tick} style=${{ left: `${((tick / length) * 100).toFixed(2)}%` }}>${tickWord(tick)}</span>`)}</span><span></span>
    </div>
    <ol>${rows.map((row) => html`<${SpanRow} key=${row.key} row=${row} axis=${axis} at=${at} hosts=${hosts} depth=${0} />`)}</ol>
  </div>`;
}

/** @param {number} seconds */
function tickWord(seconds) {
  if (seconds === 0) return '0';
  if (seconds < 60) return duration(seconds).replace('.0 ', ' ');
  const [size, unit] = seconds % 86400 === 0 ? [86400, 'd'] : seconds % 3600 === 0 ? [3600, 'h'] : [60, 'm'];
  return seconds % size === 0 ? `${seconds / size} ${unit}` : ticking(seconds);
}

/** @typedef {{ row: Row, axis: Axis, at: number, hosts: boolean, depth: number }} SpanProps */

/** @param {SpanProps} props */
function SpanRow({ row, axis, at, hosts, depth }) {
  const open = useSignal(false);
  const { bars, label, id, kind } = row;
  const took = bars.length ? (bars.at(-1)?.to == null ? ticking : duration)(Math.max(0, lengthOf(row, at))) : '';
  return html`<${Fragment}>
    <li class=${`span is-${kind}`} style=${{ '--depth': depth }} title=${[label, word(kind), took, clean(row.host, 80)].filter(Boolean).join(', ')}>
      <span class="span-label">
        ${row.opens && html`<button type="button" class="fold" aria-expanded=${open.value} aria-label=${`What is inside ${label}`} onClick=${() => (open.value = !open.value)}></button>`}
        ${id ? html`<a class="clip" data-inside dir="auto" href=${operationPath(id)}>${label}</a>` : html`<span class="clip" dir="auto">${label}</span>`}
        ${hosts && row.host && html`<span class="span-host clip">${clean(row.host, 40)}</span>`}
      </span>
      <span class="span-track" aria-hidden="true">${bars.map((bar, place) => html`<${SpanBar} key=${place} place=${placeOf(bar, axis, at)} kind=${bar.kind} />`)}</span>
      <span class="unseen">${word(kind)}${bars[0] && `, from ${clockTime(bars[0].from)}, took`} </span>
      <span class="span-time">${took || '–'}</span>
    </li>
    ${open.value && html`<${Inside} id=${id} open=${!ENDED.has(/** @type {any} */ (kind))} axis=${axis} at=${at} hosts=${hosts} depth=${depth + 1} />`}
  <//>`;
}

/** @param {{ place: import('../spans').Place | null, kind: string }} props */
function SpanBar({ place, kind }) {
  if (!place) return null;
  return html`<span class=${`span-bar is-${kind}`} style=${{ left: `${(place.left * 100).toFixed(3)}%`, width: `${(place.width * 100).toFixed(3)}%` }}></span>`;
}

/** Steps and children of a child, read when it is opened. @param {Omit<SpanProps, 'row'> & { id: string, open: boolean }} props */
function Inside({ id, open, axis, at, hosts, depth }) {
  const every = open ? 3 : 0;
  const { value, error, busy } = useReading(/** @type {string} */ (operationAt(id)), every);
  const child = /** @type {Operation | null} */ (value);
  const below = useReading(child?.children.total ? `${operationAt(id)}/children?limit=${INSIDE}` : '', every);
  /** @type {Operation[]} */
  const children = /** @type {any} */ (below.value)?.items ?? [];
  const rows = [...(child ? stepRows(child, child.steps ?? []) : []), ...rowsOfChildren(children, (each) => titleOf(each, 120))];
  const more = (child?.children.total ?? 0) - children.length;
  return html`
    ${rows.map((row) => html`<${SpanRow} key=${row.key} row=${row} axis=${axis} at=${at} hosts=${hosts} depth=${depth} />`)}
    ${!rows.length && html`<li class="span muted" style=${{ '--depth': depth }}>${busy ? 'Reading…' : error ? clean(error, 200) : 'Nothing inside.'}</li>`}
    ${more > 0 && children.length > 0 && html`<li class="span muted" style=${{ '--depth': depth }}>${count(more)} more children</li>`}
  `;
}
