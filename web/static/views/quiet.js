/** What stands where there is nothing to show: it is still being read, could not be read, or is not there. */
import { html } from '../lib.js';
import { clean } from '../format.js';

export function Loading() {
  return html`<div class="quiet" role="status"><p>Reading…</p></div>`;
}

/** @param {{ error: string, again: () => void }} props */
export function Broken({ error, again }) {
  return html`<div class="quiet broken" role="alert">
    <h2>This could not be read</h2>
    <p dir="auto">${clean(error, 300)}</p>
    <p><button type="button" class="button" onClick=${again}>Try again</button></p>
  </div>`;
}

/** @param {{ heading: string, children?: unknown }} props */
export function Nothing({ heading, children }) {
  return html`<div class="quiet"><h2>${heading}</h2>${children}</div>`;
}
