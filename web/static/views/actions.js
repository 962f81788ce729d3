/** What can be done to an operation: cancel it, resume it, run it over. The server says whether it can, and why not. */
import { html, useEffect, useSignal } from '../lib.js';
import { act } from '../api.js';
import { clean } from '../format.js';
import { ENDED } from '../state.js';

/** @typedef {import('../types').Operation} Operation */
/** @typedef {'cancel' | 'resume' | 'rerun'} Verb */

const WORDS = { cancel: 'Cancel', resume: 'Resume', rerun: 'Run again' };

/** Asked before, as what it ends cannot be undone. */
const SURE = 'Cancel it?';

/** @param {{ operation: Operation }} props */
export function Actions({ operation }) {
  const armed = useSignal(false);
  const busy = useSignal(false);
  const said = useSignal({ text: '', failed: false });
  const { id, status, run } = operation;
  useEffect(() => {
    armed.value = false;
    // What was expected is worth reading while it waits and runs.
    if (ENDED.has(status)) said.value = { text: '', failed: false };
  }, [id, status, run]);
  /** @param {Verb} verb */
  const press = async (verb) => {
    if (busy.value) return;
    if (verb === 'cancel' && !armed.value) {
      armed.value = true;
      return;
    }
    armed.value = false;
    busy.value = true;
    try {
      const answer = await act(id, verb);
      said.value = { text: answer.expected?.summary ?? '', failed: false };
    } catch (error) {
      said.value = { text: error instanceof Error ? error.message : 'the server did not answer', failed: true };
    }
    busy.value = false;
  };
  return html`<span class="actions">
    ${possible(operation).map((verb) => html`<button key=${verb} type="button" class=${`button act-${verb}`} aria-busy=${busy.value}
      onClick=${() => press(verb)} onBlur=${() => (armed.value = false)}>${verb === 'cancel' && armed.value ? SURE : WORDS[verb]}</button>`)}
    <span role="status" class=${`said ${said.value.failed ? 'failed' : ''}`}>${clean(said.value.text, 400)}</span>
  </span>`;
}

/**
 * What makes sense now. Of what was not queued with arguments, only whoever started it can start it again.
 * @param {Operation} operation
 * @returns {Verb[]}
 */
function possible({ status, cancel, args, batch }) {
  if (!ENDED.has(status)) return cancel ? [] : ['cancel'];
  if (batch) return status === 'complete' ? [] : ['resume'];
  if (!args) return [];
  return status === 'complete' ? ['rerun'] : ['resume', 'rerun'];
}
