/** What is known of each provider: its hardware and prices, and what it did in this job, from the job's events. */
import type { JobEvent } from '../client/index';
import { addAmounts, exact, readExact, toAmount } from '../model/amount';
import type { Amount, Timestamp } from '../model/ids';
import type { AgreementMoney, ProviderInfo, RentalProgress } from '../model/result';
import { agreementOf, numberIn, objectIn, providerIn, textIn } from './event-fields';

export interface Hardware {
  cpuBrand?: string;
  cpuCores?: number;
  cpuThreads?: number;
  memGib?: number;
  storageGib?: number;
  runtime?: string;
}

/** GLM. */
export interface Prices {
  start: Amount;
  cpuPerHour: Amount;
  envPerHour: Amount;
}

/** One agreement with a provider. */
export interface Hire {
  agreementId: string;
  /** Workflow id of the rental. */
  workflowId?: string;
  state: 'signing' | 'alive' | 'ended' | 'rejected';
  /** Of what the rental is doing, while its job tells it. */
  doing?: string;
  since: Timestamp;
  until?: Timestamp;
  /** Why it ended. */
  reason?: string;
  prices?: Prices;
  scripts: { done: number; failed: number; running: number };
  /** As the settlement has it. */
  accepted?: Amount;
  paid?: Amount;
}

export interface ProviderView {
  provider: ProviderInfo;
  hardware: Hardware;
  /** Of the newest agreement with it. */
  prices?: Prices;
  /** Offers that came from it. */
  offers: number;
  /** Why it refused us the last time. */
  rejected?: string;
  /** Why it gets no more work: it broke faith. */
  avoided?: string;
  hires: Hire[];
  /** Of its newest {@link MOST_HIRES} agreements there are details. */
  hireCount: number;
  accepted: Amount;
  paid: Amount;
}

export interface Providers {
  /** Those that were hired, then the others; both in the order in which they came. */
  shown: ProviderView[];
  all: number;
  hired: number;
}

export const MOST_PROVIDERS = 200;
const MOST_HIRES = 30;

export interface ProviderFacts {
  rentals: readonly RentalProgress[];
  settlement?: { agreements: readonly AgreementMoney[] };
}

/** @param events - of one job, in the order of time */
export function providersOf(events: readonly JobEvent[], { rentals, settlement }: ProviderFacts): Providers {
  const views = new Map<string, ProviderView>();
  const hires = new Map<string, Hire>();
  const byAgreement = new Map(rentals.map((rental) => [rental.agreementId, rental]));

  const viewOf = (provider: ProviderInfo): ProviderView => {
    const made: ProviderView = views.get(provider.id) ?? {
      ...{ provider, hardware: {}, offers: 0, hires: [], hireCount: 0, accepted: '0', paid: '0' },
    };
    views.set(provider.id, made);
    return made;
  };
  /** Of an agreement whose beginning is not kept any more, the first event that is makes it known. */
  const hireOf = (event: JobEvent): Hire | undefined => {
    const id = agreementOf(event);
    if (id === undefined) return undefined;
    const provider = providerIn(event.details) ?? byAgreement.get(id)?.provider;
    const known = hires.get(id);
    if (known ?? !provider) return known;
    const scripts = { done: 0, failed: 0, running: 0 };
    const hire: Hire = { agreementId: id, state: 'alive', since: event.at, scripts };
    hires.set(id, hire);
    viewOf(provider).hires.push(hire);
    return hire;
  };

  for (const event of events) {
    const { name, at, details } = event;
    const provider = providerIn(details);
    switch (name) {
      case 'ProposalReceived': {
        if (!provider) break;
        const view = viewOf(provider);
        view.hardware = hardwareIn(objectIn(details, 'details'));
        if (textIn(details, 'parentId') === undefined) view.offers += 1;
        break;
      }
      case 'ProposalRejected':
        if (provider) viewOf(provider).rejected = textIn(details, 'reason');
        break;
      case 'ProviderAvoided':
        if (provider) viewOf(provider).avoided = textIn(details, 'reason') ?? textIn(details, 'breach');
        break;
      case 'AgreementCreated': {
        const hire = hireOf(event);
        if (hire) Object.assign(hire, { state: 'signing', workflowId: event.workflowId });
        break;
      }
      case 'AgreementConfirmed': {
        const hire = hireOf(event);
        if (!hire) break;
        if (hire.state === 'signing') hire.state = 'alive';
        hire.prices = pricesIn(objectIn(details, 'pricing'));
        break;
      }
      case 'AgreementRejected':
      case 'AgreementTerminated': {
        const hire = hireOf(event);
        if (!hire || hire.until !== undefined) break;
        hire.state = name === 'AgreementRejected' ? 'rejected' : 'ended';
        hire.until = at;
        hire.reason = textIn(details, 'reason');
        break;
      }
      case 'ScriptSent': {
        const hire = hireOf(event);
        if (hire && textIn(details, 'task') !== undefined) hire.scripts.running += 1;
        break;
      }
      case 'ScriptExecuted': {
        const hire = hireOf(event);
        if (!hire) break;
        // What brings a VM up is a script, too, and of no task.
        if (hire.scripts.running > 0) {
          hire.scripts.running -= 1;
          hire.scripts[details.success === true ? 'done' : 'failed'] += 1;
        } else if (details.success !== true) hire.scripts.failed += 1;
        break;
      }
      default:
    }
  }
  for (const rental of rentals) {
    const hire = rental.agreementId === undefined ? undefined : hires.get(rental.agreementId);
    if (!hire) continue;
    hire.workflowId ??= rental.workflowId;
    if (hire.until === undefined) hire.doing = rental.currentTask ?? rental.state;
    else hire.scripts.running = 0;
    hire.reason = rental.reason ?? hire.reason;
  }
  for (const { agreementId, provider, accepted, paid } of settlement?.agreements ?? []) {
    const hire = hires.get(agreementId);
    if (hire) Object.assign(hire, { accepted, paid });
    const view = viewOf(provider);
    view.accepted = addAmounts([view.accepted, accepted]);
    view.paid = addAmounts([view.paid, paid]);
  }
  const all = [...views.values()].map(finished);
  const hired = all.filter(({ hireCount }) => hireCount > 0);
  const others = all.filter(({ hireCount }) => hireCount === 0);
  return { shown: [...hired, ...others].slice(0, MOST_PROVIDERS), all: all.length, hired: hired.length };
}

function finished(view: ProviderView): ProviderView {
  const prices = view.hires.findLast(({ prices: agreed }) => agreed !== undefined)?.prices;
  return { ...view, prices, hireCount: view.hires.length, hires: view.hires.slice(-MOST_HIRES) };
}

function hardwareIn(details: JobEvent['details']): Hardware {
  return {
    cpuBrand: textIn(details, 'cpuBrand'),
    cpuCores: numberIn(details, 'cpuCores'),
    cpuThreads: numberIn(details, 'cpuThreads'),
    memGib: numberIn(details, 'memory'),
    storageGib: numberIn(details, 'storage'),
    runtime: textIn(details, 'runtimeName'),
  };
}

const SECONDS = 3600;

function pricesIn(pricing: JobEvent['details']): Prices | undefined {
  const [start, cpu, env] = ['startPrice', 'cpuPerSec', 'envPerSec'].map((name) => readExact(pricing[name]));
  if (!start || !cpu || !env) return undefined;
  const hour = exact(SECONDS);
  return {
    start: toAmount(start),
    cpuPerHour: toAmount(cpu.times(hour)),
    envPerHour: toAmount(env.times(hour)),
  };
}
