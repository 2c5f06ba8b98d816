/** What a job costs: Temporal activities, requests of an idle rental, and the size of the workflow bundle. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { requireBuild } from './support/cli';
import { FaultProxy } from './support/fault-proxy';
import { startWorld, type World } from './support/world';

const proxy = new FaultProxy();
let world: World;
beforeAll(async () => {
  world = await startWorld({ yagnaUrl: (url) => proxy.start(url) });
});
afterAll(async () => {
  await world?.close();
  await proxy.close();
});

const JOB = { image: 'golem/alpine:latest', budget: '1' };

interface Happened {
  name: string;
  ms: number;
}

/** What comes after the result may begin beside its last moments: rentals and settlement go on alone. */
const AFTERWARDS = /^golem(CloseRental|CleanUp|DecideDocument|ReleaseAllocation)$/;

/** Names of the activities of a job that were scheduled until its result was there. */
async function activitiesToResult(spec: object): Promise<string[]> {
  const { jobId } = await world.golem.startJob({ ...JOB, ...spec });
  const { state } = await world.golem.result(jobId);
  expect(state).toBe('done');
  const { rentals } = await world.golem.progress(jobId);
  const job = await happened(jobId);
  const closedMs = job.at(-1)?.ms ?? 0;
  const others = [`${jobId}/settlement`, ...rentals.map(({ workflowId }) => workflowId)];
  const all = [job, ...(await Promise.all(others.map(happened)))].flat();
  const names = all
    .filter(({ name, ms }) => name.startsWith('golem') && ms <= closedMs)
    .map(({ name }) => name);
  return names.filter((name) => !AFTERWARDS.test(name));
}

/** Scheduled activities, by name, and the last event. */
async function happened(workflowId: string): Promise<Happened[]> {
  const { events } = await world.client.workflow.getHandle(workflowId).fetchHistory();
  return (events ?? []).flatMap((event, i) => {
    const name = event.activityTaskScheduledEventAttributes?.activityType?.name;
    if (name === undefined && i + 1 < (events?.length ?? 0)) return [];
    const ms = Number(event.eventTime?.seconds) * 1000 + Number(event.eventTime?.nanos) / 1e6;
    return [{ name: name ?? 'last', ms }];
  });
}

test('a job of one task takes at most 12 activities to its result', async () => {
  const activities = await activitiesToResult({ tasks: ['echo hello'] });
  expect(activities.length).toBeLessThanOrEqual(12);
});

test('each further task takes at most 2 more', async () => {
  const tasks = (count: number) => ({
    tasks: Array.from({ length: count }, () => 'true'),
    providers: { max: 1 },
  });
  // How often a watch is begun anew goes by time, and this machine may be slow.
  const byTask = (names: string[]) => names.filter((name) => !/^golemWatch(Rental|Settlement)$/.test(name));
  const one = byTask(await activitiesToResult(tasks(1)));
  const eleven = byTask(await activitiesToResult(tasks(11)));
  expect(eleven.length).toBeLessThanOrEqual(one.length + 20);
});

test('an idle rental asks yagna for news by long polls, of at least 10 seconds each', async () => {
  const polls = ['agreementEvents', 'debitNoteEvents', 'invoiceEvents'].map(async (stream) => {
    for (;;) {
      const poll = proxy.hold(new RegExp(`^GET .*/${stream}$`));
      const timeoutSec = Number((await poll.reached).query.get('timeout'));
      poll.release();
      // A look back at what came before is no poll: it waits for nothing, and is not repeated.
      if (timeoutSec > 0) return timeoutSec;
    }
  });
  const { jobId } = await world.golem.startJob({ ...JOB, interactive: true });
  for (const timeoutSec of await Promise.all(polls)) expect(timeoutSec).toBeGreaterThanOrEqual(10);
  await world.golem.cancel(jobId);
  await world.golem.settled(jobId);
});

test('the workflow bundle is at most 640 kB', () => {
  requireBuild();
  const { size } = statSync(join(__dirname, '..', 'dist', 'workflow-bundle.js'));
  expect(size).toBeLessThanOrEqual(640 * 1024);
});
