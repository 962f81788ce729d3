/**
 * One WebSocket for all topics. It reconnects for ever, subscribes again to everything, and says
 * how it stands; what messages mean is not its business.
 */
import { signal } from './lib.js';
import { BASE } from './api.js';

/** @typedef {import('./types').Message} Message */

const FIRST_DELAY = 0.5;
const LONGEST_DELAY = 30;
/** Seconds without a word (heartbeats come every 15 s) after which what is shown may be old. */
const SILENCE = 40;

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

/** @type {Set<string>} */
const topics = new Set();
/** @type {WebSocket | null} */
let socket = null;
let timer = 0;
let wait = 0;
let opened = Date.now();
/** @type {(message: Message) => void} */
let deliver = () => {};

/** @param {(message: Message) => void} receiver */
export function start(receiver) {
  deliver = receiver;
  connect();
  setInterval(watch, 1000);
  window.addEventListener('online', now);
  window.addEventListener('pagehide', () => socket?.close());
  window.addEventListener('pageshow', (event) => event.persisted && now());
  document.addEventListener('visibilitychange', () => document.hidden || now());
}

/** @param {string} topic */
export function subscribe(topic) {
  topics.add(topic);
  send({ type: 'subscribe', topic });
}

/** @param {string} topic */
export function unsubscribe(topic) {
  topics.delete(topic);
  send({ type: 'unsubscribe', topic });
}

/** @param {object} message */
function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function connect() {
  clearTimeout(timer);
  timer = 0;
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  const made = new WebSocket(`${scheme}://${location.host}${BASE}/api/v1/ws`);
  socket = made;
  opened = Date.now();
  made.onopen = () => {
    for (const topic of topics) send({ type: 'subscribe', topic });
  };
  made.onmessage = (event) => made === socket && receive(event.data);
  made.onclose = () => made === socket && reconnect();
}

/** @param {string} text */
function receive(text) {
  const message = parsed(text);
  if (!message) return;
  heard.value = Date.now();
  stale.value = false;
  if (message.type === 'bye') wait = message.retry_after ?? 0;
  else live();
  deliver(message);
}

function live() {
  phase.value = 'live';
  failures.value = 0;
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
  socket = null;
  failures.value += 1;
  phase.value = 'reconnecting';
  const longest = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failures.value - 1));
  const delay = Math.max(wait, longest * (0.5 + Math.random() / 2));
  wait = 0;
  clearTimeout(timer);
  timer = setTimeout(connect, delay * 1000);
}

/** Waiting for the next try makes no sense when the network or the person has come back. */
function now() {
  if (!socket && timer) connect();
}

/** A socket that says nothing is dead, whatever the operating system believes of it. */
function watch() {
  const since = Math.max(heard.peek(), opened);
  const silent = (Date.now() - heard.peek()) / 1000;
  if (heard.peek() && silent > SILENCE) {
    stale.value = true;
    silentFor.value = Math.round(silent);
  }
  if (!socket || Date.now() - since <= SILENCE * 1000) return;
  const dead = socket;
  reconnect();
  dead.close();
}
