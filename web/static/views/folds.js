/** What of a page is folded away, kept for as long as the browser's tab. */
import { signal } from '../lib.js';

const KEY = 'tracker.folds';

/** Keys of what is not as it is at first. */
const turned = signal(new Set(remembered()));

/** @returns {string[]} */
function remembered() {
  try {
    const found = JSON.parse(sessionStorage.getItem(KEY) ?? '[]');
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

/** Whether the part called `key` is open; `first`: whether it is until somebody turns it. @param {string} key */
export const isOpen = (key, first = true) => turned.value.has(key) !== first;

/** Fold the part called `key`, or unfold it. @param {string} key */
export function turn(key) {
  const next = new Set(turned.peek());
  if (!next.delete(key)) next.add(key);
  turned.value = next;
  try {
    sessionStorage.setItem(KEY, JSON.stringify([...next]));
  } catch {
    // Without a place to keep it, it lasts until the page is left.
  }
}
