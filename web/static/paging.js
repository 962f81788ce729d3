/** Children beyond the live window, read page by page as far as somebody looks. */
import { useEffect, useMemo, useSignal } from './lib.js';
import { childrenOf } from './api.js';

/** @typedef {import('./feeds').Feed} Feed */

class Pages {
  /** @param {Feed} feed @param {string} id @param {string} status @param {(error: string) => void} tell */
  constructor(feed, id, status, tell) {
    this.feed = feed;
    this.id = id;
    this.status = status;
    this.tell = tell;
    /** @type {string | null} */
    this.next = '';
    this.wanted = 0;
    this.busy = false;
  }

  known() {
    const { operations } = this.feed.held.peek();
    if (!this.status) return operations.size;
    let found = 0;
    for (const { status } of operations.values()) if (status === this.status) found += 1;
    return found;
  }

  /** Read on until `rows` children are held, or there are no more. @param {number} rows */
  async reach(rows) {
    this.wanted = Math.max(this.wanted, rows);
    if (this.busy) return;
    this.busy = true;
    let going = true;
    while (going && this.next !== null && this.known() < this.wanted) going = await this.read(this.next);
    this.busy = false;
  }

  /** @param {string} page */
  async read(page) {
    try {
      const { items, next } = await childrenOf(this.id, this.status, page);
      this.next = next;
      this.feed.merge(items);
      this.tell('');
      return true;
    } catch (error) {
      this.tell(error instanceof Error ? error.message : String(error));
      return false;
    }
  }
}

/**
 * `reach(rows)` has so many children of a status read into the feed; `error` says why that is not possible now.
 * @param {Feed} feed
 * @param {string} id
 * @param {string} status  empty: all
 * @param {number} total  how many there are: when that changes, those that are missing are looked for anew
 */
export function usePages(feed, id, status, total) {
  const error = useSignal('');
  const pages = useMemo(() => new Pages(feed, id, status, (text) => (error.value = text)), [feed, id, status]);
  useEffect(() => {
    pages.wanted = Math.min(pages.wanted, total);
    if (pages.next === null) pages.next = '';
  }, [pages, total]);
  return { error: error.value, reach: (/** @type {number} */ rows) => void pages.reach(rows) };
}
