/**
 * Finds, from the id of a Golem activity alone, all that a rental must know to take it over; and says what becomes of one
 * that is left alone.
 */
import { ApplicationFailure, Context } from '@temporalio/activity';
import { agreedTerms } from '../model/agreed-terms';
import { attachCommand, attachId, attachProblems, foreignJobId, type DetachedVm } from '../model/attach';
import { exact, toAmount } from '../model/amount';
import {
  DEFAULT_CONNECTION,
  settlementId,
  type AgreementId,
  type Amount,
  type BatchId,
  type GolemActivityId,
} from '../model/ids';
import { providerOf } from '../model/offer';
import { PROP } from '../model/properties';
import type { SettlementProgress } from '../model/result';
import { INVOICE_WAIT_SEC, TOLERANCE } from '../model/spec';
import { endOfAgreement, isOver } from './agreement-end';
import { requireOwner } from './attach-control';
import { attempt } from './attempt';
import type { GolemActivities, JobRef, NewSettlement, ResolveAttachInput, ResolvedAttach } from './contract';
import type { ActivityEnvironment } from './environment';
import { groupOf, type Search } from './find-orphans';
import { withPayer } from './foreign-attach';
import { installationOf } from './installation';
import { JobRecords, type JobRecord } from './job-records';
import { describe } from './known-workflow';
import { liveVms } from './live-vms';
import { controlHashOfMark, jobOfMark } from './marks';
import { Bills, mostOf } from './orphan-bills';
import { beginningOf, budgetParts, planOf } from './orphan-group';
import { attachedTo, attachingBefore, query, rentalsOf, type RentalRecord } from './rental-records';
import { failure, isYagnaError, oneLine, unlessNotFound, type Agreement, type Yagna } from './yagna';

type Found = Omit<ResolvedAttach, 'batchIds' | 'note'> & { former: RentalRecord[] };

export function attachActivities(
  env: ActivityEnvironment,
): Pick<GolemActivities, 'golemResolveAttach' | 'golemDescribeDetach'> {
  return {
    /**
     * Finds the agreement of a Golem activity, whose it is, who pays for it, and what runs in it.
     *
     * Effect: none.
     * @throws InvalidJobSpec - with every problem and its path (not retried)
     * @throws ControlRefused - the VM is its owner's, whose signature this lacks (not retried)
     * @throws UnknownActivity, ActivityForeign, ActivityEnded, ActivityInUse - there is nothing to attach to (not retried)
     * @throws YagnaUnavailable - (retried with backoff)
     */
    async golemResolveAttach(given) {
      return await attempt(async ({ signal }) => {
        const input = checkedInput(given);
        const { connection } = input;
        const yagna = env.connections.get(connection);
        const { client } = Context.current();
        const { activityId } = input.attach;
        const installation = await installationOf(env);
        const documents = env.connections.documents(connection);
        const records = new JobRecords(client);
        const search = { yagna, documents, owner: installation.owner, records, signal };
        const agreement = await liveAgreement(yagna, activityId, signal).catch(async (error: unknown) => {
          if (!(error instanceof ApplicationFailure && error.type === 'ActivityForeign')) throw error;
          const { connections } = env;
          throw await withPayer(error, {
            ...{ connections, connection, activityId, signal },
            payerOf: (theirs) => client.withAbortSignal(signal, () => payerOf(search, theirs)),
          });
        });
        const lookup: Lookup = { search, connection, installation, agreement, input };
        const { properties } = agreement.demand;
        const paidBy = () => payerOf(search, agreement);
        const [nonce, found] = await client.withAbortSignal(signal, async () => [
          await requireOwner(given, { client, properties, paidBy }),
          await findHolder(lookup),
        ]);
        const { former, ...rest } = found;
        const { batchIds, note } = await batchesOf(yagna, input, former, signal);
        return { ...rest, nonce, batchIds, note: notesOf(note, rest.siblings) };
      });
    },

    /**
     * What will happen to an agreement that is left alive, if nobody comes back.
     *
     * Effect: none.
     * @throws YagnaUnavailable - (retried with backoff)
     */
    async golemDescribeDetach({ job, agreementId, activityId, batchId, vms = [] }) {
      return await attempt(async ({ signal }) => {
        const yagna = env.connections.get(job.connection);
        const agreement = await yagna.agreement(agreementId, signal);
        if (!agreement) throw failure('YagnaUnavailable', `yagna does not show agreement ${agreementId}`);
        const { client } = Context.current();
        const settlement = settlementId(job.jobId);
        const paying = await query<SettlementProgress>(client, settlement, 'progress');
        const { debitNotesAcceptanceTimeoutSec: acceptSec } = agreedTerms(agreement);
        const validTo = new Date(agreement.validTo).toISOString();
        const batch =
          batchId === undefined ? '' : ` The script that runs there goes on, as batch ${batchId}.`;
        const most = exact(mostOf(agreement, Infinity)).times(1 + vms.length);
        const reserved = paying
          ? `${paying.money.reserved} GLM are reserved, ${paying.money.accepted} of them accepted so far`
          : 'what is reserved could not be asked';
        return {
          says: [
            `The VM goes on until ${validTo}: then the agreement ends by itself, and the VM with it.${batch}`,
            ...vms.map(besideSays),
            `Until then ${settlement} accepts and pays its debit notes, and its invoice afterwards (${reserved}).`,
            ...(acceptSec !== undefined
              ? [
                  `With worker or yagna away for longer than ${acceptSec} s when a note comes, the provider may end it sooner.`,
                ]
              : []),
            ...(paying && most.gt(exact(paying.money.reserved))
              ? [
                  `At full load it may cost ${toAmount(most)} GLM by then: what goes beyond the budget is not paid, and ends it. Whoever attaches can raise it (--budget).`,
                ]
              : []),
            comeBack(activityId, controlHashOfMark(agreement.demand.properties) !== undefined),
            ...(vms.length > 0
              ? ['The id of another of the VMs does as well; one rental at a time can have the agreement.']
              : []),
          ],
        };
      });
    },
  };
}

function comeBack(activityId: GolemActivityId, hasOwner: boolean): string {
  const whose = hasOwner ? "    # FILE: its owner's private key" : '';
  return `Come back with: ${attachCommand(activityId, hasOwner)}${whose}`;
}

function besideSays({ name, activityId, batchId }: DetachedVm): string {
  const batch = batchId === undefined ? '' : `; the script that runs there, as batch ${batchId}`;
  return `VM "${name}" beside it goes on as well, as Golem activity ${activityId}${batch}.`;
}

interface CheckedInput extends Pick<ResolveAttachInput, 'attach'> {
  connection: string;
}

/** @returns what was asked for, without what is null */
function checkedInput(given: ResolveAttachInput): CheckedInput {
  const problems = attachProblems(given);
  const { workflowId } = Context.current().info.workflowExecution ?? {};
  // Temporal lets one workflow of an id run at a time, and so one rental attach to an activity.
  if (problems.length === 0 && workflowId !== attachId(given.attach.activityId)) {
    problems.push(`the workflow id must be ${attachId(given.attach.activityId)}, not ${workflowId}`);
  }
  if (problems.length > 0) throw failure('InvalidJobSpec', problems.join('\n'), problems);
  const { activityId, batchIds, budget } = given.attach;
  return {
    attach: { activityId, batchIds: batchIds ?? undefined, budget: budget ?? undefined },
    connection: given.connection ?? DEFAULT_CONNECTION,
  };
}

/** @throws UnknownActivity, ActivityForeign, ActivityEnded */
async function liveAgreement(yagna: Yagna, activityId: string, signal: AbortSignal): Promise<Agreement> {
  const foreign = (why: string) => failure('ActivityForeign', `Golem activity ${activityId}: ${why}`);
  let agreementId: AgreementId | undefined;
  try {
    agreementId = await yagna.activityAgreement(activityId, signal);
  } catch (error) {
    if (isYagnaError(error) && error.status === 403) throw foreign(error.detail);
    throw error;
  }
  if (agreementId === undefined) {
    throw failure('UnknownActivity', `yagna knows no Golem activity ${activityId}`);
  }
  const agreement = await yagna.agreement(agreementId, signal);
  const { identity } = await yagna.me(signal);
  // A provider, too, may ask for an activity's agreement.
  if (agreement?.demand.requestorId !== identity) throw foreign(`it was not rented by ${identity}`);
  if (isOver(yagna, agreement)) {
    const { reason } = await endOfAgreement(yagna, agreementId, agreement, signal);
    throw failure('ActivityEnded', reason);
  }
  try {
    const found = await yagna.golemActivityState(activityId, signal);
    if (found?.state[0] === 'Terminated') {
      const why = found.errorMessage ?? found.reason;
      throw failure('ActivityEnded', oneLine(`the VM is Terminated${why ? `: ${why}` : ''}`));
    }
  } catch (error) {
    // A silent provider may speak again: the rental's watch sees.
    if (!isYagnaError(error, 'timeout', 'server', 'gone') || error.isAway) throw error;
  }
  return agreement;
}

interface Lookup {
  search: Search;
  connection: string;
  installation: Awaited<ReturnType<typeof installationOf>>;
  agreement: Agreement;
  input: CheckedInput;
}

/** Job id of the settlement that runs and pays for the agreement. */
async function payerOf(
  search: Pick<Search, 'owner' | 'records'>,
  agreement: Agreement,
): Promise<string | undefined> {
  const jobUuid = jobOfMark(search.owner, agreement.demand.properties);
  if (jobUuid !== undefined) return (await search.records.find(jobUuid)).settledAs;
  const jobId = foreignJobId(agreement.agreementId);
  const there = await describe(Context.current().client, settlementId(jobId));
  return there?.status.name === 'RUNNING' ? jobId : undefined;
}

/** @throws ActivityInUse, ActivityEnded */
async function findHolder(lookup: Lookup): Promise<Found> {
  const { search, connection, agreement, input } = lookup;
  const { yagna, owner, records, signal } = search;
  const { client } = Context.current();
  const { agreementId } = agreement;
  const { activityId } = input.attach;
  const all = (await unlessNotFound(yagna.golemActivities(agreementId, signal))) ?? [];
  const others = all.filter((id) => id !== activityId);
  const siblings = await livingAmong(yagna, agreement, others, signal);
  const vms = 1 + siblings.length;
  const former = await attachedTo(client, others, agreementId);
  const first = await attachingBefore(client, attachId(activityId), others);
  if (first !== undefined)
    throw failure('ActivityInUse', `rental ${first} is attaching to agreement ${agreementId}`);
  const base = {
    ...{ agreementId, provider: providerOf(agreement.offer), others, siblings },
    approvedAt: agreement.approvedDate ?? agreement.timestamp,
    validToMs: Date.parse(agreement.validTo),
    terms: agreedTerms(agreement),
  };
  const jobUuid = jobOfMark(owner, agreement.demand.properties);
  if (jobUuid === undefined) {
    refuseIfHeld(former, agreementId);
    const job = { connection, owner, jobId: foreignJobId(agreementId), agreements: [agreementId] };
    const there = await describe(client, settlementId(job.jobId));
    const uuid = there?.memo?.golemJob;
    if (there?.status.name === 'RUNNING' && typeof uuid === 'string') {
      const topUp = await joined(lookup, job.jobId);
      return { ...base, job: { ...job, jobUuid: uuid }, topUp, former };
    }
    const { runId = '' } = Context.current().info.workflowExecution ?? {};
    const ours: JobRef = { ...job, jobUuid: runId };
    return { ...base, job: ours, settlement: freshSettlement(lookup, ours, vms), former };
  }
  const record = await records.find(jobUuid);
  for (const jobId of new Set([record.jobId ?? jobUuid, jobUuid]))
    former.push(...(await rentalsOf(client, { jobId, jobUuid }, agreementId)));
  refuseIfHeld(former, agreementId);
  const { settledAs } = record;
  if (settledAs !== undefined) {
    const topUp = await joined(lookup, settledAs);
    return { ...base, job: { connection, owner, jobId: settledAs, jobUuid }, topUp, former };
  }
  const settlement = await revivedSettlement(lookup, record, vms);
  return { ...base, job: settlement.job, settlement, former };
}

function refuseIfHeld(rentals: readonly RentalRecord[], agreementId: AgreementId): void {
  const holder = rentals.find(({ isRunning }) => isRunning);
  if (!holder) return;
  const holds = holder.progress ? 'holds' : 'does not answer, and may hold';
  throw failure('ActivityInUse', `rental ${holder.workflowId} ${holds} agreement ${agreementId}`);
}

/**
 * What a settlement is ending already can be taken over by nobody.
 * @returns GLM that its budget lacks of what was asked for
 * @throws ActivityEnded; Timeout - a budget was asked for, and its own cannot be asked (retried)
 */
async function joined({ agreement, input }: Lookup, jobId: string): Promise<Amount | undefined> {
  const { client } = Context.current();
  const progress = await query<SettlementProgress>(client, settlementId(jobId), 'progress');
  if (progress && ['closing', 'settling', 'settled', 'unpaid', 'failed'].includes(progress.phase)) {
    const message = `${settlementId(jobId)} is ending agreement ${agreement.agreementId}: its rental has ended, and the VMs under it end with it`;
    throw failure('ActivityEnded', message);
  }
  const { budget } = input.attach;
  if (budget === undefined) return undefined;
  if (!progress) throw failure('Timeout', `${settlementId(jobId)} does not answer`);
  const lacks = exact(budget).minus(exact(progress.money.budget));
  return lacks.gt(0) ? toAmount(lacks) : undefined;
}

/**
 * For an agreement that other software made, or another installation of ours.
 *
 * @param vms - Golem activities that live under it. Those that have ended ran before them
 */
function freshSettlement(
  { agreement, installation, input }: Lookup,
  job: JobRef,
  vms: number,
): NewSettlement {
  const { properties } = agreement.demand;
  const terms = agreedTerms(agreement);
  const platform = textOf(properties[PROP.chosenPlatform]) ?? '';
  const most = exact(mostOf(agreement, Infinity)).times(vms);
  const amount = input.attach.budget ?? toAmount(most);
  if (!exact(amount).gt(0)) {
    const problem = "attach.budget: give one; the agreement's prices do not tell what it may cost";
    throw failure('InvalidJobSpec', problem, [problem]);
  }
  const { requestLifetimeMs, allocationLifeSec } = installation;
  return {
    ...{ job, platform, requestLifetimeMs, allocationLifeSec, tolerance: TOLERANCE, vmsAtOnce: vms },
    budget: { ...budgetParts(platform), amount: toAmount(exact(amount)), onLow: 'finish' },
    invoiceWaitSec: INVOICE_WAIT_SEC,
    acceptanceTimeoutSec: terms.debitNotesAcceptanceTimeoutSec,
    debitNoteIntervalSec: terms.midAgreementDebitNoteIntervalSec,
  };
}

/** As reconcile would, but that the agreement goes on. */
async function revivedSettlement(lookup: Lookup, record: JobRecord, vms: number): Promise<NewSettlement> {
  const { search, connection, agreement, installation, input } = lookup;
  const { yagna, signal } = search;
  const group = await groupOf(search, record);
  const bills = await Bills.read(yagna, beginningOf(group), signal);
  const { agreementId } = agreement;
  const { revival } = await planOf(yagna, group, bills, { connection, ...installation }, signal, agreementId);
  const { budget } = input.attach;
  // Nobody knows how many ran at a time where no settlement of ours does.
  const vmsAtOnce = record.settlement ? record.settlement.terms.vmsAtOnce : vms;
  if (revival && budget === undefined) return { ...revival, vmsAtOnce };
  const { freeJobId: jobId, jobUuid } = record;
  const fresh = freshSettlement(lookup, { connection, owner: search.owner, jobId, jobUuid }, vms);
  const amount = fresh.budget.amount;
  const adopt = revival?.adopt ?? { otherEnds: [], since: beginningOf(group), overdue: [], amount };
  // What is reserved is there already; where nothing is, so much is reserved anew.
  const isReserved = adopt.endsAtSec !== undefined;
  return {
    ...(revival ?? fresh),
    vmsAtOnce,
    budget: { ...(revival ?? fresh).budget, amount, max: undefined },
    adopt: { ...adopt, amount: isReserved ? adopt.amount : amount },
  };
}

/** @throws InvalidJobSpec - a batch that was asked for is none of the Golem activity's */
async function batchesOf(
  yagna: Yagna,
  { attach }: CheckedInput,
  former: readonly RentalRecord[],
  signal: AbortSignal,
): Promise<Pick<ResolvedAttach, 'batchIds' | 'note'>> {
  const { activityId } = attach;
  const given = attach.batchIds ?? [];
  const known = former.flatMap(({ progress }) =>
    [progress, ...(progress?.vms ?? [])].flatMap((vm) =>
      vm?.activityId === activityId && vm.currentBatch ? [vm.currentBatch] : [],
    ),
  );
  const batchIds: BatchId[] = [];
  const problems: string[] = [];
  for (const id of new Set([...known, ...given])) {
    if (await isBatch(yagna, activityId, id, signal)) batchIds.push(id);
    else if (given.includes(id)) problems.push(`attach.batchIds: ${id} is no batch of this Golem activity`);
  }
  if (problems.length > 0) throw failure('InvalidJobSpec', problems.join('\n'), problems);
  if (batchIds.length > 0 || former.some(({ progress }) => progress !== undefined)) return { batchIds };
  const note =
    'yagna lists no batches: whether a script from before still runs is not known, and the results of one can be had only by its batch id (batchIds)';
  return { batchIds, note };
}

/** Those that have not ended, as far as their provider says. */
async function livingAmong(
  yagna: Yagna,
  agreement: Agreement,
  others: readonly GolemActivityId[],
  signal: AbortSignal,
): Promise<GolemActivityId[]> {
  if (others.length === 0) return [];
  const living = (await liveVms(yagna, [agreement], signal)).get(agreement.agreementId) ?? [];
  return living.filter((id) => others.includes(id));
}

function notesOf(note: string | undefined, siblings: readonly GolemActivityId[]): string | undefined {
  if (siblings.length === 0) return note;
  const beside = `Under its agreement live other Golem activities, which end with it and are billed until then: ${siblings.join(', ')}`;
  return note === undefined ? beside : `${note}\n${beside}`;
}

async function isBatch(
  yagna: Yagna,
  activityId: string,
  batchId: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await yagna.batchResults(activityId, batchId, {}, signal);
    return true;
  } catch (error) {
    if (isYagnaError(error, 'notFound')) return false;
    // The provider is silent, or its results cannot be read: the watch will see.
    if (isYagnaError(error, 'timeout', 'server', 'gone', 'incompatible', 'tooLong') && !error.isAway)
      return true;
    throw error;
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
