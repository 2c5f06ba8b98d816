/**
 * What a workflow that has rented a VM asks of it. A workflow can send no Update to another one, so activities of ours do, on
 * the queue of the long polls. Plain types, for both ends.
 */
import type { ExecuteScript, ScriptOutcome } from './script';

export interface RentalCalls {
  /** Waits until a rental of the job has its VM up. */
  golemAwaitVm(input: { jobId: string }): Promise<{ rentalId: string }>;
  /** Runs a script in a rental's VM, and waits for what it comes to. */
  golemRunScript(input: {
    rentalId: string;
    script: ExecuteScript & { scriptId: string };
  }): Promise<ScriptOutcome>;
  /** Ends a job in good order. */
  golemTerminateJob(input: { jobId: string; reason?: string }): Promise<void>;
}
