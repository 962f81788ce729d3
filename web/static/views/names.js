/** All names with runs that have ended, side by side: a table that can be sorted. */
import { html } from '../lib.js';
import { failedOf, filled, percent, runsOf, totals } from '../days.js';
import { now } from '../clock.js';
import { clean, count } from '../format.js';
import { query, setQuery } from '../router.js';
import { CountsBar } from './bars.js';
import { seconds } from './trend.js';

/** @typedef {import('../days').Day} Day */
/** @typedef {import('../days').Summary} Summary */
/** @typedef {ReturnType<typeof lineOf>} Line */

/** Columns by the name they are sorted by, what stands above them, and what is compared. @type {[string, string, (line: Line) => number | string][]} */
const COLUMNS = [
  ['name', 'Name', (line) => line.name.toLowerCase()],
  ['runs', 'Runs', (line) => line.runs],
  ['success', 'Success', (line) => line.success ?? 2],
  ['p50', 'Half within', (line) => line.took?.p50 ?? -1],
  ['p95', '95 % within', (line) => line.took?.p95 ?? -1],
  ['day', 'Per day', (line) => line.perDay],
];

/** @param {Summary} summary @param {number} number */
function lineOf(summary, number) {
  const days = filled(summary.days, number, now.peek());
  return { name: summary.name, took: summary.took, days, ...totals(days) };
}

/** @param {{ summaries: Summary[], days: number, link: (name: string) => string }} props */
export function Names({ summaries, days, link }) {
  const sort = query.value.get('sort') ?? '-runs';
  const words = (query.value.get('q') ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  const lines = sorted(summaries.map((summary) => lineOf(summary, days)), sort).filter((line) => words.every((word) => line.name.toLowerCase().includes(word)));
  return html`<div class="table name-table"><table class="numbers">
    <thead><tr>${COLUMNS.map(([column, text]) => html`<${Heading} key=${column} column=${column} text=${text} sort=${sort} />`)}
      <th scope="col" class="cell-trend">Last ${days} days</th></tr></thead>
    <tbody>${lines.map((line) => html`<${Line} key=${line.name} line=${line} href=${link(line.name)} />`)}</tbody></table>
    ${!lines.length && html`<p class="note nobody muted">No name has this in it.</p>`}</div>`;
}

/** @param {Line[]} lines @param {string} sort */
function sorted(lines, sort) {
  const down = sort.startsWith('-');
  const value = COLUMNS.find(([column]) => column === sort.replace('-', ''))?.[2] ?? ((line) => line.runs);
  const order = (/** @type {Line} */ one, /** @type {Line} */ other) => (value(one) < value(other) ? -1 : value(one) > value(other) ? 1 : 0);
  return lines.sort((one, other) => (down ? -1 : 1) * order(one, other) || (one.name < other.name ? -1 : 1));
}

/** @param {{ column: string, text: string, sort: string }} props */
function Heading({ column, text, sort }) {
  const mine = sort.replace('-', '') === column;
  const down = sort.startsWith('-');
  const next = mine ? (down ? column : `-${column}`) : column === 'name' ? column : `-${column}`;
  return html`<th scope="col" class=${`cell-${column}`} aria-sort=${mine ? (down ? 'descending' : 'ascending') : undefined}>
    <button type="button" class="sort" onClick=${() => setQuery('sort', next)}>${text}<span aria-hidden="true">${mine ? (down ? '↓' : '↑') : ''}</span></button></th>`;
}

/** @param {{ line: Line, href: string }} props */
function Line({ line, href }) {
  const { name, runs, success, took, perDay, days } = line;
  const counts = { ...line, total: runs, running: 0, queued: 0, version: 0 };
  return html`<tr>
    <th scope="row" class="cell-name"><a data-inside data-row=${name} class="clip" dir="auto" href=${href} title=${clean(name)}>${clean(name, 200) || 'no name'}</a></th>
    <td class="cell-runs">${count(runs)}</td>
    <td class="cell-success"><span>${success === null ? '–' : percent(success)}</span>${success !== null && html`<${CountsBar} counts=${counts} />`}</td>
    <td class="cell-p50">${seconds(took?.p50)}</td><td class="cell-p95">${seconds(took?.p95)}</td>
    <td class="cell-day">${often(perDay)}</td>
    <td class="cell-trend"><${Sparkline} days=${days} /></td></tr>`;
}

/** How often something happens, of a number of times a day. @param {number} perDay */
export const often = (perDay) => (perDay >= 10 || perDay === 0 ? count(perDay) : perDay.toFixed(1));

/** Bars of runs per day, with those that failed on top; the number beside them says how many. @param {{ days: Day[] }} props */
function Sparkline({ days }) {
  const most = Math.max(1, ...days.map(runsOf));
  const bar = (/** @type {number} */ place, /** @type {number} */ from, /** @type {number} */ number) =>
    number ? `M${place * 4} ${24 - from * 24}v${-Math.max(1, number * 24)}h3v${Math.max(1, number * 24)}z` : '';
  const good = days.map((day, place) => bar(place, 0, (runsOf(day) - failedOf(day)) / most)).join('');
  const bad = days.map((day, place) => bar(place, (runsOf(day) - failedOf(day)) / most, failedOf(day) / most)).join('');
  return html`<svg class="spark" viewBox=${`0 0 ${days.length * 4} 24`} preserveAspectRatio="none" aria-hidden="true"><path class="good" d=${good} /><path class="bad" d=${bad} /></svg>`;
}
