/** What a job keeps of the market from one round to the next. */
import type { JobRef } from '../activities/contract';
import type { JobSpec } from '../model/job';
import { MarketRounds, type MarketState } from '../workflows/market-rounds';

const HOUR_MS = 3_600_000;
const demand = { demandId: 'd', n: 1, expiresAtMs: Date.now() + HOUR_MS };
const kept: MarketState = {
  ...{ demand, nextDemandNumber: 2, leftOver: [], unanswered: [], drafts: [], silent: false },
};
const spec = { demand: { leastLifeSec: 300 } } as JobSpec;
const rounds = (state: MarketState): MarketRounds => new MarketRounds({} as JobRef, spec, () => '', state);

test('offers that a cancelled round has read come again under another demand, in the next run, too', () => {
  const market = rounds(kept);
  expect(market.makesDemand()).toBe(false);
  market.cutShort();
  expect(market.makesDemand()).toBe(true);
  expect(rounds(market.carry()).makesDemand()).toBe(true);
});
