/**
 * A job's view of its budget: whether little is left, what then is to be done, and the Update that raises it. What is
 * reserved is the settlement's; it is asked by signal, and answers with its next update.
 */
import {
  ApplicationFailure,
  condition,
  currentUpdateInfo,
  getExternalWorkflowHandle,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { exact } from '../model/amount';
import { settlementId, type Amount } from '../model/ids';
import type { JobSpec } from '../model/job';
import type { Money } from '../model/result';
import { readTopUp } from '../model/top-up';
import { quietly } from './child-workflows';
import {
  noMoney,
  reservationSignal,
  type ReservationAnswer,
  type ReservationRequest,
  type SettlementUpdate,
} from './protocol';
import {
  affords,
  applyBills,
  commitment,
  isLow,
  lowAtMs,
  type Commitment,
  type Prices,
} from './state/budget';
import { isLive, type RentalEntry } from './state/job-state';

/** What the next run of the job is given. Plain data. */
export interface CarriedBudget {
  money: Money;
  commitments: Commitment[];
  answers: ReservationAnswer[];
  isLow: boolean;
  tooDear: boolean;
  isRefused: boolean;
  asked: number;
  /** More was asked for, and no answer has come. */
  asking?: ReservationRequest;
}

/** A moment at which it becomes low is waited for anew when it comes so much sooner. */
const SOONER_MS = 1_000;

export class JobBudget {
  money: Money = noMoney('0', '');
  private spec: Pick<JobSpec, 'budget' | 'demand' | 'interactive'> | undefined;
  private commitments: Commitment[] = [];
  private answers: ReservationAnswer[] = [];
  /** Stays so until more is reserved. */
  private isLow = false;
  /** No draft at hand can be paid for, beside the rentals that there are. */
  private tooDear = false;
  /** The account held too little for more. */
  private isRefused = false;
  private asking: ReservationRequest | undefined;
  private asked = 0;
  private lowAtMs = Infinity;
  private isOver = false;

  /** @param changed - called when the job has to look again */
  constructor(private readonly changed: () => void) {}

  begin(spec: Pick<JobSpec, 'budget' | 'demand' | 'interactive'>, platform: string): void {
    this.spec = spec;
    this.money = noMoney(spec.budget.max ?? spec.budget.amount, platform);
  }

  /** What {@link resume} goes on from. An Update under way would be forgotten: there must be none. */
  carry(): CarriedBudget {
    const { money, commitments, answers, isLow, tooDear, isRefused, asked, asking } = this;
    return { money, commitments, answers, isLow, tooDear, isRefused, asked, asking };
  }

  /** Goes on where an earlier run of the job has left off. */
  resume(spec: Pick<JobSpec, 'budget' | 'demand' | 'interactive'>, carried: CarriedBudget): void {
    this.spec = spec;
    const { asking, ...rest } = carried;
    Object.assign(this, rest);
    if (asking) void this.reserveMore(asking);
    else this.look();
  }

  /** From now on nothing is raised any more, and whoever waits for it is told so. */
  end(): void {
    this.isOver = true;
  }

  get progress(): Money {
    return this.isLow ? { ...this.money, low: true } : this.money;
  }

  /** No task is begun, and no rental, until more is reserved. An interactive job has no tasks to hold back. */
  get holdsBack(): boolean {
    return this.isLow && this.spec?.interactive === false && !this.canReserveMore();
  }

  /** The rentals at hand are all that can be paid for. */
  get isFull(): boolean {
    return this.tooDear;
  }

  /** Why work is held back, in one line. */
  get why(): string {
    const { budget, accepted, reserved } = this.money;
    const left = this.tooDear
      ? 'too little is left for any provider at hand'
      : 'what is left is kept for what runs';
    const refused = this.isRefused ? ', and the account holds too little for more' : '';
    return `of ${reserved} GLM reserved (budget ${budget}) ${accepted} are accepted; ${left}${refused}`;
  }

  onSettlement({ money, bills, reservations }: SettlementUpdate): void {
    const more = exact(money.reserved).gt(exact(this.money.reserved));
    this.money = money;
    this.answers = reservations;
    this.commitments = applyBills(this.commitments, bills, Date.now());
    if (more) {
      this.isLow = false;
      this.tooDear = false;
      this.isRefused = false;
    }
    this.look();
  }

  /** Whether a draft can be rented beside what there is. */
  affords(prices: Prices, validToMs: number): boolean {
    if (!this.spec || this.spec.interactive) return true;
    const another = commitment(0, prices, Date.now(), validToMs);
    if (affords(this.money, this.commitments, another, this.intervalSec, Date.now())) return true;
    this.tooDear = true;
    this.look();
    return false;
  }

  opened(n: number, prices: Prices, validToMs: number): void {
    this.commitments.push(commitment(n, prices, Date.now(), validToMs));
    this.look();
  }

  onRental(rental: RentalEntry): void {
    const open = this.commitments.find(({ n }) => n === rental.n);
    if (!open) return;
    open.agreementId = rental.agreementId;
    if (isLive(rental)) return;
    open.untilMs = Math.min(open.untilMs, Date.now());
    // Without an agreement it costs nothing.
    if (!open.agreementId) this.commitments = this.commitments.filter((each) => each !== open);
    this.tooDear = false;
    this.look();
  }

  /** It may become low by time alone; looks then. */
  async watch(): Promise<void> {
    for (;;) {
      await condition(() => this.lowAtMs !== Infinity);
      const atMs = this.lowAtMs;
      const sooner = (): boolean => this.lowAtMs === Infinity || this.lowAtMs < atMs - SOONER_MS;
      const waitMs = Math.max(1, atMs - Date.now());
      if (await condition(sooner, waitMs)) continue;
      this.look();
      this.changed();
    }
  }

  /** The allocation seems to be gone. @returns once it is there, or another one in its place @throws BudgetExhausted */
  async awaitAllocation(): Promise<void> {
    this.asked += 1;
    const { failure } = await this.ask({ id: `check/${this.asked}`, kind: 'check' });
    if (failure) throw ApplicationFailure.nonRetryable(failure.message, failure.type);
  }

  /** The Update `topUp`. */
  async topUp(request: unknown): Promise<{ reserved: Amount; budget: Amount }> {
    const read = readTopUp(request);
    if ('problem' in read) throw ApplicationFailure.nonRetryable(read.problem, 'InvalidTopUp');
    // Before the settlement is there, nobody could take the request.
    await condition(() => exact(this.money.reserved).gt(0) || this.isOver);
    const id = `update/${currentUpdateInfo()?.id ?? uuid4()}`;
    const { reserved, budget, failure } = await this.ask({ id, kind: 'topUp', amount: read.amount });
    if (failure) throw ApplicationFailure.nonRetryable(failure.message, failure.type);
    return { reserved, budget };
  }

  /** Throws what is wrong with a request, so that it is refused. */
  readonly validateTopUp = (request: unknown): void => {
    const read = readTopUp(request);
    if ('problem' in read) throw ApplicationFailure.nonRetryable(read.problem, 'InvalidTopUp');
    if (this.isOver) throw ending();
  };

  private get intervalSec(): number | undefined {
    return this.spec?.demand.midAgreementDebitNoteIntervalSec;
  }

  private canReserveMore(): boolean {
    const { budget, reserved } = this.money;
    return this.spec?.budget.onLow === 'topUp' && !this.isRefused && exact(reserved).lt(exact(budget));
  }

  private look(): void {
    if (!this.spec || exact(this.money.reserved).isZero()) return;
    const nowMs = Date.now();
    const isStuck = this.tooDear && !this.commitments.some(({ untilMs }) => untilMs > nowMs);
    this.isLow ||= isStuck || isLow(this.money, this.commitments, this.intervalSec, nowMs);
    this.lowAtMs = this.isLow ? Infinity : lowAtMs(this.money, this.commitments, this.intervalSec, nowMs);
    if (this.isLow && this.canReserveMore() && !this.asking && !this.isOver) this.askForMore();
  }

  private askForMore(): void {
    this.asked += 1;
    void this.reserveMore({ id: `low/${this.asked}`, kind: 'reserve', amount: this.spec?.budget.amount });
  }

  private async reserveMore(request: ReservationRequest): Promise<void> {
    this.asking = request;
    try {
      const { failure } = await this.ask(request);
      if (failure) this.isRefused = true;
    } catch {
      // The job is ending.
      return;
    } finally {
      this.asking = undefined;
    }
    this.look();
    this.changed();
  }

  private async ask(request: ReservationRequest): Promise<ReservationAnswer> {
    if (this.isOver) throw ending();
    const handle = getExternalWorkflowHandle(settlementId(workflowInfo().workflowId));
    // Its end would be told by its result.
    await quietly(handle.signal(reservationSignal, request));
    const answer = (): ReservationAnswer | undefined => this.answers.find(({ id }) => id === request.id);
    await condition(() => answer() !== undefined || this.isOver);
    const answered = answer();
    if (!answered) throw ending();
    return answered;
  }
}

function ending(): ApplicationFailure {
  return ApplicationFailure.nonRetryable('the job is ending: its budget is not raised any more', 'JobEnding');
}
