/**
 * A rental that lives for long goes on as a new run whenever its history has grown: its VM stays, scripts run once, and
 * nobody who talks to it or watches it notices. Temporal asks for that here after 150 events.
 */
import type { JobEvent } from '../client';
import type { ScriptOutcome } from '../workflows/protocol';
import { FaultProxy } from './support/fault-proxy';
import { activitiesIn, continuedAsNew, historiesOf } from './support/history';
import { startWebServer, type WebServer } from './support/web-server';
import { outcomeOf, sendUpdate } from './support/updates';
import { NOTHING_OPEN, startWorld, type World } from './support/world';

const AFTER_EVENTS = 150;
/** What a run may add: a script that is soon over is waited for, and the last Updates are answered. */
const DRAIN = 120;
const proxy = new FaultProxy();
let world: World;
let web: WebServer;

beforeAll(async () => {
  web = await startWebServer();
  world = await startWorld({
    ...{ continueAsNewAfter: AFTER_EVENTS, yagnaUrl: (url) => proxy.start(url) },
    devnet: { paymentCycleSec: 0.1 },
  });
});
afterAll(async () => {
  await world?.close();
  await proxy.close();
  await web.close();
});
afterEach(() => proxy.clear());

const BASE = { image: 'golem/alpine:latest', budget: '1' };

const update = <T>(workflowId: string, name: string, input: unknown = {}): Promise<T> =>
  sendUpdate(world, workflowId, name, input);

const execute = async (rental: string, ...commands: unknown[]): Promise<string> =>
  (await update<{ scriptId: string }>(rental, 'executeScript', { commands })).scriptId;

const resultOf = (rental: string, scriptId: string): Promise<ScriptOutcome> =>
  outcomeOf(world, rental, scriptId);

async function openRental(): Promise<{ jobId: string; rental: string }> {
  const after = (await world.effects()).at(-1)?.seq;
  const { jobId } = await world.golem.startJob({ ...BASE, interactive: true });
  await world.effect('agreement-created', after);
  return { jobId, rental: `${jobId}/rental/1` };
}

async function endJob(jobId: string): Promise<void> {
  await update(jobId, 'terminate');
  expect((await world.golem.result(jobId)).state).toBe('done');
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  expect(await world.open()).toEqual(NOTHING_OPEN);
}

/** Scripts that the provider ran in a Golem activity. */
async function ranIn(activityId: string): Promise<unknown[]> {
  return (await world.effects('script-started')).filter((each) => each.activityId === activityId);
}

const vmOf = async (rental: string): Promise<string> => {
  const progress = await world.client.workflow.getHandle(rental).query<{ activityId: string }>('progress');
  return progress.activityId;
};

/** Asks something of the rental that costs it some events, until it has gone on as a new run. */
async function pushOn(rental: string, scriptId: string): Promise<void> {
  const { runId } = await world.client.workflow.getHandle(rental).describe();
  let isNew = false;
  const gone = continuedAsNew(world, rental, runId).then(() => (isNew = true));
  while (!isNew) await update(rental, 'scriptResult', { scriptId, waitSec: 0 });
  await gone;
}

/** All events of a job in the order they are told, until the job is over. */
async function follow(jobId: string, events: JobEvent[]): Promise<void> {
  for await (const event of world.golem.followEvents(jobId)) events.push(event);
}

test('sixty scripts run once each in one VM over many short runs, and every event is told once', async () => {
  const { jobId, rental } = await openRental();
  const events: JobEvent[] = [];
  const following = follow(jobId, events);
  const ids: string[] = [];
  // Six users at a time: each asks for the result of its script, and then sends another one.
  const user = async (n: number): Promise<void> => {
    for (let i = 0; i < 10; i++) {
      const scriptId = `of-${n}-${i}`;
      ids.push(scriptId);
      const line = `echo ${n}.${i} | tee -a /golem/work/all`;
      // Asks again where a run ended in the very moment.
      expect(await world.golem.exec(rental, [line], { scriptId })).toMatchObject({
        state: 'done',
        results: [{ stdout: `${n}.${i}\n` }],
      });
    }
  };
  await Promise.all([0, 1, 2, 3, 4, 5].map(user));
  expect(new Set(ids).size).toBe(60);
  const last = await execute(rental, 'sort /golem/work/all');
  const expected = [0, 1, 2, 3, 4, 5].flatMap((n) => Array.from({ length: 10 }, (_, i) => `${n}.${i}\n`));
  expect((await resultOf(rental, last)).results[0]?.stdout).toBe(expected.join(''));
  // An outcome is known to later runs.
  expect(await resultOf(rental, ids.at(-1) ?? '')).toMatchObject({ state: 'done' });
  const activityId = await vmOf(rental);
  // The first of them deploys and starts.
  expect(await ranIn(activityId)).toHaveLength(62);
  await endJob(jobId);
  await following;

  const runs = await historiesOf(world, rental);
  expect(runs.length).toBeGreaterThan(3);
  for (const run of runs) expect(run.length).toBeLessThanOrEqual(AFTER_EVENTS + DRAIN);
  const activities = runs.flatMap(activitiesIn);
  expect(activities.filter((name) => name === 'golemSendScript')).toHaveLength(62);
  const watches = activities.filter((name) => name === 'golemWatchScript');
  // One that runs when its rental goes on is watched by the next run, too.
  expect(watches.length).toBeLessThan(62 + runs.length);
  expect(activities.filter((name) => name === 'golemCreateVm')).toHaveLength(1);
  const { memo } = await world.client.workflow.getHandle(rental).describe();
  expect(memo).toMatchObject({ golemJob: (await world.golem.result(jobId)).jobUuid });

  const told = events.filter(({ workflowId }) => workflowId === rental);
  expect(told.map(({ seq }) => seq)).toEqual(told.map((_, i) => i + 1));
  expect(told.filter(({ name }) => name === 'ScriptSent')).toHaveLength(62);
  expect(told.filter(({ name }) => name === 'ScriptExecuted')).toHaveLength(62);
});

test('a script that runs, and those that wait, go along into the next runs', async () => {
  const { jobId, rental } = await openRental();
  const door = web.door();
  const script = await execute(
    rental,
    { transfer: { from: door.url, to: '/golem/work/x' } },
    'cat /golem/work/x',
  );
  await door.knocked;
  const waiting = execute(rental, 'echo waited');
  await pushOn(rental, script);
  // The Update that brought it ended with the run, the script did not.
  const next = await waiting;
  const batch = await world.client.workflow.getHandle(rental).query('progress');
  expect(batch).toMatchObject({
    state: 'busy',
    currentTask: script,
    currentBatch: expect.any(String) as string,
  });
  await pushOn(rental, script);
  expect(await world.client.workflow.getHandle(rental).query('progress')).toEqual(batch);
  const asked = resultOf(rental, script);
  door.open();
  expect(await asked).toMatchObject({ state: 'done', results: [{}, { stdout: 'open\n' }] });
  expect(await resultOf(rental, next)).toMatchObject({ state: 'done', results: [{ stdout: 'waited\n' }] });
  expect(await ranIn(await vmOf(rental))).toHaveLength(3);
  await endJob(jobId);
});

test('a script that yagna is too far away to take is sent by a later run, once', async () => {
  const { jobId, rental } = await openRental();
  const first = await execute(rental, 'true');
  await resultOf(rental, first);
  const away = proxy.answer(/^POST .*\/exec$/, 401, { message: 'no key' }, { times: Infinity });
  const sending = execute(rental, 'echo late');
  await away.hit();
  await pushOn(rental, first);
  const script = await sending;
  away.stop();
  expect(await resultOf(rental, script)).toMatchObject({ state: 'done', results: [{ stdout: 'late\n' }] });
  expect(await ranIn(await vmOf(rental))).toHaveLength(3);
  await endJob(jobId);
});

test('a task of a job runs on across runs, and its job learns of it once', async () => {
  const door = web.door();
  const { jobId } = await world.golem.startJob({
    ...{ ...BASE, providers: { max: 1 } },
    tasks: [
      {
        name: 'long',
        commands: [{ transfer: { from: door.url, to: '/golem/work/x' } }, 'cat /golem/work/x'],
      },
      'echo after',
    ],
  });
  await door.knocked;
  const rental = `${jobId}/rental/1`;
  // A rental of a job takes scripts from outside as well; they wait for the task.
  const outside = execute(rental, 'echo outside');
  await pushOn(rental, 'script-1');
  await outside;
  door.open();
  const result = await world.golem.result(jobId);
  expect(result).toMatchObject({
    state: 'done',
    tasks: [{ attempts: [{ attempt: 1 }] }, { attempts: [{}] }],
  });
  expect(result.tasks.map(({ results }) => results.at(-1)?.stdout)).toEqual(['open\n', 'after\n']);
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  expect(await world.open()).toEqual(NOTHING_OPEN);
});

test('a worker that is killed around it loses and repeats nothing', async () => {
  const { jobId, rental } = await openRental();
  const first = await execute(rental, 'true');
  await resultOf(rental, first);
  const door = web.door();
  const script = await execute(rental, { transfer: { from: door.url, to: '/golem/work/x' } });
  await door.knocked;
  const { runId } = await world.client.workflow.getHandle(rental).describe();
  const pushed = pushOn(rental, script);
  // Its watch has been cancelled, and the next one is under way, when the new run has begun.
  await continuedAsNew(world, rental, runId);
  await world.worker.kill();
  door.open();
  await world.startWorker();
  await pushed;
  expect(await resultOf(rental, script)).toMatchObject({ state: 'done' });
  expect(await ranIn(await vmOf(rental))).toHaveLength(3);
  await endJob(jobId);
});

test('a VM that was taken over goes along, too, with what was sent into it before', async () => {
  const { jobId, rental } = await openRental();
  const door = web.door();
  await execute(rental, { transfer: { from: door.url, to: '/golem/work/x' } }, 'cat /golem/work/x');
  await door.knocked;
  const { activityId, batchId = '' } = await world.golem.detach(rental);
  await world.golem.result(jobId);
  const { rentalId } = await world.golem.attach({ activityId });
  await pushOn(rentalId, batchId);
  door.open();
  expect(await resultOf(rentalId, batchId)).toMatchObject({
    state: 'done',
    results: [{}, { stdout: 'open\n' }],
  });
  await update(rentalId, 'terminate');
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  expect(await world.open()).toEqual(NOTHING_OPEN);
});
