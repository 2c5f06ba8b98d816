/** A market of very many offers: from the call to the first agreement that a provider has approved, beside golem-js. */
import { settlementId } from '../model/ids';
import { eventMs, runsOfJob } from '../test/support/runs';
import { START_PRICE, type BenchWorld, type Latency } from './bench-world';
import { alternate, type Run } from './comparison';
import { runJob } from './job';
import type { Row } from './row';
import { inEachLatency, type Setting } from './setting';

const SPEC = { providers: { max: 1 }, tasks: ['echo hello'] };

export async function market(setting: Setting): Promise<Row[]> {
  const [offers, times] = setting.quick ? [100, 1] : [1000, 2];
  return await inEachLatency(setting, { providers: offers }, (world, latency) =>
    measure(world, latency, offers, times),
  );
}

async function measure(world: BenchWorld, latency: Latency, offers: number, times: number): Promise<Row[]> {
  const runs = await alternate(world, times, {
    ours: () => withAgreement(world, () => runJob(world, SPEC)),
    theirs: () => withAgreement(world, () => world.golemJs({ work: 'one' })),
    printed: ['hello\n'],
    pays: START_PRICE,
  });
  const events = await Promise.all(
    runs.ours.map(({ jobId, agreedAt }) => eventsUntil(world, jobId, agreedAt)),
  );
  const name = `${offers} offers on the market`;
  return [
    {
      ...{ measure: `${name}: call to first agreement`, latency, unit: 'ms', toReach: { atMost: 0.5 } },
      ours: runs.ours.map(({ agreementMs }) => agreementMs),
      beside: { name: 'golem-js', values: runs.theirs.map(({ agreementMs }) => agreementMs) },
      note: 'To its approval, by the devnet. The whole job is run, checked and paid.',
    },
    {
      ...{ measure: `${name}: events of history by then`, latency, unit: 'each', toReach: { atMost: 60 } },
      ours: events,
      note: 'Of the job, its settlement and its rental together.',
    },
  ];
}

/** When the first agreement was approved, and how long after the call. */
async function withAgreement<R extends Run>(
  world: BenchWorld,
  work: () => Promise<R>,
): Promise<R & { agreementMs: number; agreedAt: number }> {
  const seq = await world.now();
  const began = Date.now();
  const run = await work();
  const [approved] = await world.effects(seq, ['agreement-approved']);
  if (!approved) throw new Error('nothing was agreed on');
  const agreedAt = Date.parse(approved.at);
  return { ...run, agreedAt, agreementMs: agreedAt - began };
}

async function eventsUntil(world: BenchWorld, jobId: string, untilMs: number): Promise<number> {
  const all = await runsOfJob(world, jobId);
  if (!all.some(({ workflowId }) => workflowId === settlementId(jobId)))
    throw new Error(`${jobId} has no settlement`);
  return all.flatMap(({ history }) => history.events).filter((event) => eventMs(event) <= untilMs).length;
}
