/**
 * Finds what yagna still holds under our owner's marks and no workflow looks after. It changes nothing: a plan of what to
 * do about it is returned, and the workflow carries that out.
 */
import { Context } from '@temporalio/activity';
import { DEFAULT_CONNECTION } from '../model/ids';
import type { ReconcileInput } from '../model/reconcile';
import { eachAtOnce } from './at-once';
import { attempt } from './attempt';
import type { FoundOrphans, GolemActivities } from './contract';
import type { ActivityEnvironment } from './environment';
import { readHoldings, type AllHoldings, type Holdings } from './holdings';
import { installationOf } from './installation';
import { JobRecords, type JobRecord } from './job-records';
import { liveVms } from './live-vms';
import { endOfAllocation, jobOfMark } from './marks';
import { Bills } from './orphan-bills';
import { beginningOf, everAgreed, jobOf, listed, newestMsOf, planOf, type OrphanGroup } from './orphan-group';
import type { Allocation, Documents, Yagna } from './yagna';

/** A job that was just started may not be listed by Temporal yet. */
const OLDER_THAN_SEC = 3600;
/** By so much yagna's clock and Temporal's may differ. */
const CLOCKS_MS = 300_000;
const LISTED = 1_000;
/** Jobs in one run, so that its result stays small; the next run does the rest. */
const JOBS = 200;

export function orphanActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemFindOrphans'> {
  return {
    /**
     * Lists what bears the owner's mark and nobody looks after, and plans how to close it.
     *
     * Effect: none.
     * @throws UnknownConnection - (not retried)
     * @throws YagnaUnavailable - (retried with backoff)
     */
    async golemFindOrphans(input) {
      return await attempt(async ({ signal }) => {
        const connection = input.connection ?? DEFAULT_CONNECTION;
        const yagna = env.connections.get(connection);
        const documents = env.connections.documents(connection);
        const installation = await installationOf(env);
        const { owner } = installation;
        const { client } = Context.current();
        const groups = await client.withAbortSignal(signal, () =>
          findGroups({ yagna, documents, owner, records: new JobRecords(client), signal }, input),
        );
        const found: FoundOrphans = { orphans: [], more: 0, revivals: [], cleanUps: [] };
        if (groups.length === 0) return found;
        const bills = await Bills.read(yagna, groups.map(beginningOf).sort()[0] ?? '', signal);
        const now = groups.slice(0, JOBS);
        const agreements = now.flatMap(({ holdings }) => holdings.agreements);
        const vms = await liveVms(yagna, agreements, signal);
        for (const group of now) {
          const plan = await planOf(yagna, group, bills, { connection, ...installation }, signal);
          found.orphans.push(...listed(yagna, group, bills, plan.left, vms));
          if (plan.revival) found.revivals.push(plan.revival);
          const job = jobOf(group, { connection, owner });
          if (plan.cleanUp) found.cleanUps.push({ job, since: beginningOf(group) });
        }
        for (const { holdings, allocations } of groups.slice(JOBS)) {
          const { demands, agreements, invoices } = holdings;
          found.more += demands.length + agreements.length + invoices.length + allocations.length;
        }
        found.more += Math.max(0, found.orphans.length - LISTED);
        found.orphans.splice(LISTED);
        return found;
      });
    },
  };
}

export interface Search {
  yagna: Yagna;
  documents: Documents;
  owner: string;
  records: JobRecords;
  signal: AbortSignal;
}

async function findGroups(search: Search, { olderThanSec }: ReconcileInput): Promise<OrphanGroup[]> {
  const { yagna, documents, owner, records, signal } = search;
  const all = await readHoldings(yagna, documents, owner, signal);
  const unowned: Unowned[] = [];
  await eachAtOnce([...(await byJob(search, all))], async ([jobUuid, allocations]) => {
    const record = await records.find(jobUuid);
    if (record.isAlive) return;
    const group = { record, holdings: all.jobs.get(jobUuid) ?? NOTHING, allocations };
    // What has just been made may seem to come from the future: yagna tells its time by the second.
    const ageMs = Math.max(0, yagna.now() - newestMsOf(group));
    const isTooYoung = record.jobId === undefined && ageMs < (olderThanSec ?? OLDER_THAN_SEC) * 1000;
    if (!isTooYoung) unowned.push(group);
  });
  if (unowned.length === 0) return [];
  // Whoever looked after it may have closed it, and then itself, between the first look and the question whether it runs.
  const still = await readHoldings(yagna, documents, owner, signal);
  const groups: OrphanGroup[] = [];
  for (const group of unowned.map((each) => stillThere(each, still)).filter(isAnything)) {
    const { jobUuid } = group.record;
    groups.push({ ...group, ever: await everAgreed(yagna, { owner, jobUuid }, signal) });
  }
  return groups;
}

/** What yagna holds of one job, whether or not somebody looks after it. */
export async function groupOf(search: Search, record: JobRecord): Promise<OrphanGroup> {
  const { yagna, documents, owner, signal } = search;
  const { jobUuid } = record;
  const all = await readHoldings(yagna, documents, owner, signal);
  const allocations = (await byJob(search, all)).get(jobUuid) ?? [];
  const ever = await everAgreed(yagna, { owner, jobUuid }, signal);
  return { record, holdings: all.jobs.get(jobUuid) ?? NOTHING, allocations, ever };
}

type Unowned = Omit<OrphanGroup, 'ever'>;

const NOTHING: Holdings = { demands: [], agreements: [], invoices: [] };

function stillThere({ record, holdings, allocations }: Unowned, now: AllHoldings): Unowned {
  const there = now.jobs.get(record.jobUuid) ?? NOTHING;
  const live = new Set(now.allocations.map(({ allocationId }) => allocationId));
  const ids = {
    demands: new Set(there.demands.map(({ demandId }) => demandId)),
    agreements: new Set(there.agreements.map(({ agreementId }) => agreementId)),
    invoices: new Set(there.invoices.map(({ invoice }) => invoice.invoiceId)),
  };
  return {
    record,
    holdings: {
      demands: holdings.demands.filter(({ demandId }) => ids.demands.has(demandId)),
      agreements: holdings.agreements.filter(({ agreementId }) => ids.agreements.has(agreementId)),
      invoices: holdings.invoices.filter(({ invoice }) => ids.invoices.has(invoice.invoiceId)),
    },
    allocations: allocations.filter(({ allocation }) => live.has(allocation.allocationId)),
  };
}

function isAnything({ holdings, allocations }: Unowned): boolean {
  const { demands, agreements, invoices } = holdings;
  return demands.length + agreements.length + invoices.length + allocations.length > 0;
}

/**
 * Every job of which yagna holds something, with its allocations. An allocation has no room for a name: its mark is a
 * checksum that one in a million others has, too. So it is compared with few jobs only: those that hold something else,
 * those that are being settled, those whose settlement ran when it was made, and those that came to an agreement after
 * that.
 */
async function byJob(
  search: Search,
  { jobs, allocations }: AllHoldings,
): Promise<Map<string, OrphanGroup['allocations']>> {
  const { owner, records } = search;
  const found = new Map<string, OrphanGroup['allocations']>([...jobs.keys()].map((jobUuid) => [jobUuid, []]));
  const sorted = [...allocations].sort((a, b) => Date.parse(a.timestamp) - Date.parse(b.timestamp));
  const beingSettled = once(() => records.beingSettled());
  const agreed = once(() => agreedAfter(search, sorted[0]?.timestamp ?? ''));
  for (const allocation of sorted) {
    const madeMs = Date.parse(allocation.timestamp);
    const guesses: (() => Promise<Iterable<string>> | Iterable<string>)[] = [
      () => jobs.keys(),
      beingSettled,
      () => records.settledAround(madeMs, CLOCKS_MS),
      async () => (await agreed()).filter(({ atMs }) => atMs > madeMs).map(({ jobUuid }) => jobUuid),
    ];
    for (const guess of guesses) {
      const match = firstMatch(owner, await guess(), allocation);
      if (!match) continue;
      const { jobUuid, endsAtSec } = match;
      found.set(jobUuid, [...(found.get(jobUuid) ?? []), { allocation, endsAtSec }]);
      break;
    }
  }
  return found;
}

function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => (answer ??= ask());
}

function firstMatch(
  owner: string,
  jobUuids: Iterable<string>,
  { timeout }: Allocation,
): { jobUuid: string; endsAtSec: number } | undefined {
  for (const jobUuid of jobUuids) {
    const endsAtSec = endOfAllocation({ owner, jobUuid }, timeout);
    if (endsAtSec !== undefined) return { jobUuid, endsAtSec };
  }
  return undefined;
}

/** Jobs by the marks of agreements, ended ones too, that were made after some time. */
async function agreedAfter(
  { yagna, documents, owner, signal }: Search,
  afterDate: string,
): Promise<{ jobUuid: string; atMs: number }[]> {
  const found: { jobUuid: string; atMs: number }[] = [];
  const entries = await yagna.agreements({ afterDate }, signal);
  await eachAtOnce(entries, async ({ id, role, timestamp }) => {
    if (role !== 'Requestor') return;
    const marked = await documents.markOf(id);
    const jobUuid = marked && jobOfMark(owner, marked);
    if (jobUuid !== undefined) found.push({ jobUuid, atMs: timestamp ? Date.parse(timestamp) : Infinity });
  });
  return found;
}
