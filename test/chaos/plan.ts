/**
 * A plan of what happens to one job: the job, the providers on its network, what goes wrong on the way. Plain data, and
 * everything that decides: the same seed gives the same plan, and `npm run chaos -- --seed N --plan` prints it.
 */
import * as fc from 'fast-check';
import type { FaultInput } from '../../devnet/faults/faults';
import type { ProviderConfig } from '../../devnet/provider/config';
import { networkFaults } from './fault-arbitraries';
import { jobArbitrary, type JobPlan } from './job-arbitraries';
import { providersArbitrary } from './provider-arbitraries';
import { strokesArbitrary, type Stroke } from './stroke-arbitraries';

export type Nature = 'honest' | 'slow' | 'refusing' | 'broken' | 'flaky' | 'silent' | 'dishonest';

export interface PlannedProvider {
  nature: Nature;
  config: ProviderConfig;
  /** Armed on the devnet for this provider alone. */
  faults: FaultInput[];
}

export interface Plan {
  seed: number;
  job: JobPlan;
  providers: PlannedProvider[];
  /** Worker processes that share the work. */
  workers: number;
  /** Seconds from an acceptance to its payment. */
  paymentCycleSec: number;
  /** Armed on the devnet, between the worker and yagna. */
  faults: FaultInput[];
  strokes: Stroke[];
}

const planArbitrary: fc.Arbitrary<Omit<Plan, 'seed'>> = fc
  .record({
    job: jobArbitrary,
    providers: providersArbitrary,
    workers: fc.constantFrom(1, 1, 1, 2),
    paymentCycleSec: fc.constantFrom(0.1, 0.3, 1),
    faults: networkFaults,
  })
  .chain((plan) => {
    const names = plan.providers.map(({ config }) => config.name);
    return strokesArbitrary(names, plan.workers).map((strokes) => ({ ...plan, strokes }));
  });

/** The plan of that number, always the same one. */
export function planOf(seed: number): Plan {
  const [plan] = fc.sample(planArbitrary, { seed, numRuns: 1 });
  if (!plan) throw new Error('fast-check made no plan');
  return { seed, ...plan };
}

/** Temporal is killed on the way, so that this plan needs a server of its own. */
export function killsTemporal({ strokes }: Plan): boolean {
  return strokes.some((stroke) => stroke.do === 'killTemporal');
}

/** An invoice of this plan may never come. */
export function mayLackInvoice({ providers, strokes, faults }: Plan): boolean {
  const all = [...faults, ...providers.flatMap((provider) => provider.faults)];
  return (
    all.some(
      ({ on, do: action }) => action === 'crash' || (on === 'provider.invoice' && action === 'withhold'),
    ) || strokes.some(({ do: action }) => action === 'crash')
  );
}
