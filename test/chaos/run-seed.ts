/** Runs one plan to its end, whatever dies on the way, and judges what came of it. */
import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { ArmedFault } from '../../devnet/faults/armed-fault';
import type { FaultInput } from '../../devnet/faults/faults';
import { rentalId, settlementId } from '../../model/ids';
import type { JobResult, SettlementResult } from '../../model/result';
import { takeEvidence } from './evidence';
import { JobControl, type Ending } from './job-control';
import type { Plan } from './plan';
import { plannedJob } from './planned-job';
import { judgeReplays, type RecordedRun } from './replay-verdict';
import { judgeSeed } from './seed-verdict';
import { SeedWorld } from './seed-world';
import { Strokes } from './strokes';
import type { Counts } from './verdict';

/** After so long a run counts as stuck. */
const DEADLINE_MS = 240_000;

export interface SeedReport {
  plan: Plan;
  /** Promises that were broken, in plain words; empty when all were kept. */
  broken: string[];
  /** How the job ended: `done`, `failed (CommandFailed)`, `cancelled` … */
  outcome: string;
  counts?: Counts;
  /** By kind, how many of the plan's faults and strokes there were, and how many acted. */
  acts: { kind: string; acted: boolean }[];
  seconds: number;
  /** What the worker wrote. */
  output: string[];
  /** What happened on the network, one line each. */
  effects: string[];
  /** What the job and its settlement returned, or why they did not. */
  endings: (Ending | undefined)[];
}

/** What is known of a seed that broke a promise. */
export function explain({ plan, broken }: SeedReport): string[] {
  return [
    ...broken,
    `again: npm run chaos -- --seed ${plan.seed} (--plan shows what it does)`,
    `plan: ${JSON.stringify(plan)}`,
  ];
}

export interface RunOptions {
  /** Of a Temporal server for plans that leave it alone. */
  temporalAddress: string;
  deadlineMs?: number;
}

export async function runSeed(
  plan: Plan,
  { temporalAddress, deadlineMs = DEADLINE_MS }: RunOptions,
): Promise<SeedReport> {
  const began = Date.now();
  const world = await SeedWorld.start(plan, temporalAddress);
  try {
    return { ...(await runIn(world, plan, deadlineMs)), seconds: (Date.now() - began) / 1000 };
  } finally {
    await world.close();
  }
}

async function runIn(world: SeedWorld, plan: Plan, deadlineMs: number): Promise<Omit<SeedReport, 'seconds'>> {
  const armed = arm(world, plan);
  const { spec, tasks } = plannedJob(plan, world.web);
  const deadline = new AbortController();
  setMaxListeners(0, deadline.signal);
  const job = new JobControl(world.client, `seed-${plan.seed}-${randomUUID().slice(0, 8)}`, deadline.signal);
  const strokes = new Strokes(world, job, plan.strokes);
  const endings: (Ending | undefined)[] = [];
  const report = (broken: string[], outcome: string, counts?: Counts): Omit<SeedReport, 'seconds'> => ({
    ...{ plan, broken, outcome, counts, output: world.output, endings },
    effects: world.devnet.effects.all().map((effect) => JSON.stringify(effect)),
    acts: [
      ...armed.map(({ fault, hits }) => ({ kind: kindOf(fault as FaultInput), acted: hits > 0 })),
      ...plan.strokes.map((stroke) => ({ kind: `stroke: ${stroke.do}`, acted: strokes.acted.has(stroke) })),
    ],
  });

  const timer = setTimeout(() => deadline.abort(new Error('the deadline has passed')), deadlineMs);
  try {
    await job.start(world.taskQueue, spec);
    const ending = await over(job);
    await strokes.end();
    await untilLateRequestsHaveLanded(world, armed);
    if (strokes.did('terminateSettlement', 'terminateAll')) await job.reconcile(world.taskQueue);
    const settlement = await job.ending(settlementId(job.jobId));
    endings.push(ending, settlement);
    const histories = await allHistories(job);
    const result = ending?.status === 'COMPLETED' ? (ending.result as JobResult) : undefined;
    const settled = settlement?.status === 'COMPLETED' ? (settlement.result as SettlementResult) : undefined;
    const evidence = await takeEvidence(world.devnet, 0, {
      jobs: [
        {
          budget: plan.job.budgetMax ?? plan.job.budget,
          tasks,
          mustBeDone: false,
          result,
          settlement: settled,
        },
      ],
      lostReservations: 100,
    });
    const { broken, counts } = judgeSeed({
      ...{ plan, evidence, strokes, histories, appKey: world.appKey },
      ...{ ending, settlement, output: world.output, deaths: world.deaths },
    });
    broken.push(...(await judgeReplays(histories)));
    return report(broken, outcomeOf(ending, result), counts);
  } catch (error) {
    if (!deadline.signal.aborted) throw error;
    const where = new JobControl(world.client, job.jobId, AbortSignal.timeout(20_000));
    const stuck = await where.whereabouts().catch((reason: unknown) => [String(reason)]);
    const open = JSON.stringify(world.devnet.open());
    return report([`stuck after ${deadlineMs / 1000} s; open: ${open}`, ...stuck], 'stuck');
  } finally {
    clearTimeout(timer);
    deadline.abort();
    await strokes.end();
  }
}

function arm(world: SeedWorld, plan: Plan): ArmedFault[] {
  const all = [...plan.faults, ...plan.providers.flatMap(({ faults }) => faults)];
  return all.map((fault) => world.devnet.faults.arm(fault));
}

/** What a table of faults calls it: the same trouble on any call is one kind. */
function kindOf({ on, do: action, status }: FaultInput): string {
  if (on.startsWith('provider.')) return `${on}: ${action}`;
  return `call: ${action}${status === undefined ? '' : ` ${status}`}`;
}

/** Resolves when the job, its rentals and its settlement are over. */
async function over(job: JobControl): Promise<Ending | undefined> {
  const ending = await job.ending(job.jobId);
  await job.ending(settlementId(job.jobId));
  for (let n = 1; await job.ending(rentalId(job.jobId, n)); n++);
  return ending;
}

/** A call that a fault delays may take effect when all is over; after that nothing may be open either. */
async function untilLateRequestsHaveLanded(world: SeedWorld, armed: readonly ArmedFault[]): Promise<void> {
  const delays = new Map<string, number>(
    armed.map(({ id, fault }) => [id, fault.do === 'delay' ? (fault.sec ?? 1) : 0]),
  );
  const ends = world.devnet.effects
    .all(0, ['fault'])
    .map(({ faultId, at }) => Date.parse(at) + (delays.get(faultId) ?? 0) * 1000);
  const last = Math.max(0, ...ends) + 200;
  if (last > Date.now()) await delay(last - Date.now());
}

async function allHistories(job: JobControl): Promise<RecordedRun[]> {
  const histories: RecordedRun[] = [];
  for (const workflow of await job.workflows()) {
    histories.push({ workflowId: workflow.workflowId, history: await job.history(workflow) });
  }
  return histories;
}

function outcomeOf(ending: Ending | undefined, result: JobResult | undefined): string {
  if (!ending) return 'never began';
  if (!result)
    return ending.failure ? `${ending.status.toLowerCase()} (${ending.failure.type})` : ending.status;
  if (result.state === 'done') return 'done';
  const why = result.failure ?? result.tasks.find(({ failure }) => failure)?.failure;
  return `failed (${why?.type ?? 'no reason'})`;
}
