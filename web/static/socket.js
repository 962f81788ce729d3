/**
 * The live connection, one for all topics. It comes back for ever, follows everything again from
 * where it was, and says how it stands; what messages mean is not its business.
 */
import { signal } from './lib.js';
import { eventStream, webSocket } from './carriers.js';

/** @typedef {import('./types').Message} Message */

const FIRST_DELAY = 0.5;
const LONGEST_DELAY = 30;
/** Seconds without a word (heartbeats come every 15 s) after which what is shown may be old. */
const SILENCE = 40;
/** Seconds a new connection may take to say its first word. */
const OPENING = 10;

/** `connecting`, `live` or `reconnecting`. */
export const phase = signal(/** @type {'connecting' | 'live' | 'reconnecting'} */ ('connecting'));
/** Connections tried in vain since the last message. */
export const failures = signal(0);
/** Local time of the last message, in milliseconds; 0 before the first. */
export const heard = signal(0);
/** Nothing was heard for too long. */
export const stale = signal(false);
/** Seconds since the last message, counted while stale. */
export const silentFor = signal(0);

/** @type {import('./carriers').Topics} */
const topics = new Map();
/** @type {import('./carriers').Carrier | null} */
let carrier = null;
/** The way that brought messages last. */
let proven = webSocket;
let way = webSocket;
let timer = 0;
let wait = 0;
let opened = 0;
let spoke = false;
/** @type {(message: Message) => void} */
let deliver = () => {};

/** @param {(message: Message) => void} receiver */
export function start(receiver) {
  deliver = receiver;
  connect();
  setInterval(watch, 1000);
  window.addEventListener('online', retry);
  window.addEventListener('pagehide', () => carrier?.close());
  window.addEventListener('pageshow', (event) => event.persisted && connect());
  document.addEventListener('visibilitychange', () => (document.hidden ? rest() : retry()));
}

/** @param {string} topic */
export function subscribe(topic) {
  topics.set(topic, '');
  changed();
}

/** @param {string} topic */
export function unsubscribe(topic) {
  topics.delete(topic);
  changed();
}

/** What is known of a topic comes from elsewhere, so the next connection begins with a snapshot. @param {string} topic */
export function forget(topic) {
  if (topics.has(topic)) topics.set(topic, '');
}

let changing = false;

/** Pages are left and opened in one go, so what changes together is told together. */
function changed() {
  if (changing) return;
  changing = true;
  queueMicrotask(() => {
    changing = false;
    carrier?.follow(topics);
  });
}

/** The other way is tried now and then while the one that worked does not: a proxy may let only one of them through. */
function nextWay() {
  const other = proven === webSocket ? eventStream : webSocket;
  return failures.peek() % 3 === 2 ? other : proven;
}

function connect() {
  clearTimeout(timer);
  timer = 0;
  carrier?.close();
  way = nextWay();
  opened = Date.now();
  spoke = false;
  carrier = way({ said: receive, ended: reconnect });
  carrier.follow(topics);
}

/** @param {string} text */
function receive(text) {
  const message = parsed(text);
  if (!message) return;
  heard.value = Date.now();
  stale.value = false;
  spoke = true;
  if (message.type === 'bye') wait = message.retry_after ?? 0;
  else live();
  if (message.topic && message.cursor && topics.has(message.topic)) topics.set(message.topic, message.cursor);
  deliver(message);
}

function live() {
  phase.value = 'live';
  failures.value = 0;
  proven = way;
}

/** @param {string} text @returns {Message | null} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Exponential, with jitter, so that many pages do not come back in the same moment. */
function reconnect() {
  carrier?.close();
  carrier = null;
  failures.value += 1;
  phase.value = 'reconnecting';
  const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failures.value - 1));
  const delay = Math.max(wait, longest * (0.5 + Math.random() / 2));
  wait = 0;
  clearTimeout(timer);
  timer = setTimeout(connect, delay * 1000);
}

/** Waiting for the next try makes no sense when the network, the server or the person has come back. */
export function retry() {
  if (!carrier) connect();
}

/** A browser holds six connections to a server for all of its tabs: those that nobody sees give theirs back. */
function rest() {
  if (!carrier || way === webSocket) return;
  carrier.close();
  carrier = null;
}

/** A connection that says nothing is dead, whatever the operating system believes of it. */
function watch() {
  const silent = (Date.now() - heard.peek()) / 1000;
  if (heard.peek() && silent > SILENCE) {
    stale.value = true;
    silentFor.value = Math.round(silent);
  }
  if (!carrier) return;
  const patience = spoke ? SILENCE : OPENING;
  if (Date.now() - (spoke ? heard.peek() : opened) > patience * 1000) reconnect();
}
