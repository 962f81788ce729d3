/** Where everything is now: by name, how many operations stand at each step. A click shows only those. */
import { html, useComputed, useRef } from '../lib.js';
import { useCalm } from '../calm.js';
import { now } from '../clock.js';
import { clean, count, rough } from '../format.js';
import { query, setQuery } from '../router.js';
import { MOST_PLACES, whereabouts, withEarlier } from '../whereabouts.js';
import { Bar } from './bars.js';
import { asked, showAll } from './filters.js';
import { isOpen } from './folds.js';
import { SectionHead } from './head.js';

/** @typedef {import('../whereabouts').Whereabouts} Whereabouts */
/** @typedef {import('../whereabouts').Place} Place */

/** Operations that the server sends at most when the page opens. */
const WINDOW = 500;
const PAUSE = 500;

/** @param {{ feed: import('../feeds').Feed }} props */
export function Where({ feed }) {
  const held = useCalm(feed.held, PAUSE);
  const seen = useRef(/** @type {Whereabouts[]} */ ([]));
  const names = useComputed(() => (seen.current = withEarlier(seen.current, whereabouts(held.value.operations.values()))));
  const open = isOpen('where');
  return html`<section class="where table" aria-labelledby="where-heading">
    <${SectionHead} id="where-heading" fold="where" open=${open} title="Where everything is" note=${aside(held.value.operations)}><${Chosen} /></${SectionHead}>
    ${open && (names.value.length
      ? html`<ul class="names">${names.value.map((each) => html`<${Name} key=${each.name} each=${each} />`)}</ul>`
      : html`<p class="muted none">${held.value.ready ? 'Nothing runs.' : 'Reading…'}</p>`)}
  </section>`;
}

/** What was chosen here, and the way back. */
function Chosen() {
  const words = asked(['name', 'step']);
  if (!words) return null;
  return html`<span class="chosen"><span class="clip" dir="auto">only ${words}</span><button type="button" class="button small-text" onClick=${showAll}>Show all</button></span>`;
}

/** What is not counted, if there is any. @param {Map<string, import('../types').Operation>} operations */
function aside(operations) {
  let inBatches = 0;
  for (const { batch, status, children } of operations.values()) if (batch && status === 'running') inBatches += children.running;
  const limited = operations.size >= WINDOW && `of the newest ${count(operations.size)}`;
  return [limited, inBatches > 0 && `without ${count(inBatches)} running in batches`].filter(Boolean).join(' · ');
}

/** @param {{ each: Whereabouts }} props */
function Name({ each }) {
  const most = Math.max(...each.places.map((place) => place.count), 1);
  const shown = each.places.length > MOST_PLACES ? fullest(each.places) : each.places;
  const more = each.places.length - shown.length;
  return html`<li class=${each.running ? '' : 'none'}>
    <${Choose} name=${each.name} step="" class="name"><span class="clip" dir="auto">${clean(each.name, 120) || '–'}</span><b>${count(each.running)}</b></${Choose}>
    <div class="places">
      ${shown.map((place) => html`<${AtStep} key=${`${place.index} ${place.name}`} name=${each.name} place=${place} most=${most} slowest=${place === each.slowest} />`)}
      ${more > 0 && html`<span class="muted more">and ${count(more)} other steps</span>`}
    </div>
  </li>`;
}

/** @param {Place[]} places */
function fullest(places) {
  const kept = new Set([...places].sort((a, b) => b.count - a.count).slice(0, MOST_PLACES));
  return places.filter((place) => kept.has(place));
}

/** @param {{ name: string, place: Place, most: number, slowest: boolean }} props */
function AtStep({ name, place, most, slowest }) {
  const inside = html`<span class="place-name"><span class="place">${place.index || ''}</span><span class="clip" dir="auto">${clean(place.name, 80) || 'no step yet'}</span></span>
    <span class="place-count"><b>${count(place.count)}</b>${slowest && html`<span class="slowest" title="the operation that has been running for longest stands here">longest ${rough(now.value - place.since)}</span>`}</span>
    <${Bar} value=${place.count / most} />`;
  const kind = `at-step ${place.count ? '' : 'none'}`;
  if (!place.name) return html`<span class=${kind}>${inside}</span>`;
  return html`<${Choose} name=${name} step=${place.name} class=${kind}>${inside}</${Choose}>`;
}

/** A button that shows only operations of a name, or only those at one of its steps. @param {{ name: string, step: string, class: string, children?: unknown }} props */
function Choose({ name, step, class: kind, children }) {
  if (!name) return html`<span class=${kind}>${children}</span>`;
  const chosen = query.value.get('name') === name && (query.value.get('step') ?? '') === step;
  const choose = () => {
    setQuery('name', chosen ? '' : name);
    setQuery('step', chosen ? '' : step);
  };
  return html`<button type="button" class=${kind} aria-pressed=${chosen} onClick=${choose}>${children}</button>`;
}
