/** The colour scheme: as the system has it, or as chosen on this machine. */
import { html, signal } from '../lib.js';

const KEY = 'tracker.theme';
const CHOICES = ['', 'light', 'dark'];
/** @type {Record<string, string>} */
const WORDS = { '': 'as the system', light: 'light', dark: 'dark' };

const root = document.documentElement;
const chosen = signal(root.dataset.theme ?? '');

/** Changes whenever the colours do, for what is drawn on a canvas. */
export const scheme = signal(0);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => (scheme.value += 1));

function next() {
  const theme = CHOICES[(CHOICES.indexOf(chosen.value) + 1) % CHOICES.length] ?? '';
  chosen.value = theme;
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  scheme.value += 1;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Storage is switched off: the choice holds until the page is left.
  }
}

export function ThemeButton() {
  const text = `Colours: ${WORDS[chosen.value]}`;
  return html`<button type="button" class="button small" aria-label=${text} title=${text} onClick=${next}>
    <svg class="shape" viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="5.5" />
      ${chosen.value === 'dark' && html`<circle class="solid" cx="8" cy="8" r="5.5" />`}
      ${chosen.value === '' && html`<path class="solid" d="M8 2.5a5.5 5.5 0 0 1 0 11z" />`}
    </svg>
  </button>`;
}
