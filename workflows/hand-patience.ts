import { CancellationScope, sleep } from '@temporalio/workflow';
import type { Rental } from './rental';

/** How long the job waits for word of what is done. */
const SILENCE = '1 s';
/** How long after that tasks wait in the hand of a rental: in all twice as long as all that is in it is thought to take. */
const PATIENCE = '3 s';

/** How long tasks wait in the hand of a rental that comes to none of them, and the job for word of those that are done. */
export class HandPatience {
  private waiting?: CancellationScope;

  constructor(private readonly rental: Rental) {}

  /** From now on, unless it has begun before. */
  begin(): void {
    if (this.waiting) return;
    const waiting = new CancellationScope();
    this.waiting = waiting;
    const { rental } = this;
    void waiting
      .run(() => sleep(SILENCE))
      .then(() => rental.say(() => rental.tellOutcomes()))
      .then(() => waiting.run(() => sleep(PATIENCE)))
      .then(() => {
        this.waiting = undefined;
        rental.say(() => rental.partWithHand());
      })
      // It was ended.
      .catch(() => undefined);
  }

  end(): void {
    this.waiting?.cancel();
    this.waiting = undefined;
  }
}
