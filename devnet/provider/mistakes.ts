/** Says in plain language what is wrong in settings: one line a mistake, with its place. */
import type { z } from 'zod';
import { nearestKey } from '../../model/nearest-key';
import { hardwareSchema, pricingSchema, providerSchema } from './config';

/** A form that settings have. */
export interface Form {
  /** What is wrong when no one setting is. */
  name: string;
  /** Names of the settings at a place in it. */
  keysAt(path: readonly PropertyKey[]): string[];
}

const FILE_KEYS = ['profile', 'timeScale', 'rebroadcastSec', 'providers'];
const PROVIDERS: Form = {
  name: 'providers',
  keysAt: (path) => {
    const last = path.at(-1);
    if (last === undefined) return FILE_KEYS;
    if (last === 'hardware') return Object.keys(hardwareSchema.shape);
    if (last === 'pricing') return Object.keys(pricingSchema.shape);
    return Object.keys(providerSchema.shape);
  },
};

/** @param input the whole of it, to quote from */
export function mistakeOf(issue: z.core.$ZodIssue, input: unknown, form = PROVIDERS): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(
      (key) => `${place([...issue.path, key], form)}: no such setting${advice(key, issue.path, form)}`,
    );
  }
  return [`${place(issue.path, form)}: ${complaint(issue, valueAt(input, issue.path), issue.path.at(-1))}`];
}

function advice(key: string, path: readonly PropertyKey[], form: Form): string {
  const known = form.keysAt(path);
  const near = nearestKey(key, known) ?? (form === PROVIDERS ? nested(key, path) : undefined);
  if (near !== undefined) return `, did you mean "${near}"?`;
  return known.length <= FEW ? `; there are ${known.join(', ')}` : '';
}

const FEW = 6;

/** `hardware.cpuCores` for `cores` in a provider. */
function nested(key: string, path: readonly PropertyKey[]): string | undefined {
  if (typeof path.at(-1) !== 'number') return undefined;
  for (const group of ['hardware', 'pricing']) {
    const near = nearestKey(key, PROVIDERS.keysAt([group]));
    if (near !== undefined) return `${group}.${near}`;
  }
  return undefined;
}

function complaint(issue: z.core.$ZodIssue, value: unknown, key: PropertyKey | undefined): string {
  // A setting that says itself what it should be.
  if (value !== undefined && !/^(Invalid|Too) /.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      if (value === undefined) return 'is missing';
      return `expected ${nameOfType(issue.expected, key)}, not ${quote(value)}`;
    case 'invalid_value': {
      const known = issue.values.map(String);
      return `expected one of ${known.map(quote).join(', ')}, not ${quote(value)}`;
    }
    case 'too_small':
      if (issue.origin === 'string') return 'must not be empty';
      if (issue.origin === 'array') return 'at least one is needed';
      return `must be ${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}, not ${quote(value)}`;
    case 'too_big':
      return `must be ${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}, not ${quote(value)}`;
    default:
      return issue.message;
  }
}

function nameOfType(expected: string, key: PropertyKey | undefined): string {
  switch (expected) {
    case 'number':
      return String(key).endsWith('Sec') ? 'a number of seconds' : 'a number';
    case 'int':
      return 'a whole number';
    case 'boolean':
      return 'true or false';
    case 'array':
      return 'a list';
    case 'object':
      return 'an object';
    default:
      return `a ${expected}`;
  }
}

const LONGEST_QUOTE = 60;

function quote(value: unknown): string {
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text;
}

function place(path: readonly PropertyKey[], form: Form): string {
  const text = path.reduce<string>(
    (before, step) =>
      typeof step === 'number' ? `${before}[${step}]` : before + (before === '' ? '' : '.') + String(step),
    '',
  );
  return text === '' ? form.name : text;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, step) =>
      typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[step] : undefined,
    input,
  );
}
