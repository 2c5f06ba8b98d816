/** What yagna holds under an owner's marks, job by job, whether or not somebody looks after it. */
import { eachAtOnce } from './at-once';
import { jobOfMark } from './marks';
import type { Agreement, AgreementState, Allocation, Demand, Documents, Invoice, Yagna } from './yagna';

/** One in state Proposal has no app session yet: it is found by its state alone. */
const LIVE: readonly AgreementState[] = ['Proposal', 'Pending', 'Approved'];

/** Of one job. */
export interface Holdings {
  demands: Demand[];
  /** Those that bind somebody, or may yet. */
  agreements: Agreement[];
  /** Invoices that nobody has decided, with their agreements, which may have ended long ago. */
  invoices: { invoice: Invoice; agreement: Agreement }[];
}

export interface AllHoldings {
  /** By jobUuid. */
  jobs: Map<string, Holdings>;
  /** Of everybody on this yagna: whose they are is not to be seen without a guess at the job. */
  allocations: Allocation[];
}

export async function readHoldings(
  yagna: Yagna,
  documents: Documents,
  owner: string,
  signal: AbortSignal,
): Promise<AllHoldings> {
  const jobs = new Map<string, Holdings>();
  const of = (jobUuid: string): Holdings => {
    const there = jobs.get(jobUuid) ?? { demands: [], agreements: [], invoices: [] };
    jobs.set(jobUuid, there);
    return there;
  };

  for (const demand of await yagna.demands(signal)) {
    const jobUuid = jobOfMark(owner, demand.properties);
    if (jobUuid !== undefined) of(jobUuid).demands.push(demand);
  }

  const ids = new Set<string>();
  for (const state of LIVE)
    for (const { id, role } of await yagna.agreements({ state }, signal))
      if (role === 'Requestor') ids.add(id);
  await eachAtOnce([...ids], async (id) => {
    const agreement = await yagna.agreement(id, signal);
    const jobUuid = agreement && jobOfMark(owner, agreement.demand.properties);
    // Past its end it costs nothing, even where yagna has not noticed yet.
    if (!agreement || jobUuid === undefined || !LIVE.includes(agreement.state)) return;
    if (Date.parse(agreement.validTo) > yagna.now()) of(jobUuid).agreements.push(agreement);
  });

  const undecided = (await yagna.invoices({}, signal)).filter(({ status }) => status === 'RECEIVED');
  await eachAtOnce(undecided, async (invoice) => {
    const marked = await documents.markOf(invoice.agreementId);
    const jobUuid = marked && jobOfMark(owner, marked);
    const agreement = jobUuid && (await yagna.agreement(invoice.agreementId, signal));
    if (agreement) of(jobUuid).invoices.push({ invoice, agreement });
  });

  return { jobs, allocations: await yagna.allocations(signal) };
}
