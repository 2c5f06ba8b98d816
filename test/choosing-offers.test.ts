/**
 * Which offers a round of negotiation chooses: the best, and among equal ones each job has an order of its own, so that many that begin at
 * once spread over the market.
 */
import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { Connections, createGolemActivities, type GolemActivities } from '../activities';
import type { DraftProposal, Negotiated, NegotiateInput } from '../activities/contract';
import { startDevnet, type Devnet, type DevnetOptions } from '../devnet';
import { parseJobSpec } from '../model/spec';
import { PLATFORM } from './support/devnet-requestor';

let devnet: Devnet;
let activities: GolemActivities;

async function open(providers: DevnetOptions['providers']): Promise<void> {
  devnet = await startDevnet({ providers });
  const connections = new Connections({ YAGNA_APPKEY: devnet.appKey, YAGNA_API_URL: devnet.url });
  activities = createGolemActivities({
    ...{ connections, specSettings: {}, strategies: {}, registryUrl: `${devnet.url}/registry` },
  });
}

function run<T>(act: () => Promise<T>): Promise<T> {
  return new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run(act);
}

const names = (drafts: readonly DraftProposal[]): string[] => drafts.map(({ provider }) => provider.name);

/** Names of the providers that a job chooses when it wants so many, in its order. */
async function chosen(jobUuid: string, wanted: number): Promise<string[]> {
  return names((await negotiated(jobUuid, { wanted })).drafts);
}

/** A round of negotiation. @param more over the input of a first one */
async function negotiated(jobUuid: string, more: Partial<NegotiateInput>): Promise<Negotiated> {
  const parsed = parseJobSpec({ image: 'golem/alpine:latest', budget: '1', tasks: ['true'] });
  if (!parsed.ok) throw new Error(parsed.problems.join());
  const { demand, pricing, providers } = parsed.spec;
  const image = { taskPackage: 'hash:sha3:0:http://localhost/image', label: 'image' };
  const job = { connection: 'default', jobId: jobUuid, jobUuid, owner: 'owner' };
  const { allocationId } = await run(() =>
    activities.golemReserveAllocation({ job, amount: '1', platform: PLATFORM, endsAtSec: 4_000_000_000 }),
  );
  return await run(() =>
    activities.golemNegotiate({
      ...{ job, allocationId, platform: PLATFORM, spec: { image, demand, pricing, providers } },
      ...{ renew: false, nextDemandNumber: 1, wanted: 1, leftOver: [], unanswered: [] },
      ...{ avoid: [], brokeFaith: [], forgivable: [], ...more },
    }),
  );
}

describe('of equal offers', () => {
  beforeAll(() => open(['one', 'two', 'three', 'four', 'five', 'six'].map((name) => ({ name }))));
  afterAll(() => devnet.close());

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
});

describe('of offers that come one after the other', () => {
  const pricing = (start: string): object => ({ pricing: { start, cpuPerHour: '0', envPerHour: '0' } });
  /** The dear one offers at once; the others in their order, once it is asked. */
  async function openMarket(
    ...others: { name: string; start: string; negotiateSec?: number }[]
  ): Promise<void> {
    const later = others.map(({ start, ...each }) => ({ ...each, ...pricing(start) }));
    await open([{ name: 'dear', ...pricing('0.2') }, ...later]);
    await Promise.all(others.map(({ name }) => devnet.shutDownProvider(name)));
    void devnet.effects.next('proposal-countered').then(() => {
      for (const { name } of others) devnet.reopenProvider(name);
    });
  }
  const CHEAP = { name: 'cheap', start: '0.1' };
  const MIDDLING = { name: 'middling', start: '0.15' };
  afterEach(() => devnet.close());

  test('the best is chosen, though another one was answered while it came', async () => {
    await openMarket(CHEAP);
    expect(await chosen(randomUUID(), 1)).toEqual(['cheap']);
    expect(devnet.effects.all(0, ['proposal-countered'])).toHaveLength(2);
  });

  test('one that was not needed is at hand for the next round, and no better offer is passed over for it', async () => {
    await openMarket(CHEAP, MIDDLING);
    const jobUuid = randomUUID();
    const first = await negotiated(jobUuid, {});
    expect([names(first.drafts), names(first.spare)]).toEqual([['cheap'], ['dear']]);
    const { demand, leftOver, unanswered, spare } = first;
    const avoid = first.drafts.map(({ provider }) => provider.id);
    const again = { demand, leftOver, unanswered, spare, nextDemandNumber: 2 };
    expect(names((await negotiated(jobUuid, { ...again, avoid })).drafts)).toEqual(['middling']);
    const dear = spare.map(({ provider }) => provider.id);
    const shelved = await negotiated(jobUuid, { ...again, leftOver: [], avoid: dear, wanted: 0 });
    expect(names(shelved.spare)).toEqual(['dear']);
    expect(names((await negotiated(jobUuid, { ...again, leftOver: [], avoid })).drafts)).toEqual(['dear']);
  });

  test('where the best refuses, the next best is asked, whoever was asked before it came', async () => {
    await openMarket(CHEAP, MIDDLING);
    devnet.faults.arm({ on: 'provider.negotiate', do: 'refuse', provider: 'cheap' });
    expect(await chosen(randomUUID(), 1)).toEqual(['middling']);
  });

  test('a better one that does not answer keeps nobody waiting for one that does', async () => {
    await openMarket({ ...CHEAP, negotiateSec: 600 });
    expect(await chosen(randomUUID(), 1)).toEqual(['dear']);
  });

  test('both are chosen where two are wanted, the better one first', async () => {
    await openMarket(CHEAP);
    expect(await chosen(randomUUID(), 2)).toEqual(['cheap', 'dear']);
  });
});
