/** How long a running operation may still take, as far as that can be told. */
import { html, useEffect, useRef } from '../lib.js';
import { now } from '../clock.js';
import { rough } from '../format.js';
import { rateOf, timeLeft, withSample } from '../rate.js';
import { settled } from '../state.js';
import { lengths } from '../lengths.js';

/** @typedef {import('../types').Operation} Operation */

/** Seconds between two samples of progress. */
const APART = 1;

/**
 * By the children that have ended, by how long such operations usually take, or by the progress of the step.
 * @param {{ operation: Operation }} props
 */
export function Left({ operation }) {
  const elapsed = now.value - (operation.started ?? now.value);
  const ofStep = useStepLeft(operation);
  if (operation.status !== 'running') return null;
  const usually = lengths.value.get(operation.name);
  const { total } = operation.children;
  const left = total > 0 ? childrenLeft(operation, elapsed) : usually && usually > elapsed ? usually - elapsed : ofStep;
  if (left !== null) return html`<span class="under" title="time left, by what is known">≈ ${rough(left)} left</span>`;
  return usually && !total ? html`<span class="under late">usually ${rough(usually)}</span>` : null;
}

/** @param {Operation} operation @param {number} elapsed */
function childrenLeft({ children }, elapsed) {
  const done = settled(children);
  return elapsed > 0 ? timeLeft(children.total - done, done / elapsed) : null;
}

/** Seconds that the current step still takes at the pace seen here. @param {Operation} operation */
function useStepLeft({ step }) {
  const seen = useRef({ index: 0, samples: /** @type {[number, number][]} */ ([]) });
  const at = performance.now() / 1000;
  useEffect(() => {
    if (step?.current == null) return;
    if (step.index !== seen.current.index) seen.current = { index: step.index, samples: [] };
    const { samples } = seen.current;
    const last = samples[samples.length - 1];
    if (!last || at - last[0] >= APART) seen.current.samples = withSample(samples, at, step.current);
  });
  if (step?.current == null || step.of == null || step.index !== seen.current.index) return null;
  return timeLeft(step.of - step.current, rateOf(seen.current.samples, at));
}
