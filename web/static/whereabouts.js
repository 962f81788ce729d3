/**
 * Where everything is: what stays in its place although nothing stands there any more. Pure functions.
 *
 * @typedef {{ index: number, name: string, count: number, since: number }} Place  `since`: when the longest-running one there began
 * @typedef {{ name: string, running: number, below: string, places: Place[] }} Whereabouts  `below`: the id of what all of them are below, if any
 */

/** Steps of one name that are told apart; more come from step names with variables in them. */
export const MOST_PLACES = 12;

/** @param {{ index: number, name: string }} place */
const keyOf = ({ index, name }) => `${index} ${name}`;

/** @param {Place} a @param {Place} b */
const inOrder = (a, b) => a.index - b.index || (a.name < b.name ? -1 : 1);

/** Where the longest-running one stands. @param {Whereabouts} each @returns {Place | null} */
export function slowestOf({ places }) {
  const taken = places.filter(({ count }) => count > 0);
  return taken.reduce((a, b) => (b.since < a.since ? b : a), taken[0] ?? null);
}

/**
 * `current` with the names and steps of `earlier` that nothing stands at any more, as zero, so that what
 * is shown stays where it is. Names whose steps have variables in them are not kept.
 * @param {Whereabouts[]} earlier
 * @param {Whereabouts[]} current
 * @returns {Whereabouts[]}
 */
export function withEarlier(earlier, current) {
  const names = new Map(current.map((each) => [each.name, each]));
  for (const before of earlier) {
    const each = names.get(before.name) ?? { ...before, running: 0, places: [] };
    const present = new Set(each.places.map(keyOf));
    const gone = before.places.filter((place) => !present.has(keyOf(place))).map((place) => ({ ...place, count: 0 }));
    const places = [...each.places, ...gone].sort(inOrder);
    names.set(before.name, { ...each, places: places.length > MOST_PLACES ? each.places : places });
  }
  return [...names.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
