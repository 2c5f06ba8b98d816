/** Two sides that do the same, in alternating order; each is checked for what it printed and what it paid. */
import type { BenchWorld } from './bench-world';

/** One run of one side. */
export interface Run {
  resultMs: number;
  settledMs: number;
  printed: (string | null | undefined)[];
}

export interface Sides {
  ours: () => Promise<Run>;
  theirs: () => Promise<Run>;
  /** What each must print. */
  printed: readonly string[];
  /** GLM that each must pay. */
  pays: string;
}

/** Warm both up, then so many runs of each. @throws Error where one did not do what it had to */
export async function alternate(
  world: BenchWorld,
  times: number,
  sides: Sides,
): Promise<{ ours: Run[]; theirs: Run[] }> {
  const runs = { ours: [] as Run[], theirs: [] as Run[] };
  for (let n = -1; n < times; n++) {
    const order = n % 2 === 0 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const);
    for (const side of order) {
      const run = await checked(world, side, sides);
      if (n >= 0) runs[side].push(run);
    }
  }
  return runs;
}

/** How long what was accepted may remain unpaid. */
const PAYMENT_SEC = 30;

async function checked(world: BenchWorld, side: 'ours' | 'theirs', sides: Sides): Promise<Run> {
  const before = await world.paid();
  const run = await sides[side]();
  if (run.printed.join('') !== sides.printed.join(''))
    throw new Error(`${side} printed ${JSON.stringify(run.printed)}`);
  const due = before.plus(sides.pays);
  let paid = await world.paid();
  while (paid.lt(due)) {
    const now = await world.paid(PAYMENT_SEC);
    if (now.eq(paid)) break;
    paid = now;
  }
  if (!paid.eq(due)) throw new Error(`${side} paid ${paid.minus(before).toFixed()} instead of ${sides.pays}`);
  return run;
}
