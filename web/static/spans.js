/** What a timeline draws: bars on one time axis, in rows. Pure functions; nothing is drawn that is not known. */
import { ENDED } from './state.js';

/** @typedef {import('./types').Operation} Operation */
/** @typedef {import('./types').Step} Step */
/** A stretch of time; `to` is null while it goes on. @typedef {{ kind: string, from: number, to: number | null }} Bar */
/**
 * A row: its bars, the operation behind it if that can be opened, and where that runs. Steps have no `id`.
 * @typedef {{ key: string, label: string, kind: string, bars: Bar[], id: string, host: string, opens: boolean }} Row
 */

/** Rows drawn at most. */
export const MOST_ROWS = 200;

/** @param {Step} step @param {Operation} operation @param {string} kind  how its status is shown */
function barOfStep(step, operation, kind) {
  if (step.started == null) return [];
  const end = step.duration != null ? step.started + step.duration : operation.ended;
  return [{ kind, from: step.started, to: end ?? null }];
}

/**
 * A row for each step, also for those that have not begun: what comes has its place already.
 * @param {Operation} operation
 * @param {Step[]} steps
 * @param {(step: Step) => string} shown
 * @returns {Row[]}
 */
export function rowsOfSteps(operation, steps, shown) {
  return steps.map((step) => {
    const kind = shown(step);
    return { key: `step ${step.index}`, label: `${step.index} ${step.name}`, kind, bars: barOfStep(step, operation, kind), id: '', host: '', opens: false };
  });
}

/** @param {Operation} operation @returns {Bar[]} */
export function barOf(operation) {
  if (operation.started == null) return [];
  const end = operation.duration != null ? operation.started + operation.duration : operation.ended;
  return [{ kind: operation.status, from: operation.started, to: ENDED.has(operation.status) ? (end ?? operation.started) : (end ?? null) }];
}

/** @param {Operation} operation @param {string} label @returns {Row} */
export function rowOf(operation, label) {
  const opens = operation.children.total > 0 || operation.step !== null;
  return { key: operation.id, label, kind: operation.status, bars: barOf(operation), id: operation.id, host: operation.worker?.host ?? '', opens };
}

/** @type {Record<string, number>} */
const FIRST = { error: 0, lost: 0, unfinished: 0, running: 1 };

/** Whether it failed comes before when it began. @param {Operation} a @param {Operation} b */
const failedFirst = (a, b) => Math.min(FIRST[a.status] ?? 1, 1) - Math.min(FIRST[b.status] ?? 1, 1) || (a.started ?? 0) - (b.started ?? 0) || a.created - b.created;

/**
 * Rows for those children that have begun: those that failed, then all others, in the order they began.
 * @param {Iterable<Operation>} children
 * @param {(child: Operation) => string} label
 */
export function rowsOfChildren(children, label) {
  const begun = [...children].filter((child) => child.started != null);
  return begun.sort(failedFirst).map((child) => rowOf(child, label(child)));
}

/** Seconds that a row's bars cover. @param {Row} row @param {number} now */
export const lengthOf = ({ bars }, now) => (bars[0] ? (bars.at(-1)?.to ?? now) - bars[0].from : 0);

/**
 * At most `most` rows, in their order: what failed, what runs, and the slowest.
 * @param {Row[]} rows
 * @param {number} most
 * @param {number} now
 */
export function worthDrawing(rows, most, now) {
  if (rows.length <= most) return rows;
  const ranked = [...rows].sort((a, b) => (FIRST[a.kind] ?? 2) - (FIRST[b.kind] ?? 2) || lengthOf(b, now) - lengthOf(a, now));
  const chosen = new Set(ranked.slice(0, most));
  return rows.filter((row) => chosen.has(row));
}

/**
 * A lane for an attempt: its steps one after the other, or all of it where it had none.
 * @param {Operation} attempt
 * @param {(step: Step) => string} shown
 * @returns {Row}
 */
export function laneOf(attempt, shown) {
  const steps = (attempt.steps ?? []).flatMap((step) => barOfStep(step, attempt, shown(step)));
  return { key: `attempt ${attempt.run}`, label: `Attempt ${attempt.attempt}`, kind: attempt.status, bars: steps.length ? steps : barOf(attempt), id: '', host: attempt.worker?.host ?? '', opens: false };
}

/**
 * Where the axis begins and ends: at the first and last of what is drawn.
 * @param {Row[]} rows
 * @param {number} now
 */
export function axisOf(rows, now) {
  const bars = rows.flatMap((row) => row.bars);
  const from = bars.reduce((least, bar) => Math.min(least, bar.from), Infinity);
  const to = bars.reduce((most, bar) => Math.max(most, bar.to ?? now), -Infinity);
  return { from, to: Math.max(to, from + 0.001) };
}

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

/**
 * Seconds after the beginning at which the axis has a line: round ones, at most `most` of them.
 * @param {number} length  seconds
 * @param {number} most
 */
export function ticksOf(length, most) {
  const step = STEPS.find((each) => length / each <= most) ?? 86400 * Math.ceil(length / most / 86400);
  const fine = length < 1 ? [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5].find((each) => length / each <= most) : undefined;
  const width = fine ?? step;
  return Array.from({ length: Math.floor(length / width + 1e-9) + 1 }, (_, place) => place * width);
}

/** @typedef {{ left: number, width: number }} Place */

/**
 * Where a bar lies on the axis, from 0 to 1; null if it is outside.
 * @param {Bar} bar
 * @param {{ from: number, to: number }} axis
 * @param {number} now
 * @returns {Place | null}
 */
export function placeOf(bar, axis, now) {
  const length = axis.to - axis.from;
  const left = (bar.from - axis.from) / length;
  const right = ((bar.to ?? now) - axis.from) / length;
  if (left > 1 || right < 0) return null;
  return { left: Math.max(0, left), width: Math.max(0, Math.min(1, right) - Math.max(0, left)) };
}
