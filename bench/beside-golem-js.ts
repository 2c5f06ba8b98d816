/** The same work as golem-js does it, by the same devnet's providers: a job of one task, and one of many on a pool. */
import Decimal from 'decimal.js';
import { START_PRICE, type BenchWorld, type Latency } from './bench-world';
import { alternate, type Run } from './comparison';
import { runJob } from './job';
import type { Row } from './row';
import { inEachLatency, type Setting } from './setting';

const TASKS = 20;
const SIZE = 4;

export async function besideGolemJs(setting: Setting): Promise<Row[]> {
  const times = setting.quick ? 1 : 5;
  return await inEachLatency(setting, { providers: SIZE }, (world, latency) =>
    measure(world, latency, times),
  );
}

/** @param times runs of each side */
async function measure(world: BenchWorld, latency: Latency, times: number): Promise<Row[]> {
  const one = await alternate(world, times, {
    ours: () => untilAccepted(world, () => runJob(world, { providers: { max: 1 }, tasks: ['echo hello'] })),
    theirs: () => untilAccepted(world, () => world.golemJs({ work: 'one' })),
    printed: ['hello\n'],
    pays: START_PRICE,
  });
  const command = 'echo done';
  const pool = {
    ours: () =>
      runJob(world, { providers: { max: SIZE }, tasks: Array.from({ length: TASKS }, () => command) }),
    theirs: () => world.golemJs({ work: 'pool', tasks: TASKS, size: SIZE, command }),
    printed: Array.from({ length: TASKS }, () => 'done\n'),
    pays: new Decimal(START_PRICE).times(SIZE).toFixed(),
  };
  // A quick run goes by the warmth of the jobs before.
  const many = await alternate(world, times, pool, times === 1);
  const row = <Field extends string>(
    measure: string,
    runs: { ours: Record<Field, number>[]; theirs: Record<Field, number>[] },
    field: Field,
    atMost?: number,
  ): Row => ({
    ...{ measure, latency, unit: 'ms', ...(atMost !== undefined && { toReach: { atMost } }) },
    ours: runs.ours.map((run) => run[field]),
    beside: { name: 'golem-js', values: runs.theirs.map((run) => run[field]) },
  });
  return [
    row('one-task job, call to result', one, 'resultMs', 0.5),
    row('one-task job, to its invoice accepted', one, 'acceptedMs'),
    row('one-task job, to all settled', one, 'settledMs', 0.5),
    row(`${TASKS} tasks on ${SIZE} providers, to the last result`, many, 'resultMs', 0.6),
  ];
}

/** When the devnet had the invoice accepted, too: from there on ours waits for the payment, which golem-js does not. */
async function untilAccepted<R extends Run>(
  world: BenchWorld,
  work: () => Promise<R>,
): Promise<R & { acceptedMs: number }> {
  const before = await world.now();
  const beganMs = Date.now();
  const run = await work();
  const [accepted] = await world.effects(before, ['invoice-accepted']);
  if (!accepted) throw new Error('no invoice was accepted');
  return { ...run, acceptedMs: Date.parse(accepted.at) - beganMs };
}
