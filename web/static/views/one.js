/** The form of one operation: a field for each argument, and labels. */
import { html, useMemo, useSignal } from '../lib.js';
import { clean } from '../format.js';
import { complaintOf, partsOf, Sending } from '../queueing.js';
import { argumentsOf, labelsOf } from '../schema.js';
import { FieldRow, LabelsRow } from './fields.js';

/** @typedef {import('../schema').Field} Field */
/** @typedef {import('../schema').Texts} Texts */

/** What was typed, by job, while the page is open. @type {Map<string, Texts>} */
const drafts = new Map();

/** A name no argument can have. */
const LABELS = '\0labels';

/** @param {{ job: string, fields: Field[], queued: (id: string) => void }} props */
export function OneForm({ job, fields, queued }) {
  const texts = useSignal(drafts.get(job) ?? Object.fromEntries(fields.map((field) => [field.name, field.initial])));
  const faults = useSignal(/** @type {Texts} */ ({}));
  const said = useSignal('');
  const busy = useSignal(false);
  const sending = useMemo(() => new Sending(), []);
  /** @param {string} name @param {string} text */
  const type = (name, text) => {
    texts.value = { ...texts.value, [name]: text };
    faults.value = { ...faults.value, [name]: '' };
    drafts.set(job, texts.value);
  };
  /** @param {SubmitEvent} event */
  const submit = async (event) => {
    event.preventDefault();
    if (busy.value) return;
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const { args, faults: found } = argumentsOf(fields, texts.value);
    const labels = labelsIn(texts.value[LABELS] ?? '', found);
    faults.value = found;
    said.value = '';
    if (labels && !Object.values(found).some(Boolean)) await send({ job, args, labels });
    requestAnimationFrame(() => /** @type {HTMLElement | null} */ (form.querySelector('[aria-invalid="true"]'))?.focus());
  };
  /** @param {object} body */
  const send = async (body) => {
    busy.value = true;
    try {
      queued((await sending.send('/operations', body)).id);
    } catch (error) {
      const complaint = complaintOf(error);
      faults.value = byField(complaint.errors, fields);
      said.value = Object.keys(faults.value).length ? '' : complaint.text;
    }
    busy.value = false;
  };
  return html`<form class="form" novalidate onSubmit=${submit}>
    ${fields.length === 0 && html`<p class="muted">It takes no arguments.</p>`}
    ${fields.map((field) => html`<${FieldRow} key=${field.name} field=${field} text=${texts.value[field.name] ?? ''} fault=${faults.value[field.name] ?? ''}
      type=${(/** @type {string} */ text) => type(field.name, text)} />`)}
    <${LabelsRow} text=${texts.value[LABELS] ?? ''} fault=${faults.value[LABELS] ?? ''} type=${(/** @type {string} */ text) => type(LABELS, text)} />
    <div class="form-end">
      <button type="submit" class="button primary" aria-busy=${busy.value}>Queue it</button>
      <span role="status" class="failed" dir="auto">${clean(said.value, 300)}</span>
    </div>
  </form>`;
}

/** @param {string} text @param {Texts} faults */
function labelsIn(text, faults) {
  try {
    return labelsOf(text);
  } catch (error) {
    faults[LABELS] = error instanceof Error ? error.message : '';
    return null;
  }
}

/** What the server found wrong, at the field it is about. @param {{ pointer?: string, detail: string }[]} errors @param {Field[]} fields */
function byField(errors, fields) {
  /** @type {Texts} */
  const found = {};
  for (const { pointer = '', detail } of errors) {
    const [part, name = ''] = partsOf(pointer);
    if (part === 'labels') found[LABELS] = detail;
    else if (fields.some((field) => field.name === name)) found[name] = detail;
  }
  return found;
}
