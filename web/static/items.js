/**
 * The items of a batch from a list that was pasted or uploaded. Pure functions. A list is one of:
 * an array of JSON objects; a JSON object a line; CSV or tabs below a line of argument names; or
 * a value a line, where the job needs a single argument.
 */
import { argumentsOf } from './schema.js';

/**
 * @typedef {import('./schema').Field} Field
 * @typedef {{ line: number, text: string }} Fault
 * @typedef {{ items: Record<string, unknown>[], lines: number[], faults: Fault[], form: string }} Items
 */

/** Most items of a batch. */
export const MOST_ITEMS = 10000;

/**
 * @param {string} text
 * @param {Field[]} fields
 * @returns {Items}
 */
export function itemsOf(text, fields) {
  const rows = text.replace(/^\ufeff/, '').split(/\r?\n/).map((content, at) => ({ content, line: at + 1 }));
  const filled = rows.filter(({ content }) => content.trim() !== '');
  const first = filled[0]?.content.trim() ?? '';
  if (!first) return { items: [], lines: [], faults: [], form: '' };
  if (first.startsWith('[')) return ofArray(text);
  if (first.startsWith('{')) return gathered(filled, 'a JSON object a line', objectOf);
  const names = fields.map((field) => field.name);
  const separator = first.includes('\t') ? '\t' : ',';
  const header = cells(first, separator).map((cell) => cell.trim());
  if (header.every((cell) => names.includes(cell))) return ofTable(filled.slice(1), header, separator, fields);
  return ofValues(filled, fields);
}

/** @param {string} text @returns {Items} */
function ofArray(text) {
  try {
    const items = JSON.parse(text);
    const odd = items.findIndex((/** @type {unknown} */ item) => !isObject(item));
    if (odd >= 0) throw new Error(`item ${odd + 1} is no object of arguments`);
    return { items, lines: items.map(() => 0), faults: [], form: 'a JSON array' };
  } catch (error) {
    return { items: [], lines: [], faults: [{ line: 0, text: error instanceof Error ? error.message : '' }], form: 'a JSON array' };
  }
}

/** @param {unknown} value */
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);

/** @param {string} content */
function objectOf(content) {
  let value;
  try {
    value = JSON.parse(content);
  } catch {
    throw new Error('is no JSON');
  }
  if (!isObject(value)) throw new Error('is no object of arguments');
  return value;
}

/**
 * @param {{ content: string, line: number }[]} rows
 * @param {string} form
 * @param {(content: string) => Record<string, unknown>} understand  throws a line for people
 * @returns {Items}
 */
function gathered(rows, form, understand) {
  /** @type {Items} */
  const found = { items: [], lines: [], faults: [], form };
  for (const { content, line } of rows) {
    try {
      found.items.push(understand(content));
      found.lines.push(line);
    } catch (error) {
      found.faults.push({ line, text: error instanceof Error ? error.message : String(error) });
    }
  }
  return found;
}

/** @param {{ content: string, line: number }[]} rows @param {string[]} header @param {string} separator @param {Field[]} fields */
function ofTable(rows, header, separator, fields) {
  const form = separator === ',' ? 'CSV' : 'columns with tabs';
  return gathered(rows, form, (content) => {
    const row = cells(content, separator);
    if (row.length > header.length) throw new Error(`has ${row.length} columns, the first line names ${header.length}`);
    return understood(fields, Object.fromEntries(header.map((name, at) => [name, row[at] ?? ''])));
  });
}

/** @param {{ content: string, line: number }[]} rows @param {Field[]} fields @returns {Items} */
function ofValues(rows, fields) {
  const needed = fields.filter((field) => field.required);
  const only = needed.length === 1 ? needed[0] : fields.length === 1 ? fields[0] : undefined;
  if (only) return gathered(rows, `a value of ${only.name} a line`, (content) => understood(fields, { [only.name]: content.trim() }));
  const names = needed.map((field) => field.name).join(',') || fields.map((field) => field.name).join(',');
  return { items: [], lines: [], faults: [{ line: rows[0]?.line ?? 1, text: `begin with a line of argument names, such as ${names}` }], form: '' };
}

/** @param {Field[]} fields @param {import('./schema').Texts} texts */
function understood(fields, texts) {
  const { args, faults } = argumentsOf(fields, texts);
  const [fault] = Object.entries(faults);
  if (fault) throw new Error(`${fault[0]} ${fault[1]}`);
  return args;
}

/** Cells of a line of CSV; a cell in quotes may hold the separator and doubled quotes. @param {string} content @param {string} separator */
export function cells(content, separator) {
  const found = [''];
  let quoted = false;
  for (let at = 0; at < content.length; at += 1) {
    const character = content[at] ?? '';
    const last = found.length - 1;
    if (quoted && character === '"' && content[at + 1] === '"') found[last] += content[(at += 1)];
    else if (character === '"' && (quoted || found[last] === '')) quoted = !quoted;
    else if (character === separator && !quoted) found.push('');
    else found[last] += character;
  }
  return found;
}
