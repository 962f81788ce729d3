/** The keyboard: a filter, rows, up, and the sheet that tells of them. */
import { html } from '../lib.js';
import { go, PAGES, pagePath } from '../router.js';
import { upward } from './operation.js';

const KEYS = [
  ['1 – 5', 'the pages, from left to right'],
  ['/', 'filter the list'],
  ['j  ↓', 'next row'],
  ['k  ↑', 'row before'],
  ['Enter', 'open the row'],
  ['u', 'up: to the parent, or the list'],
  ['Esc', 'leave the filter, close this sheet'],
  ['?', 'this sheet'],
];

/** @returns {HTMLDialogElement | null} */
const sheet = () => document.querySelector('dialog');

export const showKeys = () => sheet()?.showModal();

export function KeySheet() {
  return html`<dialog aria-labelledby="keys-heading" onClick=${closeOutside}>
    <h2 id="keys-heading">Keys</h2>
    <dl>${KEYS.map(([key, what]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl>
    <button type="button" class="button" onClick=${() => sheet()?.close()}>Close</button>
  </dialog>`;
}

/** @param {MouseEvent} event */
function closeOutside(event) {
  if (event.target === sheet()) sheet()?.close();
}

/** @type {Record<string, (event: KeyboardEvent) => void>} */
const ACTIONS = {
  '/': focusFilter,
  '?': showKeys,
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: (event) => move(1) && event.preventDefault(),
  ArrowUp: (event) => move(-1) && event.preventDefault(),
  u: () => go(upward()),
};

/** @param {KeyboardEvent} event */
function pressed(event) {
  const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement || event.target instanceof HTMLSelectElement;
  if (typing && event.key === 'Escape') leave(event, event.target);
  if (typing || event.ctrlKey || event.metaKey || event.altKey || sheet()?.open) return;
  const page = PAGES[Number(event.key) - 1];
  if (page) go(pagePath(page[1]));
  else ACTIONS[event.key]?.(event);
}

/**
 * Left to itself, the browser would empty the field and not say so.
 * @param {KeyboardEvent} event
 * @param {HTMLElement} field
 */
function leave(event, field) {
  event.preventDefault();
  field.blur();
}

/** @param {KeyboardEvent} event */
function focusFilter(event) {
  const field = document.getElementById('filter');
  if (field) event.preventDefault();
  field?.focus();
}

/**
 * Move the focus by rows; arrows scroll as usual until a row has it.
 * @param {number} by
 */
function move(by) {
  const rows = [...document.querySelectorAll('[data-row]')];
  const at = rows.indexOf(/** @type {Element} */ (document.activeElement));
  const next = rows[at < 0 ? 0 : at + by];
  if (next instanceof HTMLElement) next.focus();
  return Boolean(next);
}

export const startKeys = () => document.addEventListener('keydown', pressed);
