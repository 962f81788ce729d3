/** What the page asks of its server over HTTP. */

/** @typedef {import('./types').Operation} Operation */

const root = document.documentElement;

/** Path before every URL of this server, such as `/tracker`; often empty. */
export const BASE = root.dataset.base ?? '';

/** Who is logged in; empty where nobody has to. */
export const HOLDER = root.dataset.holder ?? '';

/** Whether what is seen may also be acted upon. */
export const MAY_ACT = root.dataset.role !== 'viewer';

/**
 * Whether this page was rendered by the server that now calls itself `version`: by its version, or by
 * that of its files, which changes with every change to them.
 * @param {string} version
 */
export const isOwn = (version) => version === root.dataset.version || version === root.dataset.assets;

/** Where a browser logs in and out. */
const LOGIN = '/login';
/** Status of an answer to somebody who is not logged in, or not any more. */
const UNKNOWN = 401;

/** Address of what the API has at `path`. @param {string} path */
export const apiPath = (path) => `${BASE}/api/v1${path}`;

/**
 * A JSON answer, or null for 404. Rejects with a line for people on everything else.
 * @param {string} path
 * @param {AbortSignal} [signal]
 */
export async function get(path, signal) {
  const options = { headers: { accept: 'application/json' }, cache: /** @type {const} */ ('no-store'), signal };
  const response = await fetch(apiPath(path), options).catch(unreachable);
  if (response.status === 404) return null;
  return understood(response, path);
}

/**
 * Have something queued or changed; the answer. Rejects with the reason for people.
 * @param {string} path
 * @param {unknown} [body]
 * @param {Record<string, string>} [headers]
 */
export const post = (path, body, headers = {}) => send('POST', path, body, headers);

/**
 * Have this browser remember a token, by what proves it. Rejects with the reason for people.
 * @param {string} token
 */
export const logIn = (token) => send('PUT', LOGIN, { token });

/** Have this browser forget it. */
export async function logOut() {
  await send('DELETE', LOGIN);
  askForToken();
}

/** Go where a token is asked for, and from there back here. */
export function askForToken() {
  location.assign(`${BASE}/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {Record<string, string>} [headers]
 */
async function send(method, path, body, headers = {}) {
  const given = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const options = { method, ...given, headers: { accept: 'application/json', ...given.headers, ...headers } };
  return understood(await fetch(apiPath(path), options).catch(unreachable), path);
}

/** What a refused request says of itself; `cursor` is where to go on from, if it says so. */
export class Refusal extends Error {
  /** @param {string} text @param {{ pointer?: string, parameter?: string, detail: string }[]} errors @param {string} cursor */
  constructor(text, errors, cursor) {
    super(text);
    this.errors = errors;
    this.cursor = cursor;
  }
}

/** @param {Response} response @param {string} path */
async function understood(response, path) {
  const answer = await response.json().catch((error) => (isAbort(error) ? unreachable(error) : {}));
  if (response.ok) return answer;
  if (response.status === UNKNOWN && path !== LOGIN) askForToken();
  throw new Refusal(answer.detail || answer.title || `the server answered ${response.status} to ${path}`, answer.errors ?? [], answer.cursor ?? '');
}

/** Nobody waits for the answer any more. @param {unknown} error */
const isAbort = (error) => error instanceof DOMException && error.name === 'AbortError';

/** @param {unknown} error @returns {never} */
function unreachable(error) {
  if (isAbort(error)) throw error;
  throw new Error('the server does not answer');
}

/** Where the API has an operation. @param {string} id */
export const operationAt = (id) => `/operations/${encodeURIComponent(id)}`;

/**
 * The operations a topic is about, read once.
 * @param {string} topic
 * @returns {Promise<Operation[]>}
 */
export async function read(topic) {
  const [kind, id] = [topic.split(':', 1)[0], encodeURIComponent(topic.slice(topic.indexOf(':') + 1))];
  if (kind === 'operations') return (await get('/operations?limit=200'))?.items ?? [];
  if (kind === 'children') return (await get(`/operations/${id}/children?limit=200`))?.items ?? [];
  const operation = await get(`/operations/${id}`);
  return operation ? [operation] : [];
}

/**
 * What the server says of all its answers, a sentence each.
 * @returns {Promise<string[]>}
 */
export async function readNotices() {
  return (await get('/notices'))?.items ?? [];
}

/**
 * An operation as it was at each of its attempts, with steps, oldest first.
 * @param {string} id
 * @returns {Promise<Operation[]>}
 */
export async function attemptsOf(id) {
  return (await get(`/operations/${encodeURIComponent(id)}/attempts`))?.items ?? [];
}

/**
 * A page of up to 200 children in the order they were queued, with one status if one is given.
 * @param {string} id
 * @param {string} status
 * @param {string} page  `next` of the page before; empty for the first
 * @returns {Promise<{ items: Operation[], next: string | null }>}
 */
export async function childrenOf(id, status, page) {
  const wanted = new URLSearchParams({ limit: '200', ...(status && { status }), ...(page && { page }) });
  return (await get(`/operations/${encodeURIComponent(id)}/children?${wanted}`)) ?? { items: [], next: null };
}

/**
 * Have something done to an operation; the operation as it is then. Rejects with the reason for people.
 * @param {string} id
 * @param {'cancel' | 'resume' | 'rerun'} verb
 * @param {{ terminate?: boolean }} [body]
 * @returns {Promise<Operation & { expected?: { summary: string } }>}
 */
export const act = (id, verb, body) => post(`${operationAt(id)}/${verb}`, body);
