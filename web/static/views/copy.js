/** Buttons that copy a text, which is chosen instead where there is no clipboard. */
import { html, useSignal } from '../lib.js';
import { clean } from '../format.js';

const AWHILE = 1500;

/**
 * A short text with a button that copies it.
 * @param {{ text: string, what: string }} props
 */
export function Copyable({ text, what }) {
  return html`<span class="copyable"><code>${clean(text, 128)}</code><${Copy} text=${() => text} what=${what} /></span>`;
}

/**
 * Copies what `text` gives when it is pressed. `what` follows the word where only that is heard.
 * @param {{ text: () => string, what: string, word?: string }} props
 */
export function Copy({ text, what, word = 'copy' }) {
  const label = useSignal('');
  const press = async (/** @type {any} */ event) => {
    const shown = event.currentTarget.previousElementSibling;
    label.value = (await copied(text())) ? 'copied' : select(shown);
    setTimeout(() => (label.value = ''), AWHILE);
  };
  return html`<button type="button" class="copy" aria-label=${label.value || `${word} ${what}`} onClick=${press}>${label.value || word}</button>`;
}

/** The clipboard exists over HTTPS and on this machine only. @param {string} text */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** @param {Element | null} element */
function select(element) {
  if (!element) return 'not allowed';
  getSelection()?.selectAllChildren(element);
  return 'selected';
}
