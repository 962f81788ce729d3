/** The time of the server as this page sees it, ticking once a second while anybody looks. */
import { signal } from './lib.js';

let offset = 0;

/** UTC seconds by the server's clock, now. */
export const serverNow = () => Date.now() / 1000 + offset;

/** UTC seconds by the server's clock; changes once a second. */
export const now = signal(serverNow());

/** Take over what the server says the time is. @param {number} stamp UTC seconds */
export function setServerTime(stamp) {
  offset = stamp - Date.now() / 1000;
}

/**
 * Time stands still while `frozen` says so: nothing counts up that cannot be proved.
 * @param {() => boolean} frozen
 */
export function startClock(frozen) {
  const tick = () => {
    if (!document.hidden && !frozen()) now.value = serverNow();
  };
  setInterval(tick, 1000);
  document.addEventListener('visibilitychange', tick);
}
