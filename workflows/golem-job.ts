/**
 * A job: checks the spec, has its budget reserved, finds providers, hands out the tasks and collects the results.
 * Everything on yagna is done by activities; decisions are in `state/job-state.ts`.
 */
import {
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
  workflowInfo,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import type {
  DraftProposal,
  JobRef,
  Negotiated,
  OfferSummary,
  SubscribedDemand,
  Unanswered,
} from '../activities/contract';
import { rentalId, settlementId, type AgreementId } from '../model/ids';
import { appendEvents, emptyEventLog, readEvents } from '../model/events';
import { paymentPlatform, type JobSpec } from '../model/job';
import type { JobPhase, JobProgress, JobResult, LastFailure } from '../model/result';
import { fitTaskResults } from '../model/result-size';
import { cleanUp, inspect, negotiation, unsubscribing } from './activity-options';
import { jobDetails } from './current-details';
import { namedFailure } from './failure-type';
import { golemRental } from './golem-rental';
import { golemSettlement } from './golem-settlement';
import {
  noMoney,
  assignmentOutcomeSignal,
  assignmentSignal,
  closeRentalSignal,
  eventsQuery,
  jobProgressQuery,
  ownerClosedSignal,
  rentalUpdateSignal,
  settlementUpdateSignal,
  type AssignmentOutcome,
  type RentalUpdate,
  terminateUpdate,
  type SettlementUpdate,
} from './protocol';
import {
  addRental,
  allTasksOver,
  applyOutcome,
  applyRentalUpdate,
  assign,
  cancelOpenTasks,
  countTasks,
  FAILURE_OF,
  forgivableProviders,
  forgive,
  freeGroups,
  isLive,
  newJobState,
  providerIsUseful,
  providersToAvoid,
  rentalProgress,
  rentalsToClose,
  rentalsWanted,
  taskResults,
  type RentalEntry,
} from './state/job-state';

export async function golemJob(given: unknown): Promise<JobResult> {
  const { workflowId: jobId, firstExecutionRunId: jobUuid, startTime } = workflowInfo();
  const startedAt = startTime.toISOString();
  const log = emptyEventLog();
  const settlementUpdates: SettlementUpdate[] = [];
  let state = newJobState([]);
  let phase: JobPhase = 'validating';
  let lastFailure: LastFailure | undefined;
  let money = noMoney('0', '');
  let allocationId: string | undefined;
  let settlementFailure: { type: string; message: string } | undefined;
  let retried = false;
  let rentals = 0;
  let changes = 0;
  let stopReason: string | undefined;
  /** Rentals in a row that broke before their VM was ready. */
  let brokenStarts = 0;
  /** Those among them whose setup ended with an error. */
  let brokenSetups = 0;
  let notBeforeMs = 0;

  const progress = (): JobProgress => ({
    ...{ jobId, phase, startedAt, money, lastFailure },
    tasks: countTasks(state),
    rentals: rentalProgress(state),
  });
  const now = (): string => new Date().toISOString();
  let shown = 0;
  const show = (): void => {
    shown += 1;
    setCurrentDetails(jobDetails(progress()));
  };
  /** News from outside: the main loop looks again. */
  const changed = (): void => {
    changes += 1;
    show();
  };
  const failed = (type: string, message: string): void => {
    lastFailure = { type, message, at: now() };
  };

  setHandler(jobProgressQuery, progress);
  setHandler(eventsQuery, (query) => readEvents(log, query));
  setHandler(settlementUpdateSignal, (update) => {
    if (update.seq <= (settlementUpdates.at(-1)?.seq ?? 0)) return;
    settlementUpdates.splice(0, settlementUpdates.length, update);
    money = update.money;
    allocationId ??= update.allocationId;
    lastFailure = update.failure ?? lastFailure;
    const { failure } = update;
    state.refusedProviders = update.refusedProviders;
    if (failure && (update.phase === 'failed' || failure.type === 'BudgetExhausted'))
      settlementFailure = failure;
    changed();
  });
  setHandler(rentalUpdateSignal, (update: RentalUpdate) => {
    onRentalUpdate(update);
    if (update.state === 'failed' && update.failure) failed(update.failure.type, update.failure.message);
    changed();
  });
  setHandler(assignmentOutcomeSignal, (outcome: AssignmentOutcome) => {
    if (applyOutcome(state, outcome) && outcome.state !== 'done') {
      failed(FAILURE_OF[outcome.state], `${outcome.task}: ${outcome.reason ?? outcome.state}`);
    }
    changed();
  });

  setHandler(terminateUpdate, (request) => {
    stopReason ??= request?.reason ?? 'terminated by request';
    changed();
  });

  const { spec, installation } = await inspect.golemPrepareJob({ spec: given });
  const job: JobRef = { connection: spec.connection, jobId, jobUuid, owner: installation.owner };
  const platform = paymentPlatform(spec.budget);
  state = newJobState(spec.tasks);
  money = noMoney(spec.budget.amount, platform);
  phase = 'reserving';
  show();

  const telling = new CancellationScope();
  if (spec.notify) void telling.run(tellParent).catch(() => undefined);

  const settlement = await startSettlement(spec, job, platform);
  settlement.result().catch((error: unknown) => {
    settlementFailure ??= namedFailure(error);
    changed();
  });

  let demand: SubscribedDemand | undefined;
  let nextDemandNumber = 1;
  let leftOver: OfferSummary[] = [];
  let unanswered: Unanswered[] = [];
  let drafts: DraftProposal[] = [];
  const idleSince = { ms: Date.now() };
  let failure: { type: string; message: string } | undefined;

  try {
    await condition(
      () => allocationId !== undefined || settlementFailure !== undefined || stopReason !== undefined,
    );
    if (settlementFailure) throw asFailure(settlementFailure);
    if (allocationId !== undefined) await rentAndRun(allocationId);
    phase = 'closing';
  } catch (error) {
    const cancelled = isCancellation(error);
    if (!cancelled) failure = namedFailure(error);
    if (failure) failed(failure.type, failure.message);
    // What was computed and paid for is returned, whatever ended the job; a cancelled one has nobody to return it to.
    if (cancelled || countTasks(state).done === 0) {
      phase = cancelled ? 'cancelled' : 'failed';
      cancelOpenTasks(state, now());
      await CancellationScope.nonCancellable(() => close(cancelled ? 'cancelled' : 'the job failed'));
      show();
      throw error;
    }
    phase = 'closing';
  }
  const reason = failure ? 'the job failed' : (stopReason ?? 'Finished');
  cancelOpenTasks(state, now());
  await CancellationScope.nonCancellable(() => close(reason));
  const tasks = fitTaskResults(taskResults(state));
  phase = !failure && tasks.every((task) => task.state === 'done') ? 'done' : 'failed';
  show();
  return {
    ...{ jobId, jobUuid, tasks, failure, startedAt },
    state: phase === 'done' ? 'done' : 'failed',
    finishedAt: now(),
    settlementId: settlementId(jobId),
  };

  /** The main loop: as long as tasks wait, have enough providers, and give each idle one its next task. */
  async function rentAndRun(allocation: string): Promise<void> {
    let round: Promise<void> | undefined;
    const rounds = new CancellationScope();
    let roundFailure: unknown;
    try {
      while (!isOver()) {
        const seen = changes;
        await handOut();
        const pauseMs = brokenStarts > FREE_STARTS ? notBeforeMs - Date.now() : 0;
        const enough = brokenStarts >= MAX_BROKEN_STARTS || brokenSetups >= MAX_BROKEN_SETUPS;
        if (enough && !state.rentals.some(isLive)) {
          const last = state.rentals.at(-1)?.reason ?? 'no reason given';
          const message = `${brokenStarts} providers in a row gave no working VM; the last: ${last}`;
          throw ApplicationFailure.nonRetryable(message, 'VmNotCreated');
        }
        const more = wanted() > 0 && !enough;
        if (!round && roundFailure === undefined && more && pauseMs <= 0) {
          drafts = drafts.filter((draft) => draft.demand.expiresAtMs - Date.now() > MIN_LEFT_MS);
          const usable = drafts.filter((draft) => isUsable(draft));
          if (usable.length > 0) {
            await open(usable);
            changes += 1;
          } else {
            if (phase !== 'running') phase = 'negotiating';
            show();
            round = rounds
              .run(() => negotiate(allocation))
              .catch((error: unknown) => {
                roundFailure = error;
              })
              .finally(() => {
                round = undefined;
                changes += 1;
              });
          }
        }
        if (roundFailure !== undefined && !state.rentals.some(isLive)) throw roundFailure;
        if (settlementFailure) throw asFailure(settlementFailure);
        if (more && pauseMs > 0) await condition(() => changes > seen, pauseMs);
        else await condition(() => changes > seen);
      }
    } finally {
      rounds.cancel();
      // A round that was to make a demand may still be at it: the settlement looks twice.
      if (round) retried = true;
    }
  }

  /** An interactive job lives as long as its rental. */
  function isOver(): boolean {
    if (stopReason !== undefined) return true;
    if (!spec.interactive) return allTasksOver(state);
    return allTasksOver(state) && state.rentals.some((rental) => rental.everReady && !isLive(rental));
  }

  function wanted(): number {
    const forTasks = rentalsWanted(state, spec.providers.max, Date.now());
    if (!spec.interactive || state.rentals.some(isLive)) return forTasks;
    return Math.max(1, forTasks);
  }

  function isUsable({ provider }: DraftProposal): boolean {
    if (spec.interactive && freeGroups(state).length === 0)
      return !providersToAvoid(state).includes(provider.id);
    return providerIsUseful(state, provider) && !providersToAvoid(state).includes(provider.id);
  }

  async function handOut(): Promise<void> {
    const sent: Promise<void>[] = [];
    if (!spec.interactive) {
      for (const rental of rentalsToClose(state, spec.providers.max, Date.now())) {
        sent.push(closeRental(rental, 'no work is left for it'));
      }
    }
    for (const rental of state.rentals) {
      if (rental.state !== 'ready' && rental.state !== 'busy') continue;
      const assignment = assign(state, rental, now());
      // To a rental that is gone no signal gets; its end gives the task back.
      if (assignment)
        sent.push(quietly(getExternalWorkflowHandle(rental.workflowId).signal(assignmentSignal, assignment)));
    }
    await Promise.all(sent);
  }

  async function closeRental(rental: RentalEntry, reason: string): Promise<void> {
    rental.closing = true;
    await quietly(getExternalWorkflowHandle(rental.workflowId).signal(closeRentalSignal, { reason }));
  }

  /** One round of negotiation. With nobody new on the market, providers that failed get another chance. */
  async function negotiate(allocation: string): Promise<void> {
    const { image, demand: options, pricing, providers } = spec;
    const asked = { image, demand: options, pricing, providers };
    const found: Negotiated = await negotiation().golemNegotiate({
      ...{ job, spec: asked, allocationId: allocation, platform, demand, nextDemandNumber },
      ...{ wanted: wanted(), leftOver, unanswered, avoid: providersToAvoid(state) },
      forgivable: forgivableProviders(state),
    });
    appendEvents(log, found.events);
    retried ||= found.retried;
    demand = found.demand;
    nextDemandNumber = found.demandNumber + 1;
    leftOver = found.demand ? found.leftOver : [];
    unanswered = found.demand ? found.unanswered : [];
    drafts = found.drafts;
    if (!found.demand) return;
    // A job that has providers is not without them, however little the market has to offer now.
    if (found.drafts.length > 0 || state.rentals.some(isLive)) idleSince.ms = Date.now();
    if (found.drafts.length > 0) return;
    const why = Object.entries(found.seen.unsuitable).map(([reason, count]) => `${count} × ${reason}`);
    const message = `${found.seen.offers} offers seen, none suits${why.length > 0 ? `: ${why.join(', ')}` : ''}`;
    if (forgive(state)) return;
    failed('NoProviders', message);
    const waited = Date.now() - idleSince.ms;
    if (waited > spec.demand.expirationSec * 1000) {
      throw ApplicationFailure.nonRetryable(message, 'NoProviders');
    }
  }

  /** Opens rentals for as many drafts as are wanted; each begins with a task in hand. */
  async function open(usable: DraftProposal[]): Promise<void> {
    const { setup, outputLimitBytes, interactive } = spec;
    const taken = usable.slice(0, wanted());
    drafts = drafts.filter((draft) => !taken.includes(draft));
    await Promise.all(
      taken.map(async (draft) => {
        rentals += 1;
        const n = rentals;
        const rental = addRental(state, n, rentalId(jobId, n), draft.provider, draft.demand.expiresAtMs);
        const first = assign(state, rental, now());
        const child = await surely(() =>
          startChild(golemRental, {
            ...OUTLIVING,
            workflowId: rental.workflowId,
            args: [{ job, n, proposal: draft, setup, outputLimitBytes, interactive, first }],
            memo: { golemJob: jobUuid },
            staticSummary: draft.provider.name,
          }),
        );
        void watchChild(child, n);
      }),
    );
    phase = 'running';
    show();
  }

  /** A rental that ended without a word (terminated, say) gives its work back all the same, and its VM is ended. */
  async function watchChild(child: ChildWorkflowHandle<typeof golemRental>, rental: number): Promise<void> {
    let reason = 'the rental workflow ended';
    try {
      await child.result();
    } catch (error) {
      if (isCancellation(error)) return;
      reason = namedFailure(error).message;
      const agreementId = state.rentals.find(({ n }) => n === rental)?.agreementId;
      if (agreementId) void endAgreement(agreementId, reason);
    }
    onRentalUpdate({ rental, seq: Number.MAX_SAFE_INTEGER, state: 'failed', reason });
    changed();
  }

  /** Nobody watches it any more, and until the settlement cleans up it would cost money. */
  async function endAgreement(agreementId: AgreementId, message: string): Promise<void> {
    try {
      const closed = await cleanUp.golemCloseRental({ job, agreementId, reason: { message } });
      appendEvents(log, closed.events);
    } catch (error) {
      if (!isCancellation(error)) failed(namedFailure(error).type, namedFailure(error).message);
    }
  }

  function onRentalUpdate(update: RentalUpdate): void {
    const before = state.failedProviders.length;
    applyRentalUpdate(state, update, now());
    if (update.state === 'ready') brokenStarts = brokenSetups = 0;
    if (state.failedProviders.length === before) return;
    brokenStarts += 1;
    if (update.setupFailed) brokenSetups += 1;
    notBeforeMs = Date.now() + Math.min(30, 2 ** (brokenStarts - 1)) * 1000;
  }

  /** Progress for a parent workflow, in any language: when something has changed, and at most once a second. */
  async function tellParent(): Promise<void> {
    const { parent } = workflowInfo();
    if (!parent || !spec.notify) return;
    const handle = getExternalWorkflowHandle(parent.workflowId, parent.runId);
    for (let told = 0; ; await sleep('1 s')) {
      await condition(() => shown > told);
      told = shown;
      await quietly(handle.signal(spec.notify.signal, progress()));
    }
  }

  /** Tells everybody to close. What they do then they do alone, and the settlement sees to it. */
  async function close(reason: string): Promise<void> {
    telling.cancel();
    try {
      const unsubscribed = await unsubscribing.golemUnsubscribeDemands({ job });
      appendEvents(log, unsubscribed.events);
    } catch {
      // Results must not wait for it, nor be lost with it: the settlement looks for demands, twice.
      retried = true;
    }
    await Promise.all([
      ...state.rentals.filter(isLive).map((rental) => closeRental(rental, reason)),
      // It may have ended, having failed to reserve the budget.
      quietly(settlement.signal(ownerClosedSignal, { workflowId: jobId, clean: !retried })),
    ]);
  }

  async function startSettlement(
    checked: JobSpec,
    ref: JobRef,
    onPlatform: string,
  ): Promise<ChildWorkflowHandle<typeof golemSettlement>> {
    try {
      return await surely(() =>
        startChild(golemSettlement, {
          ...OUTLIVING,
          workflowId: settlementId(jobId),
          args: [
            {
              ...{ job: ref, budget: checked.budget, platform: onPlatform, tolerance: checked.tolerance },
              ...{ expirationSec: checked.demand.expirationSec, invoiceWaitSec: checked.invoiceWaitSec },
              acceptanceTimeoutSec: checked.demand.debitNotesAcceptanceTimeoutSec,
              requestLifetimeMs: installation.requestLifetimeMs,
            },
          ],
          memo: { golemJob: jobUuid },
        }),
      );
    } catch {
      const message = `the settlement of an earlier job "${jobId}" still runs; choose another id or wait for it`;
      throw ApplicationFailure.nonRetryable(message, 'JobIdInUse');
    }
  }
}

/** A child that outlives the job: a job that ends, or goes on as a new run, must not end it. */
const OUTLIVING = {
  parentClosePolicy: ParentClosePolicy.ABANDON,
  cancellationType: ChildWorkflowCancellationType.ABANDON,
} as const;

/** A cancellation must not end the wait for a child's start: it starts nevertheless, and nobody would close it. */
async function surely<T>(start: () => Promise<T>): Promise<T> {
  return await CancellationScope.nonCancellable(start);
}

/** A signal to a workflow that is over is no failure of ours. */
async function quietly(signal: Promise<void>): Promise<void> {
  try {
    await signal;
  } catch (error) {
    if (isCancellation(error)) throw error;
  }
}

/** A draft that waited until its demand has less left than this is no use any more. */
const MIN_LEFT_MS = 60_000;

/** So many broken starts in a row, and the fault is in the job or the network, not in a provider. */
const MAX_BROKEN_STARTS = 10;
/** A setup that fails on so many providers in a row has a mistake. */
const MAX_BROKEN_SETUPS = 5;
/** Broken starts that delay nothing: the next provider is asked at once. */
const FREE_STARTS = 3;

function asFailure(failure: { type: string; message: string } | undefined): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    failure?.message ?? 'the settlement ended',
    failure?.type ?? 'Error',
  );
}
