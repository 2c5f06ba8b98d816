/** For the tests that keep README.md and docs/ true. */

/** Paths in the checkout. */
export function pages(): string[];

/** The code that a page shows; tables that are not given stay as they are. */
export function renewedCode(page: string, tables?: Record<string, string>): string;

export function renewed(
  readme: string,
  schema: object,
  failures: Record<string, { means: string; action: string }>,
): string;

export function renewedDevnet(
  page: string,
  operations: { on: string; actions: readonly string[] }[],
  effects: { kind: string; fields: string[]; means: string }[],
): string;
