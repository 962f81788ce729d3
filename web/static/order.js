/**
 * Where an operation stands in a list. Pure functions.
 *
 * The page Now is left open and looked at from afar, so nothing in it may jump. A row changes its section
 * when its status does, and within a section its place never depends on anything that goes on changing:
 *
 * - What runs and what waits is ordered by creation, the oldest first. Newcomers come to the end and push
 *   nothing away, and what takes longest, or is next, stands on top.
 * - What has ended is ordered by its end, the last on top, because that is where one looks for it.
 * - What failed lately has a section of its own above all others, and a batch that runs goes to the top of
 *   its section when its first child fails. Either move happens once, and is meant to be seen.
 * - Many of one name are one row from the moment they are many until none is left, not back and forth
 *   while their number goes around the limit; such rows are ordered by name. What is failing is none of them.
 *
 * @typedef {import('./types').Operation} Operation
 * @typedef {{ key: string, name: string, operations: Operation[] }} Group
 * @typedef {string | Group} Item  the id of an operation, or several under one name
 * @typedef {{ key: SectionKey, operations: Operation[] }} Section
 * @typedef {'failed' | 'running' | 'queued' | 'ended'} SectionKey
 */
import { isFailing } from './counts.js';

/** Seconds for which a failure is shown above everything else. */
const LATELY = 3600;
/** Operations of one name in a section, beyond which they are one row. */
const MANY = 5;

/** @param {string} a @param {string} b */
const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/**
 * By creation, the newest first; a change of status moves nothing.
 * @param {Operation} a
 * @param {Operation} b
 */
export const newestFirst = (a, b) => b.created - a.created || byText(b.id, a.id);

/** Ids of children end in their number: the tenth comes after the second. @param {string} a @param {string} b */
const byNumber = (a, b) => a.length - b.length || byText(a, b);

/** @param {Operation} a @param {Operation} b */
const oldestFirst = (a, b) => a.created - b.created || byNumber(a.id, b.id);

/** @param {Operation} a @param {Operation} b */
const failingFirst = (a, b) => Number(isFailing(b)) - Number(isFailing(a)) || oldestFirst(a, b);

/** @param {Operation} a @param {Operation} b */
const lastEndedFirst = (a, b) => (b.ended ?? b.created) - (a.ended ?? a.created) || newestFirst(a, b);

const RANK = { error: 0, lost: 0, running: 1, queued: 2, cancelled: 2, complete: 2 };

/**
 * The order of children: failures, then what runs now, then all others as they were queued.
 * @param {Operation} a
 * @param {Operation} b
 */
export const failuresFirst = (a, b) => RANK[a.status] - RANK[b.status] || oldestFirst(a, b);

/** The sections from top to bottom, and the order in each. @type {[SectionKey, (a: Operation, b: Operation) => number][]} */
const SECTIONS = [
  ['failed', lastEndedFirst],
  ['running', failingFirst],
  ['queued', oldestFirst],
  ['ended', lastEndedFirst],
];

/** @param {Operation} operation @param {number} now @returns {SectionKey} */
function sectionOf({ status, ended, created }, now) {
  if (status === 'running' || status === 'queued') return status;
  const failed = status === 'error' || status === 'lost';
  return failed && now - (ended ?? created) < LATELY ? 'failed' : 'ended';
}

/**
 * All sections from top to bottom, also empty ones, each with its operations in order.
 * @param {Iterable<Operation>} operations
 * @param {number} now  UTC seconds
 * @returns {Section[]}
 */
export function inSections(operations, now) {
  /** @type {Record<SectionKey, Operation[]>} */
  const found = { failed: [], running: [], queued: [], ended: [] };
  for (const operation of operations) found[sectionOf(operation, now)].push(operation);
  return SECTIONS.map(([key, order]) => ({ key, operations: found[key].sort(order) }));
}

/**
 * The rows of a section: what is failing, then names of which there are many as one row each, then all others.
 * @param {Section} section
 * @param {ReadonlySet<string>} known  keys of groups there were before, which stay
 * @returns {Item[]}
 */
export function inGroups({ key: section, operations }, known) {
  if (section === 'ended') return operations.map(({ id }) => id);
  const others = operations.filter((each) => section !== 'running' || !isFailing(each));
  const groups = byName(section, others).filter(({ key, operations: { length } }) => length > MANY || known.has(key));
  const names = new Set(groups.map(({ name }) => name));
  const failing = operations.slice(0, operations.length - others.length);
  const alone = others.filter(({ name }) => !names.has(name));
  return [...failing.map(({ id }) => id), ...groups.sort((a, b) => byText(a.name, b.name)), ...alone.map(({ id }) => id)];
}

/** @param {string} section @param {Operation[]} operations @returns {Group[]} */
function byName(section, operations) {
  /** @type {Map<string, Group>} */
  const groups = new Map();
  for (const operation of operations) {
    const { name } = operation;
    const group = groups.get(name);
    if (group) group.operations.push(operation);
    else groups.set(name, { key: `${section} ${name}`, name, operations: [operation] });
  }
  return [...groups.values()];
}

/**
 * `items` with the rows of every group that is open below it.
 * @param {Item[]} items
 * @param {(key: string) => boolean} isOpen
 * @returns {Item[]}
 */
export function unfolded(items, isOpen) {
  return items.flatMap((item) => (typeof item !== 'string' && isOpen(item.key) ? [item, ...item.operations.map(({ id }) => id)] : [item]));
}

/**
 * Since when the longest-waiting of what is queued might have begun, and the one in their middle; null for none.
 * @param {Operation[]} queued
 * @param {number} at  now, by the server's clock
 */
export function waitingSince(queued, at) {
  const since = queued.filter((operation) => !isLater(operation, at)).map(waitsSince).sort((a, b) => a - b);
  const [oldest, median] = [since[0], since[Math.floor(since.length / 2)]];
  return oldest !== undefined && median !== undefined ? { oldest, median } : null;
}

/** Since when it might have begun. @param {Operation} operation */
export const waitsSince = ({ created, next_at }) => Math.max(created, next_at ?? 0);

/** Whether it is to begin only later than `at`. @param {Operation} operation @param {number} at */
export const isLater = ({ next_at }, at) => next_at != null && next_at > at;
