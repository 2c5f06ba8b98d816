/**
 * Reads request bodies and query strings, and complains about them in yagna's words. Which form a complaint about the
 * body takes differs by API: market wraps it in `{"message"}`, payment answers plain text.
 */
import type { FastifyRequest } from 'fastify';
import { parseRfc3339 } from '../clock';
import { failure, textFailure, type HttpError } from './errors';

export type Api = 'market' | 'payment';
export type JsonObject = Record<string, unknown>;

function bodyFailure(api: Api, text: string): HttpError {
  return api === 'market' ? failure(400, text) : textFailure(400, text);
}

/** Where a JSON text ended too early, or what is wrong with it, roughly as yagna's parser says it. */
function syntaxComplaint(text: string): string {
  const place = `at line ${text.split('\n').length} column ${text.length - text.lastIndexOf('\n') - 1}`;
  const trimmed = text.trimEnd();
  if (trimmed === '' || trimmed.endsWith(':') || trimmed.endsWith(','))
    return `EOF while parsing a value ${place}`;
  if (trimmed.endsWith('{')) return `EOF while parsing an object ${place}`;
  if (trimmed.endsWith('[')) return `EOF while parsing a list ${place}`;
  if ((trimmed.match(/(?<!\\)"/g)?.length ?? 0) % 2 === 1) return `EOF while parsing a string ${place}`;
  return /^[{["]/.test(trimmed) && !/[}\]"]$/.test(trimmed)
    ? `EOF while parsing an object ${place}`
    : 'expected value at line 1 column 1';
}

/** How deep a JSON text may be nested, as for yagna's parser. */
const MAX_DEPTH = 128;

/** Where a JSON text is nested too deep, as a column; undefined when it is not. */
export function tooDeepAt(text: string): number | undefined {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (inString) {
      if (character === '\\') i++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') {
      if (++depth > MAX_DEPTH) return i + 1;
    } else if (character === '}' || character === ']') depth--;
  }
  return undefined;
}

/** A request's JSON body, with the text it came from for telling places in it. */
export class Body {
  private constructor(
    readonly api: Api,
    readonly text: string,
    readonly json: unknown,
  ) {}

  static of(api: Api, request: FastifyRequest): Body {
    const type = request.headers['content-type'];
    if (!type || !/^application\/json\b/.test(type)) throw bodyFailure(api, 'Content type error');
    const text = typeof request.body === 'string' ? request.body : '';
    const column = tooDeepAt(text);
    if (column !== undefined) {
      const complaint = `recursion limit exceeded at line 1 column ${column}`;
      throw bodyFailure(api, `Json deserialize error: ${complaint}`);
    }
    try {
      return new Body(api, text, JSON.parse(text));
    } catch {
      throw bodyFailure(api, `Json deserialize error: ${syntaxComplaint(text)}`);
    }
  }

  fail(complaint: string, column = this.text.length): HttpError {
    return bodyFailure(this.api, `Json deserialize error: ${complaint} at line 1 column ${column}`);
  }

  object(): JsonObject {
    if (typeof this.json === 'object' && this.json !== null && !Array.isArray(this.json))
      return this.json as JsonObject;
    throw this.fail('invalid type, expected a map');
  }

  required(name: string): unknown {
    const value = this.object()[name];
    if (value === undefined) throw this.fail(`missing field \`${name}\``);
    return value;
  }

  string(name: string): string {
    const value = this.required(name);
    if (typeof value === 'string') return value;
    throw this.fail(`invalid type: ${typeName(value)}, expected a string`, this.columnAfter(name));
  }

  oneOf<T extends string>(name: string, variants: readonly T[]): T {
    const value = this.string(name);
    if ((variants as readonly string[]).includes(value)) return value as T;
    const names = variants.map((variant) => `\`${variant}\``);
    const expected = names.length === 2 ? names.join(' or ') : `one of ${names.join(', ')}`;
    throw this.fail(`unknown variant \`${value}\`, expected ${expected}`, this.columnAfter(name));
  }

  /** Decimal amount, from a string or a number, as text. */
  amount(name: string): string {
    const value = this.required(name);
    const text = typeof value === 'number' ? String(value) : value;
    if (typeof text === 'string' && /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) return text;
    throw this.fail('invalid digit found in string', this.columnAfter(name));
  }

  /** RFC 3339 time in nanoseconds. */
  time(name: string): bigint {
    const nanos = parseRfc3339(this.string(name));
    if (nanos === undefined) throw this.fail('input contains invalid characters', this.columnAfter(name));
    return nanos;
  }

  private columnAfter(name: string): number {
    const match = new RegExp(`"${name}"\\s*:\\s*("(?:[^"\\\\]|\\\\.)*"|[^,}\\s]+)`).exec(this.text);
    return match ? match.index + match[0].length : this.text.length;
  }
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'number')
    return Number.isInteger(value) ? `integer \`${value}\`` : `floating point \`${value}\``;
  if (typeof value === 'boolean') return `boolean \`${value}\``;
  return Array.isArray(value) ? 'sequence' : 'map';
}

/** A request's query string. */
export class Query {
  private readonly values: JsonObject;

  constructor(request: FastifyRequest) {
    this.values = request.query as JsonObject;
  }

  text(name: string): string | undefined {
    const value = this.values[name];
    return typeof value === 'string' ? value : Array.isArray(value) ? String(value.at(-1)) : undefined;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw queryFailure(`missing field \`${name}\``);
    return value;
  }

  number(name: string, fallback: number): number {
    const text = this.text(name);
    if (text === undefined) return fallback;
    const value = Number(text);
    if (text.trim() === '' || Number.isNaN(value)) throw queryFailure('invalid float literal');
    return value;
  }

  integer(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!/^[+-]?\d+$/.test(text)) throw queryFailure('invalid digit found in string');
    if (Math.abs(Number(text)) >= 2 ** 31) throw queryFailure('number too large to fit in target type');
    return Number(text);
  }

  /** RFC 3339 time in nanoseconds. */
  time(name: string): bigint | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    // A `+` of a zone arrives as a space when the client did not encode it.
    const nanos = parseRfc3339(text.replace(/ (?=\d\d:\d\d$)/, '+'));
    if (nanos !== undefined) return nanos;
    throw queryFailure(
      /^\d{4}-\d\d-\d\d$/.test(text) ? 'premature end of input' : 'input contains invalid characters',
    );
  }
}

export function queryFailure(complaint: string): HttpError {
  return textFailure(400, `Query deserialize error: ${complaint}`);
}

/** The market API's bound on `maxEvents`. */
export function marketMaxEvents(query: Query, fallback: number): number {
  const value = query.integer('maxEvents') ?? fallback;
  if (value >= 1 && value <= 100) return value;
  throw failure(400, `Invalid maxEvents '${value}', should be between 1 and 100.`);
}
