/**
 * What a settlement does beside deciding and paying, and waits for only in passing: ending the agreement of a bill that
 * was refused, and remembering its provider. A silent provider must not keep other documents waiting, nor the workflow
 * from continuing as new: what is not done by then is begun again.
 */
import { condition } from '@temporalio/workflow';
import type { JobRef } from '../activities/contract';
import type { NewEvent } from '../model/events';
import { avoiding, cleanUp } from './activity-options';
import type { Chore } from './state/carried-settlement';

/** Most are done in less. */
const PATIENCE = '2 s';

export interface ChoresOwner {
  job: JobRef;
  note(events: NewEvent[]): void;
  /** Never given up. */
  persist<T>(act: () => Promise<T>): Promise<T>;
}

export class Chores {
  /** @param open - begun in the run before, and not known to be done */
  constructor(
    private readonly owner: ChoresOwner,
    private readonly open: Chore[],
  ) {}

  /** Begins again what the run before had begun. */
  resume(): void {
    for (const chore of this.open) void this.carryOut(chore, true);
  }

  begin(chore: Chore): void {
    this.open.push(chore);
    void this.carryOut(chore, false);
  }

  /** Returns when providers are remembered. */
  async remembered(): Promise<void> {
    await condition(() => !this.open.some(({ kind }) => kind === 'avoid'));
  }

  /** @returns what has to be begun again */
  async rest(): Promise<Chore[]> {
    await condition(() => this.open.length === 0, PATIENCE);
    return this.open;
  }

  private async carryOut(chore: Chore, maybeDone: boolean): Promise<void> {
    const { job, note, persist } = this.owner;
    if (chore.kind === 'close') {
      const { agreementId, reason } = chore;
      const closing = { job, agreementId, reason, isBroken: true, maybeDone };
      note((await persist(() => cleanUp.golemCloseRental(closing))).events);
    } else {
      const { provider, reason } = chore;
      try {
        note((await avoiding.golemAvoidProvider({ job, provider, breach: 'billRefused', reason })).events);
      } catch {
        // A worker's memory is not worth more.
      }
    }
    this.open.splice(this.open.indexOf(chore), 1);
  }
}
