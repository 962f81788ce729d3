/** What can be done to an operation: cancel it, resume it, run it over; with what resuming would do, or why it cannot. */
import { html, useEffect, useRef, useSignal } from '../lib.js';
import { act, operationAt } from '../api.js';
import { clean, count } from '../format.js';
import { useReading } from '../reading.js';
import { ENDED } from '../state.js';

/** @typedef {import('../types').Operation} Operation */
/** @typedef {'cancel' | 'resume' | 'rerun'} Verb */

/** @param {{ operation: Operation }} props */
export function Actions({ operation }) {
  const armed = useSignal(false);
  const busy = useSignal(false);
  const said = useSignal({ text: '', failed: false });
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const { id, status, run } = operation;
  const verbs = possible(operation);
  const preview = usePreview(operation, verbs.includes('resume'));
  useEffect(() => {
    armed.value = false;
    // What was expected is worth reading while it waits and runs.
    if (ENDED.has(status)) said.value = { text: '', failed: false };
  }, [id, status, run]);
  useEffect(() => {
    if (armed.value) place.current?.querySelector('button')?.focus();
  }, [armed.value]);
  /** @param {Verb} verb @param {{ terminate: boolean }} [body] */
  const press = async (verb, body) => {
    if (busy.value) return;
    armed.value = false;
    busy.value = true;
    try {
      const answer = await act(id, verb, body);
      said.value = { text: answer.expected?.summary ?? '', failed: false };
    } catch (error) {
      said.value = { text: error instanceof Error ? error.message : 'the server did not answer', failed: true };
    }
    busy.value = false;
  };
  const disarm = () => (armed.value = false);
  const left = (/** @type {any} */ event) => event.currentTarget.contains(event.relatedTarget) || disarm();
  const words = said.value.text ? said.value : armed.value ? { text: warning(operation), failed: false } : preview;
  return html`<span class="actions" ref=${place} onFocusOut=${left} onKeyDown=${(/** @type {any} */ event) => event.key === 'Escape' && disarm()}>
    ${armed.value
      ? html`<${Sure} operation=${operation} press=${press} disarm=${disarm} />`
      : verbs.map((verb) => html`<button key=${verb} type="button" class=${`button act-${verb}`} aria-busy=${busy.value}
          onClick=${() => (verb === 'cancel' ? (armed.value = true) : press(verb))}>${wordOf(verb, operation)}</button>`)}
    <span role="status" class=${`said ${words.failed ? 'failed' : ''}`}>${clean(words.text, 400)}</span>
  </span>`;
}

/**
 * Asked before, as what it ends cannot be undone; the second form ends processes, whatever they are in the midst of.
 * @param {{ operation: Operation, press: (verb: Verb, body?: { terminate: boolean }) => void, disarm: () => void }} props
 */
function Sure({ operation, press, disarm }) {
  const { batch, cancel, children } = operation;
  const runs = operation.status === 'running';
  const many = batch && children.running !== 1;
  return html`
    ${!cancel && html`<button key="sure" type="button" class="button act-cancel" onClick=${() => press('cancel')}>Cancel ${batch ? 'them' : 'it'}</button>`}
    ${runs && html`<button key="stop" type="button" class="button act-cancel" onClick=${() => press('cancel', { terminate: true })}>Stop ${many ? 'their processes' : 'its process'}</button>`}
    <button key="keep" type="button" class="button" onClick=${disarm}>Keep ${batch ? 'them' : 'it'}</button>
  `;
}

/** @param {Operation} operation */
function warning({ status, cancel }) {
  if (status !== 'running') return 'It will not begin.';
  if (cancel) return 'It was asked to end, and does so at its next step or progress call. Its process can be told to end now.';
  return 'What runs ends at its next step or progress call; a process that makes none has to be stopped.';
}

/** @param {Verb} verb @param {Operation} operation */
function wordOf(verb, { batch, cancel, children }) {
  if (verb === 'rerun') return 'Run again';
  if (verb === 'resume') return batch ? `Resume ${count(children.error + children.lost + children.cancelled)} ${children.cancelled ? 'not complete' : 'failed'}` : 'Resume';
  if (cancel) return 'Stop…';
  return batch && children.total > 0 ? `Cancel the rest (${count(children.queued + children.running)})` : 'Cancel';
}

/**
 * What resuming would do now, or why it would be refused.
 * @param {Operation} operation
 * @param {boolean} isPossible
 */
function usePreview({ id }, isPossible) {
  const reading = useReading(isPossible ? `${operationAt(id)}/resume` : '');
  if (!isPossible || reading.busy) return { text: '', failed: false };
  const expected = /** @type {{ expected: { summary: string } } | null} */ (reading.value)?.expected;
  return { text: reading.error ? `Cannot be resumed: ${reading.error}` : (expected?.summary ?? ''), failed: false };
}

/**
 * What makes sense now. Of what was not queued with arguments, only whoever started it can start it again.
 * @param {Operation} operation
 * @returns {Verb[]}
 */
function possible({ status, cancel, args, batch }) {
  if (!ENDED.has(status)) return cancel && status !== 'running' ? [] : ['cancel'];
  if (batch) return status === 'complete' ? [] : ['resume'];
  if (!args) return [];
  return status === 'complete' ? ['rerun'] : ['resume', 'rerun'];
}
