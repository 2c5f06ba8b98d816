/** The nodes and providers that there are: a fault or cut for somebody else would never act. */

export interface KnownNames {
  node: readonly string[];
  provider: readonly string[];
}

export class UnknownName extends Error {
  /** Of the admin API's answer. */
  readonly statusCode = 404;
}

/** @throws UnknownName with the names that there are; not when none is given */
export function checkNames(
  known: KnownNames,
  named: { node?: string | undefined; provider?: string | undefined },
): void {
  for (const kind of ['node', 'provider'] as const) {
    const name = named[kind];
    if (name === undefined || known[kind].includes(name)) continue;
    throw new UnknownName(`no ${kind} is named "${name}"; there are: ${known[kind].join(', ')}`);
  }
}
