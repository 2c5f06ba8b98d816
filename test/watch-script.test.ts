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

function watch(deadlineMs: number, commandCount = 1): Promise<unknown> {
  const connections = new Connections({ YAGNA_APPKEY: 'key', YAGNA_API_URL: fake.url });
  const { golemWatchScript } = scriptWatchActivities({
    ...{ connections, specSettings: {}, strategies: {}, registryUrl: fake.url },
  });
  const input: WatchScriptInput = {
    job: { connection: 'default', jobId: 'job', jobUuid: 'uuid', owner: 'owner' },
    ...{ agreementId: 'agreement', activityId: 'activity', batchId: 'batch' },
    ...{ commandCount, deadlineMs, outputLimitBytes: 1000 },
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

/** Answers polls for each command of a script in turn; the VM lives. */
function tells(results: (asked: number) => unknown): void {
  fake.answer = ({ path, query }, response) =>
    path.endsWith('/state')
      ? respond(response, 200, { state: ['Ready', null] })
      : respond(response, 200, results(Number(query.commandIndex)));
}
const ok = (index: number, stdout: unknown = null) => ({
  ...{ index, result: 'Ok', stdout, eventDate: '2026-01-01T00:00:00Z' },
});

test('each command is asked for once, and its output taken from that answer', async () => {
  tells((asked) =>
    [0, 1, 2].slice(0, asked + 1).map((index) => ok(index, index === asked ? `${index}` : null)),
  );
  const watched = await watch(LATER, 3);
  expect(watched).toMatchObject({
    state: 'done',
    results: [{ stdout: '0' }, { stdout: '1' }, { stdout: '2' }],
  });
  expect(fake.requests).toHaveLength(3);
});

test.each([
  ['of a command beyond its end', () => [ok(0), ok(5)], /tells of command 5 of a script of 2/],
  ['of a command before its beginning', () => [ok(-1)], /tells of command -1/],
  ['twice of one command', () => [ok(0), ok(0)], /tells twice of command 0/],
  [
    'first one thing and then another',
    (asked: number) => [{ ...ok(0), result: asked === 0 ? 'Ok' : 'Error' }],
    /command 0 ended with Error, and said Ok before/,
  ],
])('results that tell %s are believed no more', async (_what, results, reason) => {
  tells(results);
  expect(await watch(LATER, 2)).toMatchObject({
    ...{ state: 'lost', vm: 'untrue', reason: expect.stringMatching(reason) as string },
  });
});

test.each([
  ['objects', [{ ...ok(0), stdout: { text: 'x' } }]],
  ['no list', { index: 0 }],
  ['unknown endings', [{ ...ok(0), result: 'Fine' }]],
])('results that are %s end the script: nobody can read them', async (_what, body) => {
  tells(() => body);
  expect(await watch(LATER)).toMatchObject({ state: 'lost', vm: 'unreadable' });
});

test('results that never come, though the script is said to be over, end with its time', async () => {
  tells(() => []);
  expect(await watch(Date.now() + 100)).toMatchObject({ state: 'timedOut', vm: 'busy' });
});

test('an answer without end is cut off, and the task has failed', async () => {
  const megabyte = 'x'.repeat(1024 * 1024);
  let sent = 0;
  const hungUp = new Promise<void>((resolve) => {
    fake.answer = (_, response) => {
      response.on('close', resolve);
      response.writeHead(200, { 'content-type': 'application/json' });
      const more = (): void => {
        while (!response.destroyed && response.write(megabyte)) sent += 1;
        sent += 1;
        response.once('drain', more);
      };
      more();
    };
  });
  expect(await watch(LATER)).toMatchObject({
    ...{ state: 'failed', vm: 'busy', results: [] },
    reason: expect.stringMatching(/command 0 printed too much: the answer is longer than 64 MiB/) as string,
  });
  await hungUp;
  expect(sent).toBeLessThan(100);
});

test('a VM that its provider has not heard of for a moment is not lost', async () => {
  let polls = 0;
  fake.answer = ({ path }, response) => {
    if (path.endsWith('/state')) return respond(response, 200, { state: ['Unresponsive', null] });
    polls += 1;
    return polls <= 3 ? respond(response, 408, { message: 'Timeout' }) : respond(response, 200, [ok(0)]);
  };
  expect(await watch(LATER)).toMatchObject({ state: 'done' });
});

test('a silent provider is waited for as long as the agreement lets the requestor be away, if that is longer than usual', async () => {
  const looks = async (terms: object): Promise<number> => {
    const half = { properties: terms, constraints: '()', timestamp: '2026-01-01T00:00:00Z' };
    const agreement = {
      ...{ agreementId: 'agreement', state: 'Approved' },
      ...{ validTo: '2100-01-01T00:00:00Z', timestamp: '2026-01-01T00:00:00Z' },
      demand: { ...half, demandId: 'demand', requestorId: '0x1' },
      offer: { ...half, offerId: 'offer', providerId: '0x2' },
    };
    let seen = 0;
    let nowMs = Date.now();
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => nowMs);
    fake.answer = ({ path }, response) => {
      if (path.endsWith('/agreement')) return respond(response, 200, agreement);
      if (path.endsWith('/state')) {
        seen += 1;
        nowMs += 60_000;
      }
      respond(response, 408, { message: 'Timeout' });
    };
    try {
      expect(await watch(LATER)).toMatchObject({ state: 'lost', vm: 'silent' });
    } finally {
      clock.mockRestore();
    }
    return seen;
  };
  const agreed = (acceptSec: number, noteSec: number) => ({
    'golem.com.payment.debit-notes.accept-timeout?': acceptSec,
    'golem.com.scheme.payu.debit-note.interval-sec?': noteSec,
  });
  // A look a minute, from the first on.
  expect(await looks({})).toBe(3);
  expect(await looks(agreed(240, 120))).toBe(3);
  expect(await looks(agreed(600, 120))).toBe(11);
  expect(await looks(agreed(240, 900))).toBe(16);
});
