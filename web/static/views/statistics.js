/** How operations of each name end and how long their steps take. */
import { html, useEffect, useMemo } from '../lib.js';
import { serverNow } from '../clock.js';
import { filled, percent, totals } from '../days.js';
import { clean, clockTime, count, duration } from '../format.js';
import { useReading } from '../reading.js';
import { pagePath, query, setQuery } from '../router.js';
import { Shape, word } from '../status.js';
import { Names, often } from './names.js';
import { Broken, Loading, Nothing } from './quiet.js';
import { Steps } from './durations.js';
import { Trend } from './trend.js';

/** @typedef {import('../days').Summary} Summary */

const RANGES = [30, 90];
/** Seconds between two looks: what has ended is archived some seconds later. */
const EVERY = 60;
/** Names that the API tells at once. */
const MOST = 50;

export function StatisticsPage() {
  const name = query.value.get('name') ?? '';
  const days = query.value.get('days') === '90' ? 90 : 30;
  const path = `/stats?${new URLSearchParams(name ? { days: String(days), name } : { days: String(days) })}`;
  const reading = useReading(path, EVERY);
  const at = useMemo(serverNow, [reading.value]);
  useEffect(() => {
    document.title = `${clean(name, 80) || 'Statistics'} · step tracker`;
  }, [name]);
  // The answer to another name says nothing of this one; that of fewer days does, until the other comes.
  const held = /** @type {{ items: Summary[] } | null} */ (reading.value && nameOf(reading.path) === name ? reading.value : null);
  return html`<main id="main">
    <${Head} name=${name} days=${days} />
    ${held ? html`<${Held} items=${held.items} name=${name} days=${days} />` : reading.error ? html`<${Broken} error=${reading.error} again=${reading.again} />` : html`<${Loading} />`}
    <p class="muted note as-of" role="status">${held && reading.error ? `As of ${clockTime(at)}: ${clean(reading.error, 200)}. Trying again every ${EVERY} s.` : ''}</p>
  </main>`;
}

/** @param {string} path */
const nameOf = (path) => new URLSearchParams(path.split('?')[1]).get('name') ?? '';

/** @param {{ name: string, days: number }} props */
function Head({ name, days }) {
  return html`<div class="head">
    <div class="stat-title">${name && html`<a data-inside class="up" href=${pagePath(`statistics?days=${days}`)}>All names</a>`}
      <h1 dir="auto">${clean(name, 200) || 'Statistics'}</h1></div>
    <div class="tools">
      <div class="chips" role="group" aria-label="How many days">${RANGES.map(
        (range) => html`<button key=${range} type="button" class="chip" aria-pressed=${range === days} onClick=${() => setQuery('days', String(range))}>${range} days</button>`,
      )}</div>
      ${name
        ? html`<a data-inside class="button" href=${pagePath(`history?${new URLSearchParams({ name })}`)}>Operations of this name</a>`
        : html`<input id="filter" type="search" placeholder="Filter  ( / )" aria-label="Filter by name" autocomplete="off" spellcheck=${false}
            value=${query.value.get('q') ?? ''} onInput=${(/** @type {any} */ event) => setQuery('q', event.currentTarget.value)} />`}
    </div></div>`;
}

/** @param {{ items: Summary[], name: string, days: number }} props */
function Held({ items, name, days }) {
  if (name) return html`<${One} summary=${items[0]} days=${days} />`;
  if (!items.length) return html`<${NothingEnded} />`;
  const link = (/** @type {string} */ each) => pagePath(`statistics?${new URLSearchParams({ name: each, days: String(days) })}`);
  return html`<${Names} summaries=${items} days=${days} link=${link} />
    ${items.length >= MOST && html`<p class="muted note">These are the ${MOST} names that ran last.</p>`}`;
}

function NothingEnded() {
  return html`<${Nothing} heading="Nothing has ended yet">
    <p>Runs are counted when they are archived, some 10 s after their end. A recorder does that: <code>tracker web</code> has one.</p></${Nothing}>`;
}

/** @param {{ summary: Summary | undefined, days: number }} props */
function One({ summary, days }) {
  const shown = useMemo(() => filled(summary?.days ?? [], days, serverNow()), [summary, days]);
  const sum = totals(shown);
  if (!summary || (!sum.runs && !summary.steps.length)) return html`<${NothingEnded} />`;
  return html`<${Figures} summary=${summary} sum=${sum} days=${days} />
    <div class="trends"><${Trend} days=${shown} /></div>
    <${Steps} summary=${summary} days=${days} />`;
}

/** @param {{ summary: Summary, sum: ReturnType<typeof totals>, days: number }} props */
function Figures({ summary, sum, days }) {
  const { took } = summary;
  const slowest = summary.steps.reduce((one, other) => (other.p50 > (one?.p50 ?? -1) ? other : one), summary.steps[0]);
  const worst = summary.failures[0];
  return html`<dl class="figures panel">
    <${Figure} name=${`Runs in ${days} days`} value=${count(sum.runs)}><${Outcomes} sum=${sum} /></${Figure}>
    <${Figure} name="Success" value=${sum.success === null ? '–' : percent(sum.success)}>${count(sum.complete)} complete</${Figure}>
    <${Figure} name="Per day" value=${often(sum.perDay)}>${sum.perDay >= 24 ? `${often(sum.perDay / 24)} per hour` : 'on average'}</${Figure}>
    <${Figure} name="Half within" value=${took ? duration(took.p50) : '–'}>${took ? `of ${count(took.count)} complete` : 'nothing known'}</${Figure}>
    <${Figure} name="95 % within" value=${took ? duration(took.p95) : '–'}>${took ? `99 % within ${duration(took.p99)}` : 'nothing known'}</${Figure}>
    <${Figure} name="Slowest step" value=${slowest ? duration(slowest.p50) : '–'}>${slowest ? clean(slowest.name, 80) : 'no steps known'}</${Figure}>
    <${Figure} name="Fails most at" value=${worst ? count(worst.count) : '–'}>${worst ? clean(worst.name, 80) : 'no step'}</${Figure}>
  </dl>`;
}

/** @param {{ name: string, value: string, children?: unknown }} props */
function Figure({ name, value, children }) {
  return html`<div class="figure"><dt>${name}</dt><dd class="value">${value}</dd><dd class="muted clip" dir="auto">${children}</dd></div>`;
}

/** What did not end complete. @param {{ sum: ReturnType<typeof totals> }} props */
function Outcomes({ sum }) {
  const others = /** @type {const} */ (['error', 'lost', 'cancelled']).filter((end) => sum[end] > 0);
  if (!others.length) return sum.runs ? 'all complete' : 'none';
  return others.map((end) => html`<span key=${end} class=${`status is-${end}`}><${Shape} status=${end} />${count(sum[end])} ${word(end)}</span> `);
}
