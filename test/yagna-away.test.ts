/**
 * A yagna that is down for longer than any step would have patience with a provider, and comes back within the agreement's
 * life, at another port too: no rental is lost, no script run twice, and the log says so in one line each time.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createGolemActivities } from '../activities';
import { isVain } from '../activities/patience';
import { Connections } from '../activities/yagna';
import { Gate } from './support/gate';
import { tried } from './support/pending';
import { expectAllPaidOnce, expectScriptsRunOnce, now } from './support/proof';
import { respond, startFakeYagna } from './support/recorded-yagna';
import { tempDir } from './support/temp-dir';
import { startWorld, type World } from './support/world';

const APP_KEY = 'key-of-a-yagna-that-moves';
const connections = join(tempDir('yagna-away'), 'connections.json');
let world: World;
let gate: Gate;

beforeAll(async () => {
  world = await startWorld({
    devnet: {
      paymentCycleSec: 0.1,
      appKeys: [APP_KEY],
      providers: ['one', 'two'].map((name) => ({ name, approveSec: 0.1, createSec: 0.1, deploySec: 0.1 })),
    },
    yagnaUrl: (url) => {
      moved(url, APP_KEY);
      return url;
    },
    env: { YAGNA_APPKEY: '', GOLEM_CONNECTIONS: connections },
  });
});
afterAll(() => world?.close());
beforeEach(async () => {
  gate = await Gate.start();
});
afterEach(() => gate.close());

function moved(url: string, appKey: string): void {
  writeFileSync(connections, JSON.stringify({ default: { url, appKey } }));
}

/** Lines that the worker has written since about its connection. */
const told = (from: number): string[] =>
  world.workerLog.slice(from).filter((line) => line.includes('connection default: '));

const AWAY =
  /connection default: yagna at http:\/\/127\.0\.0\.1:\d+ does not answer \(E\w+.*\); waiting for it$/;
const BACK = /connection default: yagna at http:\/\/127\.0\.0\.1:\d+ answers again after \d+ s$/;

async function isDoneByOne(jobId: string, began: number): Promise<void> {
  const result = await world.golem.result(jobId);
  expect(result.state).toBe('done');
  expect(result.tasks[0]?.attempts).toHaveLength(1);
  expect((await world.golem.settled(jobId)).state).toBe('settled');
  const all = await expectAllPaidOnce(world, began);
  expectScriptsRunOnce(all, result);
  expect(all.taskScripts()).toHaveLength(1);
  expect(all.count('agreement-created')).toBe(1);
  expect(all.count('activity-created')).toBe(1);
}

test('down while a script runs and ends, and back at another port, it costs no rental and two lines', async () => {
  const [node] = world.devnet.nodes;
  if (!node) throw new Error('the devnet has no node');
  const began = await now(world);
  const { jobId } = await world.golem.startJob({
    ...{ image: 'golem/alpine:latest', budget: '1' },
    tasks: [{ commands: [gate.command] }],
  });
  await gate.visitor();
  const from = world.workerLog.length;
  const { port } = node;
  await node.stop();
  gate.open();
  await tried(world, `${jobId}/rental/1`, 6);
  await node.start({ port: 0 });
  moved(node.url, node.appKey);
  await isDoneByOne(jobId, began);
  expect(told(from)).toEqual([expect.stringMatching(AWAY), expect.stringMatching(BACK)]);
  await node.restart({ port });
  moved(node.url, node.appKey);
});

test.each(['agreement-created', 'agreement-confirmed', 'agreement-approved', 'activity-created'])(
  'down from the moment of %s, it keeps what was rented',
  async (moment) => {
    const [node] = world.devnet.nodes;
    if (!node) throw new Error('the devnet has no node');
    const began = await now(world);
    gate.open();
    const { jobId } = await world.golem.startJob({
      ...{ image: 'golem/alpine:latest', budget: '1' },
      tasks: [{ commands: [gate.command], onUncertain: 'rerun' }],
    });
    await world.effect(moment, began);
    const from = world.workerLog.length;
    await node.stop();
    await tried(world, `${jobId}/rental/1`, 4);
    await node.start();
    await isDoneByOne(jobId, began);
    expect(told(from).filter((line) => AWAY.test(line))).toHaveLength(1);
    expect(told(from).filter((line) => BACK.test(line))).toHaveLength(1);
  },
);

test('down when a job begins, it keeps nobody from ending that', async () => {
  const [node] = world.devnet.nodes;
  if (!node) throw new Error('the devnet has no node');
  await node.stop();
  const { jobId } = await world.golem.startJob({
    image: 'golem/alpine:latest',
    budget: '1',
    tasks: ['true'],
  });
  await tried(world, jobId, 2);
  await world.client.workflow.getHandle(jobId).executeUpdate('terminate');
  expect(await world.golem.result(jobId)).toMatchObject({ jobId, state: 'failed', tasks: [] });
  await expect(world.golem.settled(jobId)).rejects.toThrow('it has no settlement');
  await node.start();
});

describe('however often it was asked in vain, it is waited for', () => {
  const JOB = { connection: 'default', jobId: 'job', jobUuid: 'uuid', owner: 'owner' };
  const LATER = Date.parse('2100-01-01T00:00:00Z');
  const IDS = { agreementId: 'agreement', activityId: 'activity', batchId: 'batch' };
  const PROVIDER = { id: '0x1', name: 'one' };
  const DEMAND = { demandId: 'demand', n: 1, expiresAtMs: LATER };
  const proposal = { proposalId: 'p', provider: PROVIDER, cpuThreads: 1, pricePerHour: '1', demand: DEMAND };
  const inputs = {
    golemSignAgreement: { job: JOB, proposal, validTo: new Date(LATER).toISOString() },
    golemCreateVm: { job: JOB, agreementId: 'agreement', provider: PROVIDER, validToMs: LATER, ended: [] },
    golemWatchScript: { job: JOB, ...IDS, commandCount: 1, deadlineMs: 0, outputLimitBytes: 1000 },
    golemWatchRental: { job: JOB, ...IDS, validToMs: LATER },
    golemDestroyVm: { job: JOB, ...IDS },
    golemCloseRental: { job: JOB, ...IDS, reason: { message: 'over' } },
  };
  const run = (name: keyof typeof inputs, url: string, attempt: number): Promise<unknown> => {
    const activities = createGolemActivities({
      connections: new Connections({ YAGNA_APPKEY: 'app-key', YAGNA_API_URL: url }),
      ...{ specSettings: {}, strategies: {}, registryUrl: url, owner: 'owner' },
    });
    const environment = new MockActivityEnvironment({ attempt }, { logger: new DefaultLogger('ERROR') });
    return environment.run(activities[name] as (input: unknown) => Promise<unknown>, inputs[name]);
  };

  test.each(Object.keys(inputs) as (keyof typeof inputs)[])('by %s', async (name) => {
    const fake = await startFakeYagna();
    for (const status of [502, 503]) {
      fake.answer = (_, response) => respond(response, status, 'nobody is there', 'text/plain');
      await expect(run(name, fake.url, 10_000)).rejects.toMatchObject({
        ...{ type: 'YagnaUnavailable', nonRetryable: false },
      });
    }
    fake.answer = (_, response) => respond(response, 401, 'Invalid application key', 'text/plain');
    await expect(run(name, fake.url, 10_000)).rejects.toMatchObject({
      ...{ type: 'YagnaUnauthorized', nonRetryable: false },
    });
    await fake.close();
    await expect(run(name, fake.url, 10_000)).rejects.toMatchObject({
      ...{ type: 'YagnaUnavailable', nonRetryable: false },
    });
  });

  test('but a call that fails again and again is given up, once yagna has been well for a while', () => {
    const up = (seconds: number) => ({ upForMs: () => seconds * 1000 });
    expect(isVain(up(0), 10_000, 20)).toBe(false);
    expect(isVain(up(119), 10_000, 20)).toBe(false);
    expect(isVain(up(120), 19, 20)).toBe(false);
    expect(isVain(up(120), 20, 20)).toBe(true);
  });
});
