/** What must hold on the devnet once a job and its settlement are over, whatever went wrong on the way. */
import { Decimal } from 'decimal.js';
import type { JobResult, TaskResult } from '../../model/result';
import type { Effect, World } from './world';
import { NOTHING_OPEN } from './world';

/** Sequence number of the newest effect: what comes later belongs to the test. */
export async function now(world: World): Promise<number> {
  return (await world.effects()).at(-1)?.seq ?? 0;
}

/** What happened since then. */
export class Since {
  constructor(private readonly effects: readonly Effect[]) {}

  all(): readonly Effect[] {
    return this.effects;
  }

  of(kind: string): Effect[] {
    return this.effects.filter((effect) => effect.kind === kind);
  }

  count(kind: string): number {
    return this.of(kind).length;
  }

  /** Starts of scripts that run tasks, not of those that bring a VM up. */
  taskScripts(): Effect[] {
    return this.of('script-started').filter(({ commands }) => commands?.[0] !== 'deploy');
  }
}

export async function since(world: World, seq: number): Promise<Since> {
  return new Since((await world.effects()).filter((effect) => effect.seq > seq));
}

const sum = (effects: readonly Effect[]): Decimal =>
  effects.reduce((total, { amount }) => total.plus(amount ?? 0), new Decimal(0));

/**
 * Nothing is open; every agreement was paid once: what was paid is what the accepted invoices ask for. To be called
 * when nothing else runs in this world.
 */
export async function expectAllPaidOnce(world: World, seq: number): Promise<Since> {
  const all = await since(world, seq);
  expect(await world.open()).toEqual(NOTHING_OPEN);
  const invoiced = all.of('invoice-accepted').map(({ agreementId }) => agreementId);
  expect(new Set(invoiced).size).toBe(invoiced.length);
  const approved = all.of('agreement-approved').map(({ agreementId }) => agreementId);
  expect([...invoiced].sort()).toEqual([...approved].sort());
  expect(sum(all.of('paid')).toFixed()).toBe(sum(all.of('invoice-accepted')).toFixed());
  expect(all.count('allocation-created')).toBe(all.count('allocation-released'));
  return all;
}

/** Where the batch id of an attempt was known, its script was started exactly once, and none was started besides. */
export function expectScriptsRunOnce(all: Since, result: Pick<JobResult, 'tasks'>): void {
  const starts = all.taskScripts().map(({ batchId }) => batchId);
  expect(new Set(starts).size).toBe(starts.length);
  const known = result.tasks.flatMap((task) => task.attempts.flatMap(({ batchId }) => batchId ?? []));
  for (const batchId of known) expect(starts.filter((started) => started === batchId)).toHaveLength(1);
  const uncertain = result.tasks.flatMap((task) => task.attempts.filter(({ batchId }) => !batchId));
  expect(starts.length).toBeLessThanOrEqual(known.length + uncertain.length);
}

/**
 * The same, and a task was run again only where nobody could know what had become of it: where a machine stands still for long.
 * @returns how many attempts there were besides one a task
 */
export function expectEachRunOnce(all: Since, tasks: readonly TaskResult[]): number {
  expectScriptsRunOnce(all, { tasks: [...tasks] });
  const again = tasks.flatMap(({ attempts }) => attempts.slice(0, -1));
  expect(again.filter(({ state }) => state !== 'uncertain')).toEqual([]);
  expect(all.taskScripts().length).toBeLessThanOrEqual(tasks.length + again.length);
  return again.length;
}
