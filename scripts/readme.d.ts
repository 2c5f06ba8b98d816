/** For the tests that keep README.md and docs/devnet.md true. */
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
