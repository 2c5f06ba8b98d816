/** Runs a job and breaks one thing at one crash point; judges what came of it. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { rentalId, settlementId } from '../../model/ids';
import { requestLifetimeMs } from '../../model/request-lifetime';
import type { JobResult, SettlementResult } from '../../model/result';
import type { Call, Fault, Intercepted } from '../support/fault-proxy';
import type { ChaosWorld } from './chaos-world';
import {
  isEffectful,
  nameOf,
  type TASK_MODE,
  type CallMode,
  type CrashPoint,
  type Reach,
} from './crash-points';
import { lastSeq, takeEvidence } from './evidence';
import { SCENARIOS, type Scenario } from './scenarios';
import { judge, type Counts } from './verdict';

export interface Row {
  point: CrashPoint;
  mode: CallMode | typeof TASK_MODE;
}

export interface RowResult extends Row {
  /** False: the run was over before it came to the point. */
  reached: boolean;
  /** What became of the promises; empty when all were kept. */
  broken: string[];
  counts?: Counts;
  /** The outcome of attempts at running a task is uncertain here by nature. */
  isUncertain: boolean;
  /** States of the attempts at the tasks, for people to read. */
  attempts: string;
  seconds: number;
  jobId: string;
}

/** A job that is not over by then never will be. */
const ROW_LIMIT_MS = 240_000;

/** @param onCall is told of the calls that the job comes to */
export async function runRow(
  world: ChaosWorld,
  row: Row,
  onCall: (call: SeenCall) => void = () => undefined,
): Promise<RowResult> {
  const began = Date.now();
  const ran = await runJob(world, scenarioOf(row.point), onCall, (jobId) => arm(world, row, jobId));
  const isUncertain = isUncertainAt(row);
  const { fault, ...outcome } = ran;
  const broken = [...ran.broken];
  const reached = fault.isReached();
  if (!reached && 'call' in row.point) broken.push('the run did not come to this point');
  if (!isUncertain && ran.counts?.uncertain) {
    broken.push(`${ran.counts.uncertain} attempts are uncertain, and no request to run a script was touched`);
  }
  return { ...row, ...outcome, broken, reached, isUncertain, seconds: (Date.now() - began) / 1000 };
}

/** What a run without faults comes to. */
export async function reach(world: ChaosWorld, scenario: Scenario): Promise<Reach & { broken: string[] }> {
  const calls: SeenCall[] = [];
  const { jobId, broken } = await runJob(
    world,
    scenario,
    (call) => calls.push(call),
    () => NO_FAULT,
  );
  const tasks = [...world.temporal.begun].flatMap(([id, count]): [string, number][] =>
    id.startsWith(jobId) ? [[id.slice(jobId.length), count]] : [],
  );
  return { scenario: scenario.name, calls, tasks: new Map(tasks), broken };
}

export function scenarioOf({ scenario }: CrashPoint): Scenario {
  const found = SCENARIOS.find(({ name }) => name === scenario);
  if (!found) throw new Error(`there is no scenario "${scenario}"`);
  return found;
}

/** A fault at work. */
interface Armed {
  isReached(): boolean;
  /** Resolves when nothing more of it is to come. */
  over(): Promise<void>;
}

const NO_FAULT: Armed = { isReached: () => true, over: () => Promise.resolve() };

interface Ran {
  fault: Armed;
  jobId: string;
  broken: string[];
  counts?: Counts;
  attempts: string;
}

type SeenCall = Reach['calls'][number];

async function runJob(
  world: ChaosWorld,
  scenario: Scenario,
  onCall: (call: SeenCall) => void,
  armFault: (jobId: string) => Armed,
): Promise<Ran> {
  const { devnet, golem, yagna, temporal } = world;
  const since = lastSeq(devnet);
  const spec = scenario.prepare(world);
  const jobId = `chaos-${randomUUID()}`;
  const fault = armFault(jobId);
  world.onCall = (call) => {
    if (!call.sender) return;
    onCall({ activity: call.sender.activity, call: nameOf(call), isEffectful: isEffectful(call) });
  };
  try {
    await golem.startJob(spec, { jobId });
    const ended = async (): Promise<{ result?: JobResult; settlement: SettlementResult }> => {
      await scenario.during?.(world, jobId, since);
      const result = await golem.result(jobId).catch(() => undefined);
      const settlement = await golem.settled(jobId);
      await fault.over();
      return { result, settlement };
    };
    const over = await within(ROW_LIMIT_MS, ended());
    if (!over) {
      const broken = [
        `it is not over after ${ROW_LIMIT_MS / 1000} s`,
        ...(await whereItStands(world, jobId)),
      ];
      return { fault, jobId, broken, attempts: '' };
    }
    const { tasks, budget, mustBeDone } = scenario;
    const evidence = await takeEvidence(devnet, since, {
      jobs: [{ tasks, budget, mustBeDone, ...over }],
      lostReservations: 1,
    });
    const { broken, counts } = judge(evidence);
    if (over.settlement.state !== scenario.settles) {
      broken.push(`the settlement is ${over.settlement.state} instead of ${scenario.settles}`);
    }
    return { fault, jobId, broken, counts, attempts: attemptsOf(over.result) };
  } finally {
    yagna.clear();
    world.onCall = () => undefined;
    world.beforeCall = () => undefined;
    yagna.onAnswered = () => undefined;
    temporal.onDone = () => true;
    devnet.faults.disarmAll();
  }
}

/** For whoever has to find out why a run never ends. */
async function whereItStands({ client, worker, log }: ChaosWorld, jobId: string): Promise<string[]> {
  const lines = [`the worker ${worker?.running ? 'runs' : 'is dead'}`];
  for (const id of [jobId, settlementId(jobId), rentalId(jobId, 1), rentalId(jobId, 2), rentalId(jobId, 3)]) {
    const found = await client.workflow
      .getHandle(id)
      .describe()
      .catch(() => undefined);
    if (!found) continue;
    const pending = (found.raw.pendingActivities ?? []).map(({ activityType, attempt, lastFailure }) => {
      const why = lastFailure?.message ? ` (${lastFailure.message})` : '';
      return `${activityType?.name} attempt ${attempt}${why}`;
    });
    const task = found.raw.pendingWorkflowTask ? `, a workflow task waits` : '';
    lines.push(`${id.replace(jobId, 'job')} is ${found.status.name}${task}: ${pending.join(', ')}`);
  }
  return [...lines, ...log.slice(-5)];
}

/** Undefined when it takes longer. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const late = new AbortController();
  try {
    return await Promise.race([work, delay(ms, undefined, { signal: late.signal })]);
  } finally {
    late.abort();
    work.catch(() => undefined);
  }
}

function attemptsOf(result: JobResult | undefined): string {
  const odd = (result?.tasks ?? []).filter(({ attempts }) => attempts.some(({ state }) => state !== 'done'));
  return odd
    .map(({ name, attempts }) => `${name}: ${attempts.map(({ state }) => state).join(', ')}`)
    .join('; ');
}

/** Nobody can know whether a script runs whose request got no answer; of a worker that was killed, there may be one. */
function isUncertainAt({ point, mode }: Row): boolean {
  if (scenarioOf(point).isUncertain) return true;
  return mode.startsWith('killed') || ('call' in point && point.call.startsWith('exec'));
}

function arm(world: ChaosWorld, { point, mode }: Row, jobId: string): Armed {
  if ('task' in point) return armTask(world, jobId + point.workflow, point.task);
  let work: Promise<void> | undefined;
  const act = async (request: Intercepted): Promise<void> => {
    work = happen(world, point.call, mode as CallMode, request);
    await work;
  };
  const { hits, hit }: Fault = world.yagna.intercept(/./, act, {
    when: (call) => call.sender?.activity === point.activity && nameOf(call) === point.call,
  });
  return {
    isReached: () => work !== undefined || hits.length > 0,
    over: async () => {
      if (work) await hit();
    },
  };
}

function armTask(world: ChaosWorld, workflowId: string, n: number): Armed {
  let killing: Promise<void> | undefined;
  world.temporal.onDone = (task) => {
    if (killing || task.workflowId !== workflowId || task.n !== n) return true;
    killing = world.killWorker();
    return false;
  };
  return { isReached: () => killing !== undefined, over: async () => await killing };
}

async function happen(world: ChaosWorld, call: string, mode: CallMode, request: Intercepted): Promise<void> {
  switch (mode) {
    case 'killed before the request is sent':
      return await world.killWorker();
    case 'connection lost before the effect':
      return request.cut();
    case 'connection lost after the effect':
      await request.forward();
      return request.cut();
    case 'delayed, taking effect after the retry has looked':
      return await happenLate(world, call, request);
    case 'killed after the effect and before completion': {
      const looking = new AbortController();
      const operation = call.split(' ')[0] ?? call;
      const seen = world.effectOf(operation, lastSeq(world.devnet), looking.signal);
      // A call without effect is over when it is answered.
      const answered = request.forward();
      await Promise.race([seen, answered]);
      await world.killWorker();
      looking.abort();
      await Promise.allSettled([seen, answered]);
    }
  }
}

/**
 * The worker gives the request up. It lands when the same call was made again and answered; where none is, when the
 * workflow goes on to something else; and at the latest when the life of a request ends.
 */
async function happenLate(world: ChaosWorld, call: string, request: Intercepted): Promise<void> {
  const began = Date.now();
  const { sender } = request.call;
  // A long poll is given up late: then it is the connection that goes.
  if (request.call.query.has('timeout')) request.cut();
  const isOfWorkflow = (other: Call): boolean => other.sender?.workflowId === sender?.workflowId;
  let land = (): void => undefined;
  const time = new Promise<void>((resolve) => (land = resolve));
  let landed: Promise<unknown> | undefined;
  const landing = (): Promise<unknown> => (landed ??= request.forward().catch(() => undefined));
  world.yagna.onAnswered = (other) => {
    if (isOfWorkflow(other) && other.sender?.activity === sender?.activity && nameOf(other) === call) land();
  };
  world.beforeCall = async (other) => {
    if (!isOfWorkflow(other) || other.sender?.activity === sender?.activity || !isEffectful(other)) return;
    await landing();
    land();
  };
  const latest = began + requestLifetimeMs(world.requestTimeoutMs) - 100;
  await within(latest - Date.now(), time);
  await landing();
  world.beforeCall = () => undefined;
}
