/** A form for each job, made from its schema; and batches from a list. */
import { html, useEffect } from '../lib.js';

export function QueuePage() {
  useEffect(() => {
    document.title = 'Queue work · step tracker';
  }, []);
  return html`<main id="main"><div class="head"><h1>Queue work</h1></div></main>`;
}
