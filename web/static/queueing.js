/** Sending a form once: what was sent and heard no answer is repeated under the same key, so it is queued once at most. */
import { post, Refusal } from './api.js';

/** @typedef {{ text: string, errors: { pointer?: string, detail: string }[] }} Complaint */

/** Random, also where the page has no secure context. */
const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');

export class Sending {
  #body = '';
  #key = '';

  /**
   * The operation that was queued. Rejects with the reason for people.
   * @param {string} path
   * @param {object} body
   * @returns {Promise<import('./types').Operation>}
   */
  async send(path, body) {
    const text = JSON.stringify(body);
    if (text !== this.#body) [this.#body, this.#key] = [text, newKey()];
    const answer = await post(path, body, { 'idempotency-key': this.#key });
    this.#body = '';
    return answer;
  }
}

/** What went wrong, for people. @param {unknown} error @returns {Complaint} */
export function complaintOf(error) {
  const text = error instanceof Error ? error.message : 'the server did not answer';
  return { text, errors: error instanceof Refusal ? error.errors : [] };
}

/** Parts of a pointer as in RFC 6901. @param {string} pointer */
export const partsOf = (pointer) => pointer.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
