/** A chart on a canvas, in the colours of the page. The library is loaded when the first one is shown. */
import { html, useEffect, useRef } from '../lib.js';
import { scheme } from './theme.js';

/** @typedef {(name: string) => string} Colour */
/**
 * The scale and the series of a chart, made from the colours of the page; `Plot` is the library.
 * @typedef {(colour: Colour, Plot: any) => { values: (value: number) => string, width: number, range?: any, series: object[] }} Options
 */

const HEIGHT = 176;
/** Not named in the import itself: what is vendored is not type-checked. */
const LIBRARY = '../vendor/uplot.js';

/** @type {Promise<any> | null} */
let library = null;
const load = () => (library ??= import(LIBRARY).then((module) => module.default));

/**
 * `data` are times and then the values of each series; `at` becomes the place that the pointer is at.
 * @param {{ label: string, data: (number | null)[][], options: Options, at: import('../lib').Signal<number | null> }} props
 */
export function Chart({ label, data, options, at }) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => (ref.current ? drawn(ref.current, options, data, at) : undefined), [data, scheme.value]);
  return html`<div class="chart" role="img" aria-label=${label} ref=${ref} style=${{ height: `${HEIGHT}px` }}></div>`;
}

/**
 * Draw, follow the size, and take all of it away.
 * @param {HTMLElement} element
 * @param {Options} options
 * @param {(number | null)[][]} data
 * @param {import('../lib').Signal<number | null>} at
 */
function drawn(element, options, data, at) {
  /** @type {any} */
  let chart = null;
  let gone = false;
  const size = () => ({ width: Math.max(200, element.clientWidth), height: HEIGHT });
  const observer = new ResizeObserver(() => chart?.setSize(size()));
  void load().then((Plot) => {
    if (gone) return;
    const hooks = { setCursor: [(/** @type {{ cursor: { idx: number | null } }} */ drawing) => (at.value = drawing.cursor.idx ?? null)] };
    chart = new Plot({ ...whole(Plot, colourOf(element), options), ...size(), hooks }, data, element);
    observer.observe(element);
  });
  return () => {
    gone = true;
    observer.disconnect();
    chart?.destroy();
  };
}

/** A named colour of the style sheet as the canvas understands it. @param {HTMLElement} element @returns {Colour} */
const colourOf = (element) => (name) => {
  element.style.color = `var(--${name})`;
  const { color } = getComputedStyle(element);
  element.style.color = '';
  return color;
};

const DATE = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });
const DAY = 86400;

/** A day as an axis names it. @param {number} stamp UTC seconds */
export const dateText = (stamp) => DATE.format(stamp * 1000);

/** Days are those of UTC. @param {any} Plot @param {Colour} colour @param {Options} options */
function whole(Plot, colour, options) {
  const { values, width, range, series } = options(colour, Plot);
  const line = { stroke: colour('line'), width: 1 };
  const axis = { stroke: colour('soft'), font: '12px system-ui, sans-serif', ticks: { ...line, size: 4 } };
  const texts = (/** @type {(value: number) => string} */ text) => (/** @type {any} */ _, /** @type {number[]} */ splits) => splits.map(text);
  return {
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    tzDate: (/** @type {number} */ stamp) => Plot.tzDate(new Date(stamp * 1000), 'Etc/UTC'),
    scales: { x: { range: (/** @type {any} */ _, /** @type {number} */ first, /** @type {number} */ last) => [first - DAY / 2, last + DAY / 2] }, y: { range } },
    axes: [
      { ...axis, grid: { show: false }, space: 64, size: 32, incrs: [1, 2, 7, 14, 30].map((days) => days * DAY), values: texts(dateText) },
      { ...axis, grid: line, size: width, values: texts(values) },
    ],
    series: [{}, ...series],
  };
}
