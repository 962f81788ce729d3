/** Hosts and processes: what each runs now, and when it was last heard of. */
import { html, useEffect } from '../lib.js';

export function WorkersPage() {
  useEffect(() => {
    document.title = 'Workers · step tracker';
  }, []);
  return html`<main id="main"><div class="head"><h1>Workers</h1></div></main>`;
}
