/** One field of a form: its name, what may stand there, and what is wrong with what does. */
import { html } from '../lib.js';
import { clean } from '../format.js';

/** @typedef {import('../schema').Field} Field */

/** @param {{ field: Field, text: string, fault: string, type: (text: string) => void }} props */
export function FieldRow({ field, text, fault, type }) {
  const id = `field-${field.name}`;
  const typed = (/** @type {any} */ event) => type(event.currentTarget.value);
  const common = { id, name: field.name, 'aria-required': field.required, 'aria-invalid': Boolean(fault), 'aria-describedby': `${id}-hint ${id}-fault` };
  return html`<div class="field">
    <label for=${id} dir="auto">${clean(field.name, 120)}${field.required ? '' : html` <span class="muted">optional</span>`}</label>
    ${control(field, text, common, typed, type)}
    <span id=${`${id}-hint`} class="hint" dir="auto">${clean(field.hint, 300)}</span>
    <span id=${`${id}-fault`} class="fault" dir="auto">${fault && `✗ ${clean(fault, 300)}`}</span>
  </div>`;
}

/**
 * @param {Field} field
 * @param {string} text
 * @param {object} common
 * @param {(event: any) => void} typed
 * @param {(text: string) => void} type
 */
function control(field, text, common, typed, type) {
  if (field.kind === 'flag') {
    return html`<input ...${common} type="checkbox" checked=${text === 'true'} onChange=${(/** @type {any} */ event) => type(String(event.currentTarget.checked))} />`;
  }
  if (field.kind === 'choice') {
    return html`<select ...${common} value=${text} onChange=${typed}>
      ${(!field.required || text === '') && html`<option value="">–</option>`}
      ${field.choices.map((choice) => html`<option key=${choice} value=${choice}>${clean(choice, 120)}</option>`)}
    </select>`;
  }
  const plain = { ...common, autocomplete: 'off', spellcheck: false, onInput: typed, value: text };
  if (field.kind === 'lines') return html`<textarea ...${plain} rows="3" placeholder="one a line"></textarea>`;
  if (field.kind === 'json') return html`<textarea ...${plain} class="code" rows="3" placeholder="JSON"></textarea>`;
  const kind = field.kind === 'secret' ? 'password' : 'text';
  return html`<input ...${plain} type=${kind} autocomplete=${kind === 'password' ? 'new-password' : 'off'} inputmode=${field.kind === 'number' ? 'decimal' : undefined} />`;
}

/** @param {{ text: string, fault: string, type: (text: string) => void }} props */
export function LabelsRow({ text, fault, type }) {
  return html`<div class="field">
    <label for="labels">Labels <span class="muted">optional</span></label>
    <input id="labels" type="text" autocomplete="off" spellcheck=${false} value=${text} aria-invalid=${Boolean(fault)} aria-describedby="labels-hint labels-fault"
      onInput=${(/** @type {any} */ event) => type(event.currentTarget.value)} />
    <span id="labels-hint" class="hint">such as tenant=acme, env=prod</span>
    <span id="labels-fault" class="fault" dir="auto">${fault && `✗ ${clean(fault, 300)}`}</span>
  </div>`;
}
