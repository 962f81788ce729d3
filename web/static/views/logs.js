/** The log of an attempt: filtered by step and level, followed live until somebody scrolls up, older lines on demand. */
import { html, useEffect, useRef, useSignal } from '../lib.js';
import { clean, clockTime, count, iso, moment } from '../format.js';
import { useLog } from '../log.js';
import { ENDED } from '../state.js';
import { Copy } from './copy.js';

/** @typedef {import('../types').LogLine} LogLine */
/** @typedef {import('../types').Operation} Operation */
/** @typedef {import('../types').Step} Step */

/** Lines drawn at first, and more of them at a time. */
const DRAWN = 400;
const LONGEST = 2048;

/** @param {{ operation: Operation, steps: Step[], held: import('../types').Held | null }} props */
export function LogPanel({ operation, steps, held }) {
  const { lines, ready, error } = useLog(operation, held);
  const step = useSignal('');
  const warnings = useSignal(false);
  const follow = useSignal(true);
  // A run that goes on has room for its lines from the start, so that nothing moves when they come.
  const roomy = useRef(!ENDED.has(operation.status) && !operation.batch);
  if (operation.batch && !lines.length) return null;
  const found = lines.filter((line) => fits(line, step.value, warnings.value));
  return html`<section class="panel log" aria-labelledby="log-heading">
    <div class="panel-head"><h2 id="log-heading">Log</h2>
      ${lines.length > 0 && html`<${Filters} lines=${lines} steps=${steps} step=${step} warnings=${warnings} />
        <button type="button" class="chip small" aria-pressed=${follow.value} onClick=${() => (follow.value = !follow.value)}>follow</button>
        <${Copy} text=${() => asText(found)} what="the log" />`}
    </div>
    ${error && html`<p class="failed" role="alert">The log could not be read: ${clean(error, 200)}</p>`}
    ${lines.length || roomy.current
      ? html`<${Lines} key=${`${step.value} ${warnings.value}`} lines=${found} all=${lines.length} whole=${found.length === lines.length} follow=${follow} ready=${ready} />`
      : html`<p class="muted">${ready ? 'No lines.' : 'Reading…'}</p>`}
  </section>`;
}

/** @param {LogLine} line @param {string} step @param {boolean} warnings */
const fits = (line, step, warnings) => (!step || String(line.step ?? 0) === step) && (!warnings || line.level === 'warning');

/** @param {LogLine[]} lines */
const asText = (lines) => lines.map((line) => `${iso(line.ts)} ${line.level ? `${line.level.toUpperCase()} ` : ''}${clean(line.text, LONGEST)}`).join('\n');

/**
 * @param {{ lines: LogLine[], steps: Step[], step: import('../lib').Signal<string>, warnings: import('../lib').Signal<boolean> }} props
 */
function Filters({ lines, steps, step, warnings }) {
  const present = [...new Set(lines.map((line) => line.step ?? 0))].sort((a, b) => a - b);
  const names = new Map(steps.map(({ index, name }) => [index, `${index} ${clean(name, 60)}`]));
  return html`<label class="unseen" for="log-step">Lines of step</label>
    <select id="log-step" value=${step.value} onChange=${(/** @type {any} */ event) => (step.value = event.currentTarget.value)}>
      <option value="">all steps</option>
      ${present.map((index) => html`<option key=${index} value=${String(index)}>${index ? (names.get(index) ?? `step ${index}`) : 'outside steps'}</option>`)}
    </select>
    <button type="button" class="chip small" aria-pressed=${warnings.value} onClick=${() => (warnings.value = !warnings.value)}>warnings only</button>`;
}

/** @param {{ lines: LogLine[], all: number, whole: boolean, follow: import('../lib').Signal<boolean>, ready: boolean }} props */
function Lines({ lines, all, whole, follow, ready }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const drawn = useSignal(DRAWN);
  const before = useRef({ scrollTop: 0, scrollHeight: 0, clientHeight: 0 });
  const shown = lines.slice(-drawn.value);
  useEffect(() => {
    if (follow.value && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines.at(-1), follow.value]);
  const scrolled = (/** @type {any} */ { currentTarget }) => {
    const { scrollTop, scrollHeight, clientHeight } = currentTarget;
    // What only moved because something grew was moved by nobody.
    const same = before.current.scrollHeight === scrollHeight && before.current.clientHeight === clientHeight;
    if (same && scrollTop < before.current.scrollTop - 1) follow.value = false;
    else if (scrollTop + clientHeight > scrollHeight - 8) follow.value = true;
    before.current = { scrollTop, scrollHeight, clientHeight };
  };
  const older = lines.length - shown.length;
  return html`<div ref=${box} class="lines" tabindex="0" role="log" aria-live="off" aria-label="Log lines" onScroll=${scrolled}>
    ${older > 0 && html`<button type="button" class="button" onClick=${() => (drawn.value += DRAWN)}>Show older lines (${count(older)})</button>`}
    <ol>${shown.map((line, place) => entry(line, whole ? (shown[place - 1] ?? null) : undefined, older))}</ol>
    ${!lines.length && html`<p class="muted">${all ? 'No such lines.' : ready ? 'No line yet.' : 'Reading…'}</p>`}
  </div>`;
}

/** Drawn once for each line: a log is long, and its lines never change. @type {WeakMap<LogLine, unknown>} */
const made = new WeakMap();

/**
 * A line, after a word about those that are missing before it.
 * @param {LogLine} line
 * @param {LogLine | null | undefined} before  undefined: not known, as others are filtered out
 * @param {number} older
 */
function entry(line, before, older) {
  const missing = before === undefined || (before === null && older) ? 0 : line.number - (before?.number ?? 0) - 1;
  const view = made.get(line) ?? html`<${Line} key=${line.number} line=${line} />`;
  made.set(line, view);
  if (!missing) return view;
  const word = missing === 1 ? '1 line is' : `${count(missing)} lines are`;
  return [html`<li key=${`before ${line.number}`} class="missing muted">${word} not kept</li>`, view];
}

/** @param {{ line: LogLine }} props */
function Line({ line }) {
  const warned = line.level === 'warning';
  return html`<li class=${warned ? 'warned' : ''}>
    <time datetime=${iso(line.ts)} title=${moment(line.ts)}>${clockTime(line.ts)}</time>
    <span class="line-text" dir="auto">${warned && html`<b>warning </b>`}${clean(line.text, LONGEST)}</span>
  </li>`;
}
