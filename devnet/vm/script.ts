/** One script as it runs: how far it has come, and who listens to what its commands say. Results are in vm-store.ts. */
import { formatNanos, nowNanos } from '../clock';
import type { OutputJson } from './captured-output';
import type { Command } from './exe-script';
import type { ProgressJson } from './progress';

export type EventKind =
  | { started: { command: object } }
  | { finished: { return_code: number; message: string | null } }
  | { progress: ProgressJson }
  | { stdout?: OutputJson; stderr?: OutputJson };

/** As the event stream carries it. */
export interface ScriptEvent {
  batch_id: string;
  index: number;
  timestamp: string;
  kind: EventKind;
}

export class Script {
  /** How many commands have ended, in order. */
  finished = 0;
  failed = false;
  private readonly listeners = new Set<(event: ScriptEvent) => void>();

  constructor(
    readonly batchId: string,
    readonly commands: Command[],
  ) {}

  /** No further command of it will run. */
  get over(): boolean {
    return this.failed || this.finished === this.commands.length;
  }

  /** What happened before is not told again. @returns stops listening. */
  listen(listener: (event: ScriptEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  emit(index: number, kind: EventKind): void {
    const timestamp = formatNanos(nowNanos()).replace('Z', '');
    const event = { batch_id: this.batchId, index, timestamp, kind };
    for (const listener of this.listeners) listener(event);
  }

  finish(index: number, returnCode: number, message: string | null): { eventDate: string } {
    this.finished = index + 1;
    this.failed = returnCode !== 0;
    this.emit(index, { finished: { return_code: returnCode, message } });
    return { eventDate: formatNanos(nowNanos()) };
  }
}
