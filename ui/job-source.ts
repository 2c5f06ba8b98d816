/**
 * One job, read for all that look at it: its progress again and again, and its events as they come. What is shown is
 * made of them by the pure functions beside this file.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { GolemJobError, type Costs, type GolemClient } from '../client/index';
import type { Amount } from '../model/ids';
import type { JobProgress, JobResult, SettlementPhase } from '../model/result';
import { billsOf, type Bill } from './bills';
import { addSample, costStepsOf, spentOf, stepsWith, type CostSample } from './cost-curve';
import { KeptEvents } from './job-events';
import { LiveSource } from './live';
import { providersOf, type Providers } from './providers';
import { tasksByBatch, tasksOf, type Tasks } from './tasks';
import { timelineOf } from './timeline';
import { troubleOf, type Trouble } from './trouble';

const ASK_EVERY_MS = 1_000;
const ASK_RARELY_MS = 10_000;
/** What is away is looked for more often. */
const ASK_IN_TROUBLE_MS = 2_500;
const ANSWER_LIMIT_MS = 12_000;
/** Temporal itself answers sooner than workers do. */
const TEMPORAL_LIMIT_MS = 4_000;
/** Drawn no more often, and no more than a fifth of the time. */
const TELL_EVERY_MS = 500;
const REST = 4;
/** Of each list so many are told at once; the rest is asked for. */
export const ROWS_TOLD = 20;

interface Settlement extends Pick<Costs, 'agreements'> {
  phase: SettlementPhase;
}

export class JobSource extends LiveSource {
  private events = new KeptEvents();
  private progress?: JobProgress;
  private settlement?: Settlement;
  private isSettlementKnown = false;
  /** All was read after the job was over. */
  private isComplete = false;
  private result?: JobResult;
  private failure?: { type: string; reason: string; action?: string };
  private isRunning?: boolean;
  private samples: CostSample[] = [];
  private stateTrouble?: Trouble;
  private eventsTrouble?: Trouble;
  private areEventsRead = false;
  private lists?: { bills: Bill[]; providers: Providers; tasks: Tasks };
  private drawing?: NodeJS.Timeout;
  private drawMs = 0;

  constructor(
    private readonly golem: GolemClient,
    private readonly jobId: string,
    lingerMs: number,
  ) {
    super(lingerMs);
  }

  protected async read(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.forget());
    this.draw();
    await Promise.all([this.readState(signal), this.readEvents(signal)]);
  }

  /** What the page asks for beyond what it is told: newest first where there is an order of time. */
  eventsPage(options: { before?: number; find?: string }): ReturnType<KeptEvents['page']> {
    return this.events.page(4 * ROWS_TOLD, options);
  }

  billsPage(offset: number): Bill[] {
    return (this.lists?.bills ?? []).slice(offset, offset + 4 * ROWS_TOLD);
  }

  providersPage(offset: number): Providers['shown'] {
    return (this.lists?.providers.shown ?? []).slice(offset, offset + ROWS_TOLD);
  }

  tasksPage(offset: number): Tasks['rows'] {
    return (this.lists?.tasks.rows ?? []).slice(offset, offset + 4 * ROWS_TOLD);
  }

  private forget(): void {
    clearTimeout(this.drawing);
    this.drawing = undefined;
    this.startAnew();
    this.stateTrouble = this.eventsTrouble = undefined;
  }

  private startAnew(): void {
    this.events = new KeptEvents();
    this.samples = [];
    this.areEventsRead = this.isSettlementKnown = this.isComplete = false;
    this.progress = this.settlement = this.result = this.failure = this.isRunning = this.lists = undefined;
  }

  private async readState(signal: AbortSignal): Promise<void> {
    let waitMs = ASK_EVERY_MS;
    while (!signal.aborted) {
      const askedMs = performance.now();
      let trouble: Trouble | undefined;
      try {
        const { client } = this.golem;
        const { running } = await client.withDeadline(Date.now() + TEMPORAL_LIMIT_MS, () =>
          this.golem.whereabouts(this.jobId),
        );
        await client.withDeadline(Date.now() + ANSWER_LIMIT_MS, () => this.readStateOnce(running, signal));
        waitMs = Math.min(Math.max(ASK_EVERY_MS, performance.now() - askedMs), ASK_RARELY_MS);
        // It changes no more; but an id may be used again.
        if (this.isComplete) waitMs = ASK_RARELY_MS;
      } catch (error) {
        trouble = await troubleOf(this.golem, error);
        waitMs = Math.min(waitMs * 1.5, ASK_IN_TROUBLE_MS);
      }
      if (signal.aborted) return;
      this.stateTrouble = trouble;
      this.drawSoon();
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
    }
  }

  private async readStateOnce(running: boolean, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    // Another job has the id now.
    if (this.isRunning === false && running) this.startAnew();
    this.isRunning = running;
    if (!running && !this.result && !this.failure) await this.readResult();
    if (this.isComplete) return;
    const wasOver = this.isOver();
    // It may be told where no worker answers.
    const settling = this.readSettlement().then((settlement) => (this.settlement = settlement));
    const progress = await this.golem.progress(this.jobId).finally(() => settling);
    if (signal.aborted) return;
    this.progress = progress;
    this.samples = addSample(this.samples, progress);
    this.isComplete = wasOver;
  }

  private async readSettlement(): Promise<Settlement | undefined> {
    try {
      const settlement = await this.golem.costs(this.jobId);
      this.isSettlementKnown = true;
      return settlement;
    } catch (error) {
      if (!(error instanceof GolemJobError)) return this.settlement;
      this.isSettlementKnown = true;
      if (error.type === 'NothingToSettle') return undefined;
      return { phase: 'failed', agreements: this.settlement?.agreements ?? [] };
    }
  }

  /** No worker is needed for it. */
  private async readResult(): Promise<void> {
    try {
      this.result = await this.golem.result(this.jobId);
    } catch (error) {
      if (!(error instanceof GolemJobError)) throw error;
      const { type, reason, action } = error;
      this.failure = { type, reason, action };
    }
  }

  private async readEvents(signal: AbortSignal): Promise<void> {
    let waitMs = ASK_EVERY_MS;
    while (!signal.aborted) {
      const kept = this.events;
      try {
        for await (const event of this.golem.followEvents(this.jobId, { signal })) {
          // Another job has the id now: from the beginning.
          if (signal.aborted || kept !== this.events) break;
          this.eventsTrouble = undefined;
          waitMs = ASK_EVERY_MS;
          if (kept.add(event)) this.drawSoon();
        }
        if (kept === this.events) {
          this.areEventsRead = true;
          this.drawSoon();
        }
      } catch (error) {
        this.eventsTrouble = await troubleOf(this.golem, error);
        this.drawSoon();
      }
      // All are read when it ends; that of a new job with the same id is another reading.
      while (!signal.aborted && this.areEventsRead && kept === this.events)
        await delay(ASK_EVERY_MS, undefined, { signal }).catch(() => undefined);
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
      waitMs = Math.min(waitMs * 2, ASK_RARELY_MS);
    }
  }

  private isOver(): boolean {
    const isPaid = ['settled', 'unpaid', 'failed', undefined].includes(this.settlement?.phase);
    return this.isRunning === false && this.isSettlementKnown && isPaid;
  }

  private drawSoon(): void {
    if (!this.isRead) return;
    this.drawing ??= setTimeout(
      () => {
        this.drawing = undefined;
        const startedMs = performance.now();
        this.draw();
        this.drawMs = performance.now() - startedMs;
      },
      Math.max(TELL_EVERY_MS, REST * this.drawMs),
    );
  }

  private draw(): void {
    const { progress, settlement, result, failure, events } = this;
    const rentals = progress?.rentals ?? [];
    const lists = {
      bills: billsOf(events.all).reverse(),
      providers: providersOf(events.all, { rentals, settlement }),
      tasks: inOrder(tasksOf(events.all, rentals, result)),
    };
    this.lists = lists;
    const { lanes, ...timeline } = timelineOf(events.all, {
      providers: new Map(
        rentals.flatMap((each) => (each.agreementId ? [[each.agreementId, each.provider]] : [])),
      ),
      tasks: tasksByBatch(result),
      isOver: this.isOver(),
    });
    this.tell('trouble', this.stateTrouble ?? this.eventsTrouble ?? null);
    this.tell('summary', {
      ...{
        jobId: this.jobId,
        isRunning: this.isRunning,
        isOver: this.isOver(),
        progress: progress && summaryOf(progress),
      },
      ...{
        settlement: settlement?.phase,
        result: result && { state: result.state, failure: result.failure },
        failure,
      },
      ...{ isKnown: this.isRunning !== undefined, missing: events.missing },
    });
    this.tell('timeline', { ...timeline, lanes: lanes.length });
    lanes.forEach((lane, index) => this.tell(`lane ${index}`, lane));
    const { samples } = this;
    const reckoned = samples.map(({ at, spent }) => ({ at, amount: spent }));
    this.tell('cost', { steps: stepsWith(costStepsOf(events.all), samples), samples: reckoned });
    const { shown, ...counts } = lists.providers;
    this.tell('providers', { ...counts, shown: shown.slice(0, ROWS_TOLD), listed: shown.length });
    this.tell('bills', { shown: lists.bills.slice(0, ROWS_TOLD), all: lists.bills.length });
    const { rows, ...known } = lists.tasks;
    this.tell('tasks', {
      ...known,
      counts: progress?.tasks,
      shown: rows.slice(0, ROWS_TOLD),
      all: rows.length,
    });
    this.tell('events', { ...events.page(ROWS_TOLD), count: events.count, missing: events.missing });
  }
}

interface Summary extends Omit<JobProgress, 'rentals'> {
  /** Rentals that live. */
  alive: number;
  /** What was accepted, and what has accrued beyond that; GLM. */
  spent: Amount;
}

/** Its rentals are in the lanes and among the providers. */
function summaryOf({ rentals, ...progress }: JobProgress): Summary {
  const alive = rentals.filter(({ state }) => !['closed', 'failed', 'detached'].includes(state));
  return { ...progress, alive: alive.length, spent: spentOf(progress) };
}

const ORDER = { running: 0, failed: 1, cancelled: 2, done: 3 };

/** First those that run, then those that went wrong; the newest first. */
function inOrder(tasks: Tasks): Tasks {
  const rows = tasks.rows.map((row, index) => ({ row, index }));
  rows.sort((a, b) => ORDER[a.row.state] - ORDER[b.row.state] || b.index - a.index);
  return { ...tasks, rows: rows.map(({ row }) => row) };
}
