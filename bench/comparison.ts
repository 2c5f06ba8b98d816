/** Two sides that do the same, in alternating order; each is checked for what it printed and what it paid. */
import type { BenchWorld } from './bench-world';

/** One run of one side. */
export interface Run {
  resultMs: number;
  settledMs: number;
  printed: (string | null | undefined)[];
}

/** What a run must have come to. */
export interface Due {
  printed: readonly string[];
  /** GLM that it must pay. */
  pays: string;
}

export interface Sides<O extends Run, T extends Run> extends Due {
  ours: () => Promise<O>;
  theirs: () => Promise<T>;
}

/**
 * Warm both up, then so many runs of each.
 * @param isWarm both have done the like already
 * @throws Error where one did not do what it had to
 */
export async function alternate<O extends Run, T extends Run>(
  world: BenchWorld,
  times: number,
  sides: Sides<O, T>,
  isWarm = false,
): Promise<{ ours: O[]; theirs: T[] }> {
  const turns = {
    ours: () => checked(world, 'ours', sides, sides.ours),
    theirs: () => checked(world, 'golem-js', sides, sides.theirs),
  };
  return await inTurns(times, turns, isWarm ? NOTHING : turns);
}

const NOTHING = { ours: async () => undefined, theirs: async () => undefined };

/**
 * Each once, to be warm, and then so many times, in alternating order.
 * @param warm what is done to be warm, where the work itself takes long
 */
export async function inTurns<O, T>(
  times: number,
  sides: { ours: () => Promise<O>; theirs: () => Promise<T> },
  warm: { ours: () => Promise<unknown>; theirs: () => Promise<unknown> } = sides,
): Promise<{ ours: O[]; theirs: T[] }> {
  await warm.theirs();
  await warm.ours();
  const runs = { ours: [] as O[], theirs: [] as T[] };
  const ours = async (): Promise<void> => void runs.ours.push(await sides.ours());
  const theirs = async (): Promise<void> => void runs.theirs.push(await sides.theirs());
  for (let n = 0; n < times; n++)
    for (const side of n % 2 === 0 ? [ours, theirs] : [theirs, ours]) await side();
  return runs;
}

/** How long what was accepted may remain unpaid. */
const PAYMENT_SEC = 30;

/** A run that printed and paid what it had to, and whose payments are over. @throws Error where it did not */
export async function checked<R extends Pick<Run, 'printed'>>(
  world: BenchWorld,
  who: string,
  { printed, pays }: Due,
  work: () => Promise<R>,
): Promise<R> {
  const before = await world.paid();
  const run = await work();
  if (run.printed.join('') !== printed.join(''))
    throw new Error(`${who} printed ${JSON.stringify(run.printed)}`);
  const due = before.plus(pays);
  let paid = await world.paid();
  while (paid.lt(due)) {
    const now = await world.paid(PAYMENT_SEC);
    if (now.eq(paid)) break;
    paid = now;
  }
  if (!paid.eq(due)) throw new Error(`${who} paid ${paid.minus(before).toFixed()} instead of ${pays}`);
  return run;
}
