import { CancellationScope, sleep } from '@temporalio/workflow';
import type { Rental } from './rental';

/** Twice as long as all that a rental has in hand is thought to take. */
const PATIENCE = '4 s';

/** How long tasks wait in the hand of a rental that comes to none of them, and the job for word of those that are done. */
export class HandPatience {
  private waiting?: CancellationScope;

  constructor(private readonly rental: Rental) {}

  /** From now on, unless it has begun before. */
  begin(): void {
    if (this.waiting) return;
    const waiting = new CancellationScope();
    this.waiting = waiting;
    void waiting
      .run(() => sleep(PATIENCE))
      .then(
        () => {
          this.waiting = undefined;
          this.rental.say(() => this.rental.partWithHand());
        },
        // It was ended.
        () => undefined,
      );
  }

  end(): void {
    this.waiting?.cancel();
    this.waiting = undefined;
  }
}
