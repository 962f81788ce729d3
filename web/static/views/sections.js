/** The sections of the page Now: what failed lately, runs, waits and has ended; many of one name as one row. */
import { html, useComputed, useRef } from '../lib.js';
import { useCalm } from '../calm.js';
import { choiceOf, isChosen, isEverything } from '../choice.js';
import { now } from '../clock.js';
import { ticking } from '../format.js';
import { inGroups, inSections, unfolded, waitingSince } from '../order.js';
import { query } from '../router.js';
import { isOpen } from './folds.js';
import { GroupRow, sumOf } from './group.js';
import { SectionHead } from './head.js';
import { Row } from './row.js';
import { VirtualList } from './virtual.js';

/** @typedef {import('../feeds').Feed} Feed */
/** @typedef {import('../order').Section & { items: import('../order').Item[] }} Shown */

/** Milliseconds between two looks at what is in a row, for those that are searched. */
const PAUSE = 500;

/** @type {Record<string, [string, string]>} Title, and what is said if there is nothing. */
const WORDS = {
  failed: ['Failed lately', ''],
  running: ['Running', 'Nothing runs.'],
  queued: ['Queued', 'Nothing waits.'],
  ended: ['Ended lately', 'Nothing has ended yet.'],
};

/**
 * The sections as they are to be shown, found anew only when an operation came, went or changed its section.
 * @param {Feed} feed
 * @param {import('../lib').ReadonlySignal<number>} places
 */
export function useSections(feed, places) {
  const inside = useCalm(feed.held, PAUSE);
  const minute = useComputed(() => Math.floor(now.value / 60) * 60);
  const known = useRef(/** @type {Set<string>} */ (new Set()));
  return useComputed(() => {
    void places.value;
    const choice = choiceOf(query.value);
    const held = choice.words.length || choice.step ? inside.value : feed.held.peek();
    const everything = isEverything(choice);
    const chosen = everything ? held.operations.values() : [...held.operations.values()].filter((each) => isChosen(each, choice));
    const sections = inSections(chosen, minute.value).map((section) => ({ ...section, items: everything ? inGroups(section, known.current) : alone(section) }));
    if (everything) known.current = groupsOf(sections);
    return sections;
  });
}

/** Whoever asks for something wants to see it. @param {import('../order').Section} section */
const alone = ({ operations }) => operations.map(({ id }) => id);

/** @param {Shown[]} sections */
const groupsOf = (sections) => new Set(sections.flatMap(({ items }) => items.flatMap((item) => (typeof item === 'string' ? [] : [item.key]))));

/**
 * Operations are read where they are drawn and never handed on: what is drawn rarely would keep them for long.
 * @typedef {import('../lib').ReadonlySignal<Shown[]>} Found
 */

/** @param {{ feed: Feed, found: Found, ready: boolean, everything: boolean }} props */
export function Sections({ feed, found, ready, everything }) {
  const shown = found.value.filter(({ key, operations }) => operations.length > 0 || (everything && key !== 'failed'));
  return shown.map(({ key }) => html`<${SectionOf} key=${key} name=${key} feed=${feed} found=${found} ready=${ready} />`);
}

/** @param {{ name: string, feed: Feed, found: Found, ready: boolean }} props */
function SectionOf({ name, feed, found, ready }) {
  const { operations = [], items = [] } = found.value.find(({ key }) => key === name) ?? {};
  const open = isOpen(name);
  const [title, nothing] = WORDS[name] ?? [name, ''];
  const rows = open ? unfolded(items, (group) => isOpen(group, false)) : [];
  const keys = rows.map((item) => (typeof item === 'string' ? item : item.key));
  const note = ready ? (operations.length ? '' : nothing) : 'Reading…';
  const since = name === 'queued' ? waitingSince(operations, now.peek()) : null;
  return html`<section class=${`section of-${name}`} aria-labelledby=${`section-${name}`}>
    <${SectionHead} id=${`section-${name}`} fold=${name} open=${open} title=${title} number=${ready ? operations.length : undefined} note=${note}>
      ${since && html`<${Waiting} oldest=${since.oldest} median=${since.median} />`}
    </${SectionHead}>
    ${keys.length > 0 && html`<${VirtualList} keys=${keys} label=${title} draw=${drawing(feed, rows)} />`}
  </section>`;
}

/**
 * Draws a row by its key. An operation that has just left the feed has none, until the sections are found anew.
 * @param {Feed} feed
 * @param {import('../order').Item[]} items
 */
function drawing(feed, items) {
  const groups = items.filter((item) => typeof item !== 'string');
  const sums = new Map(groups.map((group) => [group.key, sumOf(group)]));
  const inside = new Set(groups.flatMap(({ key, operations }) => (isOpen(key, false) ? operations.map(({ id }) => id) : [])));
  return (/** @type {string} */ key, /** @type {import('./virtual').Place} */ { top, at, of }) => {
    const [sum, row] = [sums.get(key), feed.rows.get(key)];
    if (sum) return html`<${GroupRow} key=${key} sum=${sum} top=${top} at=${at} of=${of} />`;
    return row && html`<${Row} key=${key} row=${row} top=${top} at=${at} of=${of} inside=${inside.has(key)} />`;
  };
}

/** How long those that wait have waited. @param {{ oldest: number, median: number }} props  when they were queued */
function Waiting({ oldest, median }) {
  const half = median > oldest ? ` · half of them ${ticking(now.value - median)} or more` : '';
  return html`<span class="muted wait">oldest waits ${ticking(now.value - oldest)}${half}</span>`;
}
