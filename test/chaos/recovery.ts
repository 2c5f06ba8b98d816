/**
 * How long a job stands still when the worker that has it dies: from SIGKILL, while a script runs, to what another worker
 * does next for it: a workflow task done, or a request to yagna. The other worker is up before the first one dies.
 */
import type { Call } from '../support/fault-proxy';
import type { ChaosWorld } from './chaos-world';
import { nameOf } from './crash-points';

export interface Recovery {
  /** Of each kill, milliseconds. */
  ms: number[];
  /** What the next step was. */
  steps: string[];
}

export async function measureRecovery(world: ChaosWorld, kills: number): Promise<Recovery> {
  const { golem } = world;
  // No debit notes: whoever decides one would take a step that has nothing to do with the script.
  const { jobId } = await golem.startJob({
    image: 'golem/alpine:latest',
    budget: '1',
    tasks: ['sleep 3600'],
  });
  await callOf(world, (call) => nameOf(call) === 'exec of a task');
  await callOf(world, isWatch);
  const ms: number[] = [];
  const steps: string[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const dying = world.worker;
    await world.startWorker();
    const next = nextStep(world);
    const began = performance.now();
    await dying?.kill();
    steps.push(await next);
    ms.push(performance.now() - began);
  }
  await golem.cancel(jobId);
  await golem.settled(jobId);
  return { ms, steps };
}

/** The next step for the script. What else waits for news, of the money, say, has more patience with a dead worker. */
async function nextStep(world: ChaosWorld): Promise<string> {
  const asked = callOf(world, isWatch).then(() => 'the script is watched again');
  const done = new Promise<string>((resolve) => {
    world.temporal.onDone = ({ workflowId }) => {
      if (!workflowId.endsWith('/settlement')) resolve('a workflow task');
      return true;
    };
  });
  return await Promise.race([asked, done]);
}

const isWatch = ({ sender }: Call): boolean => sender?.activity === 'golemWatchScript';

async function callOf(world: ChaosWorld, isMeant: (call: Call) => boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    world.onCall = (call) => {
      if (isMeant(call)) resolve();
    };
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = 0, high = low] = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return (low + high) / 2;
}
