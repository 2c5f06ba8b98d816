/** Runs a job in which one thing is broken, and judges what came of it. */
import { randomUUID } from 'node:crypto';
import { rentalId, settlementId } from '../../model/ids';
import type { JobResult, SettlementResult } from '../../model/result';
import { arm, NO_FAULT, within, type Armed, type Row } from './armed';
import type { ChaosWorld } from './chaos-world';
import {
  isEffectful,
  isOwn,
  nameOf,
  pointOfWorkflow,
  type CrashPoint,
  type Reach,
  type SeenCall,
} from './crash-points';
import { lastSeq, takeEvidence } from './evidence';
import type { Scenario } from './scenario';
import { SCENARIOS } from './scenarios';
import { judge, type Counts } from './verdict';
import { judgeReplays } from './replay-verdict';
import { runsOfJob } from '../support/runs';

export interface RowResult extends Row {
  /** False: the run was over before it came to the point. */
  reached: boolean;
  /** What became of the promises; empty when all were kept. */
  broken: string[];
  counts?: Counts;
  /** The outcome of attempts at running a task may be uncertain here by nature. */
  isUncertain: boolean;
  /** States of the attempts at the tasks, for people to read. */
  attempts: string;
  seconds: number;
  jobId: string;
}

/** A job that is not over by then never will be. */
const ROW_LIMIT_MS = 240_000;

/** @param onActivity is told of the activities that the run begins */
export async function runRow(
  world: ChaosWorld,
  row: Row,
  onActivity: (activity: string) => void = () => undefined,
): Promise<RowResult> {
  const began = Date.now();
  const seen: Seen = { calls: [], activities: [] };
  const { fault, ...outcome } = await runJob(world, {
    ...{ scenario: scenarioOf(row.point), seen },
    armFault: (jobId) => arm(world, row, jobId),
    lostReservations: mayLoseReservation(row) ? 1 : 0,
  });
  for (const activity of seen.activities) onActivity(activity);
  const isUncertain = isUncertainAt(row);
  const broken = [...outcome.broken];
  const reached = fault.isReached();
  if (!reached && !mayLackPoint(row.point)) broken.push('the run did not come to this point');
  if (!isUncertain && outcome.counts?.uncertain) {
    broken.push(
      `${outcome.counts.uncertain} attempts are uncertain, and no request to run a script was touched`,
    );
  }
  return { ...row, ...outcome, broken, reached, isUncertain, seconds: (Date.now() - began) / 1000 };
}

/** What a run without faults comes to. */
export async function reach(world: ChaosWorld, scenario: Scenario): Promise<Reach & { broken: string[] }> {
  const seen: Seen = { calls: [], activities: [] };
  const { jobId, broken } = await runJob(world, {
    ...{ scenario, seen },
    armFault: () => NO_FAULT,
    lostReservations: 0,
  });
  const tasks = [...world.temporal.begun].flatMap(([id, count]): [string, number][] => {
    const workflow = pointOfWorkflow(id, jobId);
    return workflow === undefined ? [] : [[workflow, count]];
  });
  const { name, isFor = [], workflows = [] } = scenario;
  return { scenario: name, isFor, workflows, ...seen, tasks: new Map(tasks), broken };
}

/** Not every run has so many workflow tasks, or comes to an activity so often. */
export const mayLackPoint = (point: CrashPoint): boolean =>
  'task' in point || (point.call === undefined && point.time > 1);

export function scenarioOf({ scenario }: CrashPoint): Scenario {
  const found = SCENARIOS.find(({ name }) => name === scenario);
  if (!found) throw new Error(`there is no scenario "${scenario}"`);
  return found;
}

interface Seen {
  calls: SeenCall[];
  activities: string[];
}

interface Ran {
  fault: Armed;
  jobId: string;
  broken: string[];
  counts?: Counts;
  attempts: string;
}

interface ToRun {
  scenario: Scenario;
  seen: Seen;
  armFault: (jobId: string) => Armed;
  lostReservations: number;
}

async function runJob(
  world: ChaosWorld,
  { scenario, seen, armFault, lostReservations }: ToRun,
): Promise<Ran> {
  const { devnet, golem } = world;
  const since = lastSeq(devnet);
  const prepared = await scenario.prepare(world);
  const { spec, during, scripts } = prepared;
  const jobId = `chaos-${randomUUID()}`;
  world.onCall = (call) => {
    if (!call.sender || !isOwn(call)) return;
    seen.calls.push({ activity: call.sender.activity, call: nameOf(call), isEffectful: isEffectful(call) });
  };
  world.temporal.onActivityBegun = ({ activity }) => {
    seen.activities.push(activity);
    return true;
  };
  const fault = armFault(jobId);
  try {
    await (prepared.start?.(jobId) ?? golem.startJob(spec, { jobId }));
    const over = await within(ROW_LIMIT_MS, ended(world, fault, jobId, during?.(jobId, since)));
    if (!over) {
      const broken = [
        `it is not over after ${ROW_LIMIT_MS / 1000} s`,
        ...(await whereItStands(world, jobId)),
      ];
      return { fault, jobId, broken, attempts: '' };
    }
    const { tasks, budget, mustBeDone } = scenario;
    const { settlement } = over;
    const result = over.result && (prepared.wholeResult?.(over.result) ?? over.result);
    const evidence = await takeEvidence(devnet, since, {
      jobs: [{ tasks, budget, mustBeDone, result, settlement, scripts }],
      lostReservations,
    });
    const { broken, counts } = judge(evidence);
    broken.push(...((await prepared.judge?.(jobId)) ?? []));
    broken.push(...(await judgeReplays(await runsOfJob(world, jobId))));
    if (settlement.state !== scenario.settles) {
      broken.push(`the settlement is ${settlement.state} instead of ${scenario.settles}`);
    }
    return { fault, jobId, broken, counts, attempts: attemptsOf(result) };
  } catch (error) {
    return { fault, jobId, broken: [String(error), ...(await whereItStands(world, jobId))], attempts: '' };
  } finally {
    world.reset();
  }
}

async function ended(
  { golem }: ChaosWorld,
  fault: Armed,
  jobId: string,
  during: Promise<void> | undefined,
): Promise<{ result?: JobResult; settlement: SettlementResult }> {
  await during;
  const result = await golem.result(jobId).catch(() => undefined);
  const settlement = await golem.settled(jobId);
  await fault.over();
  return { result, settlement };
}

/** For whoever has to find out why a run never ends. */
async function whereItStands({ client, golem, worker, log }: ChaosWorld, jobId: string): Promise<string[]> {
  const lines = [`the worker ${worker?.running ? 'runs' : 'is dead'}`];
  const progress = await golem.progress(jobId).catch((error: unknown) => String(error));
  lines.push(JSON.stringify(progress));
  for (const id of [jobId, settlementId(jobId), ...[1, 2, 3].map((n) => rentalId(jobId, n))]) {
    const found = await client.workflow
      .getHandle(id)
      .describe()
      .catch(() => undefined);
    if (!found) continue;
    const pending = (found.raw.pendingActivities ?? []).map(({ activityType, attempt, lastFailure }) => {
      const why = lastFailure?.message ? ` (${lastFailure.message})` : '';
      return `${activityType?.name} attempt ${attempt}${why}`;
    });
    const task = found.raw.pendingWorkflowTask ? ', a workflow task waits' : '';
    lines.push(`${id.replace(jobId, 'job')} is ${found.status.name}${task}: ${pending.join(', ')}`);
  }
  return [...lines, ...log.slice(-5)];
}

function attemptsOf(result: JobResult | undefined): string {
  const odd = (result?.tasks ?? []).filter(({ attempts }) => attempts.some(({ state }) => state !== 'done'));
  return odd
    .map(({ name, attempts }) => `${name}: ${attempts.map(({ state }) => state).join(', ')}`)
    .join('; ');
}

/** An allocation whose answer was lost may land beside the one that was made in its stead. */
const mayLoseReservation = ({ point }: Row): boolean => 'call' in point && point.call === 'createAllocation';

/** Nobody can know whether a script runs whose request got no answer; of a worker that was killed, there may be one. */
function isUncertainAt({ point, mode }: Row): boolean {
  if (scenarioOf(point).isUncertain) return true;
  return mode.startsWith('killed') || ('call' in point && point.call?.startsWith('exec') === true);
}
