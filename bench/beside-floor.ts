/** A job of one task beside what Temporal itself takes for as many activities, and its provider for what it does. */
import { activitiesToResult } from '../test/support/activities-to-result';
import { PROFILES } from '../devnet/provider/profiles';
import { START_PRICE, type BenchEffect, type BenchWorld, type Latency } from './bench-world';
import { checked, inTurns } from './comparison';
import type { Floor } from './floor';
import { runJob } from './job';
import type { Row } from './row';
import { inEachLatency, type Setting } from './setting';

const SPEC = { providers: { max: 1 }, tasks: ['echo hello'] };

export async function besideFloor(setting: Setting): Promise<Row[]> {
  const times = setting.quick ? 2 : 5;
  const floor = await setting.floor();
  return await inEachLatency(setting, { providers: 1 }, async (world, latency) => [
    await measure(world, floor, latency, times),
  ]);
}

async function measure(world: BenchWorld, floor: Floor, latency: Latency, times: number): Promise<Row> {
  const ours = async (): Promise<{ jobId: string; resultMs: number; providerMs: number }> => {
    const seq = await world.now();
    const due = { printed: ['hello\n'], pays: START_PRICE };
    const { jobId, resultMs } = await checked(world, 'ours', due, () => runJob(world, SPEC));
    return { jobId, resultMs, providerMs: providersTime(await world.effects(seq), latency) };
  };
  const { jobId } = await ours();
  const activities = (await activitiesToResult(world, jobId)).length;
  const runs = await inTurns(times, { ours, theirs: () => floor.run(activities) });
  return {
    ...{ measure: 'one-task job, call to result', latency, unit: 'ms', toReach: { atMost: 1.3 } },
    ours: runs.ours.map(({ resultMs }) => resultMs),
    beside: {
      name: `Temporal's floor + provider`,
      values: runs.theirs.map((ms, i) => ms + (runs.ours[i]?.providerMs ?? 0)),
    },
    note:
      `The floor: a workflow of ${activities} activities that do nothing, one after the other, counted in the histories of such ` +
      `a job. The provider's time is that of the job it stands beside: from counter-proposal to draft, from confirmation to ` +
      `approval, and that of its scripts, by the devnet's effects; what it takes to offer and to create a VM, as its profile says.`,
  };
}

/** Milliseconds that the provider took for what the job waits for, until its result. */
function providersTime(effects: readonly BenchEffect[], latency: Latency): number {
  const between = (from: string, to: string, isOf: (first: BenchEffect, last: BenchEffect) => boolean) =>
    effects.reduce((sum, last) => {
      const first = last.kind === to && effects.find((each) => each.kind === from && isOf(each, last));
      return first ? sum + Date.parse(last.at) - Date.parse(first.at) : sum;
    }, 0);
  const { offerDelaySec = 0, createSec = 0 } = latency === 'recorded' ? PROFILES.recorded.provider : {};
  return (
    (offerDelaySec + createSec) * 1000 +
    between('proposal-countered', 'proposal-drafted', (a, b) => a.proposalId === b.prevProposalId) +
    between('agreement-confirmed', 'agreement-approved', (a, b) => a.agreementId === b.agreementId) +
    between('script-started', 'script-finished', (a, b) => a.batchId === b.batchId)
  );
}
