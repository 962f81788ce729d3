/** How long operations of a name usually take, by what their steps took before. */
import { signal, useEffect } from './lib.js';
import { useReading } from './reading.js';

/** Runs of a step that make it known. */
const ENOUGH = 5;
const EVERY = 60;

/** Seconds by name. @type {import('./lib').Signal<ReadonlyMap<string, number>>} */
export const usual = signal(new Map());

/** @typedef {{ name: string, steps: { name: string, count: number, p50: number }[] }} Summary */

/**
 * The sum of the medians of the steps of each name; a name with a step that is hardly known is left out.
 * @param {Summary[]} summaries
 */
export function usualOf(summaries) {
  const known = summaries.filter(({ steps }) => steps.length > 0 && steps.every(({ count }) => count >= ENOUGH));
  return new Map(known.map(({ name, steps }) => [name, steps.reduce((sum, { p50 }) => sum + p50, 0)]));
}

/** Keeps `usual` up to date while the page that calls it is shown. */
export function useUsual() {
  const { value } = useReading('/stats', EVERY);
  useEffect(() => {
    if (value) usual.value = usualOf(/** @type {{ items: Summary[] }} */ (value).items);
  }, [value]);
}
