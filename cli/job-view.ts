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

/** For programs: a line of JSON for each change of what is counted; what it costs alone changes all the time. */
export function jsonView(): JobView {
  let last = '';
  return {
    update(progress) {
      const { cost: _, ...counted } = progress;
      const now = JSON.stringify(counted);
      if (now !== last) console.log(JSON.stringify(progress));
      last = now;
    },
    print: (line) => console.error(line),
    stop: () => undefined,
  };
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

/** `0.0004 more has accrued, 0.12 an hour, enough for 3 h 20 min`; nothing where nothing runs. */
export function describeCost({ cost, rentals }: JobProgress): string {
  if (!rentals.some(isAlive)) return '';
  const lasts = cost.budgetLastsSec === undefined ? '' : `, enough for ${timeText(cost.budgetLastsSec)}`;
  return `${short(cost.accrued)} more has accrued, ${short(cost.perHour)} an hour${lasts}`;
}

/** `3 h 20 min`. */
export function timeText(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** What went wrong last, or what is waited for; undefined when nothing. */
function describeFailure({ lastFailure, phase, rentals }: JobProgress): string | undefined {
  if (!lastFailure) return undefined;
  const { type, message } = lastFailure;
  // As long as the job goes on looking it is none.
  if (type !== 'NoProviders' || phase === 'failed') return `${type}: ${message}`;
  return `${rentals.some(isAlive) ? 'no more providers yet' : 'no provider yet'}: ${message}`;
}

/** The same for what is the same but for how often it was tried, or how many offers were seen. */
const kindOf = (line: string): string =>
  line.replace(/\(attempt \d+, tried again\)/, '').replace(/^(no .*provider.*?: )\d+/, '$1');

const isAlive = ({ state }: RentalProgress): boolean =>
  state !== 'closed' && state !== 'failed' && state !== 'detached';

/** An amount to look at, not to reckon with. */
function short(amount: Decimal.Value): string {
  return new Decimal(amount).toSignificantDigits(4).toFixed();
}

/** `tGLM` on test networks, else `GLM`. */
export function unit(platform: string): string {
  return platform.endsWith('-tglm') ? 'tGLM' : 'GLM';
}

export function describeRental(rental: RentalProgress): string {
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
    const failure = describeFailure(progress);
    if (failure !== undefined) this.show('failure', failure, kindOf(failure));
    if (progress.waitingFor) this.show('waiting', `waits for ${progress.waitingFor}`);
    // Last, so that the end is the last line.
    this.show('phase', `phase: ${progress.phase}`);
  }

  /** @param kind - a line of the same kind is not printed again */
  private show(what: string, line: string, kind = line): void {
    if (this.last.get(what) === kind) return;
    this.last.set(what, kind);
    this.print(line);
  }

  print(line: string): void {
    this.stream.write(`${line}\n`);
  }

  stop(): void {}
}

/** Columns. */
const BAR_SIZE = 24;

class TerminalView implements JobView {
  private readonly bars: MultiBar;
  private readonly tasks: SingleBar;
  /** Below them, so that they are seen on a terminal of a usual width. */
  private readonly money: SingleBar;
  private readonly cost: SingleBar;
  private readonly rentals = new Map<number, SingleBar>();
  private lastFailure: string | undefined;
  private waitingFor: string | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.bars = new MultiBar({
      stream,
      format: `${pc.cyan('{bar}')} {text}`,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      barsize: BAR_SIZE,
      hideCursor: true,
      clearOnComplete: false,
      stopOnComplete: false,
      gracefulExit: false,
      forceRedraw: true,
      linewrap: false,
      fps: 4,
    });
    this.tasks = this.bars.create(1, 0, { text: 'starting' });
    const isText = { format: `${' '.repeat(BAR_SIZE)} {text}` };
    this.money = this.bars.create(1, 0, { text: '' }, isText);
    this.cost = this.bars.create(1, 0, { text: '' }, isText);
  }

  update(progress: JobProgress): void {
    this.tasks.setTotal(Math.max(1, progress.tasks.total));
    this.tasks.update(progress.tasks.done, {
      text: `${pc.bold(progress.phase)} · ${describeTasks(progress)}`,
    });
    this.money.update(0, { text: pc.dim(describeMoney(progress)) });
    this.cost.update(0, { text: pc.dim(describeCost(progress)) });
    for (const rental of progress.rentals) {
      let bar = this.rentals.get(rental.n);
      if (!isAlive(rental)) {
        // Only rentals that live have a line: a job may have had hundreds.
        if (bar) this.bars.remove(bar);
        this.rentals.delete(rental.n);
        continue;
      }
      if (!bar) {
        bar = this.bars.create(1, 0, {});
        this.rentals.set(rental.n, bar);
      }
      // Its share of the tasks.
      bar.setTotal(Math.max(1, progress.tasks.total));
      const name = `${rental.provider.name.padEnd(14)} ${String(rental.tasksDone).padStart(3)} done`;
      bar.update(rental.tasksDone, { text: `${name}  ${doing(rental)}` });
    }
    if (progress.waitingFor !== this.waitingFor && progress.waitingFor !== undefined)
      this.print(pc.yellow(`waits for ${progress.waitingFor}`));
    this.waitingFor = progress.waitingFor;
    const failure = describeFailure(progress);
    if (failure !== undefined && kindOf(failure) !== this.lastFailure) {
      this.lastFailure = kindOf(failure);
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
