/** Hosts and processes: what each runs now, and when it was last heard of. */
import { html, useEffect, useMemo } from '../lib.js';
import { serverNow } from '../clock.js';
import { clean, clockTime, count, duration, progress, quantity, titleOf } from '../format.js';
import { hostsOf, isSilent, matches, offBy, runsOf, stateOf } from '../hosts.js';
import { useReading } from '../reading.js';
import { operationPath, query, setQuery } from '../router.js';
import { Shape } from '../status.js';
import { Broken, Loading, Nothing } from './quiet.js';
import { Ago } from './time.js';

/** @typedef {import('../hosts').Worker} Worker */
/** @typedef {import('../hosts').Host} Host */
/** @typedef {import('../hosts').State} State */

/** Seconds between two looks. */
const EVERY = 3;
/** Operations of a process that are shown. */
const MOST_RUNS = 20;

/** By which shape and colour a state is told, besides its word. @type {Record<State, string>} */
const LOOKS = { waits: 'queued', works: 'running', unresponsive: 'unfinished', lost: 'lost' };

/** A number of things, in words. @param {number} number @param {string} one @param {string} [others] */
const many = (number, one, others = `${one}s`) => `${count(number)} ${number === 1 ? one : others}`;

export function WorkersPage() {
  const reading = useReading('/workers', EVERY);
  const items = /** @type {{ items: Worker[] } | null} */ (reading.value)?.items;
  const at = useMemo(serverNow, [reading.value]);
  useEffect(() => {
    document.title = 'Workers · step tracker';
  }, []);
  return html`<main id="main">
    <div class="head"><h1>Workers</h1>${items && html`<${Summary} workers=${items} />`}</div>
    ${items ? html`<${Hosts} workers=${items} at=${at} />` : reading.error ? html`<${Broken} error=${reading.error} again=${reading.again} />` : html`<${Loading} />`}
    <p class="muted note as-of" role="status">${items && reading.error ? `As of ${clockTime(at)}: ${clean(reading.error, 200)}. Trying again every ${EVERY} s.` : ''}</p>
  </main>`;
}

/** @param {{ workers: Worker[] }} props */
function Summary({ workers }) {
  const silent = workers.filter(isSilent).length;
  const only = query.value.get('show') ?? '';
  const runs = workers.reduce((sum, worker) => sum + runsOf(worker), 0);
  return html`<div class="tools">
    <div class="chips" role="group" aria-label="Filter by what they do">
      <${Choice} show="" chosen=${only} text="all" number=${workers.length} />
      <${Choice} show="works" chosen=${only} text="working" number=${workers.filter(runsOf).length} look="running" />
      <${Choice} show="silent" chosen=${only} text="silent" number=${silent} look="lost" />
      <span class="muted sum-line">${many(new Set(workers.map((worker) => worker.host)).size, 'host')}, ${many(runs, 'run')}</span>
    </div>
    <input id="filter" type="search" placeholder="Filter  ( / )" aria-label="Filter by host, queue, job or title" autocomplete="off" spellcheck=${false}
      value=${query.value.get('q') ?? ''} onInput=${(/** @type {any} */ event) => setQuery('q', event.currentTarget.value)} />
  </div>`;
}

/** @param {{ show: string, chosen: string, text: string, number: number, look?: string }} props */
function Choice({ show, chosen, text, number, look }) {
  return html`<button type="button" class=${`chip is-${look ?? 'all'} ${number ? '' : 'none'}`} aria-pressed=${show === chosen}
    onClick=${() => setQuery('show', show === chosen ? '' : show)}>
    ${look && html`<${Shape} status=${look} />`}<span>${text}</span><b>${count(number)}</b></button>`;
}

/** @param {{ workers: Worker[], at: number }} props */
function Hosts({ workers, at }) {
  const words = (query.value.get('q') ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  const only = query.value.get('show') ?? '';
  const wanted = workers.filter((worker) => (only === 'silent' ? isSilent(worker) : only !== 'works' || runsOf(worker) > 0));
  const hosts = hostsOf(wanted).filter((host) => matches(host, words));
  if (!workers.length) return html`<${Nobody} />`;
  if (!hosts.length) return html`<${Nothing} heading="Nothing matches"><p><button type="button" class="button" onClick=${() => { setQuery('q', ''); setQuery('show', ''); }}>Show all workers</button></p></${Nothing}>`;
  return html`<div class="hosts">${hosts.map((host) => html`<${HostPanel} key=${host.host} host=${host} at=${at} />`)}</div>`;
}

function Nobody() {
  return html`<${Nothing} heading="No worker is running">
    <p>Whatever is queued waits until one starts. A script that uses <code>StepTracker</code> appears here while it runs.</p>
    <pre><code>tracker worker   # on any machine that reaches this Redis</code></pre></${Nothing}>`;
}

/** @param {{ host: Host, at: number }} props */
function HostPanel({ host, at }) {
  const processes = host.workers.length;
  return html`<section class="panel host" aria-label=${clean(host.host, 120)}>
    <div class="host-head"><h2 class="clip" dir="auto" title=${clean(host.host)}>${clean(host.host, 120) || 'unnamed host'}</h2>
      ${host.silent > 0 && html`<span class="status is-lost"><${Shape} status="lost" />${count(host.silent)} silent</span>`}
      <span class="muted">${many(host.runs, 'run')}, ${many(processes, 'process', 'processes')}</span></div>
    <ul>${host.workers.map((worker) => html`<${WorkerRow} key=${`${worker.pid === null}${worker.name}`} worker=${worker} at=${at} />`)}</ul>
  </section>`;
}

/** @param {{ worker: Worker, at: number }} props */
function WorkerRow({ worker, at }) {
  const state = stateOf(worker);
  const look = LOOKS[state];
  return html`<li class=${`worker is-${state}`}>
    <span class=${`status is-${look}`}><${Shape} status=${look} /><span>${state}</span></span>
    <span class="worker-name clip" dir="auto" title=${clean(worker.name)}>${worker.pid === null ? clean(worker.name, 120) : `process ${worker.pid}`}</span>
    <div class="worker-work">${worker.pid === null ? html`<${Jobs} worker=${worker} />` : html`<${Runs} worker=${worker} />`}</div>
    <span class="worker-tags"><${Tags} worker=${worker} /></span>
    <span class="worker-heard"><span class="unseen">last heard of </span><${Ago} at=${at - worker.age} /></span>
  </li>`;
}

/** What it waits for. @param {{ worker: Worker }} props */
function Jobs({ worker }) {
  const { queues, jobs } = worker;
  return html`<span class="clip" dir="auto">${queues.length === 1 ? 'queue' : 'queues'} ${queues.map((queue) => clean(queue, 80)).join(', ') || 'unknown'}</span>
    <details><summary>${many(jobs.length, 'job')}</summary>
      <ul class="labels">${jobs.map((job) => html`<li key=${job} class="tag" dir="auto">${clean(job, 120)}</li>`)}</ul></details>`;
}

/** @param {{ worker: Worker }} props */
function Runs({ worker }) {
  const shown = worker.running.slice(0, MOST_RUNS);
  const rest = worker.runs.length - shown.length;
  return html`<ul class="worker-runs">
    ${shown.map((each) => html`<${Run} key=${each.run} running=${each} />`)}
    ${rest > 0 && html`<li class="muted">${shown.length ? `and ${count(rest)} more` : many(rest, 'run')}${stateOf(worker) === 'lost' ? ', taken for lost' : ''}</li>`}
    ${!worker.runs.length && html`<li class="muted">nothing at the moment</li>`}</ul>`;
}

/** @param {{ running: import('../hosts').Running }} props */
function Run({ running }) {
  const { id, step, flags } = running;
  return html`<li><a data-inside class="clip" dir="auto" href=${operationPath(id)} title=${titleOf(running)}>${titleOf(running, 160)}</a>
    ${step ? html`<${At} step=${step} />` : html`<span class="muted">no step yet</span>`}
    ${flags.filter(unsaid).map((flag) => html`<span key=${flag} class="tag tag-warn">${clean(flag, 24)}</span>`)}</li>`;
}

/** Whether its process responds is said where that stands. @param {string} flag */
const unsaid = (flag) => flag !== 'unresponsive';

/** @param {{ step: import('../types').CurrentStep }} props */
function At({ step }) {
  const of = step.total ? `/${step.total}` : '';
  return html`<span class="run-step"><span class="place">${step.index}${of}</span> <span class="clip" dir="auto">${clean(step.name, 120)}</span>
    ${step.current != null && html`<span class="place">${progress(step.current, step.of, step.unit)}</span>`}</span>`;
}

/** What is odd about it, and its release. @param {{ worker: Worker }} props */
function Tags({ worker }) {
  const off = offBy(worker);
  return html`${off !== null && html`<span class="tag tag-warn">clock ${duration(Math.abs(off))} ${off > 0 ? 'behind' : 'ahead'}</span>`}
    ${worker.spool > 0 && html`<span class="tag tag-warn">${quantity(worker.spool, 'bytes')} wait on its disk</span>`}
    ${worker.dropped > 0 && html`<span class="tag tag-warn">${many(worker.dropped, 'end')} not stored</span>`}
    ${worker.release && html`<span class="tag" dir="auto" title="Release">${clean(worker.release, 60)}</span>`}`;
}
