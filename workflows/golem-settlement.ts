/**
 * The money of one job, from the reservation of its budget to the last payment. It outlives the job: whatever
 * happened to the job and its rentals, it ends what they left on yagna, decides every document that comes and
 * releases the allocation. It learns from yagna, by mark; signals only hasten it. What a rental leaves alive on purpose
 * it pays for until that ends. When its history grows long it continues as new, and takes along all it knows.
 */
import {
  CancellationScope,
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
} from '@temporalio/workflow';
import type { Adopted, CleanedUp, OwnersToWatch, SettlementNews } from '../activities/contract';
import { backoffMs } from '../model/backoff';
import { readEvents, resumeEvents, type NewEvent } from '../model/events';
import type { AgreementId } from '../model/ids';
import type { LastFailure, SettlementPhase, SettlementProgress, SettlementResult } from '../model/result';
import { cleanUp, settlementWatch } from './activity-options';
import { Chores } from './chores';
import { settlementDetails } from './current-details';
import { DocumentDecisions, HEARTBEAT_MS } from './document-decisions';
import { keepEvents } from './event-log';
import { namedFailure } from './failure-type';
import { JobReports } from './job-reports';
import { isLong } from './long-history';
import { refusalEvent } from './state/refusal-event';
import {
  attachedSignal,
  attachNoncesQuery,
  closeRentalSignal,
  controlRefusedSignal,
  eventsQuery,
  ownerClosedSignal,
  reservationSignal,
  settlementProgressQuery,
  settlementUpdateSignal,
  type ControlRefusal,
  type OwnerAttached,
  type OwnerClosed,
  type ReservationRequest,
  type SettlementInput,
  type SettlementUpdate,
} from './protocol';
import {
  isControlRefusal,
  isOwnerAttached,
  isOwnerClosed,
  isReservationRequest,
  sound,
} from './signal-input';
import { Reservation } from './reservation';
import { ShownAttributes } from './search-attributes';
import { fitSettlement, type SettlementPlace } from './state/carried-settlement';
import {
  agreementsOf,
  awaitingPayment,
  awaitsNotePayments,
  billsOf,
  bookNotePayments,
  paymentConfirmed,
  bookPayment,
  compactLedger,
  earlierOf,
  know,
  giveUpInvoices,
  giveUpWaiting,
  ignoredNotes,
  isSettled,
  moneyOf,
  newLedger,
} from './state/ledger';
import { detachedEnded, keptAlive, newOwners, ownerAttached, ownerClosed, ownersSeen } from './state/owners';
import { awaitedIds, awaitsInvoice, heardOf, isDeciding, nextDueMs, type Undecided } from './state/undecided';

/** Patience with a watch whose worker may be dead, once a signal says that there is news. */
const NUDGE = '3 s';
/** Waits between attempts at what is never given up. */
const PERSISTENCE = { firstMs: 1000, longestMs: 300_000 };
/** Between debit notes where the demand asks for nothing: ya-provider's. */
const NOTE_INTERVAL_SEC = 120;

export async function golemSettlement(input: SettlementInput): Promise<SettlementResult> {
  const { job, carried } = input;
  const ledger = carried?.ledger ?? newLedger(input.budget.max ?? input.budget.amount, input.platform);
  const log = resumeEvents(carried?.log);
  const owners = carried?.owners ?? newOwners(input.attached);
  const place: SettlementPlace = carried?.place ?? { phase: 'reserving', since: '' };
  const undecided: Undecided = carried?.undecided ?? [];
  const refusedProviders: SettlementUpdate['refusedProviders'] = carried?.refusedProviders ?? [];
  let lastFailure: LastFailure | undefined = carried?.lastFailure;
  let cursor = carried?.cursor ?? { debitNotes: '', invoices: '' };
  let seq = carried?.seq ?? 0;
  let signals = 0;
  /** Times at which what is waited for became another: a decision that ended, an owner that attached. */
  let changes = 0;
  /** When the watch under way ends by itself. */
  let watchedUntilMs = Infinity;
  let failedSteps = 0;

  const progress = (): SettlementProgress => ({
    ...{ jobId: job.jobId, phase: place.phase, allocationId: reservation.allocationId },
    ...{ money: moneyOf(ledger), agreements: agreementsOf(ledger), ...earlierOf(ledger) },
    ...{ detached: place.detached, lastFailure },
  });

  const attributes = new ShownAttributes(input.searchAttributes ?? false);
  const show = (): void => {
    setCurrentDetails(settlementDetails(progress()));
    const providers = agreementsOf(ledger).map(({ provider }) => provider.id);
    attributes.show({ phase: place.phase, cost: moneyOf(ledger).accepted, providers });
  };

  setHandler(eventsQuery, (query) => readEvents(log, query));
  setHandler(settlementProgressQuery, progress);
  const onOwnerClosed = (closed: OwnerClosed): void => {
    signals += 1;
    ownerClosed(owners, job.jobId, closed);
  };
  setHandler(ownerClosedSignal, sound('golemOwnerClosed', isOwnerClosed, onOwnerClosed));
  /** Once all that is left is being ended, it is too late. */
  const onAttached = (attached: OwnerAttached): void => {
    const isInTime = ['reserving', 'open', 'detached'].includes(place.phase);
    if (isInTime && ownerAttached(owners, attached)) changes += 1;
  };
  setHandler(attachedSignal, sound('golemAttached', isOwnerAttached, onAttached));
  setHandler(attachNoncesQuery, () => owners.nonces);

  const note = (events: NewEvent[]): void => keepEvents(job.jobId, log, events);
  const onRefused = (refused: ControlRefusal): void => {
    note([refusalEvent(refused)]);
    // It changes nothing, and makes the history long all the same.
    if (isLong()) changes += 1;
  };
  setHandler(controlRefusedSignal, sound('golemControlRefused', isControlRefusal, onRefused));
  const failedAs = (type: string, message: string): void => {
    lastFailure = { type, message, at: new Date().toISOString() };
  };
  const failed = (error: unknown): void => {
    const { type, message } = namedFailure(error);
    failedAs(type, message);
  };

  const reservation = new Reservation({
    ...{ input, ledger, undecided, note, failed },
    async changed() {
      decisions.begin();
      changes += 1;
      await report();
    },
  });
  const ask = (request: ReservationRequest): void => reservation.ask(request);
  setHandler(reservationSignal, sound('golemReservation', isReservationRequest, ask));

  const reports = new JobReports(tellJob);
  const chores = new Chores({ job, note, persist: (act) => persist(act) }, carried?.chores ?? []);
  const decisions = new DocumentDecisions({
    ...{ input, ledger, undecided, refusedProviders, reservation, chores, note, failed, failedAs },
    ended(what) {
      show();
      const isSoonerDue = !reservation.holds && nextDueMs(undecided) < watchedUntilMs;
      if (what === 'other' || isSoonerDue) changes += 1;
      if (what === 'accepted') reports.soon();
      else void reports.now();
    },
  });

  // A settlement can't be called off: money may be owed. Cancelling it changes nothing.
  return await CancellationScope.nonCancellable(async () => {
    void reports.run();
    chores.resume();
    if (place.phase === 'reserving') await reserve();
    else await report();
    void reservation.tend();
    if (place.phase === 'open' || place.phase === 'detached') {
      await whileAnythingLives();
      await enter('closing');
    }
    if (place.phase === 'closing') {
      await endWhatIsLeft();
      await enter('settling');
    }
    await payWhatIsOwed();
    await reservation.stop();
    await releaseAll(reservation.retried);
    await chores.remembered();
    const unpaid = agreementsOf(ledger).some((agreement) => agreement.state !== 'settled');
    await enter(unpaid ? 'unpaid' : 'settled');
    return {
      ...{ jobId: job.jobId, jobUuid: job.jobUuid, state: unpaid ? 'unpaid' : 'settled' },
      ...{ money: moneyOf(ledger), agreements: agreementsOf(ledger), ...earlierOf(ledger) },
    };
  });

  async function enter(next: SettlementPhase): Promise<void> {
    place.phase = next;
    await report();
  }

  async function report(): Promise<void> {
    show();
    await reports.now();
  }

  async function tellJob(): Promise<void> {
    if (owners.jobClosed || input.attached) return;
    seq += 1;
    const { phase, money, allocationId } = progress();
    try {
      await getExternalWorkflowHandle(job.jobId).signal(settlementUpdateSignal, {
        ...{ jobUuid: job.jobUuid, seq, phase, money, allocationId, failure: lastFailure },
        refusedProviders,
        bills: billsOf(ledger),
        reservations: reservation.answers,
      });
    } catch {
      // The job is over; its progress is read from here.
    }
  }

  /** @throws BudgetNotReserved, InvalidJobSpec */
  async function reserve(): Promise<void> {
    if (input.adopt) await takeOver(input.adopt);
    try {
      const reserved = await reservation.reserve();
      const { since = reserved.at } = input.adopt ?? {};
      // Agreements that it was given are older than anything that bears its mark.
      place.since = job.agreements && reserved.at < since ? reserved.at : since;
    } catch (error) {
      if (isCancellation(error)) throw error;
      failed(error);
      await enter('failed');
      await releaseAll(true);
      throw error;
    }
    cursor = { debitNotes: place.since, invoices: place.since };
    await enter('open');
  }

  /** What still makes costs is ended first: whatever becomes of the reservation, nothing more is to be owed. */
  async function takeOver({ since }: Adopted): Promise<void> {
    note((await persist(() => cleanUp.golemCleanUp({ job, since, keep: keptAlive(owners) }))).events);
  }

  /**
   * A history that grew long ends here, where nothing is under way, and a new one goes on with all that is known. What a
   * signal brings meanwhile is known, too.
   */
  async function startAnewIfLong(): Promise<void> {
    if (!isLong()) return;
    await decisions.rest();
    const restOfReservation = await reservation.rest();
    const open = await chores.rest();
    await reports.stop();
    const next = fitSettlement({
      ...{ place, owners, cursor, refusedProviders, seq, lastFailure },
      ...{ ledger: compactLedger(ledger), undecided, chores: open },
      ...{ reservation: restOfReservation(), log },
    });
    await continueAsNew<typeof golemSettlement>({ ...input, carried: next });
  }

  /**
   * One watch and the decisions that follow from it. It ends when there is news, at `untilMs`, when a document that could
   * not be decided is due again, or when a decision that took long has ended. A failure of the watch is shown, and is no
   * news.
   */
  async function step(untilMs?: number): Promise<SettlementNews | undefined> {
    await startAnewIfLong();
    const dueMs = Math.min(untilMs ?? Infinity, reservation.holds ? Infinity : nextDueMs(undecided));
    const before = changes;
    let news: SettlementNews;
    try {
      news = await nextNews(dueMs === Infinity ? undefined : dueMs);
      failedSteps = 0;
    } catch (error) {
      failed(error);
      await report();
      await sleep(backoffMs(failedSteps++, PERSISTENCE, Math.random));
      return undefined;
    }
    cursor = news.cursor;
    const { ended = [], heardOf: heard = [] } = news;
    heardOf(undecided, heard, Date.now());
    const told = [news.documents, news.settled, news.settledNotes, ended, heard];
    const count = told.reduce((sum, each) => sum + each.length, 0);
    // A worker whose clock is ahead ends a watch too soon, and again at once.
    if (count === 0 && !news.owners && dueMs > Date.now() && dueMs !== Infinity)
      await condition(() => changes > before, dueMs - Date.now());
    decisions.receive(news.documents);
    for (const paid of news.settled) {
      bookPayment(ledger, paid.agreementId);
      note([paid.event]);
    }
    const at = new Date().toISOString();
    note(bookNotePayments(ledger, news.settledNotes).map((paid) => paymentConfirmed(paid, at)));
    if (news.settled.length > 0) await report();
    else if (news.settledNotes.length > 0) reports.soon();
    for (const { agreementId, events } of ended) {
      note(events);
      detachedEnded(owners, [agreementId]);
    }
    decisions.begin();
    await decisions.untilMostAreDone();
    return news;
  }

  async function nextNews(untilMs: number | undefined): Promise<SettlementNews> {
    for (;;) {
      const scope = new CancellationScope();
      const { acceptanceTimeoutSec, debitNoteIntervalSec = NOTE_INTERVAL_SEC } = input;
      const isAwake = place.phase === 'open' || place.phase === 'detached';
      watchedUntilMs = untilMs ?? Infinity;
      const awaited = {
        ...{ owners: watched(), attached: owners.attached, detached: owners.detached },
        ...{ awaitingPayment: awaitingPayment(ledger), ignoredNotes: ignoredNotes(ledger) },
        decidedElsewhere: awaitedIds(undecided),
      };
      const watching = scope.run(() =>
        settlementWatch({ acceptanceTimeoutSec, isInvoiceDue: !isAwake }).golemWatchSettlement({
          ...{ job, cursor, untilMs, ...awaited, closedRentals: owners.lastRental },
          paymentsWaitSec: isAwake ? debitNoteIntervalSec * 1.5 : 0,
        }),
      );
      watching.catch(() => undefined);
      const waiting = new CancellationScope();
      const signalled = signals;
      const before = changes;
      const nudged = waiting.run(() => condition(() => signals > signalled || changes > before));
      nudged.catch(() => undefined);
      let news = await Promise.race([watching, nudged.then(() => undefined)]);
      // What to wait for has changed: payment of an invoice that is now accepted, or the time to try a document again.
      if (!news && changes > before) news = { documents: [], settled: [], settledNotes: [], cursor };
      // Something happened. A live watch says so itself; one whose worker died would stay silent for a minute or two.
      news ??= await Promise.race([watching, sleep(NUDGE).then(() => undefined)]);
      waiting.cancel();
      scope.cancel();
      if (news?.owners) ownersSeen(owners, news.owners, awaited.attached);
      if (news) return news;
    }
  }

  function watched(): OwnersToWatch {
    return place.phase === 'open' ? owners.watch : 'none';
  }

  /** Money depends on it, so it is never given up: what went wrong is shown, and it is tried again. */
  async function persist<T>(act: () => Promise<T>): Promise<T> {
    for (let failures = 0; ; failures++) {
      try {
        return await act();
      } catch (error) {
        failed(error);
        await report();
        await sleep(backoffMs(failures, PERSISTENCE, Math.random));
      }
    }
  }

  /** While owners live, or agreements that they have left alive. */
  async function whileAnythingLives(): Promise<void> {
    for (;;) {
      if (place.phase === 'open') await whileOwnersLive();
      if (owners.detached.length + owners.attached.length === 0) return;
      if (place.phase === 'open') await enter('detached');
      if (!(await whileDetached())) return;
      place.ending = undefined;
      await enter('open');
    }
  }

  async function whileOwnersLive(): Promise<void> {
    while (owners.watch !== 'none') {
      const wasWatching = owners.watch;
      const news = await step();
      // One of several that attached was cut short: what it held is ended at once, and not only with the last of them.
      if (wasWatching === 'attached' && owners.watch === 'attached' && news?.owners?.abrupt) {
        await lookAndEnd();
      }
      if (wasWatching !== 'job' || !news?.owners) continue;
      // A job that returns has told its rentals to close; one that was terminated could not.
      if (owners.abrupt || !owners.jobClosed) await closeRentals(news.owners.liveRentals);
    }
  }

  /** @returns true when somebody attached; false when all that was left alive has ended */
  async function whileDetached(): Promise<boolean> {
    if (!place.detached) {
      const { kept } = await endWhatIsLeft();
      place.detached = kept;
      detachedEnded(
        owners,
        owners.detached.filter((id) => !kept.some(({ agreementId }) => agreementId === id)),
      );
      await report();
    }
    for (;;) {
      place.detached = place.detached.filter(({ agreementId }) => owners.detached.includes(agreementId));
      if (owners.attached.length > 0) break;
      if (place.detached.length === 0) break;
      await step();
    }
    place.detached = undefined;
    return owners.attached.length > 0;
  }

  async function closeRentals(workflowIds: string[]): Promise<void> {
    for (const workflowId of workflowIds) {
      try {
        await getExternalWorkflowHandle(workflowId).signal(closeRentalSignal, {
          ...{ reason: 'the job has ended', jobEnds: true },
        });
      } catch {
        // It ended in the meantime.
      }
    }
  }

  /**
   * Ends by mark whatever job and rentals left, but for what they left alive on purpose; a second look is needed only where
   * a request may still land. Documents are decided all the while.
   */
  async function endWhatIsLeft(): Promise<CleanedUp> {
    const begin = { calm: !owners.abrupt && owners.jobClosed && owners.clean, waitSec: 1, untilMs: 0 };
    const ending = (place.ending ??= begin);
    for (;;) {
      while (Date.now() < ending.untilMs) await step(ending.untilMs);
      await startAnewIfLong();
      const look = await lookAndEnd();
      if (look.empty && ending.calm) {
        place.ending = undefined;
        return look;
      }
      ending.calm = look.empty;
      if (look.stuck.length > 0) failedAs('YagnaUnavailable', look.stuck.join('; '));
      // What a worker was at for a workflow that was terminated goes on until it beats. Where the settlement was, too, the
      // next reconcile sees to that.
      const isCutShort = owners.abrupt && !input.adopt;
      const lifetimeMs = input.requestLifetimeMs + (isCutShort ? HEARTBEAT_MS : 0);
      ending.untilMs = Date.now() + (look.empty ? lifetimeMs : ending.waitSec * 1000);
      ending.waitSec = Math.min(ending.waitSec * 2, 60);
    }
  }

  async function lookAndEnd(): Promise<CleanedUp> {
    const keep: AgreementId[] = keptAlive(owners);
    const look = await persist(() => cleanUp.golemCleanUp({ job, since: place.since, keep }));
    note(look.events);
    know(ledger, look.agreements);
    decisions.receive(look.invoices);
    return look;
  }

  async function payWhatIsOwed(): Promise<void> {
    if (!place.paying) giveUpInvoices(ledger, input.adopt?.overdue ?? []);
    const waitMs = input.invoiceWaitSec * 1000;
    const paying = (place.paying ??= { untilMs: Date.now() + waitMs, lookedOnceMore: false });
    decisions.begin();
    for (;;) {
      const isTimeUp = Date.now() >= paying.untilMs;
      // Nothing that is being decided is given up, and nothing more is begun: one could follow the other for ever.
      decisions.isHeld = isTimeUp || isSettled(ledger);
      if (decisions.isHeld) await condition(() => !isDeciding(undecided));
      decisions.isHeld = isTimeUp;
      const isCalm = !awaitsInvoice(undecided) && !awaitsNotePayments(ledger);
      if (isSettled(ledger) && (isTimeUp || isCalm)) return;
      if (isTimeUp) {
        if (paying.lookedOnceMore || !(await findsInvoices())) return giveUpWaiting(ledger);
        paying.lookedOnceMore = true;
        decisions.isHeld = false;
        paying.untilMs = Date.now() + waitMs;
      }
      decisions.begin();
      await step(paying.untilMs);
    }
  }

  /** What no event has told of, for whatever reason, is in yagna's list. */
  async function findsInvoices(): Promise<boolean> {
    const known = new Set(undecided.map(({ document }) => document.id));
    await lookAndEnd();
    return undecided.some(({ document }) => !known.has(document.id));
  }

  async function releaseAll(twice: boolean): Promise<void> {
    note(await persist(() => reservation.release()));
    if (!twice) return;
    await sleep(input.requestLifetimeMs);
    note(await persist(() => reservation.release()));
  }
}
