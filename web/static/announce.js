/** What is read aloud: outcomes only, never a tick. */
import { signal } from './lib.js';
import { clean, count, titleOf } from './format.js';
import { word } from './status.js';

/** @typedef {import('./types').Operation} Operation */

export const announcement = signal('');

/** @param {Operation[]} ended */
export function announceOutcomes(ended) {
  if (ended.length) announcement.value = ended.length > 3 ? summary(ended) : ended.map(sentence).join(' ');
}

/** @param {Operation} operation */
function sentence(operation) {
  return `${titleOf(operation, 80)}: ${word(operation.status)}${place(operation)}.`;
}

/** @param {Operation} operation */
function place({ children, status, step }) {
  if (children.total > 0) return `, ${count(children.complete)} of ${count(children.total)} complete`;
  return status === 'error' && step ? ` at ${clean(step.name, 80)}` : '';
}

/** @param {Operation[]} ended */
function summary(ended) {
  const failed = ended.filter((operation) => operation.status === 'error' || operation.status === 'lost').length;
  return `${ended.length} operations ended, ${failed} of them failed.`;
}
