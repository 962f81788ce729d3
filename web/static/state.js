/**
 * What is known of one topic, and how messages change it. Pure functions: nothing here touches
 * the page, the socket or the clock, and applying a message twice leads to the same state.
 *
 * @typedef {import('./types').Operation} Operation
 * @typedef {import('./types').Step} Step
 * @typedef {import('./types').Held} Held
 * @typedef {import('./types').LiveEvent} LiveEvent
 * @typedef {import('./types').Message} Message
 * @typedef {import('./types').Counts} Counts
 */

export const ENDED = new Set(['complete', 'error', 'cancelled', 'lost']);

export const STATUSES = /** @type {const} */ (['running', 'queued', 'error', 'lost', 'cancelled', 'complete']);

/** Log lines held of those heard; whoever shows them keeps more. */
const HEARD = 200;

/** @returns {Held} */
export const nothing = () => ({ ready: false, operations: new Map(), run: '', steps: [], logs: [] });

/**
 * Whether `next` tells more than `held`: a larger `rev`, or the same with newer counts of children.
 * @param {Operation | undefined} held
 * @param {Operation} next
 */
export function isNewer(held, next) {
  if (!held || next.rev > held.rev) return true;
  return next.rev === held.rev && next.children.version > held.children.version;
}

/**
 * The state after one message about the topic `topic`; the same object if the message changes nothing.
 * @param {Held} held
 * @param {Message} message
 * @param {string} topic
 * @returns {Held}
 */
export function reduce(held, message, topic) {
  if (message.type === 'snapshot' || message.type === 'polled') return fromSnapshot(held, message.operations ?? [], topic);
  if (message.type === 'events') return afterEvents(held, message.events ?? [], topic);
  return held;
}

/**
 * A snapshot is the whole truth at its cursor, also when that is less than what was held.
 * Unchanged operations keep their identity, so that nothing is drawn again.
 * @param {Held} held
 * @param {Operation[]} operations
 * @param {string} topic
 * @returns {Held}
 */
function fromSnapshot(held, operations, topic) {
  const subject = operations.find((operation) => topic === `operation:${operation.id}`);
  return {
    ready: true,
    operations: new Map(operations.map((next) => [next.id, same(held.operations.get(next.id), next)])),
    run: subject?.run ?? '',
    steps: [...(subject?.steps ?? [])].sort((a, b) => a.index - b.index),
    logs: [],
  };
}

/**
 * @param {Operation | undefined} held
 * @param {Operation} next
 */
function same(held, next) {
  const known = held && held.rev === next.rev && held.run === next.run && held.status === next.status;
  return known && held.children.version === next.children.version ? held : next;
}

/**
 * @param {Held} held
 * @param {LiveEvent[]} events
 * @param {string} topic
 * @returns {Held}
 */
function afterEvents(held, events, topic) {
  const draft = { ...held, operations: new Map(held.operations) };
  const changes = events.filter((event) => take(draft, event, topic));
  return changes.length ? draft : held;
}

/**
 * Take one event into `draft`; false if it is older than what is held.
 * @param {Held} draft
 * @param {LiveEvent} event
 * @param {string} topic
 */
function take(draft, event, topic) {
  const next = event.operation;
  const known = draft.operations.get(next.id);
  if (known && next.rev < known.rev) return false;
  const newer = isNewer(known, next);
  if (newer) draft.operations.set(next.id, next);
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
 * @returns {Held}
 */
export function merge(held, operations) {
  const newer = operations.filter((next) => isNewer(held.operations.get(next.id), next));
  if (!newer.length) return held;
  const all = new Map(held.operations);
  for (const next of newer) all.set(next.id, next);
  return { ...held, operations: all };
}

/**
 * At most `limit` operations: the newest, and everything that has not ended.
 * @param {Held} held
 * @param {number} limit
 * @returns {Held}
 */
export function trim(held, limit) {
  if (held.operations.size <= limit) return held;
  const ordered = [...held.operations.values()].sort(newestFirst);
  const kept = ordered.filter((operation, place) => place < limit || !ENDED.has(operation.status));
  return { ...held, operations: new Map(kept.map((operation) => [operation.id, operation])) };
}

/** @param {string} a @param {string} b */
const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

/**
 * The order of the list; a change of status never moves a row.
 * @param {Operation} a
 * @param {Operation} b
 */
export const newestFirst = (a, b) => b.created - a.created || byText(b.id, a.id);

/** Children of a batch are numbered behind its id: the tenth comes after the second. */
const byNumber = new Intl.Collator('en', { numeric: true }).compare;

const RANK = { error: 0, lost: 0, running: 1, queued: 2, cancelled: 2, complete: 2 };

/**
 * The order of children: failures, then what runs now, then all others as they were queued.
 * @param {Operation} a
 * @param {Operation} b
 */
export const failuresFirst = (a, b) => RANK[a.status] - RANK[b.status] || a.created - b.created || byNumber(a.id, b.id);

/**
 * How many operations stand where.
 * @param {Iterable<Operation>} operations
 */
export function countByStatus(operations) {
  const counts = { total: 0, queued: 0, running: 0, complete: 0, error: 0, cancelled: 0, lost: 0 };
  for (const { status } of operations) {
    counts[status] += 1;
    counts.total += 1;
  }
  return counts;
}

/**
 * Whole percent of children that succeeded; 100 only when all did.
 * @param {Pick<Counts, 'complete' | 'total'>} counts
 */
export const percentOf = (counts) => (counts.total ? Math.floor((counts.complete / counts.total) * 100) : 0);

/** @param {Pick<Counts, 'complete' | 'error' | 'cancelled' | 'lost'>} counts */
export const settled = (counts) => counts.complete + counts.error + counts.cancelled + counts.lost;

/**
 * Operations that ended between two states, for announcing outcomes.
 * @param {Held} before
 * @param {Held} after
 * @returns {Operation[]}
 */
export function outcomes(before, after) {
  if (!before.ready || before === after) return [];
  return [...after.operations.values()].filter((operation) => {
    const known = before.operations.get(operation.id);
    return known !== operation && known && !ENDED.has(known.status) && ENDED.has(operation.status);
  });
}
