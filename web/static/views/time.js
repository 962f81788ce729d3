/** Times that tick. Each is one text node that changes only when its text does. */
import { html, useComputed } from '../lib.js';
import { now } from '../clock.js';
import { ago, clockTime, duration, iso, moment, rough, ticking } from '../format.js';

/** How long ago `at` was, with the exact moment on hover. @param {{ at: number }} props */
export function Ago({ at }) {
  const text = useComputed(() => ago(now.value - at));
  return html`<time datetime=${iso(at)} title=${moment(at)}>${text}</time>`;
}

/** Time of day with how long ago. @param {{ at: number }} props */
export function Moment({ at }) {
  return html`<span>${clockTime(at)} <span class="muted">(<${Ago} at=${at} />)</span></span>`;
}

/** How long it is until `at`, with the exact moment on hover. @param {{ at: number }} props */
export function Due({ at }) {
  const text = useComputed(() => (at > now.value ? `in ${rough(at - now.value)}` : 'due'));
  return html`<time datetime=${iso(at)} title=${moment(at)}>${text}</time>`;
}

/** Counts up from `since`. @param {{ since: number }} props */
export function Elapsed({ since }) {
  const text = useComputed(() => ticking(now.value - since));
  return html`<span>${text}</span>`;
}

/**
 * A length of time that may still grow: the final one if known, else counted from `since`.
 * @param {{ since: number | null | undefined, final: number | null | undefined, open: boolean }} props
 */
export function Span({ since, final, open }) {
  if (final != null) return html`<span>${duration(final)}</span>`;
  return open && since != null ? html`<${Elapsed} since=${since} />` : html`<span class="muted" aria-hidden="true">–</span>`;
}
