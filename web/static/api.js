/** What the page asks of its server over HTTP. */

/** @typedef {import('./types').Operation} Operation */

const root = document.documentElement;

/** Path before every URL of this server, such as `/tracker`; often empty. */
export const BASE = root.dataset.base ?? '';

/**
 * Whether this page was rendered by the server that now calls itself `version`: by its version, or by
 * that of its files, which changes with every change to them.
 * @param {string} version
 */
export const isOwn = (version) => version === root.dataset.version || version === root.dataset.assets;

/**
 * A JSON answer, or null for 404. Rejects with a line for people on everything else.
 * @param {string} path
 */
async function get(path) {
  const response = await fetch(`${BASE}/api/v1${path}`, { headers: { accept: 'application/json' }, cache: 'no-store' });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`the server answered ${response.status} to ${path}`);
  return response.json();
}

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
 * Up to 200 children with one status.
 * @param {string} id
 * @param {string} status
 * @returns {Promise<Operation[]>}
 */
export async function childrenWith(id, status) {
  return (await get(`/operations/${encodeURIComponent(id)}/children?limit=200&status=${status}`))?.items ?? [];
}

/**
 * Have something done to an operation; the operation as it is then. Rejects with the reason for people.
 * @param {string} id
 * @param {'cancel' | 'resume' | 'rerun'} verb
 * @returns {Promise<Operation & { expected?: { summary: string } }>}
 */
export async function act(id, verb) {
  const path = `${BASE}/api/v1/operations/${encodeURIComponent(id)}/${verb}`;
  const response = await fetch(path, { method: 'POST', headers: { accept: 'application/json' } });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.detail || answer.title || `the server answered ${response.status}`);
  return answer;
}
