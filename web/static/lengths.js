/** How long operations of each name usually take, by what the successful runs of the last days took. */
import { signal, useEffect } from './lib.js';
import { useReading } from './reading.js';

/** Runs that make a name known. */
const ENOUGH = 5;
const EVERY = 60;

/** Median seconds by name. @type {import('./lib').Signal<ReadonlyMap<string, number>>} */
export const lengths = signal(new Map());

/** @typedef {{ name: string, took: { count: number, p50: number } | null }} Summary */

/** @param {Summary[]} summaries @returns {Map<string, number>} */
export function lengthsOf(summaries) {
  return new Map(summaries.flatMap(({ name, took }) => (took && took.count >= ENOUGH ? [[name, took.p50]] : [])));
}

/** Keeps `lengths` up to date while the page that calls it is shown. */
export function useLengths() {
  const { value } = useReading('/stats', EVERY);
  useEffect(() => {
    if (value) lengths.value = lengthsOf(/** @type {{ items: Summary[] }} */ (value).items);
  }, [value]);
}
