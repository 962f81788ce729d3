/** What was stored of an operation, change by change, as the feed still holds it. */
import { html, useSignal } from '../lib.js';
import { get, operationAt, Refusal } from '../api.js';
import { clean, clockTime } from '../format.js';

/** @typedef {import('../types').Change} Change */
/** @typedef {{ changes: Change[], cursor: string, whole: boolean, busy: boolean, said: string }} State */

const PAGE = 200;
const LONGEST = 16384;

/** @param {{ id: string }} props */
export function EventsPanel({ id }) {
  const state = useSignal(/** @type {State} */ ({ changes: [], cursor: '', whole: false, busy: false, said: '' }));
  const read = async () => {
    const before = state.peek();
    if (before.busy) return;
    state.value = { ...before, busy: true };
    state.value = { ...(await after(id, before)), busy: false };
  };
  const opened = (/** @type {any} */ event) => event.currentTarget.open && !state.peek().changes.length && void read();
  const { changes, whole, busy, said } = state.value;
  return html`<details class="panel events" onToggle=${opened}>
    <summary><h2>Events</h2></summary>
    <ol>${changes.map((change) => html`<${OfChange} key=${change.rev} change=${change} />`)}</ol>
    <p role="status" class=${said ? 'note' : 'unseen'}>${said}</p>
    <p class="note"><button type="button" class="button" aria-busy=${busy} onClick=${read}>${whole ? 'Look for newer ones' : 'Read on'}</button></p>
  </details>`;
}

/**
 * What is known after one more reading.
 * @param {string} id
 * @param {State} before
 * @returns {Promise<State>}
 */
async function after(id, before) {
  const from = before.cursor ? `&after=${encodeURIComponent(before.cursor)}` : '';
  try {
    const answer = await get(`${operationAt(id)}/events?limit=${PAGE}${from}`);
    if (!answer) return { ...before, said: 'Nothing is known of this operation any more.' };
    const whole = answer.items.length < PAGE;
    const said = before.changes.length && !answer.items.length ? 'Nothing newer.' : '';
    return { ...before, changes: [...before.changes, ...answer.items], cursor: answer.cursor, whole, said };
  } catch (error) {
    if (error instanceof Refusal && error.cursor) return { ...before, cursor: error.cursor, whole: true, said: 'Earlier events are no longer held: the feed keeps the newest of all operations only.' };
    return { ...before, said: `The events could not be read: ${clean(error instanceof Error ? error.message : '', 200)}` };
  }
}

/** @param {{ change: Change }} props */
function OfChange({ change }) {
  const first = change.rev - change.events.length + 1;
  return html`${change.events.map((event, place) => html`<${Entry} key=${place} rev=${first + place} event=${event} />`)}
    ${change.hole && html`<li class="muted">More has changed here than was told.</li>`}`;
}

/** @param {{ rev: number, event: Change['events'][number] }} props */
function Entry({ rev, event }) {
  const open = useSignal(false);
  return html`<li><details onToggle=${(/** @type {any} */ { currentTarget }) => (open.value = currentTarget.open)}>
    <summary><code class="rev">${rev}</code><span class="event-type">${clean(event.type, 40)}</span><time>${clockTime(event.ts)}</time></summary>
    ${open.value && html`<pre tabindex="0" role="group" aria-label=${`Event ${rev}`}>${clean(JSON.stringify(event, null, 2), LONGEST)}</pre>`}
  </details></li>`;
}
