/**
 * What a job costs: Temporal activities, events of history, requests to yagna, and the size of the workflow bundle. What goes by
 * time (how often a watch is begun anew, whether a script is over in a moment) has room here; times are the bench's.
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { activitiesToResult, byTask } from './support/activities-to-result';
import { requireBuild } from './support/cli';
import { FaultProxy } from './support/fault-proxy';
import { tried } from './support/pending';
import { runsOfJob } from './support/runs';
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

async function activitiesOf(spec: object): Promise<string[]> {
  const { jobId } = await world.golem.startJob({ ...JOB, ...spec });
  const { state } = await world.golem.result(jobId);
  expect(state).toBe('done');
  // What it does afterwards is not to be counted as another's.
  await world.golem.settled(jobId);
  return await activitiesToResult(world, jobId);
}

test('a job of one task takes at most 12 activities to its result', async () => {
  const activities = await activitiesOf({ tasks: ['echo hello'] });
  expect(activities.length).toBeLessThanOrEqual(12);
});

test('a job of one task takes at most 230 events of history, 45 workflow tasks and 110 requests, to all settled', async () => {
  const before = proxy.calls.length;
  const { jobId } = await world.golem.startJob({ ...JOB, tasks: ['echo hello'] });
  await world.golem.settled(jobId);
  const events = (await runsOfJob(world, jobId)).flatMap(({ history }) => history.events);
  expect(events.length).toBeLessThanOrEqual(230);
  const done = events.filter((event) => event.workflowTaskCompletedEventAttributes);
  expect(done.length).toBeLessThanOrEqual(45);
  expect(proxy.calls.length - before).toBeLessThanOrEqual(110);
});

test('each further task takes at most 2 more', async () => {
  const tasks = (count: number) => ({
    tasks: Array.from({ length: count }, () => 'true'),
    providers: { max: 1 },
  });
  const one = byTask(await activitiesOf(tasks(1)));
  const eleven = byTask(await activitiesOf(tasks(11)));
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

test('the watches of an idle rental beat at most 80 times an hour', async () => {
  const { jobId, rentalId } = await world.golem.rent(JOB);
  await tried(world, rentalId, 1, 'golemWatchRental');
  const watches = new Map<string, number>();
  for (const { workflowId, history } of await runsOfJob(world, jobId))
    for (const { eventId, activityTaskScheduledEventAttributes: begun, ...event } of history.events) {
      const { scheduledEventId: over } =
        event.activityTaskCompletedEventAttributes ?? event.activityTaskCancelRequestedEventAttributes ?? {};
      watches.delete(`${workflowId} ${String(over)}`);
      if (begun)
        watches.set(`${workflowId} ${String(eventId)}`, Number(begun.heartbeatTimeout?.seconds ?? Infinity));
    }
  expect(watches.size).toBe(2);
  // The SDK passes one on after 0.8 of the time in which Temporal has to hear of it.
  const anHour = [...watches.values()].reduce((sum, sec) => sum + 3600 / (0.8 * sec), 0);
  expect(anHour).toBeLessThanOrEqual(80);
  await world.golem.terminate(jobId);
  await world.golem.settled(jobId);
});

test('the workflow bundle is at most 640 kB', () => {
  requireBuild();
  const { size } = statSync(join(__dirname, '..', 'dist', 'workflow-bundle.js'));
  expect(size).toBeLessThanOrEqual(640 * 1024);
});
