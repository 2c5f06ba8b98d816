/** What the options of a job's demand change in the requests that yagna gets, read from the wire. */
import { PROP } from '../model/properties';
import { FaultProxy, type Fault } from './support/fault-proxy';
import { startWorld, type World } from './support/world';

const proxy = new FaultProxy();
let world: World;

beforeAll(async () => {
  world = await startWorld({ yagnaUrl: (url) => proxy.start(url), devnet: { paymentCycleSec: 0.1 } });
});
afterAll(async () => {
  await world?.close();
  await proxy.close();
});
afterEach(() => proxy.clear());

const SUBSCRIBE = /^POST .*\/demands$/;
const POLL = /^GET .*\/demands\/[\w-]+\/events$/;
const COUNTER = /^POST .*\/demands\/[\w-]+\/proposals\/[\w-]+$/;
const AGREE = /^POST .*\/agreements$/;

const BASE = { image: 'golem/alpine:latest', budget: '1', tasks: ['true'] };
/** No provider is as cheap as that, so nothing is rented. */
const NOBODY = { pricing: { maxEnvPerHour: '0' } };

interface Terms {
  properties: Record<string, unknown>;
  constraints: string;
}

async function bodyOf<T>(fault: Fault): Promise<T> {
  return JSON.parse((await fault.hit()).body) as T;
}

/** The demand that a job subscribes. The job is cancelled then. */
async function demandOf(spec: object): Promise<Terms> {
  const subscribe = proxy.watch(SUBSCRIBE);
  const { jobId } = await world.golem.startJob({ ...BASE, ...NOBODY, ...spec });
  const demand = await bodyOf<Terms>(subscribe);
  await end(jobId);
  return demand;
}

async function end(jobId: string): Promise<void> {
  await world.golem.cancel(jobId);
  await expect(world.golem.result(jobId)).rejects.toMatchObject({ type: 'Cancelled' });
}

const conditions = ({ constraints }: Terms): string[] =>
  [...constraints.matchAll(/\(([^()&|]+)\)/g)].map(([, condition = '']) => condition.trim());

let plain: Terms;
beforeAll(async () => {
  plain = await demandOf({});
});

describe('a demand option is a constraint on offers', () => {
  test.each<[object, string]>([
    [{ minCpuCores: 3 }, 'golem.inf.cpu.cores>=3'],
    [{ minCpuThreads: 5 }, 'golem.inf.cpu.threads>=5'],
    [{ minMemGib: 1.5 }, 'golem.inf.mem.gib>=1.5'],
    [{ minStorageGib: 7 }, 'golem.inf.storage.gib>=7'],
    [{ runtime: 'vm-nvidia' }, 'golem.runtime.name=vm-nvidia'],
    [{ capabilities: ['vpn'] }, 'golem.runtime.capabilities=vpn'],
    [{ subnetTag: 'quiet' }, 'golem.node.debug.subnet=quiet'],
  ])('%j asks for %s', async (option, condition) => {
    expect(conditions(plain)).not.toContain(condition);
    const asked = conditions(await demandOf({ demand: option }));
    expect(asked).toContain(condition);
    // All else is as without it.
    const key = condition.split(/[>=]/)[0] ?? '';
    const others = (all: string[]): string[] => all.filter((each) => !each.startsWith(key)).sort();
    expect(others(asked)).toEqual(others(conditions(plain)));
  });
});

describe('a demand option is a property that providers negotiate by', () => {
  test.each<[object, string, unknown]>([
    [{ subnetTag: 'quiet' }, PROP.subnet, 'quiet'],
    [{ debitNotesAcceptanceTimeoutSec: 100 }, PROP.acceptTimeout, 100],
    [{ midAgreementDebitNoteIntervalSec: 77 }, PROP.debitNoteInterval, 77],
    [{ midAgreementPaymentTimeoutSec: 500 }, PROP.paymentTimeout, 500],
  ])('%j sets %s', async (option, property, value) => {
    expect(plain.properties[property]).not.toEqual(value);
    const asked = (await demandOf({ demand: option })).properties;
    expect(asked[property]).toEqual(value);
  });

  test('expirationSec is when the demand, and what is rented under it, ends', async () => {
    const before = Date.now();
    const { properties } = await demandOf({ demand: { expirationSec: 777 } });
    const end = Number(properties[PROP.expiration]);
    expect(end).toBeGreaterThanOrEqual(before + 777_000);
    expect(end).toBeLessThanOrEqual(Date.now() + 777_000);
  });

  test('over half an hour debit notes are promised to be accepted, over ten hours to be paid', async () => {
    const { properties: short } = plain;
    expect([short[PROP.acceptTimeout], short[PROP.paymentTimeout]]).toEqual([undefined, undefined]);
    const { properties: hour } = await demandOf({ demand: { expirationSec: 3600 } });
    expect(hour).toMatchObject({ [PROP.acceptTimeout]: 240, [PROP.debitNoteInterval]: 120 });
    expect(hour[PROP.paymentTimeout]).toBeUndefined();
    const { properties: day } = await demandOf({ demand: { expirationSec: 86_400 } });
    expect(day).toMatchObject({ [PROP.acceptTimeout]: 240, [PROP.paymentTimeout]: 43_200 });
  });

  test('the image and the payment platform stand in the demand, and our mark', async () => {
    const image = `hash:sha3:${'ab'.repeat(28)}:http://127.0.0.1:1/image.gvmi`;
    const { properties } = await demandOf({ image, budget: { amount: '1', network: 'polygon' } });
    expect(properties[PROP.taskPackage]).toBe(image);
    expect(properties['golem.com.payment.platform.erc20-polygon-glm.address']).toMatch(/^0x/);
    expect(plain.properties['golem.com.payment.platform.erc20-holesky-tglm.address']).toMatch(/^0x/);
    expect(plain.properties[PROP.mark]).toMatch(/^[^/]+\/[0-9a-f-]{36}\/1$/);
  });
});

describe('how the market is read', () => {
  /** Query of the first poll for offers that found nothing. */
  async function pollOf(demand: object): Promise<URLSearchParams> {
    const poll = proxy.hold(POLL);
    // Of another subnet, so that nobody offers.
    const { jobId } = await world.golem.startJob({ ...BASE, demand: { subnetTag: 'empty', ...demand } });
    const { query } = await poll.reached;
    poll.release();
    await end(jobId);
    return query;
  }

  test('maxOfferEvents is how many offers are read at a time', async () => {
    expect((await pollOf({ maxOfferEvents: 7 })).get('maxEvents')).toBe('7');
    // yagna gives no more than 100 at a time.
    expect((await pollOf({ maxOfferEvents: 300 })).get('maxEvents')).toBe('100');
    expect((await pollOf({})).get('maxEvents')).toBe('100');
  });

  test('offerFetchingIntervalSec is how long one poll waits for offers', async () => {
    expect((await pollOf({ offerFetchingIntervalSec: 3 })).get('timeout')).toBe('3');
    expect((await pollOf({})).get('timeout')).toBe('20');
  });

  test('a counter-proposal not answered within proposalTimeoutSec is given up for the next offer', async () => {
    // The cheapest provider never gets our counter-proposal.
    const silent = proxy.answer(COUNTER, 200, `R-${'0'.repeat(64)}`);
    const { jobId } = await world.golem.startJob({ ...BASE, demand: { proposalTimeoutSec: 1 } });
    await silent.hit();
    const poll = proxy.hold(POLL);
    const { query } = await poll.reached;
    poll.release();
    expect(Number(query.get('timeout'))).toBeGreaterThan(0);
    expect(Number(query.get('timeout'))).toBeLessThanOrEqual(1);
    const result = await world.golem.result(jobId);
    expect(result.state).toBe('done');
    expect(result.tasks[0]?.provider?.name).not.toBe('cheap-and-slow');
  });

  test('a counter-proposal carries the demand and the platform to pay on; the agreement ends with the demand', async () => {
    const [subscribe, counter, agree] = [SUBSCRIBE, COUNTER, AGREE].map((pattern) => proxy.watch(pattern));
    const { jobId } = await world.golem.startJob({
      ...BASE,
      demand: { expirationSec: 900, minCpuThreads: 2 },
    });
    await world.golem.result(jobId);
    const [demand, countered, agreement] = await Promise.all([
      bodyOf<Terms>(subscribe as Fault),
      bodyOf<Terms>(counter as Fault),
      bodyOf<{ validTo: string }>(agree as Fault),
    ]);
    expect(countered).toEqual({
      properties: { ...demand.properties, [PROP.chosenPlatform]: 'erc20-holesky-tglm' },
      constraints: demand.constraints,
    });
    expect(Date.parse(agreement.validTo)).toBe(Number(demand.properties[PROP.expiration]));
  });
});
