/** Who works where, from what the API says of workers and processes. Pure functions. */

/** @typedef {import('./types').CurrentStep} CurrentStep */
/** @typedef {{ id: string, run: string, name: string, title: string, started: number | null, step: CurrentStep | null, flags: string[] }} Running */
/**
 * A worker that waits for jobs (`pid` null), or a process that executes tracked runs.
 * @typedef {{ name: string, host: string, pid: number | null, seen: number, age: number, release: string, queues: string[],
 *   jobs: string[], runs: string[], running: Running[], offset: number | null, spool: number, dropped: number }} Worker
 */
/** @typedef {'waits' | 'works' | 'unresponsive' | 'lost'} State */
/** @typedef {{ host: string, workers: Worker[], runs: number, silent: number }} Host */

/** Seconds without a sign of life after which its runs are called unresponsive, and lost. */
const UNRESPONSIVE = 30;
const LOST = 300;
/** Seconds that a clock may be off before that is worth a word. */
const OFF = 2;

/** @param {Worker} worker @returns {State} */
export function stateOf({ age, pid }) {
  if (age > LOST) return 'lost';
  if (age > UNRESPONSIVE) return 'unresponsive';
  return pid === null ? 'waits' : 'works';
}

/** @param {Worker} worker */
export const isSilent = (worker) => worker.age > UNRESPONSIVE;

/** How many runs it executes, as far as anybody can know: those of a lost process are lost. @param {Worker} worker */
export const runsOf = (worker) => (stateOf(worker) === 'lost' ? 0 : worker.runs.length);

/** Seconds that the clock of a process is behind (or ahead, if negative), if that is worth a word. @param {Worker} worker */
export const offBy = ({ offset }) => (offset !== null && Math.abs(offset) > OFF ? offset : null);

/**
 * Hosts by name and in each of them workers by name, so that nothing moves when a sign of life comes.
 * @param {Worker[]} workers
 * @returns {Host[]}
 */
export function hostsOf(workers) {
  /** @type {Map<string, Worker[]>} */
  const found = new Map();
  for (const worker of workers) found.set(worker.host, [...(found.get(worker.host) ?? []), worker]);
  const hosts = [...found].map(([host, all]) => ({
    host,
    workers: all.sort(byKind),
    runs: all.reduce((sum, worker) => sum + runsOf(worker), 0),
    silent: all.filter(isSilent).length,
  }));
  return hosts.sort((one, other) => compare(one.host, other.host));
}

/** Those that wait for jobs first. @param {Worker} one @param {Worker} other */
const byKind = (one, other) => Number(one.pid !== null) - Number(other.pid !== null) || (one.pid ?? 0) - (other.pid ?? 0) || compare(one.name, other.name);

/** @param {string} one @param {string} other */
const compare = (one, other) => (one < other ? -1 : one > other ? 1 : 0);

/**
 * Whether anything of a host has all these words in it.
 * @param {Host} host
 * @param {string[]} words  in lower case
 */
export function matches(host, words) {
  const text = JSON.stringify(host.workers.map(({ name, queues, jobs, release, running, pid }) => [host.host, name, pid, queues, jobs, release, running.map((each) => [each.title, each.name])]));
  const lower = text.toLowerCase();
  return words.every((word) => lower.includes(word));
}
