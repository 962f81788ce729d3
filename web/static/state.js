/**
 * What is known of one topic, and how messages change it. Nothing here touches the page, the socket
 * or the clock, and applying a message twice leads to the same state.
 *
 * @typedef {import('./types').Operation} Operation
 * @typedef {import('./types').Step} Step
 * @typedef {import('./types').Held} Held
 * @typedef {import('./types').News} News
 * @typedef {import('./types').LiveEvent} LiveEvent
 * @typedef {import('./types').Message} Message
 */

import { isFailing } from './counts.js';
import { newestFirst } from './order.js';

export { countByStatus, percentOf, settled } from './counts.js';

export const ENDED = new Set(['complete', 'error', 'cancelled', 'lost']);

export const STATUSES = /** @type {const} */ (['running', 'queued', 'error', 'lost', 'cancelled', 'complete']);

/** Log lines held of those heard; whoever shows them keeps more. */
const HEARD = 200;

/** @returns {Held} */
export const nothing = () => ({ ready: false, operations: new Map(), kept: 0, run: '', steps: [], logs: [], problem: '' });

/**
 * Whether `next` tells more than `held`: a larger `rev`, or the same with newer counts of children.
 * @param {Operation | undefined} held
 * @param {Operation} next
 */
export function isNewer(held, next) {
  if (!held || next.rev > held.rev) return true;
  return next.rev === held.rev && next.children.version > held.children.version;
}

/** @returns {News} */
export const noNews = () => ({ changed: new Set(), ended: [], moved: false });

/**
 * The state after one message about the topic `topic`; the same object if the message changes nothing.
 * The map of operations is not copied, which would cost more than all else: it is changed in place,
 * and what changed in it is added to `news`.
 * @param {Held} held
 * @param {Message} message
 * @param {string} topic
 * @param {News} [news]
 * @returns {Held}
 */
export function reduce(held, message, topic, news = noNews()) {
  if (message.type === 'snapshot' || message.type === 'polled') {
    return fromSnapshot(held, message, topic, news);
  }
  if (message.type === 'events') return afterEvents(held, message.events ?? [], topic, news);
  return held;
}

/**
 * A snapshot is the whole truth at its cursor, also when that is less than what was held.
 * Unchanged operations keep their identity, so that nothing is drawn again.
 * @param {Held} held
 * @param {Message} message
 * @param {string} topic
 * @param {News} news
 * @returns {Held}
 */
function fromSnapshot(held, { operations = [], problem = '' }, topic, news) {
  const present = new Set(operations.map((next) => next.id));
  for (const id of held.operations.keys()) if (!present.has(id)) drop(held, id, news);
  for (const next of operations) if (!isSame(held.operations.get(next.id), next)) put(held, next, news);
  const subject = operations.find((operation) => topic === `operation:${operation.id}`);
  return {
    ready: true,
    operations: held.operations,
    kept: 0,
    run: subject?.run ?? '',
    steps: [...(subject?.steps ?? [])].sort((a, b) => a.index - b.index),
    logs: [],
    problem,
  };
}

/**
 * @param {Operation | undefined} held
 * @param {Operation} next
 */
function isSame(held, next) {
  const known = held && held.rev === next.rev && held.run === next.run && held.status === next.status;
  return known && held.children.version === next.children.version;
}

/**
 * @param {Held} held
 * @param {Operation} next
 * @param {News} news
 */
function put(held, next, news) {
  const known = held.operations.get(next.id);
  held.operations.set(next.id, next);
  news.changed.add(next.id);
  if (!known || moves(known, next)) news.moved = true;
  if (held.ready && known && !ENDED.has(known.status) && ENDED.has(next.status)) news.ended.push(next);
}

/**
 * @param {Held} held
 * @param {string} id
 * @param {News} news
 */
function drop(held, id, news) {
  held.operations.delete(id);
  news.changed.add(id);
  news.moved = true;
}

/**
 * Whether a list has to place it anew; progress alone never does that.
 * @param {Operation} before
 * @param {Operation} after
 */
function moves(before, after) {
  const elsewhere = before.status !== after.status || before.ended !== after.ended || before.name !== after.name;
  return elsewhere || isFailing(before) !== isFailing(after);
}

/**
 * @param {Held} held
 * @param {LiveEvent[]} events
 * @param {string} topic
 * @param {News} news
 * @returns {Held}
 */
function afterEvents(held, events, topic, news) {
  const draft = { ...held };
  let changed = false;
  for (const event of events) changed = take(draft, event, topic, news) || changed;
  return changed ? draft : held;
}

/**
 * Take one event into `draft`; false if it is older than what is held.
 * @param {Held} draft
 * @param {LiveEvent} event
 * @param {string} topic
 * @param {News} news
 */
function take(draft, event, topic, news) {
  const next = event.operation;
  const known = draft.operations.get(next.id);
  if (known && next.rev < known.rev) return false;
  const newer = isNewer(known, next);
  if (newer) put(draft, next, news);
  if (topic !== `operation:${next.id}`) return newer;
  const told = takeStep(draft, next.run, event.step);
  return takeLine(draft, event) || told || newer;
}

/**
 * @param {Held} draft
 * @param {LiveEvent} event
 */
function takeLine(draft, { log, operation }) {
  if (log) draft.logs = [...draft.logs, { ...log, attempt: operation.attempt }].slice(-HEARD);
  return Boolean(log);
}

/**
 * @param {Held} draft
 * @param {string} run
 * @param {Step | null | undefined} step
 */
function takeStep(draft, run, step) {
  if (run !== draft.run) draft.steps = [];
  draft.run = run;
  if (step) draft.steps = withStep(draft.steps, step);
  return Boolean(step);
}

/**
 * `steps` with `step` in its place, ordered by index.
 * @param {Step[]} steps
 * @param {Step} step
 */
export function withStep(steps, step) {
  const others = steps.filter((other) => other.index !== step.index);
  return [...others, step].sort((a, b) => a.index - b.index);
}

/**
 * `held` together with operations read in another way (a page over HTTP); only newer ones are taken.
 * @param {Held} held
 * @param {Operation[]} operations
 * @param {News} [news]
 * @returns {Held}
 */
export function merge(held, operations, news = noNews()) {
  const newer = operations.filter((next) => isNewer(held.operations.get(next.id), next));
  for (const next of newer) put(held, next, news);
  return newer.length ? { ...held } : held;
}

/**
 * At most `limit` operations: the newest, and everything that has not ended. Done anew only when a fifth
 * of `limit` has come since, because it looks at all of them.
 * @param {Held} held
 * @param {number} limit
 * @param {News} [news]
 * @returns {Held}
 */
export function trim(held, limit, news = noNews()) {
  if (held.operations.size <= Math.max(limit, held.kept + Math.floor(limit / 5))) return held;
  const old = [...held.operations.values()].sort(newestFirst).slice(limit);
  for (const operation of old) if (ENDED.has(operation.status)) drop(held, operation.id, news);
  return { ...held, kept: held.operations.size };
}
