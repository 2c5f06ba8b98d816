/** A fault that waits for its moment, and tells when it came. */
import { createHash, randomInt, randomUUID } from 'node:crypto';
import type { Fault } from './faults';

export class ArmedFault {
  readonly id = randomUUID();
  /** How often it could have acted. */
  matches = 0;
  /** How often it did. */
  hits = 0;
  private readonly random: (() => number) | undefined;
  private waiting: { hits: number; resolve(): void; reject(error: Error): void }[] = [];
  private disarmed: Error | undefined;

  constructor(readonly fault: Fault) {
    if (fault.probability < 1) this.random = randomNumbers(fault.seed ?? randomInt(0xffffffff));
  }

  /**
   * Resolves once it has acted `n` times.
   * @throws Error when it is disarmed before
   */
  hit(n = 1): Promise<void> {
    const acted = new Promise<void>((resolve, reject) => {
      if (this.hits >= n) resolve();
      else if (this.disarmed) reject(this.disarmed);
      else this.waiting.push({ hits: n, resolve, reject });
    });
    // One that is not awaited any more when the fault is disarmed is no failure of the process.
    acted.catch(() => undefined);
    return acted;
  }

  /** It could act here. @returns whether it is due */
  match(): boolean {
    this.matches += 1;
    const { nth, times, probability } = this.fault;
    if (this.matches < nth) return false;
    // Drawn at each match, so that the choices depend on nothing but the seed.
    const chosen = this.random ? this.random() < probability : true;
    return chosen && (times === 0 || this.hits < times);
  }

  /** It acts. */
  act(): void {
    this.hits += 1;
    const there = this.waiting.filter((waiter) => waiter.hits <= this.hits);
    this.waiting = this.waiting.filter((waiter) => waiter.hits > this.hits);
    for (const waiter of there) waiter.resolve();
  }

  disarm(): void {
    const { on, do: action } = this.fault;
    this.disarmed = new Error(
      `the fault ${action} on ${on} was disarmed after it had acted ${this.hits} times`,
    );
    for (const waiter of this.waiting.splice(0)) waiter.reject(this.disarmed);
  }
}

/** Numbers from 0 to 1 that follow from a seed. */
function randomNumbers(seed: number): () => number {
  let drawn = 0;
  return () => {
    drawn += 1;
    return createHash('sha256').update(`${seed} ${drawn}`).digest().readUInt32BE(0) / 2 ** 32;
  };
}
