/**
 * The money of one job, from the reservation of its budget to the last payment. It outlives the job: whatever
 * happened to the job and its rentals, it ends what they left on yagna, decides every document that comes and
 * releases the allocation. It learns from yagna, by mark; signals only hasten it.
 */
import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
} from '@temporalio/workflow';
import type {
  Adopted,
  Decision,
  DocumentRef,
  OwnersState,
  OwnersToWatch,
  Reserved,
  SettlementNews,
} from '../activities/contract';
import { backoffMs } from '../model/backoff';
import { appendEvents, emptyEventLog, readEvents, type NewEvent } from '../model/events';
import { greatestRental } from '../model/ids';
import { isNoteOf } from '../model/note-pace';
import type {
  LastFailure,
  ProviderInfo,
  SettlementPhase,
  SettlementProgress,
  SettlementResult,
} from '../model/result';
import { avoiding, cleanUp, deciding, settlementWatch } from './activity-options';
import { settlementDetails } from './current-details';
import { namedFailure } from './failure-type';
import {
  closeRentalSignal,
  eventsQuery,
  ownerClosedSignal,
  reservationSignal,
  settlementProgressQuery,
  settlementUpdateSignal,
  type OwnerClosed,
  type ReservationRequest,
  type SettlementInput,
  type SettlementUpdate,
} from './protocol';
import { isOwnerClosed, isReservationRequest, sound } from './signal-input';
import { Reservation } from './reservation';
import {
  agreementsOf,
  awaitingPayment,
  awaitsNotePayments,
  billsOf,
  book,
  bookNotePayments,
  bookPayment,
  entryOf,
  giveUpInvoices,
  giveUpWaiting,
  ignoredNotes,
  isDecided,
  isSettled,
  moneyOf,
  newLedger,
  soFar,
} from './state/ledger';
import {
  addUndecided,
  awaitsInvoice,
  decided,
  dropNotes,
  failedToDecide,
  isDeciding,
  nextDueMs,
  takeDue,
  tryAgain,
  type Undecided,
  type UndecidedDocument,
} from './state/undecided';

/** Patience with a watch whose worker may be dead, once a signal says that there is news. */
const NUDGE = '3 s';
/** Patience with decisions before it is watched on beside them. Most are done by then, and need no second watch. */
const PATIENCE = '2 s';
/** So long a worker may be at an effect, a decision for one, without knowing that nobody waits for it any more. */
const HEARTBEAT_MS = 10_000;
/** Waits between attempts at what is never given up. */
const PERSISTENCE = { firstMs: 1000, longestMs: 300_000 };
const NO_NEWS = { documents: [], settled: [], settledNotes: [] };

export async function golemSettlement(input: SettlementInput): Promise<SettlementResult> {
  const { job } = input;
  const ledger = newLedger(input.budget.max ?? input.budget.amount, input.platform);
  const log = emptyEventLog();
  const closedOwners = new Map<string, OwnerClosed>();
  let phase: SettlementPhase = 'reserving';
  let lastFailure: LastFailure | undefined;
  const undecided: Undecided = [];
  const decisionLifetimeMs = input.requestLifetimeMs + HEARTBEAT_MS;
  /** Decisions that came to an end, either way, and times at which they became possible again. */
  let decisions = 0;
  const refusedProviders: SettlementUpdate['refusedProviders'] = [];
  const remembered: Promise<void>[] = [];
  let cursor = { debitNotes: '', invoices: '' };
  let owners: OwnersState | undefined;
  let seq = 0;
  /** No decision is begun any more. */
  let ending = false;
  let signals = 0;

  const progress = (): SettlementProgress => ({
    jobId: job.jobId,
    phase,
    allocationId: reservation.allocationId,
    money: moneyOf(ledger),
    agreements: agreementsOf(ledger),
    lastFailure,
  });

  setHandler(eventsQuery, (query) => readEvents(log, query));
  setHandler(settlementProgressQuery, progress);
  const onOwnerClosed = (owner: OwnerClosed): void => {
    signals += 1;
    closedOwners.set(owner.workflowId, owner);
  };
  setHandler(ownerClosedSignal, sound('golemOwnerClosed', isOwnerClosed, onOwnerClosed));

  const note = (events: NewEvent[]): void => appendEvents(log, events);

  const reservation = new Reservation({
    ...{ input, ledger, undecided, note, failed },
    async changed() {
      decideWhatIsDue();
      decisions += 1;
      await report();
    },
  });
  const ask = (request: ReservationRequest): void => reservation.ask(request);
  setHandler(reservationSignal, sound('golemReservation', isReservationRequest, ask));

  async function enter(next: SettlementPhase): Promise<void> {
    phase = next;
    await report();
  }

  async function report(): Promise<void> {
    setCurrentDetails(settlementDetails(progress()));
    if (closedOwners.has(job.jobId)) return;
    seq += 1;
    const { money, allocationId } = progress();
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

  function failed(error: unknown): LastFailure {
    const { type, message } = namedFailure(error);
    lastFailure = { type, message, at: new Date().toISOString() };
    return lastFailure;
  }

  // A settlement can't be called off: money may be owed. Cancelling it changes nothing.
  return await CancellationScope.nonCancellable(async () => {
    let reserved: Reserved;
    try {
      reserved = await (input.adopt ? takeOver(input.adopt) : reservation.reserve());
    } catch (error) {
      if (isCancellation(error)) throw error;
      failed(error);
      await enter('failed');
      await releaseAll(true);
      throw error;
    }
    cursor = { debitNotes: reserved.at, invoices: reserved.at };
    await enter('open');
    void reservation.tend();
    await whileOwnersLive();
    await enter('closing');
    await endWhatIsLeft(reserved);
    await enter('settling');
    await payWhatIsOwed(reserved);
    await reservation.stop();
    await releaseAll(reservation.retried);
    await Promise.all(remembered);
    const unpaid = agreementsOf(ledger).some((agreement) => agreement.state !== 'settled');
    await enter(unpaid ? 'unpaid' : 'settled');
    return {
      ...{ jobId: job.jobId, jobUuid: job.jobUuid, state: unpaid ? 'unpaid' : 'settled' },
      ...{ money: moneyOf(ledger), agreements: agreementsOf(ledger) },
    };
  });

  /** What still makes costs is ended first: whatever becomes of the reservation, nothing more is to be owed. */
  async function takeOver({ since }: Adopted): Promise<Reserved> {
    note((await persist(() => cleanUp.golemCleanUp({ job, since }))).events);
    return { ...(await reservation.reserve()), at: since };
  }

  /**
   * One watch and the decisions that follow from it. It ends when there is news, at `untilMs`, when a document that could
   * not be decided is due again, or when a decision that took long has ended.
   */
  async function step(watch: OwnersToWatch, untilMs?: number): Promise<SettlementNews> {
    const dueMs = Math.min(untilMs ?? Infinity, reservation.holds ? Infinity : nextDueMs(undecided));
    const before = decisions;
    const news = await nextNews(watch, dueMs === Infinity ? undefined : dueMs);
    cursor = news.cursor;
    const isNews = news.documents.length + news.settled.length + news.settledNotes.length > 0 || news.owners;
    // A worker whose clock is ahead ends a watch too soon, and again at once.
    if (!isNews && dueMs > Date.now() && dueMs !== Infinity)
      await condition(() => decisions > before, dueMs - Date.now());
    receive(news.documents);
    for (const paid of news.settled) {
      bookPayment(ledger, paid.agreementId);
      note([paid.event]);
    }
    bookNotePayments(ledger, news.settledNotes);
    if (news.settled.length + news.settledNotes.length > 0) await report();
    decideWhatIsDue();
    if (isDeciding(undecided)) await condition(() => !isDeciding(undecided), PATIENCE);
    return news;
  }

  async function nextNews(watch: OwnersToWatch, untilMs: number | undefined): Promise<SettlementNews> {
    for (;;) {
      const scope = new CancellationScope();
      const watching = scope.run(() =>
        settlementWatch(input.acceptanceTimeoutSec).golemWatchSettlement({
          ...{ job, cursor, owners: watch, untilMs },
          awaitingPayment: awaitingPayment(ledger),
          ignoredNotes: ignoredNotes(ledger),
          closedRentals: greatestRental(job.jobId, [...closedOwners.keys()]),
        }),
      );
      watching.catch(() => undefined);
      const waiting = new CancellationScope();
      const signalled = signals;
      const ended = decisions;
      const nudged = waiting.run(() => condition(() => signals > signalled || decisions > ended));
      nudged.catch(() => undefined);
      let news = await Promise.race([watching, nudged.then(() => undefined)]);
      // What to wait for has changed: payment of an invoice that is now accepted, or the time to try a document again.
      if (!news && decisions > ended) news = { ...NO_NEWS, cursor };
      // Something happened. A live watch says so itself; one whose worker died would stay silent for a minute.
      news ??= await Promise.race([watching, sleep(NUDGE).then(() => undefined)]);
      waiting.cancel();
      scope.cancel();
      if (news) return news;
    }
  }

  function receive(documents: DocumentRef[]): void {
    const ignored = ignoredNotes(ledger);
    for (const document of documents)
      if (!isDecided(ledger, document.id) && !isNoteOf(ignored, document)) addUndecided(undecided, document);
  }

  /** Begins with all that can be decided now. A provider whose document takes long keeps no other waiting. */
  function decideWhatIsDue(): void {
    if (ending || reservation.holds) return;
    for (const entry of takeDue(undecided, Date.now())) void decide(entry);
  }

  async function decide(entry: UndecidedDocument): Promise<void> {
    const { allocationId = '' } = reservation;
    const { document } = entry;
    try {
      const decision = await deciding.golemDecideDocument({
        ...{ job, document, allocationId, tolerance: input.tolerance },
        leastPaymentTimeoutSec: input.leastPaymentTimeoutSec,
        ledger: soFar(ledger, document.agreementId),
      });
      // Who pays decides it, and it is told once it is: then its status says so.
      if (decision.decision === 'awaited') failedToDecide(entry, Date.now(), 0);
      else if (reservation.makesRoom(decision, allocationId)) tryAgain(entry, Date.now());
      else {
        decided(undecided, entry);
        book(ledger, decision);
        note(decision.events);
        if (decision.decision === 'refused') onRefusal(decision);
      }
    } catch (error) {
      failed(error);
      failedToDecide(entry, Date.now(), decisionLifetimeMs);
    }
    // The next of its agreement, if one has waited.
    decideWhatIsDue();
    decisions += 1;
    await report();
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

  /** Whose bill is refused gets no more work from this job, and an end to the agreement. */
  function onRefusal(decision: Decision): void {
    const message = decision.reason ?? 'refused';
    lastFailure = { type: decision.failure ?? 'PaymentRefused', message, at: new Date().toISOString() };
    if (decision.failure !== 'BudgetExhausted') avoid(decision.provider, message);
    if (decision.document.kind === 'invoice') return;
    const reason: { message: string; [property: string]: string } = { message };
    const { agreementId } = decision;
    if (decision.requestorCode) {
      reason['golem.requestor.code'] = decision.requestorCode;
      dropNotes(undecided, agreementId);
    }
    // A silent provider must not keep the other documents waiting.
    const closing = persist(() => cleanUp.golemCloseRental({ job, agreementId, reason, isBroken: true }));
    void closing.then((closed) => note(closed.events));
  }

  /** It gets no more work of this job, and where the worker remembers it, none of later ones. */
  function avoid(provider: ProviderInfo, reason: string): void {
    if (refusedProviders.some((refused) => refused.provider.id === provider.id)) return;
    refusedProviders.push({ provider, reason });
    const told = avoiding.golemAvoidProvider({ job, provider, breach: 'billRefused', reason });
    remembered.push(told.then(({ events }) => note(events)).catch(() => undefined));
  }

  async function whileOwnersLive(): Promise<void> {
    let watch: OwnersToWatch = 'job';
    for (;;) {
      const news = await persist(() => step(watch));
      if (!news.owners) continue;
      owners = { ...news.owners, abrupt: news.owners.abrupt || (owners?.abrupt ?? false) };
      if (owners.liveRentals.length === 0) return;
      watch = 'rentals';
      // A job that returns has told its rentals to close; one that was terminated could not.
      if (owners.abrupt || !closedOwners.has(job.jobId)) await closeRentals(owners.liveRentals);
    }
  }

  async function closeRentals(workflowIds: string[]): Promise<void> {
    for (const workflowId of workflowIds) {
      try {
        await getExternalWorkflowHandle(workflowId).signal(closeRentalSignal, {
          reason: 'the job has ended',
        });
      } catch {
        // It ended in the meantime.
      }
    }
  }

  /**
   * Ends by mark whatever job and rentals left; a second look is needed only where a request may still land. Documents
   * are decided all the while.
   */
  async function endWhatIsLeft({ at: since }: Reserved): Promise<void> {
    let calm =
      !owners?.abrupt &&
      closedOwners.has(job.jobId) &&
      [...closedOwners.values()].every(({ clean }) => clean);
    for (let wait = 1; ; wait = Math.min(wait * 2, 60)) {
      const look = await persist(() => cleanUp.golemCleanUp({ job, since }));
      note(look.events);
      for (const agreement of look.agreements) entryOf(ledger, agreement.agreementId, agreement.provider);
      receive(look.invoices);
      if (look.empty && calm) return;
      calm = look.empty;
      if (look.stuck.length > 0) {
        lastFailure = {
          type: 'YagnaUnavailable',
          message: look.stuck.join('; '),
          at: new Date().toISOString(),
        };
      }
      // What a worker was at for a workflow that was terminated goes on until it beats. Where the settlement was, too, the
      // next reconcile sees to that.
      const isCutShort = owners?.abrupt && !input.adopt;
      const lifetimeMs = input.requestLifetimeMs + (isCutShort ? HEARTBEAT_MS : 0);
      const untilMs = Date.now() + (look.empty ? lifetimeMs : wait * 1000);
      while (Date.now() < untilMs) await persist(() => step('none', untilMs));
    }
  }

  async function payWhatIsOwed({ at: since }: Reserved): Promise<void> {
    let untilMs = Date.now() + input.invoiceWaitSec * 1000;
    let lookedOnceMore = false;
    giveUpInvoices(ledger, input.adopt?.overdue ?? []);
    decideWhatIsDue();
    for (;;) {
      const isTimeUp = Date.now() >= untilMs;
      // Nothing that is being decided is given up, and nothing more is begun: one could follow the other for ever.
      ending = isTimeUp || isSettled(ledger);
      if (ending) await condition(() => !isDeciding(undecided));
      ending = isTimeUp;
      const isCalm = !awaitsInvoice(undecided) && !awaitsNotePayments(ledger);
      if (isSettled(ledger) && (isTimeUp || isCalm)) return;
      if (isTimeUp) {
        if (lookedOnceMore || !(await findsInvoices(since))) return giveUpWaiting(ledger);
        lookedOnceMore = true;
        ending = false;
        untilMs = Date.now() + input.invoiceWaitSec * 1000;
      }
      decideWhatIsDue();
      await persist(() => step('none', untilMs));
    }
  }

  /** What no event has told of, for whatever reason, is in yagna's list. */
  async function findsInvoices(since: string): Promise<boolean> {
    const look = await persist(() => cleanUp.golemCleanUp({ job, since }));
    note(look.events);
    const before = undecided.length;
    receive(look.invoices);
    return undecided.length > before;
  }

  async function releaseAll(twice: boolean): Promise<void> {
    note(await persist(() => reservation.release()));
    if (!twice) return;
    await sleep(input.requestLifetimeMs);
    note(await persist(() => reservation.release()));
  }
}
