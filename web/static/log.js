/** The log lines of one attempt: read over HTTP, gone on with by what is heard live, and read again where that has holes. */
import { signal, useEffect, useMemo } from './lib.js';
import { get, operationAt } from './api.js';

/** @typedef {import('./types').LogLine} LogLine */
/** @typedef {{ lines: LogLine[], ready: boolean, error: string }} LogState */

/** Lines kept in the page; the server keeps fewer of what runs. */
export const MOST_LINES = 2000;
const PAGE = 200;
/** Milliseconds between two readings of what came too fast to be told live. */
const PAUSE = 500;

/**
 * `lines` with those of `more` that are newer; the oldest leave.
 * @param {LogLine[]} lines
 * @param {LogLine[]} more
 */
export function withLines(lines, more) {
  const newest = lines.at(-1)?.number ?? 0;
  const newer = more.filter((line) => line.number > newest);
  return newer.length ? [...lines, ...newer].slice(-MOST_LINES) : lines;
}

/**
 * Whether `more` goes on where `lines` end, with no number left out.
 * @param {LogLine[]} lines
 * @param {LogLine[]} more  ordered, newer than `lines`
 */
export function goesOn(lines, more) {
  const newest = lines.at(-1)?.number ?? 0;
  return more.every((line, place) => line.number === newest + 1 + place);
}

/** The lines of one attempt. */
class Log {
  /** @param {string} id @param {number} attempt */
  constructor(id, attempt) {
    this.id = id;
    this.attempt = attempt;
    this.state = signal(/** @type {LogState} */ ({ lines: [], ready: false, error: '' }));
    this.stop = new AbortController();
    /** What it was read for last: the state of the operation, and the lines heard since a snapshot. */
    this.told = '';
    this.rev = 0;
    this.heard = /** @type {LogLine[] | null} */ (null);
    /** Nothing has changed since the last snapshot. */
    this.fresh = false;
    this.reading = false;
    this.resting = false;
    this.again = false;
  }

  /**
   * Take what is new. It is read again after a snapshot, and after the first change behind one: the server reads the
   * operation whole then, and tells no lines.
   * @param {import('./types').Operation} operation
   * @param {LogLine[] | null} heard
   */
  look({ run, status, warned, rev }, heard) {
    const told = `${run} ${status} ${warned}`;
    const isSnapshot = heard !== null && heard !== this.heard && !heard.length;
    const isFirst = this.fresh && rev !== this.rev;
    if (told !== this.told || isSnapshot || isFirst) void this.read();
    else if (heard && heard !== this.heard) this.hear(heard);
    this.fresh = isSnapshot || (this.fresh && !isFirst);
    Object.assign(this, { told, rev, heard });
  }

  /** Take what was heard live. @param {LogLine[]} heard */
  hear(heard) {
    const { lines, ready } = this.state.peek();
    const newest = lines.at(-1)?.number ?? 0;
    const newer = heard.filter((line) => line.attempt === this.attempt && line.number > newest);
    if (!newer.length) return;
    if (ready && !this.reading && goesOn(lines, newer)) this.become(newer);
    else void this.read();
  }

  /** @param {LogLine[]} newer */
  become(newer) {
    this.state.value = { lines: withLines(this.state.peek().lines, newer), ready: true, error: '' };
  }

  /** Read what is newer than what is held; once more after a pause if that was asked for meanwhile. */
  async read() {
    this.again = this.reading || this.resting;
    if (this.again) return;
    this.reading = this.resting = true;
    try {
      this.become(await this.pages());
    } catch (error) {
      if (!this.stop.signal.aborted) this.state.value = { ...this.state.peek(), ready: true, error: error instanceof Error ? error.message : '' };
    }
    this.reading = false;
    setTimeout(() => this.rested(), PAUSE);
  }

  rested() {
    this.resting = false;
    if (this.again && !this.stop.signal.aborted) void this.read();
  }

  async pages() {
    /** @type {LogLine[]} */
    const found = [];
    let page = `${this.attempt}.${this.state.peek().lines.at(-1)?.number ?? 0}`;
    while (page) {
      const answer = await get(`${operationAt(this.id)}/logs?limit=${PAGE}&page=${page}`, this.stop.signal);
      const own = (answer?.items ?? []).filter((/** @type {LogLine} */ line) => line.attempt === this.attempt);
      found.push(...own);
      page = own.length === PAGE ? answer.next : '';
    }
    return found;
  }
}

/**
 * The log of an attempt, followed while that is the one that `held` tells of.
 * @param {import('./types').Operation} operation  as it was at that attempt
 * @param {import('./types').Held | null} held  null for an earlier attempt
 * @returns {LogState}
 */
export function useLog(operation, held) {
  const { id, attempt } = operation;
  const log = useMemo(() => new Log(id, attempt), [id, attempt]);
  useEffect(() => () => log.stop.abort(), [log]);
  const heard = held?.logs ?? null;
  useEffect(() => {
    if (attempt) log.look(operation, heard);
  }, [log, operation, heard]);
  return log.state.value;
}
