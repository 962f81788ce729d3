/** What the server says of all its answers until somebody mends it, such as that nothing is archived. */
import { signal } from './lib.js';
import { readNotices } from './api.js';

const EVERY = 20000;

export const notices = signal(/** @type {string[]} */ ([]));

export function startNotices() {
  setInterval(ask, EVERY);
  document.addEventListener('visibilitychange', ask);
  void ask();
}

/** What was said last stays while nobody answers: that is told elsewhere. */
async function ask() {
  if (!document.hidden) notices.value = await readNotices().catch(() => notices.peek());
}
