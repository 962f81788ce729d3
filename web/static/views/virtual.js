/**
 * A list of any length of which only what is near the screen is in the page. It scrolls with the page.
 * All rows are equally high, so that the length of the list, and with it the scroll bar, is right.
 */
import { html, signal, useEffect, useMemo, useRef, useSignal } from '../lib.js';
import { focusedRow, returnFocus } from './focus.js';

/** Height of a row in pixels on wide and narrow screens, as the style sheet has it. */
const WIDE = 56;
const NARROW = 128;
/** Rows drawn beyond either edge of the screen, and the step in which the drawn part moves on. */
const MARGIN = 8;
const STEP = 4;

const narrow = matchMedia('(max-width: 700px)');
const height = signal(rowHeight());

function rowHeight() {
  return narrow.matches ? NARROW : WIDE;
}

/** What looks where its list is on the screen. @type {Set<() => void>} */
const looking = new Set();
let asked = 0;

function lookAll() {
  asked = 0;
  for (const look of looking) look();
}

function ask() {
  if (!asked) asked = requestAnimationFrame(lookAll);
}

addEventListener('scroll', ask, { passive: true });
addEventListener('resize', ask);
narrow.addEventListener('change', () => (height.value = rowHeight()));
/** What stands above a list may grow and push it. */
new ResizeObserver(ask).observe(document.documentElement);

/** @typedef {{ top: number, at: number, of: number }} Place  pixels from the top of the list, number from 1, number of all */

/**
 * Which of `of` rows are near the screen: the first, and the one after the last. A function of its own, so
 * that what the page remembers of it does not hold on to all that was ever drawn.
 * @param {{ current: HTMLElement | null }} list
 * @param {number} of
 */
function useNear(list, of) {
  const shown = useSignal('0 16');
  const rows = useRef(of);
  rows.current = of;
  const look = useMemo(() => () => {
    if (list.current) shown.value = near(list.current.getBoundingClientRect().top, rows.current);
  }, []);
  useEffect(() => {
    looking.add(look);
    return () => looking.delete(look);
  }, []);
  useEffect(look);
  return shown.value.split(' ').map(Number);
}

/**
 * `keys` are those of the rows (`data-row` of what takes the focus in them); `draw` gives a row, which has
 * to be a list item that takes its place. `of` counts also rows whose keys are not known yet: `reach` is
 * told how many rows have to be known for what is shown.
 * @param {{ keys: string[], draw: (key: string, place: Place) => unknown, of?: number, reach?: (rows: number) => void, label?: string }} props
 */
export function VirtualList({ keys, draw, of = keys.length, reach, label }) {
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const [from = 0, to = 0] = useNear(list, of);
  useEffect(() => {
    returnFocus(list.current);
    if (to > keys.length) reach?.(Math.min(to, of));
  });
  const focused = keys.indexOf(focusedRow.value);
  const drawn = places(from, to, focused, keys.length);
  return html`<ul ref=${list} class="rows virtual" role="list" aria-label=${label} style=${{ height: `${of * height.value}px` }}>
    ${drawn.map((at) => draw(/** @type {string} */ (keys[at]), { top: at * height.value, at: at + 1, of }))}
  </ul>`;
}

/** Of `count` rows, the first one near the screen and the one after the last. @param {number} top @param {number} count */
function near(top, count) {
  const first = Math.floor((-top / height.peek() - MARGIN) / STEP) * STEP;
  const last = first + Math.ceil((innerHeight / height.peek() + 2 * MARGIN) / STEP + 1) * STEP;
  return `${Math.min(Math.max(0, first), count)} ${Math.min(Math.max(0, last), count)}`;
}

/**
 * What is drawn: all from `from` to `to`, and wherever that is, the row with the focus and those beside
 * it, and both ends, so that the keyboard gets from row to row and from list to list.
 * @param {number} from @param {number} to @param {number} focused @param {number} count
 */
function places(from, to, focused, count) {
  const others = focused < 0 ? [0, count - 1] : [0, focused - 1, focused, focused + 1, count - 1];
  const inside = Array.from({ length: Math.max(0, Math.min(to, count) - from) }, (_, place) => from + place);
  return [...new Set([...inside, ...others.filter((at) => at >= 0 && at < count)])].sort((a, b) => a - b);
}
