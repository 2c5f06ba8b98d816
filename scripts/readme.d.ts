/** For the tests that keep README.md and docs/ true. */

/** Paths in the checkout. */
export function pages(): string[];

/** A page with the code that it shows, and its tables, made anew. */
export function renewed(page: string, tables: Record<string, string>): string;

/** The tables that pages take from the code, by name. */
export function tablesOf(from: {
  schema: object;
  failures: Record<string, { means: string; action: string }>;
  operations: { on: string; actions: readonly string[] }[];
  effects: { kind: string; fields: string[]; means: string }[];
  commands: {
    name: string;
    usage: string;
    means: string;
    options: [flags: string, means: string][];
    example: readonly string[];
  }[];
  exitCodes: readonly (readonly [number, string])[];
}): Record<string, string>;
