/**
 * The jobs that the matrix breaks. The first is the reference: two providers, four tasks, a setup, a task that fails and
 * is retried, debit notes, invoices. The others go where it does not: what is only done when something is amiss, here; files
 * of tasks, rentals that are talked to and what else a worker is asked, in file-, rental- and asking-scenarios.ts.
 */
import type { Client } from '@temporalio/client';
import { reconcile } from '../../client';
import { rentalId, settlementId } from '../../model/ids';
import { ASKING_SCENARIOS } from './asking-scenarios';
import type { ChaosWorld } from './chaos-world';
import { RECONCILE } from './crash-points';
import { FILE_SCENARIOS } from './file-scenarios';
import { RENTAL_SCENARIOS } from './rental-scenarios';
import { COMMON, type Prepared, type Scenario } from './scenario';

const NAMES = ['a', 'b', 'c', 'd'];
const ALL_DONE = NAMES.map((name) => ({ name, stdout: `${name}\n` }));

/** Four tasks; `c` fails the first time that it is run, and `a` has a command before its own. */
function fourTasks(world: ChaosWorld, first: object = { run: 'sleep 1.5' }): object[] {
  const once = world.web.failsAtFirst(3);
  return NAMES.map((name) => ({
    name,
    commands: [
      ...(name === 'a' ? [first] : []),
      ...(name === 'c' ? [{ transfer: { from: once, to: '/golem/work/once' } }] : []),
      { run: `cat /golem/work/setup > /dev/null && echo ${name}` },
    ],
  }));
}

const done = { tasks: ALL_DONE, budget: COMMON.budget, mustBeDone: true, settles: 'settled' as const };

const OF_FOUR_TASKS: readonly Scenario[] = [
  {
    name: 'reference',
    ...done,
    workflows: ['', '/settlement', '/rental/1', '/rental/2'],
    prepare: (world) => ({ spec: { ...COMMON, tasks: fourTasks(world) } }),
  },
  {
    // A VM is watched by itself when it is some seconds old.
    name: 'long task',
    ...done,
    isFor: ['golemWatchRental'],
    prepare: (world) => ({ spec: { ...COMMON, tasks: fourTasks(world, { run: 'sleep 6.5' }) } }),
  },
  {
    name: 'lost answer',
    ...done,
    isFor: ['golemDestroyVm'],
    isUncertain: true,
    prepare(world) {
      world.yagna.cutAfter(/^POST .*\/exec$/, { when: ({ body }) => !body.includes('deploy') });
      return { spec: { ...COMMON, tasks: fourTasks(world) } };
    },
  },
  {
    name: 'terminated',
    ...done,
    isFor: ['golemCleanUp'],
    mustBeDone: false,
    prepare: (world) => ({
      spec: endless(world),
      during: terminatedOnceBilled(world),
    }),
  },
  {
    // Its bill is refused, and its provider avoided.
    name: 'overcharged',
    ...done,
    isFor: ['golemAvoidProvider'],
    settles: 'unpaid',
    prepare(world) {
      // All of them: that of a rental which was not needed any more may be of nothing.
      world.devnet.faults.arm({ on: 'provider.invoice', do: 'tooMuch', factor: 100, times: 0 });
      return { spec: { ...COMMON, invoiceWaitSec: 30, tasks: fourTasks(world) } };
    },
  },
  {
    name: 'topped up',
    ...done,
    isFor: ['golemAmendAllocation'],
    budget: '3',
    prepare(world) {
      // A task waits there until the budget is raised: a job that is over has no use for more.
      const { spec, door } = waitingAtDoor(world);
      return {
        spec,
        async during(jobId, since) {
          await world.devnet.effects.next('debit-note-accepted', since);
          await world.golem.topUp(jobId, '2');
          door.open();
        },
      };
    },
  },
  {
    // All are ended while a provider has still to say whether it signs.
    name: 'unanswered',
    ...done,
    mustBeDone: false,
    prepare(world) {
      world.devnet.faults.arm({ on: 'provider.approve', do: 'withhold' });
      return {
        spec: endless(world),
        during: terminatedOnceBilled(world),
      };
    },
  },
  {
    // A provider never says whether it signs, and the job gives it up.
    name: 'no answer in time',
    ...done,
    prepare(world) {
      world.devnet.faults.arm({ on: 'provider.approve', do: 'withhold' });
      const { spec, door } = waitingAtDoor(world);
      return {
        spec,
        async during(_jobId, since) {
          await world.devnet.effects.next('agreement-cancelled', since);
          door.open();
        },
      };
    },
  },
  {
    // A workflow that no job starts.
    name: 'orphaned',
    ...done,
    workflows: [RECONCILE],
    isFor: ['golemFindOrphans'],
    mustBeDone: false,
    prepare: (world) => ({
      spec: endless(world),
      async during(jobId, since) {
        const { client, taskQueue } = world;
        await world.devnet.effects.next('debit-note-accepted', since);
        await terminate(client, [settlementId(jobId), jobId, rentalId(jobId, 1), rentalId(jobId, 2)]);
        await reconcile({ client, taskQueue }, { olderThanSec: 0 });
      },
    }),
  },
];

export const SCENARIOS: readonly Scenario[] = [
  ...OF_FOUR_TASKS,
  ...FILE_SCENARIOS,
  ...RENTAL_SCENARIOS,
  ...ASKING_SCENARIOS,
];

/** A job whose first task is not over before its door is opened. */
function waitingAtDoor(world: ChaosWorld): { spec: object; door: ReturnType<ChaosWorld['web']['door']> } {
  const door = world.web.door();
  const wait = { transfer: { from: door.url, to: '/golem/work/door' } };
  return { spec: { ...COMMON, tasks: fourTasks(world, wait) }, door };
}

/** Nobody is left but the settlement to end what job and rentals have made. */
function terminatedOnceBilled(world: ChaosWorld): NonNullable<Prepared['during']> {
  return async (jobId, since) => {
    await world.devnet.effects.next('debit-note-accepted', since);
    await terminate(world.client, [jobId, rentalId(jobId, 1), rentalId(jobId, 2)]);
  };
}

const endless = (world: ChaosWorld): object => ({
  ...COMMON,
  tasks: fourTasks(world, { run: 'sleep 3600' }),
});

async function terminate(client: Client, workflowIds: readonly string[]): Promise<void> {
  // One that does not exist has nothing to be ended.
  for (const id of workflowIds) {
    await client.workflow
      .getHandle(id)
      .terminate()
      .catch(() => undefined);
  }
}
