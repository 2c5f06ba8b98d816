/** Arms what a row of the matrix breaks, and makes it happen when the run comes to the point. */
import { setTimeout as delay } from 'node:timers/promises';
import { requestLifetimeMs } from '../../model/request-lifetime';
import type { Call, Intercepted } from '../support/fault-proxy';
import type { ChaosWorld } from './chaos-world';
import {
  isEffectful,
  isOwn,
  nameOf,
  pointOfWorkflow,
  type ActivityMode,
  type CallMode,
  type CrashPoint,
  type TASK_MODE,
} from './crash-points';
import { lastSeq } from './evidence';

export interface Row {
  point: CrashPoint;
  mode: CallMode | ActivityMode | typeof TASK_MODE;
}

/** A fault at work. */
export interface Armed {
  isReached(): boolean;
  /** Resolves when nothing more of it is to come. */
  over(): Promise<void>;
}

export const NO_FAULT: Armed = { isReached: () => true, over: () => Promise.resolve() };

/** Takes effect at the first matching moment of the job's run, once. */
export function arm(world: ChaosWorld, { point, mode }: Row, jobId: string): Armed {
  if ('task' in point) return armTask(world, jobId, point);
  if (point.call === undefined) return armActivity(world, point, mode as ActivityMode);
  return armCall(world, point.activity, point.call, mode as CallMode);
}

function armCall(world: ChaosWorld, activity: string, call: string, mode: CallMode): Armed {
  let work: Promise<void> | undefined;
  world.yagna.intercept(
    /./,
    async (request) => {
      work = happen(world, call, mode, request);
      await work;
    },
    { when: (other) => other.sender?.activity === activity && isOwn(other) && nameOf(other) === call },
  );
  return { isReached: () => work !== undefined, over: async () => await work };
}

function armActivity(
  world: ChaosWorld,
  { activity, time }: { activity: string; time: number },
  mode: ActivityMode,
): Armed {
  const { temporal } = world;
  let killing: Promise<void> | undefined;
  let times = 0;
  const act = (task: { activity: string }): boolean => {
    if (killing || task.activity !== activity) return true;
    times += 1;
    if (times < time) return true;
    killing = world.killWorker();
    return false;
  };
  if (mode === 'killed as it begins') {
    const before = temporal.onActivityBegun;
    temporal.onActivityBegun = async (task) => (await before(task)) && act(task);
  } else temporal.onActivityDone = act;
  return { isReached: () => killing !== undefined, over: async () => await killing };
}

function armTask(world: ChaosWorld, jobId: string, point: { workflow: string; task: number }): Armed {
  let killing: Promise<void> | undefined;
  world.temporal.onDone = ({ workflowId, n }) => {
    if (killing || pointOfWorkflow(workflowId, jobId) !== point.workflow || n !== point.task) return true;
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
    case 'delayed until the retry has looked':
      return await happenLate(world, call, request, true);
    case 'delayed until the retry is answered':
      return await happenLate(world, call, request, false);
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
 * The worker gives the request up. It lands when the same call is made again, before that one or after its answer; where
 * none is made, when the workflow goes on to something else; and at the latest when the life of a request ends.
 */
async function happenLate(
  world: ChaosWorld,
  call: string,
  request: Intercepted,
  isBefore: boolean,
): Promise<void> {
  const latest = Date.now() + requestLifetimeMs(world.requestTimeoutMs) - 100;
  const { sender } = request.call;
  // A long poll is given up late: then it is the connection that goes.
  if (request.call.query.has('timeout')) request.cut();
  const isOfActivity = (other: Call): boolean => other.sender?.activity === sender?.activity;
  let land = (): void => undefined;
  const time = new Promise<void>((resolve) => (land = resolve));
  let landed: Promise<unknown> | undefined;
  const landing = (): Promise<unknown> => (landed ??= request.forward().catch(() => undefined));
  world.yagna.onAnswered = (other) => {
    if (other.sender?.workflowId !== sender?.workflowId || !isOfActivity(other)) return;
    if (nameOf(other) === call) land();
  };
  world.beforeCall = async (other) => {
    if (other.sender?.workflowId !== sender?.workflowId) return;
    if (isOfActivity(other) ? !isBefore || nameOf(other) !== call : !isEffectful(other)) return;
    await landing();
    land();
  };
  await within(latest - Date.now(), time);
  await landing();
  world.beforeCall = () => undefined;
}

/** Undefined when it takes longer. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const late = new AbortController();
  work.catch(() => undefined);
  try {
    return await Promise.race([work, delay(ms, undefined, { signal: late.signal })]);
  } finally {
    late.abort();
  }
}
