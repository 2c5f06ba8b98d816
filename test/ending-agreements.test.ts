/** How agreements end: what is told of it, by whose clock, and what is kept of a provider's words. */
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { Connections, createGolemActivities, type GolemActivities } from '../activities';
import { respond, startFakeYagna, type FakeYagna } from './support/recorded-yagna';

const PROVIDER = '0x1e34baec996c448814b48eb4fbd908bea004da61';
const JOB = { connection: 'default', jobId: 'job', jobUuid: 'uuid', owner: 'owner' };

let fake: FakeYagna;
/** What the fake yagna holds: one agreement. */
let agreement: { state: string; validTo: string; name: string };

beforeEach(async () => {
  fake = await startFakeYagna();
  agreement = { state: 'Approved', validTo: '2100-01-01T00:00:00Z', name: 'one' };
  fake.answer = ({ method, path }, response) => {
    const call = `${method} ${path.replace(/^\/[^/]+\/v1/, '')}`;
    const answers: Record<string, unknown> = {
      'GET /demands': [],
      'GET /agreements': [{ id: 'a1', role: 'Requestor' }],
      'GET /agreements/a1': agreementBody(),
      'GET /invoices': [],
    };
    respond(response, call in answers ? 200 : 404, answers[call] ?? { message: 'no such call' });
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
function run<T>(act: (activities: GolemActivities) => Promise<T>): Promise<T> {
  const connections = new Connections({ YAGNA_APPKEY: 'key', YAGNA_API_URL: fake.url });
  const activities = createGolemActivities({
    ...{ connections, specSettings: {}, strategies: {}, registryUrl: fake.url },
  });
  const logger = new DefaultLogger('ERROR');
  return new MockActivityEnvironment({}, { logger }).run(() => act(activities));
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
