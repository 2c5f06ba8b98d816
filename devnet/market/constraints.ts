/**
 * Golem's constraint expressions (LDAP-like filters over flat properties) and their three-valued evaluation: a
 * constraint on a property that is not there is undefined, and only a true one matches.
 */
export type Properties = Record<string, unknown>;

type Comparison = '=' | '<' | '<=' | '>' | '>=';

export type Constraint =
  | { kind: 'all' | 'any'; parts: Constraint[] }
  | { kind: 'not'; part: Constraint }
  | { kind: 'present'; property: string }
  | { kind: 'compare'; property: string; type: ValueType; comparison: Comparison; value: string }
  | { kind: 'empty' };

/** `$v`, `$d`, `$t` behind a property's name: compare as version, decimal or date. */
type ValueType = 'any' | 'version' | 'decimal' | 'date';

/** Parses an expression; undefined when it is none (such a demand matches nothing). */
export function parseConstraints(text: string): Constraint | undefined {
  const parser = new Parser(text);
  try {
    return parser.filter();
  } catch {
    return undefined;
  }
}

/** How deep an expression may be nested. */
const MAX_DEPTH = 200;

class Parser {
  private at = 0;
  private depth = 0;

  constructor(private readonly text: string) {}

  filter(): Constraint {
    if (++this.depth > MAX_DEPTH) throw new Error('nested too deep');
    const constraint = this.inner();
    this.depth--;
    return constraint;
  }

  private inner(): Constraint {
    this.skipSpace();
    this.expect('(');
    this.skipSpace();
    const operator = this.text[this.at];
    if (operator === ')') {
      this.at++;
      return { kind: 'empty' };
    }
    if (operator === '&' || operator === '|') {
      this.at++;
      const parts: Constraint[] = [];
      for (this.skipSpace(); this.text[this.at] === '('; this.skipSpace()) parts.push(this.filter());
      this.expect(')');
      return { kind: operator === '&' ? 'all' : 'any', parts };
    }
    if (operator === '!') {
      this.at++;
      const part = this.filter();
      this.skipSpace();
      this.expect(')');
      return { kind: 'not', part };
    }
    return this.item();
  }

  private item(): Constraint {
    const end = this.text.indexOf(')', this.at);
    if (end < 0) throw new Error('unclosed');
    const match = /^([^=<>~]+)(=|<=|>=|<|>)([\s\S]*)$/.exec(this.text.slice(this.at, end));
    if (!match) throw new Error('no comparison');
    this.at = end + 1;
    const [, reference = '', comparison, value = ''] = match;
    const { property, type } = propertyReference(reference.trim());
    if (comparison === '=' && value === '*') return { kind: 'present', property };
    return { kind: 'compare', property, type, comparison: comparison as Comparison, value };
  }

  private expect(character: string): void {
    if (this.text[this.at] !== character) throw new Error(`expected ${character}`);
    this.at++;
  }

  private skipSpace(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at++;
  }
}

function propertyReference(text: string): { property: string; type: ValueType } {
  const match = /^(.*)\$([vdt])$/.exec(text);
  if (!match) return { property: text, type: 'any' };
  return {
    property: match[1] ?? '',
    type: match[2] === 'v' ? 'version' : match[2] === 'd' ? 'decimal' : 'date',
  };
}

/** True, false, or undefined when a property it needs is missing or of another type. */
export function evaluate(constraint: Constraint, properties: Properties): boolean | undefined {
  switch (constraint.kind) {
    case 'empty':
      return true;
    case 'present':
      return Object.hasOwn(properties, constraint.property) ? true : undefined;
    case 'not': {
      const value = evaluate(constraint.part, properties);
      return value === undefined ? undefined : !value;
    }
    case 'all':
    case 'any': {
      const decisive = constraint.kind === 'any';
      let unknown = false;
      for (const part of constraint.parts) {
        const value = evaluate(part, properties);
        if (value === decisive) return decisive;
        if (value === undefined) unknown = true;
      }
      return unknown ? undefined : !decisive;
    }
    case 'compare': {
      const { property } = constraint;
      const actual = Object.hasOwn(properties, property) ? properties[property] : undefined;
      if (actual === undefined || actual === null) return undefined;
      return compare(actual, constraint.type, constraint.comparison, constraint.value);
    }
  }
}

function compare(
  actual: unknown,
  type: ValueType,
  comparison: Comparison,
  value: string,
): boolean | undefined {
  if (type !== 'any') {
    const [left, right] = [typedNumbers(type, actual), typedNumbers(type, value)];
    if (!left) return undefined;
    return right ? holds(comparison, order(left, right)) : false;
  }
  if (Array.isArray(actual)) return comparison === '=' && listEquals(actual, value);
  if (typeof actual === 'boolean') {
    return comparison === '=' && (value === 'true' || value === 'false') && actual === (value === 'true');
  }
  if (typeof actual === 'number') {
    const wanted = value.trim() === '' ? NaN : Number(value);
    return !Number.isNaN(wanted) && holds(comparison, Math.sign(actual - wanted));
  }
  if (typeof actual !== 'string') return undefined;
  if (comparison === '=') return stringEquals(actual, value);
  return holds(comparison, actual < value ? -1 : actual > value ? 1 : 0);
}

function holds(comparison: Comparison, sign: number): boolean {
  if (comparison === '=') return sign === 0;
  if (comparison === '<') return sign < 0;
  if (comparison === '<=') return sign <= 0;
  return comparison === '>' ? sign > 0 : sign >= 0;
}

/** `*` in the constraint's value stands for any text. Each piece between them is looked for once, from left to right. */
function stringEquals(actual: string, wanted: string): boolean {
  const [first = '', ...pieces] = wanted.split('*');
  const last = pieces.pop();
  if (last === undefined) return actual === wanted;
  const end = actual.length - last.length;
  if (first.length > end || !actual.startsWith(first) || !actual.endsWith(last)) return false;
  const between = actual.slice(first.length, end);
  let at = 0;
  return pieces.every((piece) => {
    const found = between.indexOf(piece, at);
    at = found + piece.length;
    return found >= 0;
  });
}

/** `[a,b]` means the same members in any order; anything else means one of the members. */
function listEquals(actual: readonly unknown[], wanted: string): boolean {
  const list = /^\[(.*)\]$/s.exec(wanted.trim());
  const isMember = (value: string): boolean =>
    actual.some((item) => compare(item, 'any', '=', value) === true);
  if (!list) return isMember(wanted);
  const members = (list[1] ?? '').split(',').map((member) => member.trim());
  return members.length === actual.length && members.every(isMember);
}

/** A version (release part only), decimal or date as numbers to be compared one by one. */
function typedNumbers(type: ValueType, value: unknown): number[] | undefined {
  const text = String(value);
  if (type === 'version') {
    const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
    return match ? match.slice(1, 4).map((part) => Number(part ?? 0)) : undefined;
  }
  const number = type === 'decimal' ? Number(text) : Date.parse(text);
  return Number.isNaN(number) ? undefined : [number];
}

function order(left: readonly number[], right: readonly number[]): number {
  for (let i = 0; i < left.length; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
}

/** Nested properties as flat ones with dots, in the order of their names. */
export function flatten(nested: Record<string, unknown>): Properties {
  const flat: [string, unknown][] = [];
  const walk = (prefix: string, value: unknown): void => {
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    if (isMap && Object.keys(value).length > 0) {
      for (const [key, inner] of Object.entries(value)) walk(prefix === '' ? key : `${prefix}.${key}`, inner);
    } else {
      flat.push([prefix, value]);
    }
  };
  walk('', nested);
  flat.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(flat);
}

/** What two parties put against each other: each side's properties and constraints. */
export interface Terms {
  properties: Properties;
  constraints: string;
}

export interface ParsedTerms {
  properties: Properties;
  constraint: Constraint | undefined;
}

export function parseTerms(terms: Terms): ParsedTerms {
  return { properties: terms.properties, constraint: parseConstraints(terms.constraints) };
}

/** Both sides' constraints hold for the other side's properties. */
export function matches(demand: ParsedTerms, offer: ParsedTerms): boolean {
  if (!demand.constraint || !offer.constraint) return false;
  return (
    evaluate(demand.constraint, offer.properties) === true &&
    evaluate(offer.constraint, demand.properties) === true
  );
}
