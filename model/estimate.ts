/** What a job would cost with the offers that there are: pure reckoning from prices, tasks and the spec. */
import { type ExactDecimal, exact, ExactDecimal as Exact, toAmount } from './amount';
import type { Amount } from './ids';
import type { JobSpec } from './job';
import type { Offer } from './offer';
import type { Estimate, ExpectedCost, PriceRange, SuitableOffer } from './inspect';

/** What a task is thought to take where nobody says it, seconds. */
export const USUAL_TASK_SEC = 60;
const HOUR = 3600;
const BEST_SHOWN = 20;
/** Prices by the second lose digits on their way through JSON, and an estimate needs no more. */
const DIGITS = 9;

export type EstimatedSpec = Pick<JobSpec, 'demand' | 'providers' | 'budget' | 'interactive'> & {
  /** Number of tasks in each VM that the tasks ask for: those that share one count together. */
  groups: readonly number[];
  /** In a file, beside them: any VM takes them. */
  tasksInFile: number;
};

/** What of a spec the estimate needs: the tasks themselves may be large. */
export function estimatedSpec(spec: JobSpec): EstimatedSpec {
  const { demand, providers, budget, interactive, tasks, taskFile } = spec;
  const sizes = new Map<string, number>();
  for (const { vm } of tasks) sizes.set(vm, (sizes.get(vm) ?? 0) + 1);
  return {
    demand,
    providers,
    budget,
    interactive,
    groups: [...sizes.values()],
    tasksInFile: taskFile?.count ?? 0,
  };
}

/** @param offers - that suit, one of each provider, the best first */
export function estimateOf(
  offers: readonly Offer[],
  spec: EstimatedSpec,
  taskSec = USUAL_TASK_SEC,
): Pick<Estimate, 'prices' | 'best' | 'expected'> {
  const best = offers.slice(0, BEST_SHOWN).map(suitableOffer);
  if (offers.length === 0) return { best };
  const prices = {
    startPrice: rangeOf(offers.map(({ pricing }) => exact(pricing.startPrice))),
    busyPerHour: rangeOf(offers.map((offer) => perSec(offer).times(HOUR))),
  };
  return { prices, best, expected: expectedCost(offers, spec, taskSec) };
}

function suitableOffer(offer: Offer): SuitableOffer {
  const { providerId: id, providerName: name, cpuThreads, memGib, storageGib, pricing } = offer;
  return {
    provider: { id, name },
    ...{ cpuThreads, memGib, storageGib, startPrice: pricing.startPrice },
    busyPerHour: rounded(perSec(offer).times(HOUR)),
    idlePerHour: rounded(exact(pricing.envPerSec).times(HOUR)),
  };
}

/** GLM for a second with all threads busy. */
function perSec({ pricing, cpuThreads }: Offer): ExactDecimal {
  return exact(pricing.cpuPerSec).times(cpuThreads).plus(exact(pricing.envPerSec));
}

function rangeOf(prices: ExactDecimal[]): PriceRange {
  const sorted = [...prices].sort((a, b) => a.comparedTo(b));
  const at = (place: number): string => rounded(sorted[place] ?? exact('0'));
  return { least: at(0), median: at(Math.floor((sorted.length - 1) / 2)), most: at(sorted.length - 1) };
}

function expectedCost(offers: readonly Offer[], spec: EstimatedSpec, taskSec: number): ExpectedCost {
  const { demand, providers, budget, interactive, groups, tasksInFile } = spec;
  const wanted = interactive ? 1 : Math.min(providers.max, groups.length + tasksInFile);
  const hired = offers.slice(0, Math.max(1, wanted));
  const loads = interactive ? [taskSec] : loadsOf(groups, tasksInFile, hired.length).map((n) => n * taskSec);
  const sum = (cost: (offer: Offer, loadSec: number) => ExactDecimal): ExactDecimal =>
    hired.reduce((total, offer, i) => total.plus(cost(offer, loads[i] ?? 0)), exact('0'));
  const started = ({ pricing }: Offer): ExactDecimal => exact(pricing.startPrice);
  // A task that takes longer than its agreement goes on in another; that is no price of this estimate.
  const atMost = sum((offer, loadSec) => perSec(offer).times(loadSec).plus(started(offer)));
  const most = budget.max ?? budget.amount;
  return {
    vms: hired.length,
    tasks: groups.reduce((all, n) => all + n, tasksInFile),
    taskSec,
    lastsSec: Math.max(...loads),
    atLeast: rounded(
      sum((offer, loadSec) => exact(offer.pricing.envPerSec).times(loadSec).plus(started(offer))),
    ),
    atMost: rounded(atMost),
    ceiling: rounded(
      Exact.max(
        atMost,
        sum((offer) => perSec(offer).times(demand.expirationSec).plus(started(offer))),
      ),
    ),
    budget: most,
    fitsBudget: atMost.lte(exact(most)),
  };
}

/** Tasks for each VM when the largest groups are handed out first, each to the VM that has the least. */
function loadsOf(groups: readonly number[], single: number, vms: number): number[] {
  const loads = Array.from({ length: vms }, () => 0);
  for (const size of [...groups].sort((a, b) => b - a)) {
    const least = loads.indexOf(Math.min(...loads));
    loads[least] = (loads[least] ?? 0) + size;
  }
  return loads.map((load, i) => load + Math.floor(single / vms) + (i < single % vms ? 1 : 0));
}

function rounded(value: ExactDecimal): Amount {
  return toAmount(value.toSignificantDigits(DIGITS));
}
