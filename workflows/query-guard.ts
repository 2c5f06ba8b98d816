/**
 * Keeps a query from moving a workflow on. One that waited for a worker, because none was there, comes with all events of
 * that while, and the SDK runs the workflow over them before it answers. The workflow task that is due later then adds only
 * what came since: the workflow has seen in two parts what every later replay shows it in one, its commands may be others,
 * and it is stuck for good. Here such a query fails instead, the SDK forgets what it has read, and the task reads it whole.
 */
import {
  ApplicationFailure,
  defaultPayloadConverter,
  type ActivateInput,
  type WorkflowInternalsInterceptor,
} from '@temporalio/workflow';
import { ASK_AGAIN, OF_CLOSED } from '../model/ask-again';

/** What a workflow task changes; Temporal's numbers as text. */
interface Seen {
  historyLength: number;
  historySize: string;
  time: string;
}

type Query = NonNullable<NonNullable<ActivateInput['activation']['jobs']>[number]['queryWorkflow']>;

export function queryGuard(): WorkflowInternalsInterceptor {
  let before: Seen | undefined;
  /** It has run over events that no task has brought. */
  let isAhead = false;
  return {
    activate(input, next) {
      const { activation, batchIndex } = input;
      if (batchIndex > 0) {
        next(input);
        return;
      }
      const queries = (activation.jobs ?? []).flatMap(({ queryWorkflow }) => queryWorkflow ?? []);
      if (isAhead && !queries.some(isOfClosed)) throw ApplicationFailure.nonRetryable(ASK_AGAIN, 'AskAgain');
      if (queries.length === 0) {
        const seen = {
          historyLength: activation.historyLength ?? 0,
          historySize: String(activation.historySizeBytes ?? 0),
          time: `${activation.timestamp?.seconds}.${activation.timestamp?.nanos}`,
        };
        isAhead = before !== undefined && !activation.isReplaying && isNoTask(before, seen);
        before = seen;
      }
      next(input);
    },
  };
}

/** Whoever asks knows that no task will come any more. */
function isOfClosed({ arguments: given }: Query): boolean {
  const last = given?.at(-1);
  return last !== undefined && defaultPayloadConverter.fromPayload(last) === OF_CLOSED;
}

/**
 * The event that begins a task tells the time and the size of the history. With new events and neither changed there is
 * none. A server that does not tell the size is trusted.
 */
function isNoTask(before: Seen, now: Seen): boolean {
  const { historyLength, historySize, time } = now;
  if (historySize === '0' || historyLength <= before.historyLength) return false;
  return historySize === before.historySize && time === before.time;
}
