/** The filters of the history, each a field with what is wrong with it. All of them stand in the address. */
import { html, useComputed, useEffect, useSignal } from '../lib.js';
import { get } from '../api.js';
import { clean } from '../format.js';
import { filtersOf, fromField, LAST, NAMES, toField } from '../criteria.js';
import { query, setQuery } from '../router.js';
import { search } from '../search.js';
import { STATUSES } from '../state.js';
import { Shape, word } from '../status.js';

/** Fields for texts: the name of the filter, what people call it, what may stand in it. @type {[string, string, string][]} */
const TEXTS = [
  ['label', 'Label', 'key:value'],
  ['worker', 'Host', 'node-3'],
  ['step', 'At step', 'Validate'],
  ['error', 'Error', 'ValueError'],
  ['release', 'Release', '1.4.2'],
];

/** Typing in it changes the address only when it is done, so that nothing half-written is looked for. */
export function Filters() {
  const open = useSignal(false);
  const faults = useComputed(() => search.value.faults).value;
  const set = filtersOf(query.value);
  const hidden = [...set.keys()].filter((name) => name !== 'status' && name !== 'q').length;
  return html`<form class="filters" role="search" aria-label="Search the history" onSubmit=${(/** @type {Event} */ event) => event.preventDefault()}>
    <div class="tools">
      <${Statuses} fault=${faults.status} />
      <input id="filter" type="search" placeholder="Id, name or title  ( / )" aria-label="Text in id, name or title" autocomplete="off" spellcheck=${false}
        maxlength="200" value=${query.value.get('q') ?? ''} onInput=${(/** @type {any} */ event) => setQuery('q', event.currentTarget.value)} />
      <button type="button" class="button more-filters" aria-expanded=${open.value} aria-controls="fields" onClick=${() => (open.value = !open.value)}>
        Filters${hidden > 0 && ` (${hidden})`}</button>
    </div>
    <div id="fields" class=${`fields ${open.value ? 'open' : ''}`}>
      <${When} />
      <${TimeField} name="since" title="From" fault=${faults.since} />
      <${TimeField} name="until" title="To" fault=${faults.until} />
      <${NameField} fault=${faults.name} />
      ${TEXTS.map(([name, title, hint]) => html`<${TextField} key=${name} name=${name} title=${title} hint=${hint} fault=${faults[name]} />`)}
      <button type="button" class="button clear" disabled=${![...set.keys()].length} onClick=${clear}>Clear all</button>
    </div>
  </form>`;
}

/** Look for everything again. */
export function clear() {
  for (const name of [...NAMES, 'last']) setQuery(name, '');
}

/** @param {{ fault?: string }} props */
function Statuses({ fault }) {
  const chosen = query.value.get('status') ?? '';
  return html`<div class="chips" role="group" aria-label="Filter by status">
    ${['', ...STATUSES].map((status) => html`<button key=${status} type="button" class=${`chip is-${status || 'all'} ${status === chosen ? '' : 'none'}`} aria-pressed=${status === chosen}
      onClick=${() => setQuery('status', status === chosen ? '' : status)}>
      ${status && html`<${Shape} status=${status} />`}<span>${status ? word(status) : 'all'}</span></button>`)}
    <${Fault} name="status" text=${fault} />
  </div>`;
}

function When() {
  const last = query.value.get('last') ?? '';
  const span = query.value.has('since') || query.value.has('until');
  const choose = (/** @type {any} */ event) => {
    setQuery('since', '');
    setQuery('until', '');
    setQuery('last', event.currentTarget.value);
  };
  return html`<div class="criterion"><label for="by-last">Made in</label>
    <select id="by-last" value=${span ? 'span' : last in LAST ? last : ''} onChange=${choose}>
      <option value="">any time</option>
      ${Object.entries(LAST).map(([name, { text }]) => html`<option key=${name} value=${name}>${text}</option>`)}
      ${span && html`<option value="span" disabled>from – to</option>`}
    </select></div>`;
}

/** @param {{ name: string, title: string, fault?: string }} props */
function TimeField({ name, title, fault }) {
  const change = (/** @type {any} */ event) => {
    setQuery('last', '');
    setQuery(name, fromField(event.currentTarget.value));
  };
  return html`<div class="criterion"><label for=${`by-${name}`}>${title}</label>
    <input type="datetime-local" ...${useTyped(toField(query.value.get(name)))} onChange=${change} ...${marks(name, fault)} />
    <${Fault} name=${name} text=${fault} /></div>`;
}

/** What a field shows: what is asked for, until somebody types; drawing it anew leaves what they typed. @param {string} given */
function useTyped(given) {
  const text = useSignal(given);
  useEffect(() => {
    text.value = given;
  }, [given]);
  return { value: text.value, onInput: (/** @type {any} */ event) => (text.value = event.currentTarget.value) };
}

/** @param {{ name: string, title: string, hint?: string, list?: string, fault?: string, onFocus?: () => void }} props */
function TextField({ name, title, hint = '', list, fault, onFocus }) {
  return html`<div class="criterion"><label for=${`by-${name}`}>${title}</label>
    <input type="text" ...${useTyped(query.value.get(name) ?? '')} placeholder=${hint} list=${list} maxlength="401" autocomplete="off" spellcheck=${false} dir="auto"
      onFocus=${onFocus} onChange=${(/** @type {any} */ event) => setQuery(name, event.currentTarget.value.trim())} ...${marks(name, fault)} />
    <${Fault} name=${name} text=${fault} /></div>`;
}

/** Names that ran lately are offered, once somebody wants to give one. @param {{ fault?: string }} props */
function NameField({ fault }) {
  const names = useSignal(/** @type {string[] | null} */ (null));
  const offer = () => {
    if (names.value) return;
    names.value = [];
    get('/stats?days=1').then((answer) => (names.value = answer.items.map((/** @type {{ name: string }} */ each) => each.name)), () => {});
  };
  return html`<${TextField} name="name" title="Name" hint="files.process" list="names" fault=${fault} onFocus=${offer} />
    <datalist id="names">${(names.value ?? []).map((name) => html`<option key=${name} value=${name}></option>`)}</datalist>`;
}

/** What ties a field to its label, and to what is wrong with it. @param {string} name @param {string | undefined} fault */
const marks = (name, fault) => ({ id: `by-${name}`, 'aria-invalid': fault ? 'true' : undefined, 'aria-describedby': fault ? `fault-${name}` : undefined });

/** @param {{ name: string, text?: string }} props */
function Fault({ name, text }) {
  return text ? html`<span id=${`fault-${name}`} class="fault" dir="auto">${clean(text, 200)}</span>` : null;
}
