/** How agreements end: what is told of it, by whose clock, and what is kept of a provider's words. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { Connections, createGolemActivities, type GolemActivities } from '../activities';
import { respond, startFakeYagna, type FakeYagna } from './support/recorded-yagna';

const PROVIDER = '0x1e34baec996c448814b48eb4fbd908bea004da61';
const JOB = { connection: 'default', jobId: 'job', jobUuid: 'uuid', owner: 'owner' };

const CLOSE = { job: JOB, agreementId: 'a1', reason: { message: 'Finished' } };

let fake: FakeYagna;
/** What the fake yagna holds: one agreement. */
let agreement: { state: string; validTo: string; name: string };
/** How it ended, and how its second VM did. */
let ended: object | undefined;
let vm: object;
/** yagna's clock. */
let yagnaMs: () => number;

beforeEach(async () => {
  fake = await startFakeYagna();
  agreement = { state: 'Approved', validTo: '2100-01-01T00:00:00Z', name: 'one' };
  ended = undefined;
  vm = { state: ['Terminated', null] };
  yagnaMs = Date.now;
  fake.answer = ({ method, path }, response) => {
    const call = `${method} ${path.replace(/^\/[^/]+\/v1/, '')}`;
    const answers: Record<string, unknown> = {
      'GET /demands': [],
      'GET /agreements': [{ id: 'a1', role: 'Requestor' }],
      'GET /agreements/a1': agreementBody(),
      'GET /agreements/a1/terminate/reason': ended,
      'GET /activity': ['vm1', 'vm2'],
      'GET /activity/vm1/state': { state: ['Terminated', null] },
      'GET /activity/vm2/state': vm,
      'POST /agreements/a1/terminate': {},
      'GET /invoices': [],
    };
    response.setHeader('date', new Date(yagnaMs()).toUTCString());
    const answer = answers[call];
    respond(response, answer === undefined ? 404 : 200, answer ?? { message: 'no such call' });
  };
});
afterEach(() => fake.close());

function agreementBody(): object {
  const timestamp = '2026-01-01T00:00:00Z';
  const { state, validTo, name } = agreement;
  const sides = { constraints: '()', timestamp };
  return {
    ...{ agreementId: 'a1', state, validTo, timestamp, approvedDate: timestamp },
    demand: {
      ...{ demandId: 'd1', requestorId: '0xus', ...sides },
      properties: { 'golem.temporal.mark': 'owner/uuid/1' },
    },
    offer: {
      ...{ offerId: 'o1', providerId: PROVIDER, ...sides },
      properties: { 'golem.node.id.name': name },
    },
  };
}

/** Runs something of the activities against the fake yagna. */
function run<T>(act: (activities: GolemActivities) => Promise<T>, attempt = 1): Promise<T> {
  const connections = new Connections({ YAGNA_APPKEY: 'key', YAGNA_API_URL: fake.url });
  const activities = createGolemActivities({
    ...{ connections, specSettings: {}, strategies: {}, registryUrl: fake.url },
  });
  const logger = new DefaultLogger('ERROR');
  return new MockActivityEnvironment({ attempt }, { logger }).run(() => act(activities));
}

test("of a provider's name only what is fit to be shown is kept when a job's leavings are ended", async () => {
  agreement = { ...agreement, state: 'Terminated', name: `\u001b[2Jred\r\n${'x'.repeat(3_000_000)}` };
  const { agreements } = await run((yagna) =>
    yagna.golemCleanUp({ job: JOB, since: '2026-01-01T00:00:00Z' }),
  );
  expect(agreements).toEqual([
    {
      agreementId: 'a1',
      provider: { id: PROVIDER, name: `[2Jred ${'x'.repeat(92)}…` },
      state: 'Terminated',
    },
  ]);
});

describe('ending one again, whose end was not heard of', () => {
  const again = () => run((yagna) => yagna.golemCloseRental(CLOSE), 2);
  const ofUs = {
    agreementId: 'a1',
    eventDate: '2026-01-01T00:00:00Z',
    eventType: 'AgreementTerminatedEvent',
  };
  const names = (told: { events: { name: string }[] }): string[] => told.events.map(({ name }) => name);

  beforeEach(() => {
    agreement.state = 'Terminated';
    ended = { ...ofUs, terminator: 'Requestor', reason: { message: 'Finished' } };
  });

  test('tells of the agreement and its newest VM: the one before was told of when it was replaced', async () => {
    const { events } = await again();
    expect(events).toMatchObject([
      { name: 'ActivityDestroyed', details: { id: 'vm2', provider: { id: PROVIDER, name: 'one' } } },
      { name: 'ActivityStateChanged', details: { id: 'vm2', state: 'Terminated' } },
      { name: 'AgreementTerminated', details: { id: 'a1', reason: 'Finished', terminator: 'Requestor' } },
    ]);
  });

  test('tells nothing of a VM that ended by itself', async () => {
    vm = { state: ['Terminated', null], reason: 'Interrupted by signal: 15' };
    expect(names(await again())).toEqual(['AgreementTerminated']);
  });

  test.each([
    ['the provider', { terminator: 'Provider', reason: { message: 'Finished' } }],
    ['somebody of ours for another reason', { terminator: 'Requestor', reason: { message: 'refused' } }],
  ])('tells nothing when %s ended it', async (_who, how) => {
    ended = { ...ofUs, ...how };
    expect(names(await again())).toEqual([]);
  });

  test('tells of the VM where the agreement is still to be ended', async () => {
    agreement.state = 'Approved';
    expect(names(await again())).toEqual([
      'ActivityDestroyed',
      'ActivityStateChanged',
      'AgreementTerminated',
    ]);
  });
});

describe("by yagna's clock, whatever the worker's says", () => {
  const inMinutes = (minutes: number): number => Date.now() + minutes * 60_000;
  const terminations = (): number => fake.requests.filter(({ path }) => path.endsWith('/terminate')).length;

  test.each([
    ['is ended while it lasts', -10, 1],
    ['that is over is left alone', 10, 0],
  ])('an agreement %s', async (_what, yagnaAhead, expected) => {
    yagnaMs = () => inMinutes(yagnaAhead);
    agreement.validTo = new Date(inMinutes(yagnaAhead / 2)).toISOString();
    await run((yagna) => yagna.golemCloseRental(CLOSE));
    await run((yagna) => yagna.golemCleanUp({ job: JOB, since: '2026-01-01T00:00:00Z' }));
    expect(terminations()).toBe(2 * expected);
  });

  test('a rental has not expired before', async () => {
    const watched = (validToMs: number) => {
      agreement.validTo = new Date(validToMs).toISOString();
      const input = { job: JOB, agreementId: 'a1', activityId: 'vm2', validToMs };
      return run((yagna) => yagna.golemWatchRental(input));
    };
    yagnaMs = () => inMinutes(-10);
    expect(await watched(inMinutes(-5))).toMatchObject({ ended: 'vm' });
    expect(await watched(inMinutes(-15))).toMatchObject({ reason: 'agreement Expired' });
  });
});
