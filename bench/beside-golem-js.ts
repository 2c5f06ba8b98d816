/** The same work as golem-js does it, by the same devnet's providers: a job of one task, and one of many on a pool. */
import type { BenchWorld, Latency } from './bench-world';
import { alternate, type Run } from './comparison';
import type { Row } from './row';

const SPEC = { image: 'golem/alpine:latest', budget: '5' };
const START_PRICE = 0.1;
const TASKS = 20;
const SIZE = 4;

/** @param times runs of each side */
export async function besideGolemJs(world: BenchWorld, latency: Latency, times: number): Promise<Row[]> {
  const one = await alternate(world, times, {
    ours: () => job(world, { ...SPEC, providers: { max: 1 }, tasks: ['echo hello'] }),
    theirs: () => world.golemJs({ work: 'one' }),
    printed: ['hello\n'],
    pays: String(START_PRICE),
  });
  const command = 'echo done';
  const many = await alternate(world, times, {
    ours: () =>
      job(world, { ...SPEC, providers: { max: SIZE }, tasks: Array.from({ length: TASKS }, () => command) }),
    theirs: () => world.golemJs({ work: 'pool', tasks: TASKS, size: SIZE, command }),
    printed: Array.from({ length: TASKS }, () => 'done\n'),
    pays: (START_PRICE * SIZE).toFixed(1),
  });
  const row = (measure: string, runs: typeof one, field: 'resultMs' | 'settledMs', atMost: number): Row => ({
    ...{ measure, latency, unit: 'ms', toReach: { atMost } },
    ours: runs.ours.map((run) => run[field]),
    beside: { name: 'golem-js', values: runs.theirs.map((run) => run[field]) },
  });
  return [
    row('one-task job, call to result', one, 'resultMs', 0.5),
    row('one-task job, to all settled', one, 'settledMs', 0.5),
    row(`${TASKS} tasks on ${SIZE} providers, to the last result`, many, 'resultMs', 0.6),
  ];
}

async function job({ golem }: BenchWorld, spec: object): Promise<Run> {
  const began = performance.now();
  const { jobId } = await golem.startJob(spec);
  const { tasks } = await golem.result(jobId);
  const resultMs = performance.now() - began;
  await golem.settled(jobId);
  const settledMs = performance.now() - began;
  return { resultMs, settledMs, printed: tasks.map(({ results }) => results[0]?.stdout) };
}
