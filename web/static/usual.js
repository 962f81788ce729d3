/** How long steps usually take, by what successful runs of the same name took lately. */
import { useMemo } from './lib.js';
import { useReading } from './reading.js';

/** @typedef {import('./types').Usual} Usual */

/** Successes from which something may be said. */
const ENOUGH = 5;
/** Seconds more than usual that nobody calls slow. */
const NOTHING = 0.2;

/**
 * What is usual for each step of operations of a name, by the step's name; read once.
 * @param {string} name
 * @returns {Map<string, Usual>}
 */
export function useUsual(name) {
  const { value } = useReading(name ? `/stats?name=${encodeURIComponent(name)}` : '');
  return useMemo(() => usualOf(value), [value]);
}

/**
 * @param {any} answer
 * @returns {Map<string, Usual>}
 */
export function usualOf(answer) {
  /** @type {Usual[]} */
  const steps = answer?.items?.[0]?.steps ?? [];
  return new Map(steps.filter((step) => step.count >= ENOUGH).map((step) => [step.name, step]));
}

/**
 * Whether `seconds` is clearly more than usual: twice as much, and as long as all but 5 % of the successes at least.
 * @param {number} seconds
 * @param {Usual} usual
 */
export const isSlow = (seconds, { p50, p95 }) => seconds > 2 * p50 && seconds > p50 + NOTHING && seconds >= 0.99 * p95;
