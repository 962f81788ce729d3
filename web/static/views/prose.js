/** Sentences with code in them, as docstrings and the server write them. */
import { html } from '../lib.js';

/** What stands between single or double backticks as code. @param {string} text */
export const withCode = (text) => text.split(/`{1,2}/).map((part, at) => (at % 2 ? html`<code>${part}</code>` : part));
