/** What each agreement may cost at most by its own price, whatever its provider claims. */
import { Decimal } from 'decimal.js';
import type { Effect } from '../../devnet';
import { providerNodeId } from '../../devnet/identity';
import { owedFor, readBills } from './money-verdict';
import type { Plan, PlannedProvider } from './plan';

const Amount = Decimal.clone({ precision: 60 });
/** As in a spec: by how much a claimed usage may exceed what was measured, as a part of the whole. */
const TOLERANCE_RATIO = 0.05;

interface Life {
  provider: PlannedProvider;
  createdMs: number;
  endedMs?: number;
  vms: number;
}

export function judgePrices(effects: readonly Effect[], plan: Plan): string[] {
  const lives = readLives(effects, plan);
  const lastMs = Math.max(0, ...effects.map(({ at }) => Date.parse(at)));
  return [...readBills(effects)].flatMap(([agreementId, bills]) => {
    const life = lives.get(agreementId);
    const owed = owedFor(bills);
    if (!life || owed.isZero()) return [];
    const most = mostFor(life, lastMs, plan.job.toleranceSec);
    if (owed.lte(most)) return [];
    return [
      `agreement ${agreementId} with ${life.provider.config.name} cost ${owed.toFixed()} GLM, by its price at most ${most.toFixed()}`,
    ];
  });
}

function readLives(effects: readonly Effect[], { providers }: Plan): Map<string, Life> {
  const lives = new Map<string, Life>();
  for (const effect of effects) {
    const atMs = Date.parse(effect.at);
    if (effect.kind === 'agreement-created') {
      const provider = providers.find(({ config }) => providerNodeId(config.name) === effect.providerId);
      if (provider) lives.set(effect.agreementId, { provider, createdMs: atMs, vms: 0 });
    } else if (effect.kind === 'activity-created') {
      const life = lives.get(effect.agreementId);
      if (life) life.vms += 1;
    } else if (effect.kind === 'agreement-terminated') {
      const life = lives.get(effect.agreementId);
      if (life) life.endedMs = atMs;
    }
  }
  return lives;
}

/** Start prices, and all threads busy for as long as it lasted, with what the job tolerates. */
function mostFor(life: Life, lastMs: number, toleranceSec: number): Decimal {
  const { pricing = {}, hardware = {} } = life.provider.config;
  const { start = '0', cpuPerHour = '0.1', envPerHour = '0.05' } = pricing;
  const sec = ((life.endedMs ?? lastMs) - life.createdMs) / 1000;
  const longest = sec * (1 + TOLERANCE_RATIO) + toleranceSec + 0.1;
  return new Amount(cpuPerHour)
    .times(hardware.cpuThreads ?? 2)
    .plus(envPerHour)
    .div(3600)
    .times(longest)
    .plus(new Amount(start).times(Math.max(1, life.vms)));
}
