/** Golem's own SDK, unmodified from npm, as a requestor on the devnet. */
import { GolemNetwork, type MarketOrderSpec } from '@golem-sdk/golem-js';
import { DEFAULT_PROVIDERS, startDevnet, type Devnet } from '../devnet';
import { Requestor } from './support/devnet-requestor';

let devnet: Devnet;
let golem: GolemNetwork;
let seen: string[];

const order: MarketOrderSpec = {
  demand: { workload: { imageTag: 'golem/alpine:latest' } },
  market: {
    rentHours: 0.5,
    pricing: { model: 'linear', maxStartPrice: 1, maxCpuPerHourPrice: 1, maxEnvPerHourPrice: 1 },
  },
};

beforeEach(async () => {
  devnet = await startDevnet({ paymentCycleSec: 0.1 });
  process.env['GOLEM_REGISTRY_URL'] = `${devnet.url}/registry`;
  golem = new GolemNetwork({ api: { key: devnet.appKey, url: devnet.url } });
  seen = [];
  const watch = (
    emitter: { on(name: string, listener: () => void): unknown },
    names: readonly string[],
  ): void => {
    for (const name of names) emitter.on(name, () => seen.push(name));
  };
  watch(golem.market.events, [
    'demandSubscriptionStarted',
    'offerProposalReceived',
    'offerCounterProposalSent',
    'agreementApproved',
    'agreementTerminated',
    'demandSubscriptionStopped',
  ]);
  watch(golem.activity.events, ['activityCreated', 'scriptSent', 'scriptExecuted', 'activityDestroyed']);
  watch(golem.payment.events, [
    'allocationCreated',
    'debitNoteReceived',
    'debitNoteAccepted',
    'invoiceReceived',
    'invoiceAccepted',
    'allocationReleased',
  ]);
  await golem.connect();
});

afterEach(async () => {
  await golem.disconnect();
  await devnet.close();
  delete process.env['GOLEM_REGISTRY_URL'];
});

/** The seen events without repetitions, in the order in which each came first. */
function firstSeen(): string[] {
  return [...new Set(seen)];
}

describe('golem-js 3.6', () => {
  it('rents one provider, runs a command there, pays and leaves nothing behind', async () => {
    const rental = await golem.oneOf({ order });
    const exe = await rental.getExeUnit();
    const result = await exe.run('echo "hello from $(pwd)"');
    expect(result).toMatchObject({ result: 'Ok', stdout: expect.stringMatching(/^hello from \//) });
    await rental.stopAndFinalize();
    await golem.disconnect();
    // Two that come when they like: notes with the activity's end, the demand's end any time after the agreement.
    const free = ['debitNoteReceived', 'debitNoteAccepted', 'demandSubscriptionStopped'];
    expect(seen).toEqual(expect.arrayContaining(free));
    expect(firstSeen().filter((name) => !free.includes(name))).toEqual([
      'allocationCreated',
      'demandSubscriptionStarted',
      'offerProposalReceived',
      'offerCounterProposalSent',
      'agreementApproved',
      'activityCreated',
      'scriptSent',
      'scriptExecuted',
      'activityDestroyed',
      'agreementTerminated',
      'invoiceReceived',
      'invoiceAccepted',
      'allocationReleased',
    ]);
    const requestor = new Requestor(devnet.url, devnet.appKey);
    expect((await requestor.get('/admin/open')).json.counts).toEqual({
      allocations: 0,
      demands: 0,
      agreements: 0,
      activities: 0,
    });
  });

  it('rents three providers at once, and their commands run on three of them', async () => {
    const pool = await golem.manyOf({ order, poolSize: 3 });
    const names = await Promise.all(
      [1, 2, 3].map((n) =>
        pool.withRental(async (rental) => {
          const exe = await rental.getExeUnit();
          const { stdout } = await exe.run(`sleep 1; echo ${n}`);
          return [String(stdout).trim(), exe.provider.name] as const;
        }),
      ),
    );
    expect(names.map(([output]) => output)).toEqual(['1', '2', '3']);
    expect(new Set(names.map(([, name]) => name)).size).toBeGreaterThan(1);
    expect(DEFAULT_PROVIDERS.map(({ name }) => name)).toEqual(
      expect.arrayContaining(names.map(([, name]) => name)),
    );
    const { json: approved } = await new Requestor(devnet.url, devnet.appKey).get(
      '/admin/effects?kind=agreement-approved',
    );
    expect(approved).toHaveLength(3);
    await pool.drainAndClear();
  });
});
