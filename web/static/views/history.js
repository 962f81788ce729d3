/** Operations of any age: searched, filtered, in pages, and taken away as CSV or JSON. */
import { html, useEffect } from '../lib.js';

export function HistoryPage() {
  useEffect(() => {
    document.title = 'History · step tracker';
  }, []);
  return html`<main id="main"><div class="head"><h1>History</h1></div></main>`;
}
