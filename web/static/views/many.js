/** The form of a batch: a list pasted or uploaded, understood before it is sent. */
import { html, useMemo, useSignal } from '../lib.js';
import { clean, count } from '../format.js';
import { itemsOf, MOST_ITEMS } from '../items.js';
import { complaintOf, partsOf, Sending } from '../queueing.js';
import { labelsOf } from '../schema.js';
import { LabelsRow } from './fields.js';

/** @typedef {import('../items').Items} Items */

/** What was pasted, by job, while the page is open. @type {Map<string, string>} */
const drafts = new Map();

/** Faults told one by one. */
const MOST_FAULTS = 5;

/** @param {{ job: string, fields: import('../schema').Field[], queued: (id: string) => void }} props */
export function ManyForm({ job, fields, queued }) {
  const text = useSignal(drafts.get(job) ?? '');
  const title = useSignal('');
  const labels = useSignal('');
  const labelFault = useSignal('');
  const said = useSignal('');
  const busy = useSignal(false);
  const sending = useMemo(() => new Sending(), []);
  const found = useMemo(() => itemsOf(text.value, fields), [text.value, fields]);
  const ready = found.items.length > 0 && found.items.length <= MOST_ITEMS && found.faults.length === 0;
  /** @param {string} next */
  const paste = (next) => {
    text.value = next;
    said.value = '';
    drafts.set(job, next);
  };
  /** @param {SubmitEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    if (!ready || busy.value) return;
    try {
      const body = { job, items: found.items, labels: labelsOf(labels.value), ...(title.value.trim() && { title: title.value.trim() }) };
      labelFault.value = '';
      busy.value = true;
      said.value = '';
      queued((await sending.send('/batches', body)).id);
    } catch (error) {
      if (busy.value) said.value = located(complaintOf(error), found);
      else labelFault.value = error instanceof Error ? error.message : '';
    }
    busy.value = false;
  };
  return html`<form class="form" novalidate onSubmit=${submit}>
    <div class="field">
      <label for="items">Items</label>
      <textarea id="items" class="code" rows="10" spellcheck=${false} aria-describedby="items-hint items-found" value=${text.value}
        onInput=${(/** @type {any} */ event) => paste(event.currentTarget.value)}></textarea>
      <span id="items-hint" class="hint">${hint(fields)}</span>
      <label class="upload">or a file
        <input type="file" accept=".txt,.csv,.tsv,.json,.jsonl,.ndjson,text/*" onChange=${(/** @type {any} */ event) => upload(event.currentTarget, paste)} />
      </label>
    </div>
    <${Found} found=${found} />
    <div class="field">
      <label for="title">Title <span class="muted">optional</span></label>
      <input id="title" type="text" maxlength="200" autocomplete="off" value=${title.value} onInput=${(/** @type {any} */ event) => (title.value = event.currentTarget.value)} />
      <span class="hint">what people read</span>
    </div>
    <${LabelsRow} text=${labels.value} fault=${labelFault.value} type=${(/** @type {string} */ next) => (labels.value = next)} />
    <div class="form-end">
      <button type="submit" class="button primary" aria-disabled=${!ready} aria-busy=${busy.value}>${ready ? `Queue ${count(found.items.length)} ${found.items.length === 1 ? 'item' : 'items'}` : 'Queue them'}</button>
      <span role="status" class="failed" dir="auto">${clean(said.value, 300)}</span>
    </div>
  </form>`;
}

/** @param {import('../schema').Field[]} fields */
function hint(fields) {
  const needed = fields.filter((field) => field.required);
  const only = needed.length === 1 ? needed[0] : null;
  const names = fields.map((field) => clean(field.name, 40)).join(',');
  return `${only ? `A ${clean(only.name, 40)} a line; or ` : ''}CSV below a line of names${names ? ` (${names})` : ''}; or a JSON object a line. At most ${count(MOST_ITEMS)}.`;
}

/** @param {HTMLInputElement} field @param {(text: string) => void} paste */
async function upload(field, paste) {
  const [file] = field.files ?? [];
  if (file) paste(await file.text());
}

/** What the list was taken for. @param {{ found: Items }} props */
function Found({ found }) {
  const { items, faults, form } = found;
  const many = items.length > MOST_ITEMS;
  const more = faults.length - MOST_FAULTS;
  return html`<div id="items-found" class="found" role="status">
    ${form && html`<p>${count(items.length)} ${items.length === 1 ? 'item' : 'items'}, read as ${form}${items.length > 0 && html`; the first is <code>${clean(JSON.stringify(items[0]), 160)}</code>`}</p>`}
    ${many && html`<p class="failed">✗ A batch takes at most ${count(MOST_ITEMS)}; queue the rest as a second one.</p>`}
    ${faults.slice(0, MOST_FAULTS).map(({ line, text }) => html`<p key=${line} class="failed" dir="auto">✗ ${line > 0 ? `line ${count(line)}: ` : ''}${clean(text, 200)}</p>`)}
    ${more > 0 && html`<p class="failed">and ${count(more)} more such lines</p>`}
  </div>`;
}

/** What the server found wrong, with the line it stands in. @param {import('../queueing').Complaint} complaint @param {Items} found */
function located({ text, errors }, found) {
  const [part, place, ...rest] = partsOf(errors[0]?.pointer ?? '');
  if (part !== 'items' || place === undefined) return text;
  const line = found.lines[Number(place)];
  return `${line ? `line ${count(line)}` : `item ${count(Number(place) + 1)}`}${rest.length ? `, ${rest.join('.')}` : ''}: ${text}`;
}
