/** Sentences with code in them, as docstrings and the server write them. */
import { html } from '../lib.js';
import { clean } from '../format.js';

/** What stands between single or double backticks as code. @param {string} text */
export const withCode = (text) => text.split(/`{1,2}/).map((part, at) => (at % 2 ? html`<code>${part}</code>` : part));

/** A line of the server's, which has neither a capital nor an end. @param {string} text */
export const sentence = (text) => withCode(clean(`${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`, 500));
