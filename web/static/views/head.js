/** Headings of parts of a page that can be folded. */
import { html } from '../lib.js';
import { count } from '../format.js';
import { turn } from './folds.js';

/**
 * The heading of a part of the page that can be folded.
 * @param {{ id: string, fold: string, open: boolean, title: string, number?: number, note?: string, children?: unknown }} props
 */
export function SectionHead({ id, fold, open, title, number, note, children }) {
  return html`<div class="section-head">
    <h2 id=${id}><button type="button" aria-expanded=${open} onClick=${() => turn(fold)}>
      <${Turner} />${title}${number !== undefined && html`${' '}<b>${count(number)}</b>`}
    </button></h2>
    ${children}
    ${note && html`<span class="muted note-beside">${note}</span>`}
  </div>`;
}

/** Points down when what it belongs to is open. */
export function Turner() {
  return html`<svg class="turner" viewBox="0 0 16 16" aria-hidden="true"><path d="M6 4l4 4l-4 4" /></svg>`;
}
