/**
 * The topics this page shows: their state as signals, one per row, changed at most once per frame.
 * While no connection comes about, the same topics are read over HTTP every two seconds.
 */
import { batch, signal, useEffect, useMemo } from './lib.js';
import { read } from './api.js';
import { setServerTime } from './clock.js';
import { announceOutcomes } from './announce.js';
import { merge, noNews, nothing, reduce, trim } from './state.js';
import * as socket from './socket.js';

/** @typedef {import('./types').Message} Message */
/** @typedef {import('./types').Operation} Operation */
/** @typedef {import('./types').Held} Held */
/** @typedef {import('./types').News} News */

const MOST_ROWS = 500;
const POLL = 2000;
const NOTICE = 5000;

/** What is shown of one topic. */
export class Feed {
  /** @param {string} topic */
  constructor(topic) {
    this.topic = topic;
    this.users = 0;
    this.held = signal(nothing());
    /** Another number whenever an operation came, went, or belongs elsewhere in a list. */
    this.places = signal(0);
    /** @type {Map<string, import('./lib').Signal<Operation>>} */
    this.rows = new Map();
  }

  /** @param {Held} held @param {News} news  what is different in it */
  become(held, news) {
    if (held === this.held.peek()) return;
    for (const id of news.changed) this.row(id, held.operations.get(id));
    if (news.moved) this.places.value += 1;
    this.held.value = held;
  }

  /** @param {string} id @param {Operation | undefined} operation */
  row(id, operation) {
    const row = this.rows.get(id);
    if (!operation) this.rows.delete(id);
    else if (row) row.value = operation;
    else this.rows.set(id, signal(operation));
  }

  /** @param {Operation[]} operations */
  merge(operations) {
    const news = noNews();
    batch(() => this.become(merge(this.held.peek(), operations, news), news));
  }
}

/** @type {Map<string, Feed>} */
const open = new Map();
const list = new Feed('operations');
/** @type {Message[]} */
let inbox = [];
let scheduled = false;

/** True while the topics are read over HTTP because no WebSocket comes about. */
export const polling = signal(false);
/** True while more happens than the server can tell: then everything is read anew every second. */
export const lagging = signal(false);
/** A passing word about the connection: why everything was read anew, or what the server refused. */
export const notice = signal('');
/** The version of the server that answers now; empty until it said so. */
export const serverVersion = signal('');

/**
 * The feed of a topic, followed as long as the component that asks for it is there; null for no topic.
 * @template {string} Topic
 * @param {Topic} topic
 * @returns {Topic extends '' ? null : Feed}
 */
export function useFeed(topic) {
  const feed = useMemo(() => (topic ? openFeed(topic) : null), [topic]);
  useEffect(() => () => closeFeed(topic), [topic]);
  return /** @type {any} */ (feed);
}

/** @param {string} topic */
function openFeed(topic) {
  const feed = open.get(topic) ?? (topic === 'operations' ? list : new Feed(topic));
  feed.users += 1;
  if (open.has(topic)) return feed;
  open.set(topic, feed);
  socket.subscribe(topic);
  if (polling.peek()) void poll(feed);
  return feed;
}

/**
 * Leave a topic; it is followed as long as anyone on the page still shows it.
 * @param {string} topic
 */
function closeFeed(topic) {
  const feed = open.get(topic);
  if (!feed || (feed.users -= 1) > 0) return;
  open.delete(topic);
  socket.unsubscribe(topic);
}

export function startFeeds() {
  socket.start(receive);
  setInterval(pollAll, POLL);
  document.addEventListener('visibilitychange', flush);
}

/** @param {Message} message */
function receive(message) {
  inbox.push(message);
  if (scheduled) return;
  scheduled = true;
  // Frames do not come while the page is hidden; its state is kept up all the same.
  if (document.hidden) setTimeout(flush, 500);
  else requestAnimationFrame(flush);
}

function flush() {
  scheduled = false;
  const messages = inbox;
  inbox = [];
  if (messages.length) batch(() => takeAll(messages));
}

/** @param {Message[]} messages */
function takeAll(messages) {
  messages.forEach(takeWord);
  for (const feed of open.values()) take(feed, messages.filter((message) => message.topic === feed.topic));
}

/** @param {Feed} feed @param {Message[]} messages */
function take(feed, messages) {
  const before = feed.held.peek();
  const news = noNews();
  const after = messages.reduce((held, message) => reduce(held, message, feed.topic, news), before);
  feed.become(feed.topic === 'operations' ? trim(after, MOST_ROWS, news) : after, news);
  if (!feed.topic.startsWith('children:')) announceOutcomes(news.ended);
}

/** @param {Message} message */
function takeWord(message) {
  if (message.now) setServerTime(message.now);
  if (message.version) serverVersion.value = message.version;
  if (message.type === 'snapshot') takeSnapshotWord(message);
  if (message.type === 'reset') say(`Read anew: ${message.reason || 'the feed was interrupted'}`);
  if (message.type === 'error') say(`The server refused: ${message.detail || 'no reason given'}`);
}

/** @param {Message} message */
function takeSnapshotWord(message) {
  polling.value = false;
  lagging.value = message.lagging ?? false;
}

let silence = 0;

/** @param {string} text */
function say(text) {
  notice.value = text;
  clearTimeout(silence);
  silence = setTimeout(() => (notice.value = ''), NOTICE);
}

function pollAll() {
  const blocked = socket.phase.peek() !== 'live' && (socket.failures.peek() >= 3 || socket.stale.peek() || polling.peek());
  if (blocked && !document.hidden) for (const feed of open.values()) void poll(feed);
}

/** @param {Feed} feed */
async function poll(feed) {
  const operations = await read(feed.topic).catch(() => null);
  if (socket.phase.peek() === 'live' || !open.has(feed.topic)) return;
  const answers = operations !== null;
  if (answers && !polling.peek()) socket.retry();
  polling.value = answers;
  if (!operations) return;
  socket.forget(feed.topic);
  socket.heard.value = Date.now();
  socket.stale.value = false;
  receive({ type: 'polled', topic: feed.topic, operations });
}
