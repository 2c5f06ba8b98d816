/** What watching a script makes of a yagna in trouble. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { Connections } from '../activities';
import type { WatchScriptInput } from '../activities/contract';
import { scriptWatchActivities } from '../activities/watch-script';
import { respond, startFakeYagna, type FakeYagna } from './support/recorded-yagna';

let fake: FakeYagna;
beforeEach(async () => {
  fake = await startFakeYagna();
});
afterEach(() => fake.close());

function watch(deadlineMs: number): Promise<unknown> {
  const connections = new Connections({ YAGNA_APPKEY: 'key', YAGNA_API_URL: fake.url });
  const { golemWatchScript } = scriptWatchActivities({
    ...{ connections, specSettings: {}, strategies: {}, registryUrl: fake.url },
  });
  const input: WatchScriptInput = {
    job: { connection: 'default', jobId: 'job', jobUuid: 'uuid', owner: 'owner' },
    ...{ agreementId: 'agreement', activityId: 'activity', batchId: 'batch' },
    ...{ commandCount: 1, deadlineMs, outputLimitBytes: 1000 },
  };
  return new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(golemWatchScript, input);
}

const LATER = Date.parse('2100-01-01T00:00:00Z');

test('a yagna that is away loses no VM: the watch is tried again', async () => {
  fake.answer = (_, response) => respond(response, 503, { message: 'restarting' });
  await expect(watch(LATER)).rejects.toMatchObject({ type: 'YagnaUnavailable', nonRetryable: false });
  expect(fake.requests).toHaveLength(1);
});

test('nor does one that has an answer to nothing', async () => {
  fake.answer = (_, response) => respond(response, 500, { message: 'the database is locked' });
  await expect(watch(LATER)).rejects.toMatchObject({ type: 'YagnaUnavailable', nonRetryable: false });
  const asked = fake.requests.map(({ path }) => path.split('/').at(-1));
  expect(asked).toEqual(['batch', 'state', 'agreement']);
});

test("a provider that stays silent holds nobody up beyond the script's time", async () => {
  fake.answer = (_, response) => respond(response, 408, { message: 'Timeout' });
  await expect(watch(Date.now() - 1)).resolves.toMatchObject({ state: 'timedOut' });
});

test('a VM is lost when yagna says that it has ended', async () => {
  fake.answer = ({ path }, response) =>
    path.endsWith('/state')
      ? respond(response, 200, { state: ['Terminated', null], reason: 'out of memory' })
      : respond(response, 500, { message: 'no such batch' });
  await expect(watch(LATER)).resolves.toMatchObject({
    state: 'lost',
    reason: 'the VM is Terminated: out of memory',
  });
});
