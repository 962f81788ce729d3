/** Where everything is now: by name, how many operations stand at each step. A click shows only those. */
import { html, useMemo, useRef } from '../lib.js';
import { now } from '../clock.js';
import { clean, count, rough } from '../format.js';
import { useReading } from '../reading.js';
import { operationPath, query, setQuery } from '../router.js';
import { MOST_PLACES, slowestOf, withEarlier } from '../whereabouts.js';
import { Bar } from './bars.js';
import { asked, showAll } from './filters.js';
import { isOpen } from './folds.js';
import { SectionHead } from './head.js';

/** @typedef {import('../whereabouts').Whereabouts} Whereabouts */
/** @typedef {import('../whereabouts').Place} Place */

/** Seconds between two looks. */
const EVERY = 2;
const MORE = 'more is running than is counted here';

/** @typedef {{ items: Whereabouts[], more: boolean }} Everywhere */

/** On the page Now: all that runs. */
export function Where() {
  const open = isOpen('where');
  const { names, everywhere, error } = useWhereabouts(open ? '/whereabouts' : '');
  return html`<section class="where table" aria-labelledby="where-heading">
    <${SectionHead} id="where-heading" fold="where" open=${open} title="Where everything is" note=${everywhere?.more ? MORE : ''}><${Chosen} /></${SectionHead}>
    ${open && (names.length
      ? html`<ul class="names">${names.map((each) => html`<${Name} key=${each.name} each=${each} />`)}</ul>`
      : html`<p class="muted none">${everywhere ? 'Nothing runs.' : error ? 'Not known: the server does not answer.' : 'Reading…'}</p>`)}
  </section>`;
}

/** On the page of an operation: its children, as long as any of them is open. @param {{ operation: import('../types').Operation }} props */
export function WhereChildren({ operation: { id, children } }) {
  const open = children.queued + children.running > 0;
  const { names, everywhere } = useWhereabouts(open ? `/whereabouts?${new URLSearchParams({ below: id })}` : '');
  if (!open || !names.length) return null;
  return html`<section class="where table" aria-labelledby="where-heading">
    <div class="section-head"><h3 id="where-heading">Where they are</h3>${everywhere?.more && html`<span class="muted note-beside">${MORE}</span>`}</div>
    <ul class="names">${names.map((each) => html`<${Name} key=${each.name} each=${each} here />`)}</ul>
  </section>`;
}

/** What runs, and what has stood there before; read again and again. @param {string} path  empty: nothing is read */
function useWhereabouts(path) {
  const { value, error } = useReading(path, EVERY);
  const seen = useRef(/** @type {Whereabouts[]} */ ([]));
  const everywhere = /** @type {Everywhere | null} */ (value);
  const names = useMemo(() => (seen.current = withEarlier(seen.current, everywhere?.items ?? [])), [everywhere]);
  return { names, everywhere, error };
}

/** What was chosen here, and the way back. */
function Chosen() {
  const words = asked(['name', 'step']);
  if (!words) return null;
  return html`<span class="chosen"><span class="clip" dir="auto">only ${words}</span><button type="button" class="button small-text" onClick=${showAll}>Show all</button></span>`;
}

/** @param {{ each: Whereabouts, here?: boolean }} props  `here`: what they are below is what the page is about */
function Name({ each, here = false }) {
  const most = Math.max(...each.places.map((place) => place.count), 1);
  const shown = each.places.length > MOST_PLACES ? fullest(each.places) : each.places;
  const more = each.places.length - shown.length;
  const slowest = slowestOf(each);
  return html`<li class=${each.running ? '' : 'none'}>
    <${Choose} each=${each} here=${here} step="" class="name"><span class="clip" dir="auto">${clean(each.name, 120) || '–'}</span><b>${count(each.running)}</b></${Choose}>
    <div class="places">
      ${shown.map((place) => html`<${AtStep} key=${`${place.index} ${place.name}`} each=${each} place=${place} most=${most} slowest=${place === slowest} />`)}
      ${more > 0 && html`<span class="muted more">and ${count(more)} other steps</span>`}
    </div>
  </li>`;
}

/** @param {Place[]} places */
function fullest(places) {
  const kept = new Set([...places].sort((a, b) => b.count - a.count).slice(0, MOST_PLACES));
  return places.filter((place) => kept.has(place));
}

/** @param {{ each: Whereabouts, place: Place, most: number, slowest: boolean }} props */
function AtStep({ each, place, most, slowest }) {
  const inside = html`<span class="place-name"><span class="place">${place.index || ''}</span><span class="clip" dir="auto">${clean(place.name, 80) || 'no step yet'}</span></span>
    <span class="place-count"><b>${count(place.count)}</b>${slowest && html`<span class="slowest" title="the operation that has been running for longest stands here">longest ${rough(now.value - place.since)}</span>`}</span>
    <${Bar} value=${place.count / most} />`;
  const kind = `at-step ${place.count ? '' : 'none'}`;
  if (!place.name || each.below) return html`<span class=${kind}>${inside}</span>`;
  return html`<${Choose} each=${each} step=${place.name} class=${kind}>${inside}</${Choose}>`;
}

/**
 * A button that shows only operations of a name, or only those at one of its steps; what is below an operation is
 * not in the list, and a link leads to that.
 * @param {{ each: Whereabouts, step: string, class: string, here?: boolean, children?: unknown }} props
 */
function Choose({ each: { name, below }, step, class: kind, here = false, children }) {
  if (here) return html`<span class=${kind}>${children}</span>`;
  if (below) return html`<a class=${kind} href=${operationPath(below)} title="all of them are below one operation: open it">${children}<span class="muted" aria-hidden="true">›</span></a>`;
  if (!name) return html`<span class=${kind}>${children}</span>`;
  const chosen = query.value.get('name') === name && (query.value.get('step') ?? '') === step;
  const choose = () => {
    setQuery('name', chosen ? '' : name);
    setQuery('step', chosen ? '' : step);
  };
  return html`<button type="button" class=${kind} aria-pressed=${chosen} onClick=${choose}>${children}</button>`;
}
