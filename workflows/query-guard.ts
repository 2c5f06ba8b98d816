/**
 * Keeps a query from moving a workflow on. One that waited for a worker, because none was there, comes with all events of
 * that while, and the SDK runs the workflow over them before it answers. The workflow task that is due later then adds only
 * what came since: the workflow has seen in two parts what every later replay shows it in one, its commands may be others,
 * and it is stuck for good. Here such a query fails instead, the SDK forgets what it has read, and the task reads it whole.
 *
 * Loaded by the worker as a module of workflow interceptors.
 */
import { ApplicationFailure, workflowInfo, type WorkflowInterceptors } from '@temporalio/workflow';
import { ASK_AGAIN } from '../model/ask-again';

/** What a workflow task changes; Temporal's numbers as text. */
interface Seen {
  historyLength: number;
  historySize: string;
  time: string;
}

export const interceptors = (): WorkflowInterceptors => {
  let before: Seen | undefined;
  return {
    internals: [
      {
        activate(input, next) {
          const { activation, batchIndex } = input;
          const isQuery = activation.jobs?.some(({ queryWorkflow }) => queryWorkflow) ?? false;
          if (!isQuery && batchIndex === 0) {
            const seen = {
              historyLength: activation.historyLength ?? 0,
              historySize: String(activation.historySizeBytes ?? 0),
              time: `${activation.timestamp?.seconds}.${activation.timestamp?.nanos}`,
            };
            if (before && !activation.isReplaying && isOurs() && isNoTask(before, seen))
              throw ApplicationFailure.nonRetryable(ASK_AGAIN, 'AskAgain');
            before = seen;
          }
          next(input);
        },
      },
    ],
  };
};

/**
 * The event that begins a task tells the time and the size of the history. With new events and neither changed there is
 * none. A server that does not tell the size is trusted.
 */
function isNoTask(before: Seen, now: Seen): boolean {
  const { historyLength, historySize, time } = now;
  if (historySize === '0' || historyLength <= before.historyLength) return false;
  return historySize === before.historySize && time === before.time;
}

/** In a user's own worker: what theirs do is theirs. */
const isOurs = (): boolean => workflowInfo().workflowType.startsWith('golem');
