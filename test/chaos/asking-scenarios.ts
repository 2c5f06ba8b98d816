/** What is asked of a worker beside its jobs: by a user's own workflow for a VM of theirs, and by people for a look at the market. */
import { randomUUID } from 'node:crypto';
import { estimate, inspectYagna } from '../../client';
import type { ChaosWorld } from './chaos-world';
import { INSPECT } from './crash-points';
import type { ScriptEvidence } from './evidence';
import { logOf, READS, writes } from './rental-scenarios';
import { COMMON, type Prepared, type Scenario } from './scenario';
import type { talking } from './talking-workflow';

const base = { budget: COMMON.budget, mustBeDone: true, settles: 'settled' as const };

export const ASKING_SCENARIOS: readonly Scenario[] = [
  {
    name: 'rented by a workflow',
    ...base,
    tasks: [],
    isFor: ['golemAwaitVm', 'golemRunScript', 'golemTerminateJob'],
    prepare: rentedByWorkflow,
  },
  {
    name: 'inspected',
    ...base,
    tasks: [{ name: 'waits', stdout: 'waits\n' }],
    isFor: ['golemScanMarket', 'golemInspectYagna'],
    workflows: [INSPECT],
    prepare: inspected,
  },
];

function rentedByWorkflow(world: ChaosWorld): Prepared {
  const { client, taskQueue } = world;
  const scripts: ScriptEvidence[] = [];
  const names = ['one', 'two'];
  const spec = { ...COMMON, providers: { max: 1 } };
  const id = `talks-${randomUUID()}`;
  return {
    spec,
    scripts,
    async start(jobId) {
      const asked = [...names.map(writes), [READS]];
      await client.workflow.start<typeof talking>('talking', {
        ...{ workflowId: id, taskQueue: await world.theirQueue() },
        args: [spec, asked, { taskQueue, workflowId: jobId }],
      });
    },
    async during() {
      const all = await client.workflow.getHandle<typeof talking>(id).result();
      for (const [i, outcomes] of all.entries()) {
        const name = names[i];
        const what = name === undefined ? 'that reads what was done' : `by ${name}`;
        const stdout = name === undefined ? logOf(scripts, names) : new RegExp(`^${name}\n$`);
        scripts.push(...outcomes.map((outcome) => ({ what, stdout, outcome })));
      }
    },
  };
}

function inspected(world: ChaosWorld): Prepared {
  const door = world.web.door();
  const broken: string[] = [];
  const wait = { transfer: { from: door.url, to: '/golem/work/door' } };
  const spec = { ...COMMON, tasks: [{ name: 'waits', commands: [wait, { run: 'echo waits' }] }] };
  return {
    spec,
    async during() {
      const { suitable, unsuitable } = await estimate(world, spec);
      if (suitable !== 2 || unsuitable.length > 0)
        broken.push(`${suitable} providers suit: ${JSON.stringify(unsuitable)}`);
      // What it could not ask is no failure of it, but its answer.
      let report = await inspectYagna(world);
      while (report.problem?.type === 'YagnaUnavailable') report = await inspectYagna(world);
      const { problem, allocations } = report;
      if (problem || allocations.length !== 1)
        broken.push(`what is told of yagna: ${JSON.stringify({ problem, allocations })}`);
      door.open();
    },
    judge: () => broken,
  };
}
