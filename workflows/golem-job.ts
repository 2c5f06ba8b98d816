/**
 * A job: checks the spec, has its budget reserved, finds providers, hands out the tasks and collects the results.
 * Everything on yagna is done by activities; decisions are in `state/job-state.ts`.
 */
import {
  ApplicationFailure,
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { DraftProposal, JobRef } from '../activities/contract';
import { rentalId, settlementId, type AgreementId } from '../model/ids';
import { LEAST_LIFE_MS } from '../model/duration-classes';
import { appendEvents, emptyEventLog, readEvents } from '../model/events';
import { paymentPlatform } from '../model/job';
import type { JobPhase, JobProgress, JobResult, LastFailure } from '../model/result';
import { fitTaskResults } from '../model/result-size';
import { cleanUp, inspect, unsubscribing } from './activity-options';
import { quietly, startRental, startSettlement, type RentalHandle } from './child-workflows';
import { jobDetails } from './current-details';
import { namedFailure } from './failure-type';
import { MarketRounds, whyNobody } from './market-rounds';
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
  type SettlementUpdate,
  terminateUpdate,
} from './protocol';
import { checkTerminate, isOutcome, isRentalUpdate, isSettlementUpdate, sound } from './signal-input';
import { BrokenStarts } from './state/broken-starts';
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
  getsOn,
  hasSigned,
  isLive,
  isUseful,
  newJobState,
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
  let state = newJobState([]);
  let phase: JobPhase = 'validating';
  let lastFailure: LastFailure | undefined;
  let money = noMoney('0', '');
  let allocationId: string | undefined;
  let settlementFailure: { type: string; message: string } | undefined;
  let retried = false;
  let rentals = 0;
  let settlementSeq = 0;
  let changes = 0;
  const broken = new BrokenStarts();
  /** A task was done since there was a reason to ask nobody else. */
  let doneSinceStop = false;
  let stopReason: string | undefined;

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
  const tellFailure = ({ state: how, task, reason = how }: AssignmentOutcome): void => {
    if (how !== 'done' && how !== 'returned') failed(FAILURE_OF[how], `${task}: ${reason}`);
  };

  setHandler(jobProgressQuery, progress);
  setHandler(eventsQuery, (query) => readEvents(log, query));
  const onSettlementUpdate = (update: SettlementUpdate): void => {
    if (update.jobUuid !== jobUuid || update.seq <= settlementSeq) return;
    settlementSeq = update.seq;
    money = update.money;
    allocationId ??= update.allocationId;
    const { failure } = update;
    // The settlement repeats its own with whatever it tells.
    if (failure && failure.at > (lastFailure?.at ?? '')) lastFailure = failure;
    state.refusedProviders = update.refusedProviders;
    if (failure && (update.phase === 'failed' || failure.type === 'BudgetExhausted'))
      settlementFailure = failure;
    changed();
  };
  setHandler(settlementUpdateSignal, sound('golemSettlementUpdate', isSettlementUpdate, onSettlementUpdate));
  const hearRental = (update: RentalUpdate): void => {
    onRentalUpdate(update);
    if (update.failure) failed(update.failure.type, update.failure.message);
    changed();
  };
  setHandler(rentalUpdateSignal, sound('golemRentalUpdate', isRentalUpdate, hearRental));
  const onOutcome = (outcome: AssignmentOutcome): void => {
    if (applyOutcome(state, outcome)) {
      if (outcome.state === 'done') doneSinceStop = true;
      tellFailure(outcome);
    }
    changed();
  };
  setHandler(assignmentOutcomeSignal, sound('golemAssignmentOutcome', isOutcome, onOutcome));

  const terminate = (request?: { reason?: string }): void => {
    stopReason ??= request?.reason ?? 'terminated by request';
    changed();
  };
  setHandler(terminateUpdate, terminate, { validator: checkTerminate });

  const { spec, installation } = await inspect.golemPrepareJob({ spec: given });
  const job: JobRef = { connection: spec.connection, jobId, jobUuid, owner: installation.owner };
  const platform = paymentPlatform(spec.budget);
  state = newJobState(spec.tasks);
  money = noMoney(spec.budget.amount, platform);
  phase = 'reserving';
  show();

  const telling = new CancellationScope();
  if (spec.notify) void telling.run(tellParent).catch(() => undefined);

  const settlement = await startSettlement({
    ...{ job, platform, budget: spec.budget, tolerance: spec.tolerance },
    ...{ expirationSec: spec.demand.expirationSec, invoiceWaitSec: spec.invoiceWaitSec },
    acceptanceTimeoutSec: spec.demand.debitNotesAcceptanceTimeoutSec,
    requestLifetimeMs: installation.requestLifetimeMs,
  });
  settlement.result().catch((error: unknown) => {
    settlementFailure ??= namedFailure(error);
    changed();
  });

  /** When it last had an agreement, or began. */
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
      await showEnd();
      throw error;
    }
    phase = 'closing';
  }
  const reason = failure ? 'the job failed' : (stopReason ?? 'Finished');
  cancelOpenTasks(state, now());
  await CancellationScope.nonCancellable(() => close(reason));
  const tasks = fitTaskResults(taskResults(state));
  phase = !failure && tasks.every((task) => task.state === 'done') ? 'done' : 'failed';
  await showEnd();
  return {
    ...{ jobId, jobUuid, tasks, failure, startedAt },
    state: phase === 'done' ? 'done' : 'failed',
    finishedAt: now(),
    settlementId: settlementId(jobId),
  };

  /** The main loop: as long as tasks wait, have enough providers, and give each idle one its next task. */
  async function rentAndRun(allocation: string): Promise<void> {
    const market = new MarketRounds(job, spec, allocation);
    let round: Promise<void> | undefined;
    /** The round under way makes a demand. */
    let risky = false;
    const rounds = new CancellationScope();
    let roundFailure: unknown;
    try {
      while (!isOver()) {
        const seen = changes;
        await handOut();
        const pauseMs = broken.pauseMs(Date.now());
        // Yagna and the job are not to blame, then: another round may do better.
        if (doneSinceStop) roundFailure = undefined;
        const stop = roundFailure ?? (broken.tooMany && asFailure(broken.tooMany));
        if (stop === undefined) doneSinceStop = false;
        else if (!getsOn(state, Date.now())) {
          if (tryAgain()) continue;
          // An interactive job's rental is its user's, with or without tasks.
          if (!spec.interactive || !state.rentals.some(isLive)) throw stop;
        }
        const more = wanted() > 0 && stop === undefined;
        if (!round && more && pauseMs <= 0) {
          if (market.usable(isUsable).length > 0) {
            await open(market);
            changes += 1;
          } else {
            if (phase !== 'running') phase = 'negotiating';
            show();
            risky = market.makesDemand();
            round = rounds
              .run(() => negotiate(market))
              .catch((error: unknown) => {
                roundFailure = error;
              })
              .finally(() => {
                round = undefined;
                changes += 1;
              });
          }
        }
        if (settlementFailure) throw asFailure(settlementFailure);
        if (more && pauseMs > 0) await condition(() => changes > seen, pauseMs);
        else await condition(() => changes > seen);
      }
    } finally {
      rounds.cancel();
      // It may still be at it: the settlement looks twice.
      if (round && risky) retried = true;
    }
  }

  /** Nobody new is to be asked, and nobody at hand gets on with what waits. False when nothing can be done about it. */
  function tryAgain(): boolean {
    if (forgive(state) && getsOn(state, Date.now())) return true;
    if (!doneSinceStop) return false;
    broken.reset();
    return true;
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

  function isUsable({ provider, demand }: DraftProposal): boolean {
    if (providersToAvoid(state).includes(provider.id)) return false;
    const validToMs = demand.expiresAtMs;
    if (spec.interactive && freeGroups(state).length === 0) return validToMs - Date.now() >= LEAST_LIFE_MS;
    return isUseful(state, { provider, validToMs }, Date.now());
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
  async function negotiate(market: MarketRounds): Promise<void> {
    const found = await market.round({
      wanted: wanted(),
      avoid: providersToAvoid(state),
      forgivable: forgivableProviders(state),
    });
    appendEvents(log, found.events);
    retried ||= found.retried;
    if (!found.demand) return;
    // A job that has providers is not without them, however little the market has to offer now.
    if (state.rentals.some((rental) => isLive(rental) && hasSigned(rental))) idleSince.ms = Date.now();
    if (market.usable(isUsable).length > 0) return;
    const forgiven = forgive(state);
    const refusal = forgiven ? broken.refusal : undefined;
    const why = refusal ?? { type: 'NoProviders', message: whyNobody(found) };
    if (Date.now() - idleSince.ms > spec.demand.expirationSec * 1000) throw asFailure(why);
    if (!forgiven) failed(why.type, why.message);
  }

  /** Opens rentals for as many drafts as are wanted; each begins with a task in hand. */
  async function open(market: MarketRounds): Promise<void> {
    const { setup, outputLimitBytes, interactive } = spec;
    const started: Promise<void>[] = [];
    while (wanted() > 0) {
      // Looked at anew each time: what one draft takes may be all that another one is good for.
      const [proposal] = market.usable(isUsable);
      if (!proposal) break;
      market.take(proposal);
      rentals += 1;
      const n = rentals;
      const { provider, demand } = proposal;
      const rental = addRental(state, n, rentalId(jobId, n), provider, demand.expiresAtMs);
      const first = assign(state, rental, now());
      const input = { job, n, proposal, setup, outputLimitBytes, interactive, first };
      started.push(startRental(input).then((child) => void watchChild(child, n)));
    }
    await Promise.all(started);
    phase = 'running';
    show();
  }

  /** A rental that ended without a word (terminated, say) gives its work back all the same, and its VM is ended. */
  async function watchChild(child: RentalHandle, rental: number): Promise<void> {
    let reason = 'the rental workflow ended';
    try {
      await child.result();
    } catch (error) {
      if (isCancellation(error)) return;
      reason = namedFailure(error).message;
      const agreementId = state.rentals.find(({ n }) => n === rental)?.agreementId;
      if (agreementId) void endAgreement(agreementId, reason);
    }
    const failure = { type: 'VmLost', message: reason };
    onRentalUpdate({ rental, seq: Number.MAX_SAFE_INTEGER, state: 'failed', reason, failure });
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
    const taken = applyRentalUpdate(state, update, now());
    if (taken) tellFailure(taken);
    if (update.state === 'ready') broken.reset();
    if (state.rentals.some((rental) => rental.n === update.rental && hasSigned(rental)))
      idleSince.ms = Date.now();
    // One that was closed before it was ready is not to blame.
    if (!update.failure || state.failedProviders.length === before) return;
    const { rental, setupFailed = false, failure } = update;
    broken.add({ rental, newest: rentals, failure, setupFailed }, Date.now());
  }

  /** Progress for a parent workflow, in any language: when something has changed, and at most once a second. */
  async function tellParent(): Promise<void> {
    const tell = teller();
    if (!tell) return;
    for (let told = 0; ; await sleep('1 s')) {
      await condition(() => shown > told);
      told = shown;
      await tell();
    }
  }

  /** The last progress, to the parent too, however short the job was. */
  async function showEnd(): Promise<void> {
    show();
    await CancellationScope.nonCancellable(async () => await teller()?.());
  }

  /** Undefined where there is no parent to tell. */
  function teller(): (() => Promise<void>) | undefined {
    const { parent } = workflowInfo();
    const { notify } = spec;
    if (!parent || !notify) return undefined;
    const handle = getExternalWorkflowHandle(parent.workflowId, parent.runId);
    return () => quietly(handle.signal(notify.signal, progress()));
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
}

function asFailure(failure: { type: string; message: string } | undefined): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    failure?.message ?? 'the settlement ended',
    failure?.type ?? 'Error',
  );
}
