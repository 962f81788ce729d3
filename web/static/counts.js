/** Counting operations by status. Pure functions. */

/** @typedef {import('./types').Operation} Operation */
/** @typedef {import('./types').Counts} Counts */

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

/** Whether children of it have failed. @param {Operation} operation */
export const isFailing = ({ children }) => children.error > 0 || children.lost > 0;
