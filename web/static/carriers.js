/**
 * The two ways in which messages come, and both bring the same: a WebSocket, and where those are
 * blocked, server-sent events.
 */
import { apiPath, askForToken } from './api.js';

/**
 * Topics by the cursor up to which each is known; empty where nothing is.
 * @typedef {Map<string, string>} Topics
 * @typedef {{ said: (text: string) => void, ended: () => void }} Listener
 * @typedef {{ follow: (topics: Topics) => void, close: () => void }} Carrier  `close` ends it without a word
 */

/** With which the server closes a connection whose token is no longer good. */
const LOGGED_OUT = 4401;

/** @param {Listener} listener @returns {Carrier} */
export function webSocket(listener) {
  const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
  const made = new WebSocket(`${scheme}://${location.host}${apiPath('/ws')}`);
  /** @type {Set<string>} */
  const told = new Set();
  /** @type {Topics} */
  let wanted = new Map();
  const tell = () => {
    if (made.readyState !== WebSocket.OPEN) return;
    for (const topic of told) if (!wanted.has(topic)) say(made, 'unsubscribe', topic);
    for (const [topic, cursor] of wanted) if (!told.has(topic)) say(made, 'subscribe', topic, cursor);
    told.clear();
    for (const topic of wanted.keys()) told.add(topic);
  };
  made.onopen = tell;
  made.onmessage = (event) => listener.said(event.data);
  made.onclose = ({ code }) => (code === LOGGED_OUT ? askForToken() : listener.ended());
  return {
    follow(topics) {
      wanted = topics;
      tell();
    },
    close() {
      made.onclose = made.onmessage = null;
      made.close();
    },
  };
}

/** @param {WebSocket} socket @param {string} type @param {string} topic @param {string} [cursor] */
function say(socket, type, topic, cursor) {
  socket.send(JSON.stringify(cursor ? { type, topic, cursor } : { type, topic }));
}

/** One stream for all topics: a browser opens few connections to a server. @param {Listener} listener @returns {Carrier} */
export function eventStream(listener) {
  /** @type {EventSource | null} */
  let source = null;
  let held = '';
  const close = () => {
    source?.close();
    source = null;
  };
  return {
    follow(topics) {
      // A page that follows nothing wants to know whether the server lives all the same.
      const wanted = [...topics.keys()].sort().join(',') || 'operations';
      if (source && wanted === held) return;
      held = wanted;
      close();
      source = new EventSource(`${apiPath('/stream')}?topic=${encodeURIComponent(wanted)}`);
      source.onmessage = (event) => listener.said(event.data);
      // When to come back is decided in one place for both ways.
      source.onerror = () => {
        close();
        listener.ended();
      };
    },
    close,
  };
}
