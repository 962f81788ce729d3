/** What was queued from this page: each with how it stands now. */
import { html, } from '../lib.js';
import { count, titleOf } from '../format.js';
import { useFeed } from '../feeds.js';
import { operationPath } from '../router.js';
import { StatusMark } from '../status.js';

/** Followed live; earlier ones are links in the list of operations as any other. */
const MOST = 5;

/** @param {{ ids: string[] }} props */
export function Sent({ ids }) {
  return html`<section class="panel sent" aria-labelledby="sent-heading">
    <h2 id="sent-heading">Queued from here</h2>
    <ol>${ids.slice(0, MOST).map((id) => html`<${SentRow} key=${id} id=${id} />`)}</ol>
    ${ids.length > MOST && html`<p class="muted note">and ${count(ids.length - MOST)} before</p>`}
  </section>`;
}

/** @param {{ id: string }} props */
function SentRow({ id }) {
  const feed = useFeed(`operation:${id}`);
  const operation = feed.held.value.operations.get(id);
  return html`<li><${StatusMark} status=${operation?.status ?? 'queued'} />
    <a data-inside class="clip" dir="auto" href=${operationPath(id)}>${operation ? titleOf(operation, 120) : id}</a>
  </li>`;
}
