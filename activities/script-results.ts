/**
 * The results of one script as its polls bring them, command by command. What a provider says is checked for being
 * about this script; what its program printed is cut as it comes, so that little of it is held.
 */
import type { CommandResult } from '../model/result';
import { cutOutput, fitScriptResults } from '../model/result-size';
import { withoutPasses } from './worker-files';
import { oneLine, type BatchResult } from './yagna';

/** What heartbeats tell, in characters: each of them is sent and stored. */
const MOST_TOLD = 64_000;
/** What a result has besides its outputs. */
const FRAME = 200;
/** Outputs held beyond this, in characters, are cut to what the workflow can take. */
const MOST_HELD = 16_000_000;

export class ScriptResults {
  private kept: CommandResult[] = [];
  private held = 0;

  constructor(
    private readonly commandCount: number,
    private readonly outputLimitBytes: number,
  ) {}

  /** Position of the command whose end is not known yet; after the last one, how many there are. */
  get next(): number {
    return this.kept.length;
  }

  get last(): CommandResult | undefined {
    return this.kept.at(-1);
  }

  /** Fit to go to the workflow. */
  get all(): CommandResult[] {
    return fitScriptResults(this.kept, this.outputLimitBytes);
  }

  /** The newest whose outputs together are not long, for a heartbeat. */
  get newest(): CommandResult[] {
    let held = 0;
    let from = this.kept.length;
    for (; from > 0; from--) {
      const { stdout, stderr } = this.kept[from - 1] ?? {};
      held += FRAME + (stdout?.length ?? 0) + (stderr?.length ?? 0);
      if (held > MOST_TOLD) break;
    }
    return this.kept.slice(from);
  }

  /**
   * Takes the result of the next command from the answer to a poll for it: the others' outputs are not in that.
   * @returns why the answer cannot be about this script; nothing is taken then
   */
  take(polled: readonly BatchResult[]): string | undefined {
    const asked = this.next;
    const told = new Set<number>();
    for (const { index, result } of polled) {
      if (index < 0 || index >= this.commandCount) {
        return `it tells of command ${index} of a script of ${this.commandCount}`;
      }
      if (told.has(index)) return `it tells twice of command ${index}`;
      told.add(index);
      const before = this.kept[index]?.result;
      if (before !== undefined && before !== result) {
        return `it says that command ${index} ended with ${result}, and said ${before} before`;
      }
    }
    const found = polled.find(({ index }) => index === asked);
    if (found) this.keep(found);
    return undefined;
  }

  private keep(result: BatchResult): void {
    const stdout = cutOutput(result.stdout, this.outputLimitBytes);
    const stderr = cutOutput(result.stderr, this.outputLimitBytes);
    this.kept.push({
      ...{ index: result.index, result: result.result, stdout, stderr },
      message: result.message === null ? null : oneLine(withoutPasses(result.message)),
      eventDate: result.eventDate,
    });
    this.held += (stdout?.length ?? 0) + (stderr?.length ?? 0);
    if (this.held <= MOST_HELD) return;
    this.kept = this.all;
    this.held = 0;
  }
}
