/**
 * Reads request bodies and query strings, and complains about them in yagna's words. Which form a complaint about the
 * body takes differs by API: market wraps it in `{"message"}`, payment answers plain text.
 */
import type { FastifyRequest } from 'fastify';
import { parseRfc3339 } from '../clock';
import { OUT_OF_RANGE, readDecimal } from './decimal-text';
import { failure, textFailure, type HttpError } from './errors';
import { endOfField, syntaxComplaint, tooDeepAt } from './json-text';

export type Api = 'market' | 'payment';
export type JsonObject = Record<string, unknown>;

function bodyFailure(api: Api, text: string): HttpError {
  return api === 'market' ? failure(400, text) : textFailure(400, text);
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
    if (isObject(this.json)) return this.json;
    throw this.fail('invalid type, expected a map');
  }

  /** Whether a field is there, and not null. */
  has(name: string): boolean {
    return (this.object()[name] ?? null) !== null;
  }

  required(name: string): unknown {
    const value = this.object()[name];
    if (value === undefined) throw this.fail(`missing field \`${name}\``);
    return value;
  }

  string(name: string): string {
    const value = this.required(name);
    if (typeof value === 'string') return value;
    throw this.wrongType(name, value, 'a string');
  }

  /** False when it is not there. */
  boolean(name: string): boolean {
    const value = this.object()[name] ?? false;
    if (typeof value === 'boolean') return value;
    throw this.wrongType(name, value, 'a boolean');
  }

  /** An object in a field. @param kind what yagna's parser calls it */
  inner(name: string, kind: string): Body {
    const value = this.required(name);
    if (isObject(value)) return new Body(this.api, this.text, value);
    throw this.wrongType(name, value, kind);
  }

  oneOf<T extends string>(name: string, variants: readonly T[]): T {
    const value = this.string(name);
    if ((variants as readonly string[]).includes(value)) return value as T;
    const names = variants.map((variant) => `\`${variant}\``);
    const expected = names.length === 2 ? names.join(' or ') : `one of ${names.join(', ')}`;
    throw this.fail(`unknown variant \`${value}\`, expected ${expected}`, this.columnAfter(name));
  }

  /** Decimal amount, from a string or a number, as text without exponent. */
  amount(name: string): string {
    const value = this.required(name);
    if (typeof value !== 'string' && typeof value !== 'number')
      throw this.wrongType(name, value, 'a number or formatted decimal string');
    // JSON has no infinity: that is a number too large for JavaScript.
    const isTooLarge = typeof value === 'number' && !Number.isFinite(value);
    const read = isTooLarge ? OUT_OF_RANGE : readDecimal(String(value));
    if ('plain' in read) return read.plain;
    throw this.fail(read.complaint, this.columnAfter(name));
  }

  /** RFC 3339 time in nanoseconds. */
  time(name: string): bigint {
    const nanos = parseRfc3339(this.string(name));
    if (nanos === undefined) throw this.fail('input contains invalid characters', this.columnAfter(name));
    return nanos;
  }

  wrongType(name: string, value: unknown, expected: string): HttpError {
    return this.fail(`invalid type: ${typeName(value)}, expected ${expected}`, this.columnAfter(name));
  }

  /** Where the value of a field ends. */
  columnAfter(name: string): number {
    return endOfField(this.text, name) ?? this.text.length;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'number')
    return Number.isInteger(value) ? `integer \`${value}\`` : `floating point \`${value}\``;
  if (typeof value === 'boolean') return `boolean \`${value}\``;
  if (typeof value === 'string') return `string ${JSON.stringify(value)}`;
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

  /** A number of things, of which there cannot be less than none. */
  count(name: string): number | undefined {
    const value = this.integer(name);
    if (value !== undefined && value < 0) throw queryFailure('invalid digit found in string');
    return value;
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
