/** Which row the keyboard is on, kept when the row is drawn anew elsewhere in the page. */
import { signal } from '../lib.js';

/** Key of the row that has the focus, or had it when it vanished; empty for none. */
export const focusedRow = signal('');

/** @param {EventTarget | null} target */
const keyOf = (target) => (target instanceof HTMLElement ? (target.dataset.row ?? '') : '');

/** Nothing else has taken the focus that the row had. */
const isFree = () => document.activeElement === document.body || document.activeElement === null;

/** Give the focus back to its row within `element`, if it is there and nothing else has it. @param {Element | null} element */
export function returnFocus(element) {
  const key = focusedRow.peek();
  if (!key || !isFree()) return;
  const row = element?.querySelector(`[data-row="${CSS.escape(key)}"]`);
  if (row instanceof HTMLElement) row.focus({ preventScroll: true });
}

/** A row that is taken out of the page has not been left by anybody. @param {FocusEvent} event */
function left({ target, relatedTarget }) {
  if (relatedTarget || !keyOf(target)) return;
  queueMicrotask(() => {
    if (target instanceof Element && target.isConnected && isFree()) focusedRow.value = '';
  });
}

document.addEventListener('focusin', ({ target }) => (focusedRow.value = keyOf(target)));
document.addEventListener('focusout', left);
