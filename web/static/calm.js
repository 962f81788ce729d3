/** Following what changes very often at a pace at which people can read. */
import { effect, useEffect, useSignal } from './lib.js';

/**
 * `source`, followed at most every `pause` milliseconds; after a quiet time at once.
 * @template T
 * @param {import('./lib').ReadonlySignal<T>} source
 * @param {number} pause
 * @returns {import('./lib').ReadonlySignal<T>}
 */
export function useCalm(source, pause) {
  const calm = useSignal(source.peek());
  useEffect(() => follow(source, pause, (value) => (calm.value = value)), [source]);
  return calm;
}

/**
 * @template T
 * @param {import('./lib').ReadonlySignal<T>} source
 * @param {number} pause
 * @param {(value: T) => void} take
 */
function follow(source, pause, take) {
  let timer = 0;
  let last = -Infinity;
  let begun = false;
  const now = () => {
    timer = 0;
    last = performance.now();
    take(source.peek());
  };
  const stop = effect(() => {
    const value = source.value;
    // What was there from the start is no change, after which others would have to wait.
    if (!begun) {
      begun = true;
      take(value);
      return;
    }
    const left = last + pause - performance.now();
    if (timer) return;
    if (left > 0) timer = setTimeout(now, left);
    else now();
  });
  return () => {
    stop();
    clearTimeout(timer);
  };
}
