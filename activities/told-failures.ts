/**
 * Which failures the worker's log has told already. A workflow that tries something again by an activity of its own, as a
 * settlement does until a bill is accepted, fails in a first attempt each time.
 */

/** What is still not mended by then is told once more. */
const TOLD_FOR_MS = 3_600_000;
const REMEMBERED = 1_000;

export class ToldFailures {
  /** When each was told, the oldest first. */
  private readonly told = new Map<string, number>();

  constructor(private readonly now: () => number = Date.now) {}

  /** @returns whether it is to be told: the same was not, within the last hour */
  isNews(workflowId: string, activity: string, message: string): boolean {
    const key = JSON.stringify([workflowId, activity, message]);
    const toldMs = this.told.get(key);
    if (toldMs !== undefined && this.now() - toldMs < TOLD_FOR_MS) return false;
    this.told.delete(key);
    this.told.set(key, this.now());
    const [oldest] = this.told.keys();
    if (this.told.size > REMEMBERED && oldest !== undefined) this.told.delete(oldest);
    return true;
  }
}
