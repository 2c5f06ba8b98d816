/**
 * What a settlement has reserved on yagna for its job: one allocation, raised on request, extended before its time is
 * over, and replaced once it has lapsed. One thing is done at a time, and nothing is paid meanwhile: yagna changes an
 * allocation by reading and writing it as a whole, so that a payment in between would be forgotten, and a request that
 * lands late would undo a later one.
 */
import { condition, getExternalWorkflowHandle, sleep } from '@temporalio/workflow';
import type { Decision, Reserved, TooLongForDeposit } from '../activities/contract';
import { addAmounts, exact, ExactDecimal, toAmount } from '../model/amount';
import type { NewEvent } from '../model/events';
import type { AllocationId, Amount } from '../model/ids';
import { amending, payment } from './activity-options';
import { quietly } from './child-workflows';
import { namedFailure, type NamedFailure } from './failure-type';
import {
  reservationAnswerSignal,
  type ReservationAnswer,
  type ReservationRequest,
  type SettlementInput,
} from './protocol';
import type { CarriedReservation } from './state/carried-settlement';
import { moneyOf, type Ledger } from './state/ledger';
import { isDeciding, riskyUntilMs, type Undecided } from './state/undecided';

/** The job asks for one thing at a time, and its Updates are ten at the most. */
const ANSWERS_KEPT = 20;
/** Ids of requests, against a repeat. */
const KNOWN_KEPT = 500;
const FIRST_RETRY_SEC = 5;
const LAST_RETRY_SEC = 300;
const RELEASED = 'the allocation of the budget was released before its time: nothing can be paid from it';

const PREPAID =
  'a broker pays out of what it was prepaid: its deposit is all there is, so the budget cannot be raised';

export interface ReservationOwner {
  input: SettlementInput;
  ledger: Ledger;
  undecided: Undecided;
  note(events: NewEvent[]): void;
  failed(error: unknown): void;
  /** Something has changed, and documents may be decided again. */
  changed(): Promise<void>;
}

export class Reservation {
  allocationId: AllocationId | undefined;
  /** A request for an allocation may still land, or has landed beside the one that is kept. */
  retried = false;
  /** Answers to the newest requests. */
  readonly answers: ReservationAnswer[] = [];
  private readonly known = new Set<string>();
  private requests: ReservationRequest[] = [];
  /** Of the present allocation. */
  private total: Amount = '0';
  private endsAtSec: number;
  /** No allocation can last longer: the end of the deposit that pays. */
  private lastEndSec = Infinity;
  /** Ends of all allocations that may still be there. */
  private endsAtSecs: number[] = [];
  /** Those that lapsed, and what was taken from them. */
  private lapsed: AllocationId[] = [];
  private spentBefore: Amount = '0';
  private seemsGone = false;
  private isReleased = false;
  /** The account held too little for more. */
  private isRefused = false;
  private tidyAtMs = Infinity;
  private retryAtMs = 0;
  private failures = 0;
  private isBusy = false;
  private isOver = false;

  constructor(private readonly owner: ReservationOwner) {
    const { adopt, carried } = owner.input;
    this.endsAtSec = adopt?.endsAtSec ?? this.newEnd();
    this.endsAtSecs = adopt?.otherEnds ?? [];
    if (carried) this.resume(carried.reservation);
  }

  private resume({
    known,
    answers,
    tidyAtMs = Infinity,
    lastEndSec = Infinity,
    ...rest
  }: CarriedReservation): void {
    for (const id of known) this.known.add(id);
    this.answers.push(...answers);
    Object.assign(this, { ...rest, tidyAtMs, lastEndSec });
  }

  /** Begins nothing more, and tells all it knows, for the next run. */
  async rest(): Promise<() => CarriedReservation> {
    await this.stop();
    return () => ({
      ...{ allocationId: this.allocationId, retried: this.retried, answers: this.answers },
      ...{ known: [...this.known].slice(-KNOWN_KEPT), requests: this.requests, total: this.total },
      ...{ endsAtSec: this.endsAtSec, endsAtSecs: this.endsAtSecs, lapsed: this.lapsed },
      ...{ spentBefore: this.spentBefore, seemsGone: this.seemsGone, isReleased: this.isReleased },
      ...{ isRefused: this.isRefused, retryAtMs: this.retryAtMs, failures: this.failures },
      tidyAtMs: this.tidyAtMs === Infinity ? undefined : this.tidyAtMs,
      lastEndSec: this.lastEndSec === Infinity ? undefined : this.lastEndSec,
    });
  }

  /** @throws BudgetNotReserved, InvalidJobSpec */
  async reserve(): Promise<Reserved> {
    const { job, budget, platform, adopt } = this.owner.input;
    const reserve = (): Promise<Reserved> =>
      payment.golemReserveAllocation({
        ...{ job, platform, endsAtSec: this.endsAtSec },
        amount: adopt?.amount ?? budget.amount,
        mayExist: adopt !== undefined,
        ...{ payer: budget.payer, deposit: budget.deposit },
      });
    const made = await reserve().catch((error: unknown) => {
      const lastEndSec = depositEndSec(error);
      const isOver = lastEndSec === undefined || lastEndSec * 1000 <= Date.now();
      if (isOver || lastEndSec >= this.endsAtSec) throw error;
      // The contract holds the deposit for less time than is usually reserved at once.
      this.lastEndSec = lastEndSec;
      this.endsAtSec = lastEndSec;
      return reserve();
    });
    this.take(made);
    return made;
  }

  /** Looks after the reservation until {@link stop}. */
  async tend(): Promise<void> {
    for (;;) {
      await this.somethingToDo();
      if (this.isOver) return;
      this.isBusy = true;
      try {
        await this.untilNobodyPays();
        await this.act();
        this.failures = 0;
        this.retryAtMs = 0;
      } catch (error) {
        this.owner.failed(error);
        // Nothing else is asked for, nor paid, while it may still land.
        await sleep(this.owner.input.requestLifetimeMs);
        this.retryAtMs = Date.now() + Math.min(LAST_RETRY_SEC, FIRST_RETRY_SEC * 2 ** this.failures) * 1000;
        this.failures += 1;
      }
      this.isBusy = false;
      await this.owner.changed();
    }
  }

  /** What is being done is done; nothing more is begun. */
  async stop(): Promise<void> {
    this.isOver = true;
    await condition(() => !this.isBusy);
  }

  /** Nothing may be paid now. */
  get holds(): boolean {
    return this.isBusy || (this.hasRequests() && this.retryAtMs <= Date.now() && !this.isOver);
  }

  /** A repeat of a request changes nothing. */
  ask(request: ReservationRequest): void {
    if (this.known.has(request.id)) return;
    this.known.add(request.id);
    this.requests.push(request);
  }

  /**
   * A document did not fit, or found no allocation. Sees to it that it may be tried again, where that can be.
   * @param allocationId from which it was to be paid
   */
  makesRoom({ failure, allocationGone, amount }: Decision, allocationId: AllocationId): boolean {
    if (failure !== 'BudgetExhausted') return false;
    if (allocationId !== this.allocationId) return true;
    if (allocationGone) {
      this.seemsGone ||= !this.isReleased;
      return !this.isReleased;
    }
    const { budget, adopt } = this.owner.input;
    const room = exact(this.owner.ledger.budget).minus(exact(this.owner.ledger.reserved));
    // One that took over does not know what was accepted before.
    if (budget.onLow !== 'topUp' || adopt || this.isRefused || room.lte(0)) return false;
    if (this.requests.some(({ kind }) => kind === 'reserve')) return true;
    const step = ExactDecimal.max(exact(budget.amount), exact(amount));
    this.requests.push({ id: '', kind: 'reserve', amount: toAmount(step) });
    return true;
  }

  /** Releases whatever allocation of the job there is. */
  async release(): Promise<NewEvent[]> {
    const { job } = this.owner.input;
    const released = await payment.golemReleaseAllocation({ job, endsAtSecs: this.allEnds() });
    return released.events;
  }

  private newEnd(): number {
    return Math.min(this.lastEndSec, Math.floor(Date.now() / 1000) + this.owner.input.allocationLifeSec);
  }

  private allEnds(): number[] {
    return [...new Set([...this.endsAtSecs, this.endsAtSec])];
  }

  private take(made: Reserved): void {
    this.allocationId = made.allocationId;
    this.total = made.total;
    this.spentBefore = made.spentBefore;
    this.retried ||= made.retried;
    if (made.retried) this.tidyAtMs = Date.now() + this.owner.input.requestLifetimeMs;
    this.tellReserved();
    this.owner.note([made.event]);
  }

  private tellReserved(): void {
    this.owner.ledger.reserved = addAmounts([this.spentBefore, this.total]);
  }

  private hasRequests(): boolean {
    return this.requests.length > 0 || this.seemsGone;
  }

  /** When half of its time is over. */
  private get extendAtMs(): number {
    if (this.endsAtSec >= this.lastEndSec) return Infinity;
    const halfMs = (this.owner.input.allocationLifeSec * 1000) / 2;
    return this.isReleased ? Infinity : this.endsAtSec * 1000 - halfMs;
  }

  private isExtensionDue(): boolean {
    return Date.now() >= this.extendAtMs;
  }

  private dueMs(): number {
    return Math.max(this.retryAtMs, this.hasRequests() ? 0 : Math.min(this.extendAtMs, this.tidyAtMs));
  }

  private async somethingToDo(): Promise<void> {
    for (;;) {
      const dueMs = this.dueMs();
      if (this.isOver || dueMs <= Date.now()) return;
      const sooner = (): boolean => this.isOver || this.dueMs() < dueMs;
      if (dueMs === Infinity) await condition(sooner);
      else await condition(sooner, dueMs - Date.now());
    }
  }

  private async untilNobodyPays(): Promise<void> {
    const { undecided } = this.owner;
    await condition(() => !isDeciding(undecided));
    const riskMs = riskyUntilMs(undecided) - Date.now();
    if (riskMs > 0) await sleep(riskMs);
  }

  private async act(): Promise<void> {
    const isCheck = this.requests.some(({ kind }) => kind === 'check');
    if (this.seemsGone || isCheck || this.isExtensionDue() || Date.now() >= this.tidyAtMs)
      await this.amend(this.total);
    this.seemsGone = false;
    for (let request = this.requests[0]; request; request = this.requests[0]) {
      const failure = request.kind === 'check' ? this.whyReleased() : await this.raise(request);
      this.requests.shift();
      await this.answer(request, failure);
      await this.owner.changed();
    }
  }

  private async answer(
    { id, answerTo }: ReservationRequest,
    failure: NamedFailure | undefined,
  ): Promise<void> {
    if (id === '') return;
    const { reserved, budget } = this.owner.ledger;
    const said = failure && { type: failure.type, message: failure.message };
    const answer: ReservationAnswer = { id, reserved, budget, failure: said };
    this.answers.push(answer);
    if (this.answers.length > ANSWERS_KEPT) this.answers.shift();
    if (answerTo) await quietly(getExternalWorkflowHandle(answerTo).signal(reservationAnswerSignal, answer));
  }

  private whyReleased(): NamedFailure | undefined {
    return this.isReleased ? { type: 'BudgetExhausted', message: RELEASED } : undefined;
  }

  /** @returns why it cannot be done */
  private async raise({ kind, amount = '0' }: ReservationRequest): Promise<NamedFailure | undefined> {
    const { ledger, input } = this.owner;
    if (kind === 'topUp' && input.budget.payer) return { type: 'BudgetNotReserved', message: PREPAID };
    const budget = kind === 'topUp' ? exact(ledger.budget).plus(exact(amount)) : exact(ledger.budget);
    // Never more than the budget.
    const more = ExactDecimal.min(exact(amount), budget.minus(exact(ledger.reserved)));
    if (more.gt(0)) {
      const refusal = await this.reserveMore(toAmount(exact(this.total).plus(more)));
      const failure = refusal ?? this.whyReleased();
      if (kind === 'reserve') this.isRefused = failure !== undefined;
      if (failure) return failure;
    }
    if (kind === 'topUp') this.isRefused = false;
    ledger.budget = toAmount(budget);
    return undefined;
  }

  private async reserveMore(total: Amount): Promise<NamedFailure | undefined> {
    for (;;) {
      try {
        await this.amend(total);
        return undefined;
      } catch (error) {
        const failure = namedFailure(error);
        if (failure.type !== 'BudgetNotReserved') throw error;
        const mayStillLand = Array.isArray(failure.details) && failure.details[0] === true;
        if (!mayStillLand) return failure;
        await sleep(this.owner.input.requestLifetimeMs);
      }
    }
  }

  /** Makes the allocation hold so much, last long enough, and be the only one. */
  private async amend(total: Amount): Promise<void> {
    const { job, budget, requestLifetimeMs } = this.owner.input;
    const { allocationId } = this;
    if (allocationId === undefined) return;
    const lastsUntilSec = this.endsAtSec;
    const endsAtSec = this.isExtensionDue() ? this.newEnd() : lastsUntilSec;
    this.rememberEnd(endsAtSec);
    const amended = await amending.golemAmendAllocation({
      ...{ job, allocationId, total, endsAtSec, lastsUntilSec, endsAtSecs: this.allEnds() },
      payer: budget.payer,
    });
    // Until no earlier attempt can land any more, nothing else is asked for.
    if (amended.retried) await sleep(requestLifetimeMs);
    if (amended.state === 'released') this.isReleased = true;
    // A contract takes a deposit for one allocation only.
    else if (amended.state === 'lapsed' && budget.deposit) this.isReleased = true;
    else if (amended.state === 'lapsed') await this.replace(allocationId, total);
    else {
      this.total = total;
      this.endsAtSec = endsAtSec;
      this.tidyAtMs = Infinity;
      this.tellReserved();
    }
  }

  /** What is left of the budget is reserved anew. */
  private async replace(gone: AllocationId, total: Amount): Promise<void> {
    const { input, ledger } = this.owner;
    const allocationIds = [...this.lapsed, gone];
    const endsAtSec = this.newEnd();
    this.rememberEnd(endsAtSec);
    const made = await payment.golemReserveAllocation({
      ...{ job: input.job, platform: input.platform, endsAtSec },
      amount: addAmounts([this.spentBefore, total]),
      replaces: { allocationIds, accepted: moneyOf(ledger).accepted },
      payer: input.budget.payer,
    });
    this.lapsed = allocationIds;
    this.endsAtSec = endsAtSec;
    this.take(made);
  }

  /** An attempt to extend may have landed all the same. */
  private rememberEnd(endsAtSec: number): void {
    const hourAgoSec = Date.now() / 1000 - 3600;
    const kept = this.allEnds().filter((end) => end > hourAgoSec);
    this.endsAtSecs = [...new Set([...kept, endsAtSec])];
  }
}

/** Until when an allocation of a deposit could last, where it was asked to last longer. */
function depositEndSec(error: unknown): number | undefined {
  const { type, details } = namedFailure(error);
  const [detail] = type === 'BudgetNotReserved' && Array.isArray(details) ? (details as unknown[]) : [];
  const { depositEndsAtSec } = (detail ?? {}) as Partial<TooLongForDeposit>;
  return typeof depositEndsAtSec === 'number' ? depositEndsAtSec : undefined;
}
