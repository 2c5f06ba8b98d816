/** For the test that keeps README.md true. */
export function renewed(
  readme: string,
  schema: object,
  failures: Record<string, { means: string; action: string }>,
): string;
