/** For the tests that keep README.md, docs/cli.md and docs/devnet.md true. */
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

export function renewedCli(
  page: string,
  commands: {
    name: string;
    usage: string;
    means: string;
    options: [flags: string, means: string][];
    example: readonly string[];
  }[],
  exitCodes: readonly (readonly [number, string])[],
): string;
