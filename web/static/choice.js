/** Which operations are asked for, by the query of the page. Pure functions. */

/** @typedef {import('./types').Operation} Operation */
/** @typedef {{ status: string, name: string, step: string, words: string[] }} Choice */

/** @param {URLSearchParams} query @returns {Choice} */
export function choiceOf(query) {
  const [status, name, step, text] = ['status', 'name', 'step', 'q'].map((key) => query.get(key) ?? '');
  return { status: status ?? '', name: name ?? '', step: step ?? '', words: (text ?? '').toLowerCase().split(/\s+/).filter(Boolean) };
}

/** @param {Choice} choice */
export const isEverything = ({ status, name, step, words }) => !status && !name && !step && !words.length;

/** A step is asked for among those that run: of all others it says nothing where they are. @param {Operation} operation @param {Choice} choice */
export function isChosen(operation, { status, name, step, words }) {
  if (status && operation.status !== status) return false;
  if (name && operation.name !== name) return false;
  if (step && (operation.status !== 'running' || operation.step?.name !== step)) return false;
  return !words.length || words.every((word) => textOf(operation).includes(word));
}

/** Operations are never changed, only replaced, so that their text can be kept. @type {WeakMap<Operation, string>} */
const texts = new WeakMap();

/** All that is searched. @param {Operation} operation */
function textOf(operation) {
  const known = texts.get(operation);
  if (known !== undefined) return known;
  const { id, title, name, step, error, worker, labels } = operation;
  const pairs = Object.entries(labels).map((pair) => pair.join('='));
  const text = [id, title, name, step?.name, error?.type, error?.message, worker?.host, ...pairs].join('\n').toLowerCase();
  texts.set(operation, text);
  return text;
}
