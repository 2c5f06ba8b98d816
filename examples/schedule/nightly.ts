/**
 * A job each night at 2:00 UTC, by a Temporal Schedule: no worker but ours, no cron, no machine of yours awake.
 *
 *   node lib/nightly.js create STORAGE | run | delete
 */
import { Client, Connection, ScheduleOverlapPolicy } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { JobSpec } from 'golem-temporal/workflow-helpers';

const SCHEDULE = 'golem-nightly';

/** @param storage URL of a storage that takes files by PUT; providers write to it */
function report(storage: string): JobSpec {
  return {
    image: 'golem/alpine:latest',
    budget: '1',
    tasks: [
      {
        name: 'report',
        commands: [
          { transfer: { from: `${storage}/readings.csv`, to: '/golem/input/readings.csv' } },
          'sort -t, -k2,2n /golem/input/readings.csv | head -n 10 > /golem/output/coldest.csv',
          { transfer: { from: '/golem/output/coldest.csv', to: `${storage}/coldest.csv` } },
        ],
        timeoutSec: 600,
      },
    ],
  };
}

async function main(): Promise<void> {
  const [action, storage] = process.argv.slice(2);
  const { connectionOptions, namespace } = loadClientConnectConfig();
  const connection = await Connection.connect(connectionOptions);
  const { schedule } = new Client({ connection, namespace });
  try {
    if (action === 'create' && storage) {
      await schedule.create({
        scheduleId: SCHEDULE,
        spec: { calendars: [{ hour: 2, comment: 'each night' }], timezone: 'UTC' },
        action: {
          type: 'startWorkflow',
          workflowType: 'golemJob',
          taskQueue: 'golem',
          // Each night's job has this id with the time after it: golem-temporal result ID
          workflowId: SCHEDULE,
          args: [report(storage)],
        },
        policies: {
          // A night whose job still runs is left out.
          overlap: ScheduleOverlapPolicy.SKIP,
          // If Temporal was away at 2:00, the job may still start up to an hour later.
          catchupWindow: '1 hour',
        },
      });
      const { info } = await schedule.getHandle(SCHEDULE).describe();
      console.log(`next at ${info.nextActionTimes[0]?.toISOString()}`);
    } else if (action === 'run') {
      await schedule.getHandle(SCHEDULE).trigger();
    } else if (action === 'delete') {
      await schedule.getHandle(SCHEDULE).delete();
    } else {
      throw new Error('usage: nightly create STORAGE | run | delete');
    }
  } finally {
    await connection.close();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
