/** Entry: starts the clock, the router, the feeds and the keyboard, and draws the page. */
import { html, render } from './lib.js';
import { startClock } from './clock.js';
import { startFeeds } from './feeds.js';
import { startNotices } from './notices.js';
import { startRouter } from './router.js';
import { stale } from './socket.js';
import { KeySheet, startKeys } from './views/keys.js';
import { Shell } from './views/shell.js';

const app = document.getElementById('app');
if (app) {
  startClock(() => stale.peek());
  startRouter();
  startKeys();
  app.replaceChildren();
  render(html`<${Shell} /><${KeySheet} />`, app);
  startFeeds();
  startNotices();
}
