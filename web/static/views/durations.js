/** How long the steps of a name usually take, and at which of them runs fail. */
import { html } from '../lib.js';
import { clean, count } from '../format.js';
import { Bar } from './bars.js';
import { seconds } from './trend.js';

/** @typedef {import('../days').Summary} Summary */
/** Steps that are shown; a loop may give each of its rounds a name. */
const MOST = 100;

/** @param {{ summary: Summary, days: number }} props */
export function Steps({ summary, days }) {
  const lines = linesOf(summary);
  const longest = Math.max(...lines.map((line) => line.p50 ?? 0), 1e-9);
  if (!lines.length) return null;
  return html`<section class="panel usual" aria-labelledby="steps-heading"><h2 id="steps-heading">Steps</h2>
    <div class="scroller" tabindex="0" role="group" aria-label="Steps"><table class="numbers">
      <thead><tr><th scope="col" class="cell-name">Step</th><td class="cell-share"></td><th scope="col">Half within</th><th scope="col">95 % within</th>
        <th scope="col">99 % within</th><th scope="col">Measured</th><th scope="col">Failed here</th></tr></thead>
      <tbody>${lines.slice(0, MOST).map((line) => html`<tr key=${line.name}>
        <th scope="row" class="cell-name"><span class="clip" dir="auto" title=${clean(line.name)}>${clean(line.name, 200)}</span></th>
        <td class="cell-share"><${Bar} value=${(line.p50 ?? 0) / longest} /></td>
        <td>${seconds(line.p50)}</td><td>${seconds(line.p95)}</td><td>${seconds(line.p99)}</td>
        <td>${count(line.count)}</td><td class=${line.failed ? 'failed' : 'muted'}>${count(line.failed)}</td></tr>`)}</tbody></table></div>
    <p class="muted note">Durations are of the last 1,000 successful runs, failures of the last ${days} days${lines.length > MOST ? `; ${count(lines.length - MOST)} more steps are not shown` : ''}.</p>
  </section>`;
}

/** Steps in the order they are known, and behind them those at which runs only ever fail. @param {Summary} summary */
function linesOf({ steps, failures }) {
  const failed = new Map(failures.map(({ name, count: number }) => [name, number]));
  const known = steps.map((step) => ({ ...step, failed: failed.get(step.name) ?? 0 }));
  const names = new Set(steps.map((step) => step.name));
  const others = failures.filter(({ name }) => !names.has(name));
  return [...known, ...others.map(({ name, count: number }) => ({ name, count: 0, p50: null, p95: null, p99: null, failed: number }))];
}
