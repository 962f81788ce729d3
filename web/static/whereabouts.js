/**
 * Where everything is now: for each name, how many running operations stand at which step. Pure functions.
 *
 * @typedef {import('./types').Operation} Operation
 * @typedef {{ index: number, name: string, count: number, since: number }} Place  `since`: when the longest-running one there began
 * @typedef {{ name: string, running: number, slowest: Place | null, places: Place[] }} Whereabouts
 */

/** Steps of one name that are told apart; more come from step names with variables in them. */
export const MOST_PLACES = 12;

/** @param {{ index: number, name: string }} place */
const keyOf = ({ index, name }) => `${index} ${name}`;

/** @param {Place} a @param {Place} b */
const inOrder = (a, b) => a.index - b.index || (a.name < b.name ? -1 : 1);

/**
 * By name in alphabetical order; the steps of each in the order in which they are run. An operation before
 * its first step stands at step 0. Batches are left out: theirs is only the sending of their children.
 * @param {Iterable<Operation>} operations
 * @returns {Whereabouts[]}
 */
export function whereabouts(operations) {
  /** @type {Map<string, Map<number, Place[]>>} */
  const found = new Map();
  for (const operation of operations) {
    if (operation.status === 'running' && !operation.batch) count(held(found, operation.name, () => new Map()), operation);
  }
  return [...found].map(([name, places]) => summed(name, [...places.values()].flat())).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * What `map` has at `key`, made first if there is nothing.
 * @template Key, Value
 * @param {Map<Key, Value>} map
 * @param {Key} key
 * @param {() => Value} make
 */
function held(map, key, make) {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

/** Steps of one index nearly always have one name. @param {Map<number, Place[]>} places @param {Operation} operation */
function count(places, { step, started, created }) {
  const name = step?.name ?? '';
  const same = held(places, step?.index ?? 0, () => []);
  const known = same.find((each) => each.name === name);
  const place = known ?? { index: step?.index ?? 0, name, count: 0, since: Infinity };
  if (!known) same.push(place);
  place.count += 1;
  place.since = Math.min(place.since, started ?? created);
}

/** @param {string} name @param {Place[]} places @returns {Whereabouts} */
function summed(name, places) {
  const running = places.reduce((sum, place) => sum + place.count, 0);
  const slowest = places.reduce((a, b) => (b.since < a.since ? b : a), places[0] ?? null);
  return { name, running, slowest, places: places.sort(inOrder) };
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
    const each = names.get(before.name) ?? { name: before.name, running: 0, slowest: null, places: [] };
    const present = new Set(each.places.map(keyOf));
    const gone = before.places.filter((place) => !present.has(keyOf(place))).map((place) => ({ ...place, count: 0, since: Infinity }));
    const places = [...each.places, ...gone].sort(inOrder);
    names.set(before.name, { ...each, places: places.length > MOST_PLACES ? each.places : places });
  }
  return [...names.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}
