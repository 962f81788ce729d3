/** What a page reads over HTTP: held until the next answer comes, also when that one fails. */
import { useEffect, useSignal } from './lib.js';
import { get } from './api.js';

/**
 * @template T
 * @typedef {{ value: T | null, path: string, error: string, busy: boolean }} Reading
 */

/**
 * The answer to `path` below `/api/v1`, read again whenever that changes and every `seconds` while
 * anybody looks (0: never). `value` may be the answer to an earlier path; `path` says to which.
 * `again` reads at once.
 * @template T
 * @param {string} path  empty: nothing is read
 * @param {number} [seconds]
 * @returns {Reading<T> & { again: () => void }}
 */
export function useReading(path, seconds = 0) {
  const state = useSignal(/** @type {Reading<T>} */ ({ value: null, path: '', error: '', busy: true }));
  const turn = useSignal(0);
  useEffect(() => {
    if (!path) return;
    const stop = new AbortController();
    state.value = { ...state.peek(), busy: true };
    get(path, stop.signal).then(
      (value) => stop.signal.aborted || (state.value = { value, path, error: '', busy: false }),
      (error) => stop.signal.aborted || (state.value = { ...state.peek(), error: error.message, busy: false }),
    );
    return () => stop.abort();
  }, [path, turn.value]);
  useEffect(() => {
    if (!seconds) return;
    const timer = setInterval(() => document.hidden || (turn.value += 1), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
  return { ...state.value, again: () => (turn.value += 1) };
}
