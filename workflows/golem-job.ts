/**
 * A job: checks the spec, has its budget reserved, finds providers, hands out the tasks and collects the results.
 * Everything on yagna is done by activities; decisions are in `state/job-state.ts`.
 */
import {
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow';
import type { DraftProposal, JobRef, PreparedJob } from '../activities/contract';
import { DEFAULT_CONNECTION, rentalId, settlementId, type AgreementId } from '../model/ids';
import { readEvents, resumeEvents, type NewEvent } from '../model/events';
import type { Duration } from '../model/duration-classes';
import { paymentPlatform, type JobSpec, type TaskFile } from '../model/job';
import type { JobPhase, JobProgress, JobResult } from '../model/result';
import { fitTaskResults } from '../model/result-size';
import { avoiding, cleanUp, inspect, unsubscribing, workflowWatch } from './activity-options';
import { fitCarried, type CarriedJob } from './carried-job';
import { quietly, startRental, startSettlement, type RentalHandle } from './child-workflows';
import { Control, unsigned, type KeepsGrants } from './control';
import { jobDetails } from './current-details';
import { keepEvents } from './event-log';
import {
  failureOfClosed,
  namedFailure,
  settlementFailureOf,
  settlementFailureOfClosed,
} from './failure-type';
import { FileTasks } from './file-tasks';
import { JobBudget } from './job-budget';
import { isLong } from './long-history';
import { MarketRounds, whyNobody } from './market-rounds';
import {
  assignmentOutcomeSignal,
  assignmentSignal,
  closeRentalSignal,
  eventsQuery,
  jobProgressQuery,
  ownerClosedSignal,
  rentalUpdateSignal,
  settlementUpdateSignal,
  type Assignment,
  type AssignmentOutcome,
  type RentalInput,
  type RentalUpdate,
  type SettlementUpdate,
  taskQuery,
  terminateUpdate,
  topUpUpdate,
} from './protocol';
import { checkTerminate, isOutcome, isRentalUpdate, isSettlementUpdate, sound } from './signal-input';
import { bookFault, bookRefusals, whyBroken, type Fault } from './state/broken-faith';
import { BrokenStarts } from './state/broken-starts';
import {
  addRental,
  allTasksOver,
  applyOutcome,
  applyRentalUpdate,
  assign,
  assignSeveral,
  cancelOpenTasks,
  countTasks,
  FAILURE_OF,
  forgivableProviders,
  forgive,
  freeGroups,
  getsOn,
  hasSigned,
  isInteractiveOver,
  isLive,
  isUseful,
  newJobState,
  providersToAvoid,
  rentalProgress,
  rentalsToClose,
  rentalsWanted,
  taskNow,
  taskResults,
  type RentalEntry,
} from './state/job-state';
import { ShownAttributes } from './search-attributes';
import { MOST_IN_HAND } from './state/in-hand';
import { newGrants, type Grants } from './state/grants';
import { unlessStopped } from './unless-stopped';

/** For so long a round of negotiation may go on in a run that has become long. */
const ROUND_GRACE = '5 s';

/**
 * @param given - the job spec
 * @param carried - what an earlier run of the job has left, when it goes on as a new one; `given` is null then
 */
export async function golemJob(given: unknown, carried?: CarriedJob): Promise<JobResult> {
  const { workflowId: jobId, firstExecutionRunId: jobUuid, startTime } = workflowInfo();
  const startedAt = carried?.startedAt ?? startTime.toISOString();
  const log = resumeEvents(carried?.log);
  const note = (events: readonly NewEvent[]): void => keepEvents(jobId, log, events);
  let state = carried?.state ?? newJobState([]);
  let phase: JobPhase = carried?.phase ?? 'validating';
  let lastFailure = carried?.lastFailure;
  let allocationId = carried?.allocationId;
  let settlementFailure: { type: string; message: string } | undefined;
  let retried = carried?.retried ?? false;
  let rentals = carried?.rentals ?? 0;
  let settlementSeq = carried?.settlementSeq ?? 0;
  let changes = 0;
  const broken = new BrokenStarts(carried?.broken);
  /** Being told to the worker, which is to remember it. */
  const remembered = new Set<Promise<void>>();
  /** Updates that may take long to answer. */
  let answering = 0;
  /** Tasks on their way to rentals. */
  const handingOut = new Set<Promise<void>>();
  /** Agreements of rentals that ended without a word, being ended. */
  const toEnd = new Map(carried?.toEnd);
  /** A task was done since there was a reason to ask nobody else. */
  let doneSinceStop = carried?.doneSinceStop ?? false;
  let stopReason: string | undefined;
  /** When it last had an agreement, or began. */
  const idleSince = { ms: carried?.idleSinceMs ?? Date.now() };

  let duration = carried && durationOf(carried.spec);
  const progress = (): JobProgress => ({
    ...{ jobId, phase, startedAt, money: budget.progress, lastFailure },
    ...{ cost: budget.cost, duration },
    waitingFor: phase === 'paused' ? `more budget, by the Update topUp: ${budget.why}` : undefined,
    tasks: countTasks(state),
    rentals: rentalProgress(state),
  });
  const now = (): string => new Date().toISOString();
  let attributes = new ShownAttributes(carried?.installation.searchAttributes ?? false);
  let shown = 0;
  const show = (): void => {
    shown += 1;
    setCurrentDetails(jobDetails(progress()));
    const providers = state.rentals.map(({ provider }) => provider.id);
    attributes.show({ phase, cost: budget.progress.accepted, providers });
  };
  /** News from outside: the main loop looks again. */
  const changed = (): void => {
    changes += 1;
    show();
  };
  const refTo = (by?: PreparedJob): JobRef => ({
    ...{ connection: by?.spec.connection ?? DEFAULT_CONNECTION, jobId, jobUuid },
    owner: by?.installation.owner ?? '',
    controlOwner: by?.spec.control?.owner,
  });
  // What a run that continues another is told may be there already when its handlers are set.
  let job = refTo(carried);
  const budget = new JobBudget(changed);
  if (carried) budget.resume(carried.spec, carried.budget);
  const failed = (type: string, message: string): void => {
    lastFailure = { type, message, at: now() };
  };
  const tellFailure = ({ state: how, task, reason = how, expired }: AssignmentOutcome): void => {
    if (how !== 'done' && how !== 'returned' && !expired) failed(FAILURE_OF[how], `${task}: ${reason}`);
  };

  setHandler(jobProgressQuery, progress);
  setHandler(taskQuery, (name) => taskNow(state, name) ?? null);
  setHandler(eventsQuery, (query) => readEvents(log, query));
  const onSettlementUpdate = (update: SettlementUpdate): void => {
    if (update.jobUuid !== jobUuid || update.seq <= settlementSeq) return;
    settlementSeq = update.seq;
    budget.onSettlement(update);
    allocationId = update.allocationId ?? allocationId;
    const { failure } = update;
    // The settlement repeats its own with whatever it tells.
    if (failure && failure.at > (lastFailure?.at ?? '')) lastFailure = failure;
    bookRefusals(state.conduct, update.refusedProviders);
    if (failure && (update.phase === 'failed' || failure.type === 'BudgetExhausted'))
      settlementFailure = failure;
    changed();
  };
  setHandler(settlementUpdateSignal, sound('golemSettlementUpdate', isSettlementUpdate, onSettlementUpdate));
  const hearRental = (update: RentalUpdate): void => {
    onRentalUpdate(update);
    if (update.failure) failed(update.failure.type, update.failure.message);
    if (update.state === 'detached') stopReason ??= 'a rental was detached';
    changed();
  };
  setHandler(rentalUpdateSignal, sound('golemRentalUpdate', isRentalUpdate, hearRental));
  const onOutcome = (...outcomes: AssignmentOutcome[]): void => {
    for (const outcome of outcomes) {
      if (outcome.news) hearRental(outcome.news);
      if (!applyOutcome(state, outcome)) continue;
      if (outcome.state === 'done') doneSinceStop = true;
      tellFailure(outcome);
      blame(outcome.rental, outcome.fault);
    }
    changed();
  };
  setHandler(assignmentOutcomeSignal, sound('golemAssignmentOutcome', isOutcome, onOutcome));

  const kept: KeepsGrants = { grants: carried ? carried.grants : closedBy(given) };
  const control = new Control(kept, note);
  const terminate = async (request?: { reason?: string }): Promise<void> => {
    await control.guard('terminate', request);
    stopReason ??= request?.reason ?? 'terminated by request';
    changed();
  };
  setHandler(terminateUpdate, terminate, { validator: checkTerminate });

  const topUp = async (request: unknown): ReturnType<typeof budget.topUp> => {
    answering += 1;
    try {
      await control.guard('topUp', request);
      return await budget.topUp(unsigned(request));
    } finally {
      answering -= 1;
    }
  };
  setHandler(topUpUpdate, topUp, { validator: (request) => budget.validateTopUp(unsigned(request)) });

  const prepared = carried ?? (await prepare().catch(refuse));
  if (!prepared) return await endUnprepared();
  const { spec, installation } = prepared;
  const platform = paymentPlatform(spec.budget);
  if (!carried) {
    job = refTo(prepared);
    duration = durationOf(spec);
    attributes = new ShownAttributes(installation.searchAttributes ?? false);
    const leastLifeMs = spec.demand.leastLifeSec * 1000;
    state = newJobState(spec.tasks, { ahead: spec.taskFile?.count, leastLifeMs });
    budget.begin(spec, platform);
    phase = 'reserving';
  }
  const market = new MarketRounds(job, spec, () => allocationId ?? '', carried?.market);
  const inFile = spec.taskFile && fileTasks(spec.taskFile);
  show();

  const telling = new CancellationScope();
  if (spec.notify) void telling.run(tellParent).catch(() => undefined);
  void telling.run(() => budget.watch()).catch(() => undefined);

  const settlementRunId = carried?.settlementRunId ?? (await beginSettlement());
  if (carried) {
    void telling.run(() => watchInherited(carried)).catch(() => undefined);
    for (const [agreementId, reason] of toEnd) void endAgreement(agreementId, reason);
  }

  if (!carried) idleSince.ms = Date.now();
  let roundFailure: unknown = carried?.roundFailure && asFailure(carried.roundFailure);
  let failure: { type: string; message: string } | undefined;
  /** This run has become long. */
  let goesOn = false;

  try {
    await condition(
      () => allocationId !== undefined || settlementFailure !== undefined || stopReason !== undefined,
    );
    if (settlementFailure) throw asFailure(settlementFailure);
    if (allocationId !== undefined) goesOn = await rentAndRun();
    if (!goesOn) phase = 'closing';
  } catch (error) {
    const cancelled = isCancellation(error);
    if (!cancelled) {
      const { type, message } = namedFailure(error);
      failure = { type, message };
      failed(type, message);
    }
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
  if (goesOn) return await continueAsNew<typeof golemJob>(null, carry());
  const reason = failure ? 'the job failed' : (stopReason ?? 'Finished');
  cancelOpenTasks(state, now());
  await CancellationScope.nonCancellable(() => close(reason));
  failure ??= inFile?.unwritten;
  const { total, done } = countTasks(state);
  phase = !failure && done === total ? 'done' : 'failed';
  await showEnd();
  return {
    ...{ jobId, jobUuid, tasks: fitTaskResults(taskResults(state)), failure, startedAt },
    ...inFile?.result(),
    state: phase === 'done' ? 'done' : 'failed',
    finishedAt: now(),
    settlementId: settlementId(jobId),
  };

  function fileTasks(file: TaskFile): FileTasks {
    const { outputLimitBytes, providers } = spec;
    const owner = { file, outputLimitBytes, rentals: providers.max, state, changed, failed };
    return new FileTasks(owner, carried?.fileTasks);
  }

  /** It waits for a yagna or a registry that is away; who ends the job need not. */
  async function prepare(): Promise<PreparedJob | undefined> {
    return await unlessStopped(
      () => stopReason !== undefined,
      () => inspect.golemPrepareJob({ spec: given }),
    );
  }

  /** @returns id of its first run */
  async function beginSettlement(): Promise<string> {
    const settlement = await startSettlement({
      ...{ job, platform, budget: spec.budget, tolerance: spec.tolerance },
      vmsAtOnce: spec.vmsAtOnce,
      invoiceWaitSec: spec.invoiceWaitSec,
      leastPaymentTimeoutSec: spec.demand.least?.midAgreementPaymentTimeoutSec,
      acceptanceTimeoutSec: spec.demand.debitNotesAcceptanceTimeoutSec,
      debitNoteIntervalSec: spec.demand.midAgreementDebitNoteIntervalSec,
      requestLifetimeMs: installation.requestLifetimeMs,
      allocationLifeSec: installation.allocationLifeSec,
      searchAttributes: installation.searchAttributes,
    });
    settlement.result().catch((error: unknown) => onSettlementEnd(settlementFailureOf(error)));
    return settlement.firstExecutionRunId;
  }

  function onSettlementEnd(why: { type: string; message: string }): void {
    settlementFailure ??= why;
    changed();
  }

  async function refuse(error: unknown): Promise<never> {
    await answerAll();
    throw error;
  }

  /** Whoever waits for an answer gets it. */
  async function answerAll(): Promise<void> {
    budget.end();
    await CancellationScope.nonCancellable(() => condition(allHandlersFinished));
  }

  /** Nothing was made yet, and what the tasks are nobody has read. */
  async function endUnprepared(): Promise<JobResult> {
    phase = 'failed';
    show();
    await answerAll();
    return {
      ...{ jobId, jobUuid, tasks: [], state: 'failed', startedAt },
      ...{ finishedAt: now(), settlementId: settlementId(jobId) },
    };
  }

  /**
   * The main loop: as long as tasks wait, have enough providers, and give each idle one its next task.
   * @returns true when the job is to go on as a new run
   */
  async function rentAndRun(): Promise<boolean> {
    let round: Promise<void> | undefined;
    /** The round under way makes a demand. */
    let risky = false;
    const rounds = new CancellationScope();
    const leaving = new CancellationScope();
    let isLeaving = false;
    /** Nothing is under way that the next run could not know of, but for tasks that are on their way. */
    const isFree = (): boolean =>
      isLeaving && stopReason === undefined && !round && remembered.size === 0 && answering === 0;
    const isQuiet = (): boolean => isFree() && handingOut.size === 0 && allHandlersFinished();
    try {
      while (!isOver()) {
        const seen = changes;
        // What is refused changes nothing, and makes the history long all the same.
        const hasNews = (): boolean => changes > seen || isQuiet() || (!isLeaving && isLong());
        inFile?.tend();
        if (inFile?.failure) throw asFailure(inFile.failure);
        if (isLong() && !isLeaving) {
          isLeaving = true;
          // Whatever a round still brings is not worth more waiting.
          void leaving.run(() => sleep(ROUND_GRACE).then(() => rounds.cancel())).catch(() => undefined);
        }
        // With many rentals some task would always be on its way.
        if (!isFree()) await handOut();
        if (settlementFailure) throw asFailure(settlementFailure);
        if (isQuiet()) {
          // A cancellation that came just now would not go along.
          if (CancellationScope.current().consideredCancelled) throw new CancelledFailure('cancelled');
          return true;
        }
        if (budget.holdsBack) {
          await waitForMoney(hasNews);
          continue;
        }
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
        const more = wanted() > 0 && stop === undefined && !isLeaving;
        if (!round && more && pauseMs <= 0) {
          if (market.usable(isUsable).length > 0) {
            await open();
            changes += 1;
          } else {
            if (phase !== 'running') phase = 'negotiating';
            show();
            risky = market.makesDemand();
            round = rounds
              .run(() => negotiate().catch((error: unknown) => allocationGone(error)))
              .catch((error: unknown) => {
                if (!isLeaving || !isCancellation(error)) {
                  roundFailure = error;
                  return;
                }
                retried ||= risky;
                market.cutShort();
              })
              .finally(() => {
                round = undefined;
                changes += 1;
              });
          }
        }
        if (settlementFailure) throw asFailure(settlementFailure);
        if (more && pauseMs > 0) await condition(hasNews, pauseMs);
        else await condition(hasNews);
      }
      return false;
    } finally {
      leaving.cancel();
      inFile?.stop();
      rounds.cancel();
      // It may still be at it: the settlement looks twice.
      if (round && risky) retried = true;
    }
  }

  /** All that the next run has to know. */
  function carry(): CarriedJob {
    return fitCarried({
      ...{ spec, installation, startedAt, state, phase, lastFailure, allocationId },
      ...{ settlementRunId, settlementSeq, rentals, retried, doneSinceStop, log },
      ...{ budget: budget.carry(), market: market.carry(), broken: broken.carry() },
      roundFailure: roundFailure === undefined ? undefined : namedFailure(roundFailure),
      fileTasks: inFile?.carry(),
      grants: kept.grants,
      idleSinceMs: idleSince.ms,
      toEnd: [...toEnd],
    });
  }

  /** Of workflows that an earlier run of the job has begun, Temporal tells their end to nobody. */
  async function watchInherited(from: CarriedJob): Promise<void> {
    const inherited = new Map([[settlementId(jobId), from.settlementRunId]]);
    for (const { workflowId, runId } of from.state.rentals.filter(isLive))
      if (runId !== undefined) inherited.set(workflowId, runId);
    while (inherited.size > 0) {
      const workflows = [...inherited].map(([workflowId, runId]) => ({ workflowId, runId }));
      const { closed } = await workflowWatch().golemWatchWorkflows({ workflows });
      for (const end of closed) {
        inherited.delete(end.workflowId);
        const rental = state.rentals.find(({ workflowId }) => workflowId === end.workflowId);
        if (rental) onRentalEnd(rental.n, failureOfClosed(end));
        else if (end.how !== 'completed' && end.workflowId === settlementId(jobId))
          onSettlementEnd(settlementFailureOfClosed(end));
      }
    }
  }

  /** What runs goes on, to its end; idle rentals would cost money for nothing. */
  async function waitForMoney(hasNews: () => boolean): Promise<void> {
    for (const rental of idleRentals()) await closeRental(rental, 'the budget is low');
    const isPaused = spec.budget.onLow === 'pause';
    if (!isPaused && countTasks(state).running === 0) {
      throw asFailure({ type: 'BudgetExhausted', message: `tasks were not begun: ${budget.why}` });
    }
    if (isPaused) phase = 'paused';
    show();
    await condition(hasNews);
    if (budget.holdsBack || !isPaused) return;
    phase = 'running';
    idleSince.ms = Date.now();
  }

  /** Nobody new is to be asked, and nobody at hand gets on with what waits. False when nothing can be done about it. */
  function tryAgain(): boolean {
    if (forgive(state) && getsOn(state, Date.now())) return true;
    if (!doneSinceStop) return false;
    broken.reset();
    return true;
  }

  function isOver(): boolean {
    if (stopReason !== undefined) return true;
    if (inFile) return allTasksOver(state) && inFile.isOver;
    if (!spec.interactive) return allTasksOver(state);
    return allTasksOver(state) && isInteractiveOver(state);
  }

  function wanted(): number {
    if (budget.isFull || inFile?.hasRoom === false) return 0;
    const forTasks = rentalsWanted(state, spec.providers.max, Date.now());
    if (!spec.interactive || state.rentals.some(isLive)) return forTasks;
    return Math.max(1, forTasks);
  }

  function isUsable({ provider, demand }: DraftProposal): boolean {
    if (providersToAvoid(state).includes(provider.id)) return false;
    const validToMs = demand.expiresAtMs;
    if (spec.interactive && freeGroups(state).length === 0)
      return validToMs - Date.now() >= state.leastLifeMs;
    return isUseful(state, { provider, validToMs }, Date.now());
  }

  /** Nobody waits for a task to arrive: rentals that have done theirs meanwhile would wait, too. */
  async function handOut(): Promise<void> {
    const sent: Promise<void>[] = [];
    if (inFile?.isStuck) {
      for (const rental of idleRentals()) sent.push(closeRental(rental, 'results cannot be written'));
    } else if (!spec.interactive && !inFile?.hasMore) {
      for (const rental of rentalsToClose(state, spec.providers.max, Date.now())) {
        sent.push(closeRental(rental, 'no work is left for it'));
      }
    }
    for (const rental of budget.holdsBack ? [] : state.rentals) {
      const room = inFile?.roomFor(MOST_IN_HAND);
      if (room === 0) break;
      if (rental.state !== 'ready' && rental.state !== 'busy') continue;
      // The scripts of an interactive rental's user come between.
      const most = spec.interactive ? 1 : room;
      const [first, ...more] = assignSeveral(state, rental, now(), most);
      if (first) handTo(rental, first, ...more);
    }
    await Promise.all(sent);
  }

  function handTo({ workflowId }: RentalEntry, ...assignments: [Assignment, ...Assignment[]]): void {
    const sent = getExternalWorkflowHandle(workflowId).signal(assignmentSignal, ...assignments);
    const arriving = sent
      // To a rental that is gone no signal gets; its end gives the task back.
      .catch(() => undefined)
      .finally(() => handingOut.delete(arriving));
    handingOut.add(arriving);
  }

  function idleRentals(): RentalEntry[] {
    return state.rentals.filter((each) => isLive(each) && !each.closing && each.current === undefined);
  }

  async function closeRental(rental: RentalEntry, reason: string, jobEnds?: boolean): Promise<void> {
    rental.closing = true;
    // It will not say so.
    if (jobEnds) rental.state = 'closing';
    const request = { reason, jobEnds };
    await quietly(getExternalWorkflowHandle(rental.workflowId).signal(closeRentalSignal, request));
  }

  /** Where the allocation is gone, a settlement makes another one, unless somebody took the money back. */
  async function allocationGone(error: unknown): Promise<void> {
    if (namedFailure(error).type !== 'BudgetExhausted') throw error;
    await budget.awaitAllocation();
  }

  /** One round of negotiation. With nobody new on the market, providers that failed get another chance. */
  async function negotiate(): Promise<void> {
    const found = await market.round({
      wanted: wanted(),
      avoid: providersToAvoid(state),
      brokeFaith: state.conduct.broken.map((broken) => ({
        id: broken.provider.id,
        reason: whyBroken(broken),
      })),
      forgivable: forgivableProviders(state),
    });
    note(found.events);
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
  async function open(): Promise<void> {
    const { setup, outputLimitBytes, interactive, vmsAtOnce } = spec;
    const started: Promise<void>[] = [];
    while (wanted() > 0) {
      // Looked at anew each time: what one draft takes may be all that another one is good for.
      const [proposal] = market.usable(isUsable);
      if (!proposal || !budget.affords(proposal, proposal.demand.expiresAtMs)) break;
      market.take(proposal);
      rentals += 1;
      const n = rentals;
      const { provider, demand } = proposal;
      const rental = addRental(state, n, rentalId(jobId, n), provider, demand.expiresAtMs);
      const first = assign(state, rental, now());
      budget.opened(n, proposal, demand.expiresAtMs);
      const ofSpec = { setup, outputLimitBytes, interactive, vmsAtOnce, control: spec.control };
      const input = { job, n, proposal, ...ofSpec, first };
      started.push(begin(input));
    }
    // One that fails must not hide others that have begun: who is told to close must be there.
    for (const ended of await Promise.allSettled(started))
      if (ended.status === 'rejected') throw ended.reason;
    phase = 'running';
    show();
  }

  async function begin(input: RentalInput): Promise<void> {
    const { n } = input;
    try {
      const child = await startRental(input);
      const entry = state.rentals.find((rental) => rental.n === n);
      if (entry) entry.runId = child.firstExecutionRunId;
      void watchChild(child, n);
    } catch (error) {
      // What has its id is not this job's, which must not steer it.
      const reason = namedFailure(error).message;
      onRentalUpdate({ rental: n, seq: Number.MAX_SAFE_INTEGER, state: 'failed', reason });
      throw error;
    }
  }

  async function watchChild(child: RentalHandle, rental: number): Promise<void> {
    try {
      await child.result();
      onRentalEnd(rental, undefined);
    } catch (error) {
      if (!isCancellation(error)) onRentalEnd(rental, namedFailure(error).message);
    }
  }

  /**
   * A rental that ended without a word (terminated, say) gives its work back all the same, and its VM is ended.
   * @param broke - why it did not come to its own end, if so
   */
  function onRentalEnd(rental: number, broke: string | undefined): void {
    const reason = broke ?? 'the rental workflow ended';
    const agreementId = state.rentals.find(({ n }) => n === rental)?.agreementId;
    if (broke !== undefined && agreementId) void endAgreement(agreementId, reason);
    const failure = { type: 'VmLost', message: reason };
    onRentalUpdate({ rental, seq: Number.MAX_SAFE_INTEGER, state: 'failed', reason, failure }, true);
    changed();
  }

  /** Nobody watches it any more, and until the settlement cleans up it would cost money. */
  async function endAgreement(agreementId: AgreementId, message: string): Promise<void> {
    toEnd.set(agreementId, message);
    try {
      const closed = await cleanUp.golemCloseRental({ job, agreementId, reason: { message } });
      note(closed.events);
    } catch (error) {
      if (!isCancellation(error)) failed(namedFailure(error).type, namedFailure(error).message);
    }
    toEnd.delete(agreementId);
  }

  /** Holds against a rental's provider what it did; where it broke faith, the worker is to remember it. */
  function blame(rental: number, fault: Fault | undefined): void {
    const provider = state.rentals.find(({ n }) => n === rental)?.provider;
    const broken = provider && fault && bookFault(state.conduct, provider, fault);
    if (!broken) return;
    const told = CancellationScope.nonCancellable(() => avoiding.golemAvoidProvider({ job, ...broken }));
    const remembering = told
      .then(({ events }) => note(events))
      .catch(() => undefined)
      .finally(() => remembered.delete(remembering));
    remembered.add(remembering);
  }

  function onRentalUpdate(update: RentalUpdate, isWithoutWord?: boolean): void {
    const entry = state.rentals.find((rental) => rental.n === update.rental);
    const gaveUpBefore = entry?.gaveUp;
    if (entry && update.seq > entry.seq) blame(update.rental, update.fault);
    const taken = applyRentalUpdate(state, update, now(), isWithoutWord);
    if (taken) tellFailure(taken);
    if (update.state === 'ready') broken.reset();
    if (entry) budget.onRental(entry);
    if (entry && hasSigned(entry)) idleSince.ms = Date.now();
    // One that was closed before it was ready is not to blame.
    if (!update.failure || !entry?.gaveUp || gaveUpBefore) return;
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

  /** Results must not wait for it, nor be lost with it: a demand that is left the settlement finds. */
  async function unsubscribe(): Promise<void> {
    try {
      note((await unsubscribing.golemUnsubscribeDemands({ job })).events);
    } catch {
      // The settlement does it.
    }
  }

  /** Tells everybody to close. What they do then they do alone, and the settlement sees to it. */
  async function close(reason: string): Promise<void> {
    telling.cancel();
    budget.end();
    const lastWritten = inFile?.finish();
    await Promise.all([
      unsubscribe(),
      ...state.rentals.filter(isLive).map((rental) => closeRental(rental, reason, true)),
      // It may have ended, having failed to reserve the budget.
      quietly(
        getExternalWorkflowHandle(settlementId(jobId)).signal(ownerClosedSignal, {
          ...{ workflowId: jobId, clean: !retried },
        }),
      ),
      ...remembered,
      lastWritten,
    ]);
    await condition(allHandlersFinished);
  }
}

function durationOf({ demand }: JobSpec): Duration {
  const { expirationSec, debitNotesAcceptanceTimeoutSec } = demand;
  const { midAgreementDebitNoteIntervalSec, midAgreementPaymentTimeoutSec } = demand;
  return {
    ...{ expirationSec, debitNotesAcceptanceTimeoutSec },
    ...{ midAgreementDebitNoteIntervalSec, midAgreementPaymentTimeoutSec },
  };
}

/** Before the spec is checked, too: whoever it names as owner controls it. */
function closedBy(given: unknown): Grants | undefined {
  const owner = (given as { control?: { owner?: unknown } | null } | null)?.control?.owner;
  return typeof owner === 'string' ? newGrants(owner) : undefined;
}

function asFailure(failure: { type: string; message: string } | undefined): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    failure?.message ?? 'the settlement ended',
    failure?.type ?? 'Error',
  );
}
