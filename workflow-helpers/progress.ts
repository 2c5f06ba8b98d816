/** Progress of jobs as they signal it to the workflow that has started them. */
import { defineSignal, setHandler } from '@temporalio/workflow';
import type { JobProgress } from '../model/result';

const progressSignal = defineSignal<[JobProgress]>('golemProgress');
const listeners = new Map<string, (progress: JobProgress) => void>();

/**
 * Listens to a job's progress, if anybody wants to know.
 * @returns `notify` belongs into the job's spec
 */
export function told(
  jobId: string,
  onProgress: ((progress: JobProgress) => void) | undefined,
): { notify?: { notify: { signal: string } }; end(): void } {
  if (!onProgress) return { end: () => undefined };
  listeners.set(jobId, onProgress);
  setHandler(progressSignal, (progress) => listeners.get(progress.jobId)?.(progress));
  return { notify: { notify: { signal: progressSignal.name } }, end: () => void listeners.delete(jobId) };
}
