/** How fast something counts up, from samples seen in this page. Pure functions. */

/** Seconds of samples that a rate is made from. */
const WINDOW = 30;
const ENOUGH = 3;

/**
 * `samples` with one more; old ones leave. A value that falls starts over.
 * @param {[number, number][]} samples  pairs of seconds and value, oldest first
 * @param {number} at  seconds, from a clock that only goes forward
 * @param {number} value
 * @returns {[number, number][]}
 */
export function withSample(samples, at, value) {
  const last = samples[samples.length - 1];
  if (last && value < last[1]) return [[at, value]];
  return [...samples.filter(([time]) => at - time <= WINDOW), [at, value]];
}

/**
 * Values per second over the samples, or null while they span too little time.
 * @param {[number, number][]} samples
 * @param {number} at
 */
export function rateOf(samples, at) {
  const first = samples[0];
  const last = samples[samples.length - 1];
  if (!first || !last || at - first[0] < ENOUGH) return null;
  return (last[1] - first[1]) / (at - first[0]);
}

/**
 * Seconds left at `rate`, or null if that cannot be said.
 * @param {number} remaining
 * @param {number | null} rate
 */
export const timeLeft = (remaining, rate) => (rate && rate > 0 && remaining > 0 ? remaining / rate : null);
