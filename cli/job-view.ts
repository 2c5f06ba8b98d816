/**
 * Shows a job's progress: bars that stay in place on a terminal, elsewhere one plain line for each change.
 */
import { MultiBar, type SingleBar } from 'cli-progress';
import Decimal from 'decimal.js';
import pc from 'picocolors';
import type { JobProgress, RentalProgress } from '../model/result';

export interface JobView {
  update(progress: JobProgress): void;
  /** A line of its own, above the bars. */
  print(line: string): void;
  /** Leaves the last state on the screen. */
  stop(): void;
}

export function jobView(stream: NodeJS.WriteStream = process.stdout): JobView {
  return stream.isTTY ? new TerminalView(stream) : new PlainView(stream);
}

/** `3 of 16 tasks done, 2 running, 1 failed`. */
export function describeTasks({ tasks }: JobProgress): string {
  const parts = [`${tasks.done} of ${tasks.total} tasks done`];
  if (tasks.running > 0) parts.push(`${tasks.running} running`);
  if (tasks.failed > 0) parts.push(`${tasks.failed} failed`);
  return parts.join(', ');
}

/** `owed 0.0003, paid 0.0012 of 1 tGLM`; owed is what was accepted and is not paid yet. */
export function describeMoney({ money }: JobProgress): string {
  const owed = new Decimal(money.accepted).minus(money.paid);
  const paid = `paid ${short(money.paid)} of ${short(money.budget)} ${unit(money.platform)}`;
  return owed.isZero() ? paid : `owed ${short(owed)}, ${paid}`;
}

/** An amount to look at, not to reckon with. */
function short(amount: Decimal.Value): string {
  return new Decimal(amount).toSignificantDigits(4).toFixed();
}

/** `tGLM` on test networks, else `GLM`. */
export function unit(platform: string): string {
  return platform.endsWith('-tglm') ? 'tGLM' : 'GLM';
}

function describeRental(rental: RentalProgress): string {
  const reason = rental.reason === undefined ? '' : ` (${rental.reason})`;
  return `${rental.provider.name}: ${doing(rental)}${reason}`;
}

/** What it works on, or else its state. */
function doing({ state, currentTask }: RentalProgress): string {
  return currentTask !== undefined && (state === 'ready' || state === 'busy') ? `runs ${currentTask}` : state;
}

class PlainView implements JobView {
  private readonly last = new Map<string, string>();

  constructor(private readonly stream: NodeJS.WritableStream) {}

  update(progress: JobProgress): void {
    for (const rental of progress.rentals) this.show(rental.workflowId, describeRental(rental));
    if (progress.tasks.total > 0) this.show('tasks', describeTasks(progress));
    if (progress.lastFailure)
      this.show('failure', `${progress.lastFailure.type}: ${progress.lastFailure.message}`);
    if (progress.waitingFor) this.show('waiting', `waits for ${progress.waitingFor}`);
    // Last, so that the end is the last line.
    this.show('phase', `phase: ${progress.phase}`);
  }

  private show(what: string, line: string): void {
    if (this.last.get(what) === line) return;
    this.last.set(what, line);
    this.print(line);
  }

  print(line: string): void {
    this.stream.write(`${line}\n`);
  }

  stop(): void {}
}

class TerminalView implements JobView {
  private readonly bars: MultiBar;
  private readonly tasks: SingleBar;
  private readonly rentals = new Map<number, SingleBar>();
  private lastFailure: string | undefined;
  private waitingFor: string | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.bars = new MultiBar({
      stream,
      format: `${pc.cyan('{bar}')} {text}`,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: 24,
      hideCursor: true,
      clearOnComplete: false,
      stopOnComplete: false,
      gracefulExit: false,
      forceRedraw: true,
      linewrap: false,
      fps: 4,
    });
    this.tasks = this.bars.create(1, 0, { text: 'starting' });
  }

  update(progress: JobProgress): void {
    this.tasks.setTotal(Math.max(1, progress.tasks.total));
    this.tasks.update(progress.tasks.done, {
      text: `${pc.bold(progress.phase)} · ${describeTasks(progress)} · ${pc.dim(describeMoney(progress))}`,
    });
    for (const rental of progress.rentals) {
      let bar = this.rentals.get(rental.n);
      if (rental.state === 'closed' || rental.state === 'failed') {
        // Only rentals that live have a line: a job may have had hundreds.
        if (bar) this.bars.remove(bar);
        this.rentals.delete(rental.n);
        continue;
      }
      if (!bar) {
        bar = this.bars.create(1, 0, {}, { format: '  {text}' });
        this.rentals.set(rental.n, bar);
      }
      const name = `${rental.provider.name.padEnd(14)} ${String(rental.tasksDone).padStart(3)} done`;
      bar.update(0, { text: `${name}  ${doing(rental)}` });
    }
    if (progress.waitingFor !== this.waitingFor && progress.waitingFor !== undefined)
      this.print(pc.yellow(`waits for ${progress.waitingFor}`));
    this.waitingFor = progress.waitingFor;
    const failure = progress.lastFailure && `${progress.lastFailure.type}: ${progress.lastFailure.message}`;
    if (failure !== undefined && failure !== this.lastFailure) {
      this.lastFailure = failure;
      this.print(pc.yellow(failure));
    }
  }

  print(line: string): void {
    this.bars.log(`${line}\n`);
  }

  stop(): void {
    this.bars.update();
    this.bars.stop();
  }
}
