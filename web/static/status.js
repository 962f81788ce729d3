/** How a status is told: a shape and a word, and by the style sheet a colour. */
import { html } from './lib.js';

/** Words that differ from the status' own name. @type {Record<string, string>} */
const WORDS = { notrun: 'not run', again: 'run again' };

const RING = 'M8 2.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 0 1 0-11z';

/** @type {Record<string, string>} Outlines on a 16 × 16 grid. */
const SHAPES = {
  queued: RING,
  running: 'M8 2a6 6 0 0 1 6 6',
  complete: 'M3 8.5l3.2 3.3L13 4.6',
  error: 'M5.3 5.3l5.4 5.4M10.7 5.3l-5.4 5.4',
  cancelled: `${RING}M4.2 11.8l7.6-7.6`,
  lost: 'M8 1.6l6.4 6.4L8 14.4L1.6 8zM8 5v3.4M8 10.6v.4',
  pending: 'M8 5.5a2.5 2.5 0 1 1 0 5a2.5 2.5 0 0 1 0-5z',
  notrun: 'M4.5 8h7',
  unfinished: 'M8 1.6l6.4 6.4L8 14.4L1.6 8zM8 5v3.4M8 10.6v.4',
  skipped: 'M3.5 4l4 4l-4 4M8.5 4l4 4l-4 4',
};

/** @param {string} status */
export const word = (status) => WORDS[status] ?? status;

/** @param {{ status: string }} props */
export function Shape({ status }) {
  return html`<svg class="shape" viewBox="0 0 16 16" aria-hidden="true">
    ${status === 'error' && html`<circle class="solid" cx="8" cy="8" r="7" />`}
    ${status === 'running' && html`<circle class="faint" cx="8" cy="8" r="6" /><circle class="solid" cx="8" cy="8" r="2.5" />`}
    <path d=${SHAPES[status] ?? RING} />
  </svg>`;
}

/** Shape and word. @param {{ status: string, note?: string }} props */
export function StatusMark({ status, note = '' }) {
  return html`<span class="status is-${status}"><${Shape} status=${status} /><span>${word(status)}${note}</span></span>`;
}
