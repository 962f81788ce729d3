/** How a name did day by day: two charts, what the pointer is at in words, and the same numbers as a table. */
import { html, useMemo, useSignal } from '../lib.js';
import { beginOf, ENDS, failedOf, runsOf } from '../days.js';
import { count, duration } from '../format.js';
import { StatusMark, word } from '../status.js';
import { Chart, dateText } from './chart.js';

/** @typedef {import('../days').Day} Day */
/** @typedef {import('../lib').Signal<number | null>} Place */

const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });

/** Colours of ends, from the top of the pile to its bottom. @type {Record<string, string>} */
const COLOURS = { error: 'bad-solid', lost: 'warn', cancelled: 'edge', complete: 'good-bar' };

/** @param {{ days: Day[] }} props */
export function Trend({ days }) {
  const at = useSignal(/** @type {number | null} */ (null));
  const data = useMemo(() => ({ ends: piled(days), took: [days.map(beginOf), days.map((day) => day.p50), days.map((day) => day.p95)] }), [days]);
  return html`
    <section class="panel" aria-labelledby="runs-heading"><div class="chart-head"><h2 id="runs-heading">Runs per day</h2>
        <span class="legend-line">${['complete', 'error', 'lost', 'cancelled'].map((end) => html`<${StatusMark} key=${end} status=${end} />`)}</span></div>
      <${Chart} label=${`Runs that ended on each of ${days.length} days; the numbers are in the table`} data=${data.ends} options=${bars} at=${at} />
      <${Pointed} days=${days} at=${at} text=${ends} /></section>
    <section class="panel" aria-labelledby="took-heading"><div class="chart-head"><h2 id="took-heading">How long successful runs took</h2>
        <span class="legend-line"><span class="line-key is-p50">half within</span><span class="line-key is-p95">95 % within</span></span></div>
      <${Chart} label=${`Durations of successful runs on each of ${days.length} days; the numbers are in the table`} data=${data.took} options=${lines} at=${at} />
      <${Pointed} days=${days} at=${at} text=${took} /></section>
    <${DayTable} days=${days} />`;
}

/** Each series up to its own top, the whole pile first, so that the others are drawn over it. @param {Day[]} days */
function piled(days) {
  const tops = ENDS.map((_, place) => days.map((day) => ENDS.slice(0, place + 1).reduce((sum, end) => sum + day[end], 0)));
  return [days.map(beginOf), ...tops.reverse()];
}

/** @param {any} _ @param {number} _least @param {number | null} most */
const fromZero = (_, _least, most) => [0, most ? most * 1.1 : 1];

/** @type {import('./chart').Options} */
function bars(colour, Plot) {
  const paths = Plot.paths.bars({ size: [0.7, 32] });
  const series = Object.values(COLOURS).map((name) => ({ fill: colour(name), width: 0, paths, points: { show: false } }));
  return { values: (value) => (Number.isInteger(value) ? SHORT.format(value) : ''), width: 48, range: fromZero, series };
}

/** @type {import('./chart').Options} */
function lines(colour) {
  const line = (/** @type {string} */ name) => ({ stroke: colour(name), width: 2, points: { show: true, size: 5, fill: colour(name), stroke: colour(name) } });
  return { values: (value) => (value ? duration(value) : '0'), width: 64, range: fromZero, series: [line('accent'), { ...line('edge'), dash: [6, 4] }] };
}

/** @param {{ days: Day[], at: Place, text: (day: Day) => string }} props */
function Pointed({ days, at, text }) {
  const day = at.value === null ? days[days.length - 1] : days[at.value];
  return html`<p class="pointed muted" aria-hidden="true">${day ? `${dateText(beginOf(day))}${at.value === null ? ' (today)' : ''}: ${text(day)}` : ''}</p>`;
}

/** @param {Day} day */
function ends(day) {
  const others = /** @type {const} */ (['error', 'lost', 'cancelled']).filter((end) => day[end] > 0);
  const runs = runsOf(day);
  return [`${count(runs)} ${runs === 1 ? 'run' : 'runs'}`, ...others.map((end) => `${count(day[end])} ${word(end)}`)].join(', ');
}

/** @param {Day} day */
const took = ({ p50, p95 }) => (p50 === null || p95 === null ? 'nothing known' : `half within ${duration(p50)}, 95 % within ${duration(p95)}`);

/** @param {{ days: Day[] }} props */
function DayTable({ days }) {
  const shown = days.filter((day) => runsOf(day) > 0).reverse();
  return html`<details class="day-fold"><summary>Days as a table</summary>
    <div class="scroller" tabindex="0" role="group" aria-label="Days as a table"><table class="numbers">
      <thead><tr><th scope="col">Day (UTC)</th><th scope="col">Runs</th>${['complete', 'error', 'lost', 'cancelled'].map((end) => html`<th key=${end} scope="col">${word(end)}</th>`)}
        <th scope="col">Half within</th><th scope="col">95 % within</th></tr></thead>
      <tbody>${shown.map((day) => html`<tr key=${day.day}><th scope="row">${day.day}</th><td>${count(runsOf(day))}</td><td>${count(day.complete)}</td>
        <td class=${failedOf(day) ? 'failed' : ''}>${count(day.error)}</td><td>${count(day.lost)}</td><td>${count(day.cancelled)}</td>
        <td>${seconds(day.p50)}</td><td>${seconds(day.p95)}</td></tr>`)}</tbody></table></div></details>`;
}

/** @param {number | null | undefined} value */
export const seconds = (value) => (value == null ? '–' : duration(value));
