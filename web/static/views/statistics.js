/** How operations of each name end and how long their steps take. */
import { html, useEffect } from '../lib.js';

export function StatisticsPage() {
  useEffect(() => {
    document.title = 'Statistics · step tracker';
  }, []);
  return html`<main id="main"><div class="head"><h1>Statistics</h1></div></main>`;
}
