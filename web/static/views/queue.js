/** Queueing work: the jobs that may be queued, a form for each made from its schema, and batches from a list. */
import { html, useEffect, useMemo, useSignal } from '../lib.js';
import { HOLDER, MAY_ACT } from '../api.js';
import { clean, count } from '../format.js';
import { useReading } from '../reading.js';
import { query, setQuery } from '../router.js';
import { fieldsOf } from '../schema.js';
import { ManyForm } from './many.js';
import { OneForm } from './one.js';
import { withCode } from './prose.js';
import { Broken, Loading, Nothing } from './quiet.js';
import { Sent } from './sent.js';

/** @typedef {{ name: string, schema: import('../schema').Schema, queue: string, release: string, description: string, workers: number }} Job */

/** Seconds between two looks at which jobs there are. */
const EVERY = 10;

export function QueuePage() {
  useEffect(() => {
    document.title = 'Queue work · step tracker';
  }, []);
  const { value, error, again } = /** @type {ReturnType<typeof useReading<{ items: Job[] }>>} */ (useReading('/jobs', EVERY));
  return html`<main id="main">
    <div class="head"><h1>Queue work</h1></div>
    ${value ? html`<${Jobs} jobs=${value.items} error=${error} />` : error ? html`<${Broken} error=${error} again=${again} />` : html`<${Loading} />`}
  </main>`;
}

/** @param {{ jobs: Job[], error: string }} props */
function Jobs({ jobs, error }) {
  const sent = useSignal(/** @type {string[]} */ ([]));
  const job = jobs.find((each) => each.name === query.value.get('job')) ?? jobs[0];
  if (!job) return html`<${NoJobs} />`;
  return html`<div class="queueing">
    <nav class="panel jobs" aria-label="Jobs">
      <h2>Jobs</h2>
      <ul>${jobs.map((each) => html`<${JobLink} key=${each.name} job=${each} chosen=${each.name === job.name} />`)}</ul>
    </nav>
    <div class="work">
      <${JobPanel} key=${job.name} job=${job} error=${error} sent=${sent} />
      ${sent.value.length > 0 && html`<${Sent} ids=${sent.value} />`}
    </div>
  </div>`;
}

/** @param {{ job: Job, chosen: boolean }} props */
function JobLink({ job, chosen }) {
  return html`<li><button type="button" class="job" aria-current=${chosen ? 'true' : undefined} onClick=${() => setQuery('job', job.name)}>
    <span class="clip" dir="auto">${clean(job.name, 120)}</span>
    <span class=${`sub ${job.workers ? '' : 'failed'}`}>${workers(job)}</span>
  </button></li>`;
}

/** @param {Job} job */
const workers = ({ workers }) => (workers === 0 ? '✗ no worker' : workers === 1 ? '1 worker' : `${count(workers)} workers`);

/** @param {{ job: Job, error: string, sent: import('../lib').Signal<string[]> }} props */
function JobPanel({ job, error, sent }) {
  const text = JSON.stringify(job.schema);
  const fields = useMemo(() => fieldsOf(job.schema), [text]);
  const many = query.value.get('many') !== null;
  const queued = (/** @type {string} */ id) => (sent.value = [id, ...sent.value.filter((each) => each !== id)]);
  const Form = many ? ManyForm : OneForm;
  return html`<section class="panel" aria-labelledby="job-heading">
    <div class="job-head">
      <h2 id="job-heading" dir="auto">${clean(job.name, 120)}</h2>
      ${MAY_ACT && html`<div class="switch" role="group" aria-label="How many">
        <button type="button" class="chip" aria-pressed=${!many} onClick=${() => setQuery('many', '')}>One</button>
        <button type="button" class="chip" aria-pressed=${many} onClick=${() => setQuery('many', '1')}>A batch</button>
      </div>`}
    </div>
    ${job.description && html`<p class="muted" dir="auto">${withCode(clean(job.description, 600))}</p>`}
    <p class="muted note">${[`queue ${clean(job.queue, 80)}`, job.release && `release ${clean(job.release, 80)}`, workers(job)].filter(Boolean).join(' · ')}</p>
    ${job.workers === 0 && html`<p class="failed note" role="status">No worker runs this job now, so nothing can be queued for it. Start one and this page goes on.</p>`}
    ${error && html`<p class="failed note" role="status">${clean(error, 200)}; what is shown may be out of date.</p>`}
    ${MAY_ACT ? html`<${Form} key=${many} job=${job.name} fields=${fields} queued=${queued} />` : html`<${Looking} />`}
  </section>`;
}

function Looking() {
  return html`<p class="note" role="status">${clean(HOLDER, 64)} may look and not act. Queueing takes the token of an operator.</p>`;
}

function NoJobs() {
  return html`<${Nothing} heading="No job can be queued">
    <p>Workers publish their jobs when they are ready, and none has yet.</p>
    <pre><code>tracker worker        # one of this system${'\n'}tracker jobs          # the same list in a terminal</code></pre>
  <//>`;
}
