/** One job that nobody looks after: what it left on yagna, listed, and how that is closed. */
import { addAmounts, exact, toAmount } from '../model/amount';
import type { AgreementId, Amount } from '../model/ids';
import type { BudgetSpec, Installation } from '../model/job';
import { providerOf } from '../model/offer';
import { namedBroker } from '../model/payer';
import { PROP } from '../model/properties';
import type { Orphan } from '../model/reconcile';
import { INVOICE_WAIT_SEC, TOLERANCE } from '../model/spec';
import { eachAtOnce } from './at-once';
import type { JobRef, Revival } from './contract';
import type { Holdings } from './holdings';
import type { JobRecord } from './job-records';
import type { LiveVms } from './live-vms';
import { appSessionId } from './marks';
import { COSTS_NOTHING, mostOf, type Bills } from './orphan-bills';
import { type Agreement, type Allocation, type Invoice, type Yagna } from './yagna';

/** A little before the job's first thing on yagna. */
const MARGIN_MS = 60_000;
/** Until then an agreement that still runs should be over. */
const ENDING_MS = 600_000;

export interface OrphanGroup {
  record: JobRecord;
  holdings: Holdings;
  /** Oldest first. */
  allocations: { allocation: Allocation; endsAtSec: number }[];
  /** All agreements of the job that were ever approved, ended ones too. */
  ever: Agreement[];
}

/** The job as a settlement in its place is given it. */
export function jobOf(
  { record }: OrphanGroup,
  { connection, owner }: Pick<JobRef, 'connection' | 'owner'>,
): JobRef {
  const agreements = record.settlement?.terms.job?.agreements;
  const job: JobRef = { connection, owner, jobId: record.freeJobId, jobUuid: record.jobUuid };
  return agreements ? { ...job, agreements } : job;
}

/** When the group's first thing on yagna came to be. */
export function beginningOf({ holdings, allocations, ever }: OrphanGroup): string {
  const times = [
    ...ever.map(({ timestamp }) => timestamp),
    ...holdings.demands.map(({ timestamp }) => timestamp),
    ...holdings.agreements.map(({ timestamp }) => timestamp),
    ...holdings.invoices.map(({ agreement }) => agreement.timestamp),
    ...allocations.map(({ allocation }) => allocation.timestamp),
  ];
  return new Date(Math.min(...times.map((time) => Date.parse(time))) - MARGIN_MS).toISOString();
}

/** When the newest of it came to be, in ms. */
export function newestMsOf({ holdings, allocations }: Pick<OrphanGroup, 'holdings' | 'allocations'>): number {
  return Math.max(
    ...holdings.demands.map(({ timestamp }) => Date.parse(timestamp)),
    ...holdings.agreements.map(({ timestamp }) => Date.parse(timestamp)),
    // An invoice is dated by its provider.
    ...holdings.invoices.map(({ agreement }) => Date.parse(agreement.timestamp)),
    ...allocations.map(({ allocation }) => Date.parse(allocation.timestamp)),
  );
}

export function listed(
  yagna: Yagna,
  group: OrphanGroup,
  bills: Bills,
  left: ReadonlyMap<string, string>,
  vms: LiveVms,
): Orphan[] {
  const { record, holdings, allocations } = group;
  const nowMs = yagna.now();
  const base = (timestamp: string) => ({
    ...(record.jobId === undefined ? {} : { jobId: record.jobId }),
    jobUuid: record.jobUuid,
    ageSec: Math.max(0, Math.round((nowMs - Date.parse(timestamp)) / 1000)),
  });
  const orphans: Orphan[] = holdings.demands.map(({ demandId, timestamp }) => ({
    ...{ kind: 'demand', id: demandId, ...base(timestamp), ...COSTS_NOTHING },
  }));
  for (const agreement of holdings.agreements) {
    const { agreementId, offer, timestamp } = agreement;
    const provider = providerOf(offer);
    orphans.push({
      ...{ kind: 'agreement', id: agreementId, ...base(timestamp), provider },
      ...bills.ofAgreement(agreement, nowMs),
    });
    for (const activityId of vms.get(agreementId) ?? []) {
      orphans.push({
        ...{ kind: 'golemActivity', id: activityId, ...base(timestamp), provider },
        ...bills.ofActivity(agreement, activityId, nowMs),
      });
    }
  }
  for (const { invoice, agreement } of holdings.invoices) {
    const reason = left.get(invoice.invoiceId);
    orphans.push({
      ...{ kind: 'invoice', id: invoice.invoiceId, ...base(invoice.timestamp) },
      ...{ provider: providerOf(agreement.offer), cost: toAmount(exact(invoice.amount)), costIs: 'billed' },
      ...(reason === undefined ? {} : { left: reason }),
    });
  }
  for (const { allocation } of allocations) {
    orphans.push({
      ...{ kind: 'allocation', id: allocation.allocationId, ...base(allocation.timestamp) },
      ...{ cost: toAmount(exact(allocation.remainingAmount)), costIs: 'reserved' },
    });
  }
  return orphans;
}

/** What is to be done about a group. */
export interface Plan {
  /** A settlement closes it, for something is reserved or owed. */
  revival?: Revival;
  /** There is only something to end. */
  cleanUp: boolean;
  /** Invoices that stay undecided, and why. */
  left: Map<string, string>;
}

export async function planOf(
  yagna: Yagna,
  group: OrphanGroup,
  bills: Bills,
  installation: Installation & Pick<JobRef, 'connection'>,
  signal: AbortSignal,
  /** An agreement that goes on to its own end; all others are ended. */
  kept?: AgreementId,
): Promise<Plan> {
  const { record, holdings, allocations, ever } = group;
  const { connection, owner, requestLifetimeMs, allocationLifeSec, searchAttributes } = installation;
  const job = jobOf(group, { connection, owner });
  const terms = record.settlement?.terms;
  const reserved = allocations[0];
  const budget = budgetOf(group);
  const budgetLeft =
    budget === undefined
      ? undefined
      : exact(budget).minus(exact(addAmounts(ever.map(({ agreementId }) => bills.accepted(agreementId)))));

  const left = new Map<string, string>();
  /** What undecided invoices add to what is accepted, and what accepting them takes at most from a new allocation. */
  let more = exact('0');
  let owed = exact('0');
  for (const { invoice } of holdings.invoices) {
    const tried = triedBefore(record, invoice);
    const withIt = more.plus(exact(invoice.amount)).minus(exact(bills.accepted(invoice.agreementId)));
    if (tried !== undefined) left.set(invoice.invoiceId, tried);
    else if (budgetLeft !== undefined && withIt.gt(budgetLeft)) {
      const rest = toAmount(budgetLeft.minus(more));
      left.set(invoice.invoiceId, `it asks for more than the ${rest} GLM left of the job's budget`);
    } else {
      more = withIt;
      owed = owed.plus(exact(invoice.amount));
    }
  }

  const running = holdings.agreements.filter(({ state }) => state === 'Approved');
  for (const agreement of running) {
    const untilMs = agreement.agreementId === kept ? Infinity : yagna.now() + ENDING_MS;
    owed = owed.plus(exact(mostOf(agreement, untilMs)));
  }
  if (budgetLeft?.lt(owed)) owed = budgetLeft;
  if (!reserved && !owed.gt(0)) {
    return { cleanUp: holdings.demands.length + holdings.agreements.length > 0, left };
  }
  const amount = toAmount(owed);
  const platform = terms?.platform ?? reserved?.allocation.paymentPlatform ?? platformOf(ever, holdings);
  const invoiceWaitSec = terms?.invoiceWaitSec ?? INVOICE_WAIT_SEC;
  return {
    cleanUp: false,
    left,
    revival: {
      ...{ job, platform, invoiceWaitSec, requestLifetimeMs, allocationLifeSec, searchAttributes },
      // What earlier allocations have paid is in no book of the new settlement: it must not ask for more.
      budget: {
        ...(terms?.budget ?? { ...budgetParts(platform), amount: budget ?? amount, ...payerOf(ever) }),
        onLow: 'finish',
      },
      acceptanceTimeoutSec: terms?.acceptanceTimeoutSec,
      debitNoteIntervalSec: terms?.debitNoteIntervalSec,
      tolerance: terms?.tolerance ?? TOLERANCE,
      vmsAtOnce: terms?.vmsAtOnce,
      adopt: {
        endsAtSec: reserved?.endsAtSec,
        otherEnds: allocations.slice(1).map(({ endsAtSec }) => endsAtSec),
        // If the one that is there goes away meanwhile, no more is reserved than it held.
        amount: reserved ? toAmount(exact(reserved.allocation.remainingAmount)) : amount,
        since: beginningOf(group),
        overdue: await overdue(yagna, ever, bills, invoiceWaitSec, signal),
      },
    },
  };
}

/** All agreements of the job that were ever approved, ended ones too. */
export async function everAgreed(
  yagna: Yagna,
  job: Pick<JobRef, 'owner' | 'jobUuid'>,
  signal: AbortSignal,
): Promise<Agreement[]> {
  const agreements: Agreement[] = [];
  const entries = await yagna.agreements({ appSessionId: appSessionId(job) }, signal);
  await eachAtOnce(entries, async ({ id }) => {
    const agreement = await yagna.agreement(id, signal);
    if (agreement && (agreement.approvedDate !== undefined || agreement.state === 'Approved'))
      agreements.push(agreement);
  });
  return agreements;
}

/** What the job may cost in all; undefined where nobody knows any more. */
function budgetOf({ record, allocations }: OrphanGroup): Amount | undefined {
  if (!record.settlement) return undefined;
  const { terms, result } = record.settlement;
  // A budget that was topped up shows in its allocation, or in the end.
  const raised = [
    ...allocations.map(({ allocation }) => allocation.totalAmount),
    ...(result ? [result.money.budget] : []),
  ].map((amount) => exact(amount));
  const given = exact(terms.budget.max ?? terms.budget.amount);
  return toAmount(raised.reduce((most, amount) => (amount.gt(most) ? amount : most), given));
}

/** A settlement that took over before, and came to its end, has decided what it could. */
function triedBefore({ settlement }: JobRecord, { invoiceId }: Invoice): string | undefined {
  if (!settlement?.terms.adopt) return undefined;
  const tried = settlement.result?.agreements.find((agreement) => agreement.invoiceId === invoiceId);
  return tried && tried.state !== 'settled' ? 'a settlement has tried to pay it, and could not' : undefined;
}

function platformOf(ever: Agreement[], { agreements, invoices }: Holdings): string {
  const invoiced = invoices[0]?.invoice.paymentPlatform;
  const chosen = [...agreements, ...ever].map(({ demand }) => demand.properties[PROP.chosenPlatform]);
  return invoiced ?? chosen.find((each) => typeof each === 'string') ?? '';
}

export function budgetParts(platform: string): Pick<BudgetSpec, 'driver' | 'network' | 'token'> {
  const [driver = '', network = '', token = ''] = platform.split('-');
  return { driver, network, token };
}

/** Who was to pay instead of this yagna, as the agreements say: then nothing is reserved here, nor accepted. */
function payerOf(ever: readonly Agreement[]): Pick<BudgetSpec, 'payer'> {
  const [payer] = ever.flatMap(({ demand }) => namedBroker(demand.properties) ?? []);
  return payer ? { payer } : {};
}

async function overdue(
  yagna: Yagna,
  ever: readonly Agreement[],
  bills: Bills,
  invoiceWaitSec: number,
  signal: AbortSignal,
): Promise<AgreementId[]> {
  const late: AgreementId[] = [];
  const withoutInvoice = ever.filter(({ agreementId }) => !bills.hasInvoice(agreementId));
  await eachAtOnce(withoutInvoice, async ({ agreementId, validTo }) => {
    const ended = await yagna.terminationReason(agreementId, signal);
    const endMs = Math.min(Date.parse(validTo), ended ? Date.parse(ended.eventDate) : Infinity);
    if (endMs + invoiceWaitSec * 1000 < yagna.now()) late.push(agreementId);
  });
  return late;
}
