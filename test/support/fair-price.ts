/** What a job has paid at most may be what its agreements' prices make of the time that they really lasted. */
import { Decimal } from 'decimal.js';
import type { SettlementResult } from '../../model/result';
import type { Effect, World } from './world';

interface Terms {
  offer: { properties: Record<string, unknown> };
}

/**
 * The job's agreements and VMs are ended; each agreement has one accepted invoice at most, and was paid that, or what
 * its payable debit notes asked for; and never more than its price for its real time, every thread busy.
 * @param toleranceSec - the job's own
 */
export async function expectFairlyPaid(
  world: World,
  settlement: SettlementResult,
  toleranceSec: number,
): Promise<void> {
  const effects = await world.effects();
  const ledger = world.devnet.ledger.after();
  expect(settlement.agreements.length).toBeGreaterThan(0);
  for (const { agreementId, paid: told } of settlement.agreements) {
    const all = effects.filter((effect) => effect.agreementId === agreementId);
    const of = (kind: string): Effect[] => all.filter((effect) => effect.kind === kind);
    expect(of('agreement-terminated')).toHaveLength(1);
    expect(of('activity-destroyed')).toHaveLength(of('activity-created').length);
    const paid = ledger
      .flatMap((entry) => entry.for ?? [])
      .filter((part) => part.agreementId === agreementId)
      .reduce((sum, { amount }) => sum.plus(amount), new Decimal(0));
    expect(paid.toFixed()).toBe(told);
    const accepted = of('invoice-accepted');
    expect(accepted.length).toBeLessThanOrEqual(1);
    if (accepted[0]) expect(paid.toFixed()).toBe(new Decimal(accepted[0].amount ?? '').toFixed());

    const began = Date.parse(of('agreement-approved')[0]?.at ?? '');
    const ended = Date.parse(of('agreement-terminated')[0]?.at ?? '');
    const seconds = (ended - began) / 1000 + toleranceSec;
    const most = await priceOf(world, agreementId, of('activity-created').length, seconds);
    expect(paid.toNumber()).toBeLessThanOrEqual(most.toNumber());
  }
}

/** With every thread busy for so long. */
async function priceOf(world: World, agreementId: string, vms: number, seconds: number): Promise<Decimal> {
  const response = await fetch(`${world.devnet.url}/market-api/v1/agreements/${agreementId}`, {
    headers: { authorization: `Bearer ${world.devnet.appKey}` },
  });
  const { properties } = ((await response.json()) as Terms).offer;
  const [cpu = 0, env = 0, start = 0] = properties['golem.com.pricing.model.linear.coeffs'] as number[];
  const threads = Number(properties['golem.inf.cpu.threads']);
  return new Decimal(cpu).times(threads).plus(env).times(seconds).plus(new Decimal(start).times(vms));
}
