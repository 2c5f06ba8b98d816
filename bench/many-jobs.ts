/** Many jobs of one task at once on one worker, beside as many workflows of Temporal's own that do nothing. */
import Decimal from 'decimal.js';
import { activitiesToResult } from '../test/support/activities-to-result';
import { START_PRICE, type BenchWorld } from './bench-world';
import { checked, inTurns } from './comparison';
import { runJob } from './job';
import type { Row } from './row';
import { inEachLatency, type Setting } from './setting';

const SPEC = { image: 'golem/alpine:latest', budget: '1', providers: { max: 1 }, tasks: ['echo hello'] };
const PROVIDERS = 20;
/** So many at once to be warm: a job more of them takes nothing that the first do not. */
const WARM = 4;

export async function manyJobs(setting: Setting): Promise<Row[]> {
  const [jobs, times] = setting.quick ? [10, 1] : setting.long ? [200, 2] : [20, 2];
  const floor = await setting.floor();
  // Each has room for all, so that no job waits for another.
  const market = { providers: PROVIDERS, provider: { agreementLimit: jobs } };
  return await inEachLatency(setting, market, async (world, latency) => {
    const { jobId } = await runJob(world, SPEC);
    const activities = (await activitiesToResult(world, jobId)).length;
    const atOnce = (count: number) => ({
      ours: () => allAtOnce(world, count),
      theirs: () => floor.run(activities, count),
    });
    const runs = await inTurns(times, atOnce(jobs), atOnce(WARM));
    return [
      {
        ...{ measure: `${jobs} one-task jobs at once, to the last result`, latency, unit: 'ms' },
        ours: runs.ours,
        beside: { name: `Temporal's floor`, values: runs.theirs },
        toReach: { atMost: 1.5 },
        note: `The floor: ${jobs} workflows at once of ${activities} activities that do nothing. 200 with --long.`,
      },
    ];
  });
}

/** @returns milliseconds from the first call to the last result */
async function allAtOnce(world: BenchWorld, jobs: number): Promise<number> {
  const due = {
    printed: Array.from({ length: jobs }, () => 'hello\n'),
    pays: new Decimal(START_PRICE).times(jobs).toFixed(),
  };
  const { resultMs } = await checked(world, 'ours', due, async () => {
    const began = performance.now();
    const each = Array.from({ length: jobs }, async () => {
      const { jobId } = await world.golem.startJob(SPEC);
      const { tasks } = await world.golem.result(jobId);
      return { jobId, stdout: tasks[0]?.results[0]?.stdout };
    });
    const ended = await Promise.all(each);
    const resultMs = performance.now() - began;
    await Promise.all(ended.map(({ jobId }) => world.golem.settled(jobId)));
    return { resultMs, printed: ended.map(({ stdout }) => stdout) };
  });
  return resultMs;
}
