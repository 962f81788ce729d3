/** The log-in: takes a token, has the browser remember it, and goes on to where somebody wanted to go. */
import { BASE, logIn } from './api.js';

const form = /** @type {HTMLFormElement} */ (document.getElementById('login'));
const token = /** @type {HTMLInputElement} */ (document.getElementById('token'));
const said = /** @type {HTMLElement} */ (document.getElementById('said'));
const button = /** @type {HTMLButtonElement} */ (form.querySelector('button'));

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  if (button.ariaBusy === 'true') return;
  button.ariaBusy = 'true';
  said.textContent = '';
  try {
    await logIn(token.value.trim());
    location.replace(wanted());
  } catch (error) {
    said.textContent = error instanceof Error ? error.message : 'the server did not answer';
    token.select();
  }
  button.ariaBusy = null;
});

/** A page of this server, and of no other. */
function wanted() {
  const home = `${BASE}/`;
  try {
    const address = new URL(new URLSearchParams(location.search).get('next') ?? home, location.origin);
    return address.origin === location.origin && address.pathname.startsWith(home) ? address.href : home;
  } catch {
    return home; // It is no address.
  }
}
