/**
 * What a settlement tells its job, by signal: at once where the job has to act on it, and amounts at most once a second,
 * however many notes come. The last state is always told.
 */
import { condition } from '@temporalio/workflow';

const APART_MS = 1000;

export class JobReports {
  private asked = 0;
  private told = 0;
  /** Up to here it is to be told at once. */
  private urgent = 0;
  private lastMs = 0;
  private isBusy = false;
  private isOver = false;

  /** @param send - tells the state of that moment */
  constructor(private readonly send: () => Promise<void>) {}

  /** Amounts have changed. */
  soon(): void {
    this.asked += 1;
  }

  /** Returns when it is told. */
  async now(): Promise<void> {
    this.asked += 1;
    this.urgent = this.asked;
    const mine = this.asked;
    await condition(() => this.told >= mine || this.isOver);
  }

  /** Tells, one after the other, until {@link stop}. */
  async run(): Promise<void> {
    for (;;) {
      await condition(() => this.asked > this.told || this.isOver);
      const waitMs = this.lastMs + APART_MS - Date.now();
      const isUrgent = (): boolean => this.urgent > this.told || this.isOver;
      if (waitMs > 0 && !isUrgent()) await condition(isUrgent, waitMs);
      if (this.isOver) return;
      this.isBusy = true;
      this.lastMs = Date.now();
      const { asked } = this;
      await this.send();
      this.told = asked;
      this.isBusy = false;
    }
  }

  /** Nothing more is told; returns when nothing is on its way. */
  async stop(): Promise<void> {
    this.isOver = true;
    await condition(() => !this.isBusy);
  }
}
