/**
 * A job's argument schema as fields of a form, and what was typed into them as arguments. Pure functions.
 * The server holds the arguments against the schema; here only what a person types is understood.
 */

/**
 * @typedef {{ type?: string, anyOf?: Schema[], enum?: unknown[], const?: unknown, items?: Schema, $ref?: string, $defs?: Record<string, Schema>,
 *   properties?: Record<string, Schema>, required?: string[], default?: unknown, description?: string, format?: string, writeOnly?: boolean,
 *   minimum?: number, maximum?: number, exclusiveMinimum?: number, exclusiveMaximum?: number, minLength?: number, maxLength?: number, pattern?: string }} Schema
 * @typedef {'text' | 'secret' | 'number' | 'choice' | 'flag' | 'lines' | 'json'} Kind
 * @typedef {{ name: string, kind: Kind, required: boolean, hint: string, initial: string, choices: string[], whole: boolean, blank: boolean }} Field
 * @typedef {Record<string, string>} Texts
 */

/** @param {Schema} schema @returns {Field[]} */
export function fieldsOf(schema) {
  return Object.entries(schema.properties ?? {}).map(([name, property]) => fieldOf(name, property, schema));
}

/** @param {string} name @param {Schema} property @param {Schema} schema @returns {Field} */
function fieldOf(name, property, schema) {
  const plain = (property.anyOf ?? [property]).filter((choice) => choice.type !== 'null').map((choice) => resolved(choice, schema));
  const only = plain.length === 1 ? { ...plain[0], writeOnly: property.writeOnly ?? plain[0]?.writeOnly } : { ...property, anyOf: undefined };
  const kind = plain.length === 1 ? kindOf(only) : 'json';
  const required = (schema.required ?? []).includes(name);
  return {
    name,
    kind,
    required,
    hint: hintOf(only, property, required),
    initial: textOf(kind, property.default),
    choices: (only.enum ?? []).map((choice) => (typeof choice === 'string' ? choice : JSON.stringify(choice))),
    whole: only.type === 'integer',
    blank: required && ['text', 'secret', 'lines'].includes(kind) && !only.minLength,
  };
}

/** @param {Schema} schema @param {Schema} root @returns {Schema} */
function resolved(schema, root) {
  const name = schema.$ref?.split('/').pop() ?? '';
  const found = root.$defs?.[name];
  return found ? { ...found, ...schema, $ref: undefined } : schema;
}

/** @param {Schema} schema @returns {Kind} */
function kindOf(schema) {
  if (schema.enum) return 'choice';
  if (schema.type === 'boolean') return 'flag';
  if (schema.type === 'integer' || schema.type === 'number') return 'number';
  if (schema.type === 'string') return schema.writeOnly || schema.format === 'password' ? 'secret' : 'text';
  return schema.type === 'array' && schema.items?.type === 'string' && !schema.items.enum ? 'lines' : 'json';
}

/** What may stand there, in words. @param {Schema} only @param {Schema} property @param {boolean} required */
function hintOf(only, property, required) {
  const low = only.minimum ?? only.exclusiveMinimum;
  const high = only.maximum ?? only.exclusiveMaximum;
  const parts = [
    property.description ?? only.description ?? '',
    low !== undefined && high !== undefined ? `${low} to ${high}` : '',
    low !== undefined && high === undefined ? `${only.minimum === undefined ? 'more than' : 'at least'} ${low}` : '',
    high !== undefined && low === undefined ? `${only.maximum === undefined ? 'less than' : 'at most'} ${high}` : '',
    only.format && only.format !== 'password' ? only.format : '',
    only.pattern ? `like ${only.pattern}` : '',
    required || property.default === undefined || property.default === null ? '' : `otherwise ${JSON.stringify(property.default)}`,
  ];
  return parts.filter(Boolean).join(' · ');
}

/** How a value stands in its field. @param {Kind} kind @param {unknown} value */
function textOf(kind, value) {
  if (value === undefined || value === null) return '';
  if (kind === 'lines' && Array.isArray(value)) return value.join('\n');
  return typeof value === 'string' && kind !== 'json' ? value : JSON.stringify(value);
}

/**
 * The argument that a text stands for; undefined to leave it out. Throws a line for people.
 * @param {Field} field
 * @param {string} text
 */
export function argumentOf(field, text) {
  if (field.kind === 'flag') return text === '' && !field.required ? undefined : text === 'true';
  if (text.trim() === '' && !field.blank) {
    if (field.required) throw new Error('is needed');
    return undefined;
  }
  if (field.kind === 'number') return numberOf(field, text);
  if (field.kind === 'lines') return text.split('\n').map((line) => line.trim()).filter(Boolean);
  if (field.kind === 'json') return parsed(text);
  return field.kind === 'choice' ? choiceOf(field, text) : text;
}

/** @param {Field} field @param {string} text */
function numberOf(field, text) {
  const value = Number(text.trim());
  if (!Number.isFinite(value) || (field.whole && !Number.isInteger(value))) throw new Error(`is no ${field.whole ? 'whole ' : ''}number`);
  return value;
}

/** @param {Field} field @param {string} text */
function choiceOf(field, text) {
  if (!field.choices.includes(text)) throw new Error(`is none of ${field.choices.join(', ')}`);
  try {
    const value = JSON.parse(text);
    return typeof value === 'string' ? text : value;
  } catch {
    return text;
  }
}

/** @param {string} text */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error('is no JSON; texts stand in "quotes"');
  }
}

/**
 * All arguments, and what is wrong by name of the field.
 * @param {Field[]} fields
 * @param {Texts} texts
 * @returns {{ args: Record<string, unknown>, faults: Texts }}
 */
export function argumentsOf(fields, texts) {
  /** @type {Record<string, unknown>} */
  const args = {};
  /** @type {Texts} */
  const faults = {};
  for (const field of fields) {
    try {
      const value = argumentOf(field, texts[field.name] ?? '');
      if (value !== undefined) args[field.name] = value;
    } catch (error) {
      faults[field.name] = error instanceof Error ? error.message : String(error);
    }
  }
  return { args, faults };
}

/**
 * Labels as people type them: `tenant=acme, env=prod`. Throws a line for people.
 * @param {string} text
 */
export function labelsOf(text) {
  const pairs = text.split(/[,\n]/).map((part) => part.trim()).filter(Boolean);
  return Object.fromEntries(pairs.map((pair) => {
    const at = pair.indexOf('=');
    if (at < 1) throw new Error(`${pair} is no label; write name=value`);
    return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
  }));
}
