/** What can be done to an operation: cancel it, resume it, run it over; with what resuming would do, or why it cannot. */
import { html, useEffect, useSignal } from '../lib.js';
import { act, MAY_ACT, operationAt } from '../api.js';
import { clean, count } from '../format.js';
import { useReading } from '../reading.js';
import { ENDED } from '../state.js';

/** @typedef {import('../types').Operation} Operation */
/** @typedef {'cancel' | 'resume' | 'rerun'} Verb */

/** @typedef {{ key: string, text: string, press: () => void, grave?: boolean }} Choice */

/** @param {{ operation: Operation }} props */
export function Actions({ operation }) {
  const armed = useSignal(false);
  const busy = useSignal(false);
  const said = useSignal({ text: '', failed: false });
  const { id, status, run } = operation;
  const verbs = possible(operation);
  const preview = usePreview(operation, verbs.includes('resume'));
  useEffect(() => {
    armed.value = false;
    // What was expected is worth reading while it waits and runs.
    if (ENDED.has(status)) said.value = { text: '', failed: false };
  }, [id, status, run]);
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
  const choices = armed.value ? sure(operation, press, disarm) : verbs.map((verb) => offer(verb, operation, () => (verb === 'cancel' ? (armed.value = true) : press(verb))));
  const words = armed.value ? { text: warning(operation), failed: false } : said.value.text ? said.value : preview;
  return html`<span class="actions" onFocusOut=${(/** @type {any} */ event) => event.currentTarget.contains(event.relatedTarget) || disarm()}
      onKeyDown=${(/** @type {any} */ event) => event.key === 'Escape' && disarm()}>
    ${choices.map(({ key, text, grave, press }) => html`<button key=${key} type="button" class=${`button ${grave ? 'grave' : ''}`} aria-busy=${busy.value} onClick=${press}>${text}</button>`)}
    <span role="status" class=${`said ${words.failed ? 'failed' : ''}`}>${clean(words.text, 400)}</span>
  </span>`;
}

/** @param {Verb} verb @param {Operation} operation @param {() => void} press @returns {Choice} */
const offer = (verb, operation, press) => ({ key: verb, text: wordOf(verb, operation), press, grave: verb === 'cancel' });

/**
 * Asked before, as what it ends cannot be undone; the second form ends processes, whatever they are in the midst of.
 * The first has the key of the button that was pressed: it takes its place, and keeps the focus.
 * @param {Operation} operation
 * @param {(verb: Verb, body?: { terminate: boolean }) => void} press
 * @param {() => void} disarm
 * @returns {Choice[]}
 */
function sure({ status, batch, cancel, children }, press, disarm) {
  const [it, process] = batch ? ['them', children.running === 1 ? 'its process' : 'their processes'] : ['it', 'its process'];
  const softly = cancel ? [] : [{ text: `Cancel ${it}`, press: () => press('cancel'), grave: true }];
  const firmly = status === 'running' ? [{ text: `Stop ${process}`, press: () => press('cancel', { terminate: true }), grave: true }] : [];
  const all = [...softly, ...firmly, { text: `Keep ${it}`, press: disarm }];
  return all.map((choice, place) => ({ ...choice, key: place ? choice.text : 'cancel' }));
}

/** @param {Operation} operation */
function warning({ status, cancel }) {
  if (status !== 'running') return 'It will not begin.';
  if (cancel) return 'It was asked to end, and does so at its next step.';
  return 'What runs ends at its next step.';
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
 * What makes sense now, and is allowed. Of what was not queued with arguments, only whoever started it can start it again.
 * @param {Operation} operation
 * @returns {Verb[]}
 */
function possible({ status, cancel, args, batch }) {
  if (!MAY_ACT) return [];
  if (!ENDED.has(status)) return cancel && status !== 'running' ? [] : ['cancel'];
  if (batch) return status === 'complete' ? [] : ['resume'];
  if (!args) return [];
  return status === 'complete' ? ['rerun'] : ['resume', 'rerun'];
}
