/** Among equal offers each job has an order of its own: many that begin at once spread over the market. */
import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { Connections, createGolemActivities, type GolemActivities } from '../activities';
import { startDevnet, type Devnet } from '../devnet';
import { parseJobSpec } from '../model/spec';
import { PLATFORM } from './support/devnet-requestor';

const PROVIDERS = ['one', 'two', 'three', 'four', 'five', 'six'];

let devnet: Devnet;
let activities: GolemActivities;

beforeAll(async () => {
  devnet = await startDevnet({ providers: PROVIDERS.map((name) => ({ name })) });
  const connections = new Connections({ YAGNA_APPKEY: devnet.appKey, YAGNA_API_URL: devnet.url });
  activities = createGolemActivities({
    ...{ connections, specSettings: {}, strategies: {}, registryUrl: `${devnet.url}/registry` },
  });
});
afterAll(() => devnet?.close());

function run<T>(act: () => Promise<T>): Promise<T> {
  return new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(act);
}

/** Names of the providers that a job chooses when it wants so many, in its order. */
async function chosen(jobUuid: string, wanted: number): Promise<string[]> {
  const parsed = parseJobSpec({ image: 'golem/alpine:latest', budget: '1', tasks: ['true'] });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  const { demand, pricing, providers } = parsed.spec;
  const image = { taskPackage: 'hash:sha3:0:http://localhost/image', label: 'image' };
  const job = { connection: 'default', jobId: jobUuid, jobUuid, owner: 'owner' };
  const { allocationId } = await run(() =>
    activities.golemReserveAllocation({ job, amount: '1', platform: PLATFORM, endsAtSec: 4_000_000_000 }),
  );
  const { drafts } = await run(() =>
    activities.golemNegotiate({
      ...{ job, allocationId, platform: PLATFORM, spec: { image, demand, pricing, providers } },
      ...{ renew: false, nextDemandNumber: 1, wanted, leftOver: [], unanswered: [] },
      ...{ avoid: [], brokeFaith: [], forgivable: [] },
    }),
  );
  return drafts.map(({ provider }) => provider.name);
}

test('jobs that begin at once do not all choose the same provider', async () => {
  const choices = await Promise.all(Array.from({ length: 12 }, () => chosen(randomUUID(), 1)));
  expect(choices.map(({ length }) => length)).toEqual(choices.map(() => 1));
  expect(new Set(choices.flat()).size).toBeGreaterThan(1);
});

test('a round that is repeated chooses as before, and every provider once', async () => {
  const jobUuid = randomUUID();
  const [first, again] = [await chosen(jobUuid, 2), await chosen(jobUuid, 2)];
  expect(new Set(first).size).toBe(2);
  expect(new Set(again)).toEqual(new Set(first));
});
