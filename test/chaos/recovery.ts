/**
 * How long a job stands still when the worker that has it dies: from SIGKILL, while a script runs, to what another worker
 * does next for it: a workflow task done, or a request to yagna. The other worker is up before the first one dies.
 */
import { randomUUID } from 'node:crypto';
import { settlementId } from '../../model/ids';
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
  const recovery: Recovery = { ms: [], steps: [] };
  for (let kill = 0; kill < kills; kill++) {
    // Each time another job: of a watch that was lost often, each further attempt waits longer.
    const jobId = `recovery-${randomUUID()}`;
    const running = callOf(world, jobId, (call) => nameOf(call) === 'exec of a task');
    // No debit notes: whoever decides one would take a step that has nothing to do with the script.
    const job = { image: 'golem/alpine:latest', budget: '1', tasks: ['sleep 3600'] };
    await world.golem.startJob(job, { jobId });
    await running;
    await callOf(world, jobId, isWatch);
    const dying = world.worker;
    await world.startWorker();
    const next = nextStep(world, jobId);
    const began = performance.now();
    await dying?.kill();
    recovery.steps.push(await next);
    recovery.ms.push(performance.now() - began);
    world.reset();
    await world.golem.cancel(jobId);
    await world.golem.settled(jobId);
  }
  return recovery;
}

/** The next step of job or rental. What waits for news of the money has more patience with a dead worker. */
async function nextStep(world: ChaosWorld, jobId: string): Promise<string> {
  const asked = callOf(world, jobId, isWatch).then(() => 'the script is watched again');
  const done = new Promise<string>((resolve) => {
    world.temporal.onDone = ({ workflowId }) => {
      if (workflowId.startsWith(jobId) && workflowId !== settlementId(jobId)) resolve('a workflow task');
      return true;
    };
  });
  return await Promise.race([asked, done]);
}

const isWatch = ({ sender }: Call): boolean => sender?.activity === 'golemWatchScript';

function callOf(world: ChaosWorld, jobId: string, isMeant: (call: Call) => boolean): Promise<void> {
  return new Promise((resolve) => {
    world.onCall = (call) => {
      if (call.sender?.workflowId.startsWith(jobId) && isMeant(call)) resolve();
    };
  });
}
