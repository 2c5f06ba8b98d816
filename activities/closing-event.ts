/**
 * How a workflow closed, by Temporal's own long poll for its closing event: nothing depends on what it managed to say
 * before. One that continues as new is followed to its last run.
 */
import type { Client } from '@temporalio/client';
import type { ClosedWorkflow, StartedWorkflow } from './contract';
import { describe, firstRunOf, isNotFound } from './known-workflow';
import { lookEveryMs } from './look-pace';
import { waitFor, type Wait } from './wait';

/** Of Temporal's API, as far as they matter here: `EventType`, and `HistoryEventFilterType`. */
const COMPLETED = 2;
const FAILED = 3;
const TIMED_OUT = 4;
const CANCELED = 21;
const TERMINATED = 27;
const CONTINUED_AS_NEW = 28;
const CLOSE_EVENT = 2;

export type Closing = Omit<ClosedWorkflow, 'workflowId'>;

/** True when it could not run its own clean-up. */
export const isAbrupt = ({ how }: Closing): boolean =>
  how === 'terminated' || how === 'timedOut' || how === 'unknown';

/** All who wait for the same workflow share one poll, which goes on as long as somebody does. */
interface Poll {
  closing: Promise<Closing>;
  /** Resolves when the workflow is known to run still. */
  running: Promise<void>;
  waiting: number;
  /** Between two polls, where the process has very many watches. Whoever comes newly need not wait for it. */
  rest: Wait;
}

/** Temporal answers such a poll after so long that nothing has come. */
const POLL_MS = 20_000;

/** A worker's own connection cannot call a request off. */
const polls = new WeakMap<object, Map<string, Poll>>();

/**
 * Waits for a workflow to close.
 * @param firstRunId of the first of its runs
 * @param onWaiting called when it still runs: it may take long from now on
 */
export async function closingOf(
  client: Client,
  { workflowId, runId: firstRunId }: StartedWorkflow,
  signal: AbortSignal,
  onWaiting: () => void = () => undefined,
): Promise<Closing> {
  signal.throwIfAborted();
  const open = polls.get(client.connection) ?? new Map<string, Poll>();
  polls.set(client.connection, open);
  const key = `${client.options.namespace} ${workflowId} ${firstRunId}`;
  const poll = open.get(key) ?? startPoll(client, workflowId, firstRunId, () => open.delete(key));
  open.set(key, poll);
  poll.waiting += 1;
  poll.rest.wake();
  try {
    void poll.running.then(onWaiting);
    return await unlessAborted(signal, poll.closing);
  } finally {
    poll.waiting -= 1;
    if (poll.waiting === 0) poll.rest.wake();
  }
}

async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function startPoll(client: Client, workflowId: string, firstRunId: string, over: () => void): Poll {
  let tell = (): void => undefined;
  const running = new Promise<void>((resolve) => (tell = resolve));
  const rest = waitFor(new AbortController().signal);
  const isWantedAfterRest = async (): Promise<boolean> => {
    const restMs = lookEveryMs(POLL_MS) - POLL_MS;
    if (restMs > 0 && poll.waiting > 0) await rest.next(restMs);
    return poll.waiting > 0;
  };
  const closing = readWhenClosed(client, workflowId, firstRunId, isWantedAfterRest, () => tell()).finally(
    over,
  );
  // Whoever waits is told; the last may just have gone.
  closing.catch(() => undefined);
  const poll: Poll = { closing, running, waiting: 0, rest };
  return poll;
}

async function readWhenClosed(
  client: Client,
  workflowId: string,
  firstRunId: string,
  isWantedAfterRest: () => Promise<boolean>,
  onRunning: () => void,
): Promise<Closing> {
  const newest = await describe(client, workflowId);
  const isSame = newest !== undefined && firstRunOf(newest) === firstRunId;
  // Runs before its newest may be deleted already. Where the id is used again, it is certainly over.
  let runId = isSame ? newest.runId : firstRunId;
  let nextPageToken: Uint8Array | undefined;
  // The question for its closing event waits for one, whatever it is told.
  if (isSame && newest.status.name === 'RUNNING') onRunning();
  for (;;) {
    try {
      const answer = await client.workflowService.getWorkflowExecutionHistory({
        namespace: client.options.namespace,
        execution: { workflowId, runId },
        waitNewEvent: true,
        historyEventFilterType: CLOSE_EVENT,
        skipArchival: true,
        nextPageToken,
      });
      const closing = answer.history?.events?.[0];
      if (!closing) {
        if (!(await isWantedAfterRest())) throw new Error('nobody waits any more');
        nextPageToken = answer.nextPageToken?.length ? answer.nextPageToken : undefined;
        continue;
      }
      if (closing.eventType !== CONTINUED_AS_NEW) return readClosing(closing);
      const next = closing.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
      if (!next) return { how: 'unknown' };
      runId = next;
      nextPageToken = undefined;
    } catch (error) {
      if (isNotFound(error)) return { how: 'unknown' };
      throw error;
    }
  }
}

type History = Awaited<ReturnType<Client['workflowService']['getWorkflowExecutionHistory']>>['history'];
type HistoryEvent = NonNullable<NonNullable<History>['events']>[number];

function readClosing(event: HistoryEvent): Closing {
  switch (event.eventType) {
    case COMPLETED:
      return { how: 'completed' };
    case FAILED: {
      const failure = event.workflowExecutionFailedEventAttributes?.failure;
      const cause = failure?.applicationFailureInfo ? failure : (failure?.cause ?? failure);
      const type = cause?.applicationFailureInfo?.type || 'Error';
      return { how: 'failed', failure: { type, message: cause?.message ?? '' } };
    }
    case CANCELED:
      return { how: 'canceled' };
    case TERMINATED:
      return { how: 'terminated' };
    case TIMED_OUT:
      return { how: 'timedOut' };
    default:
      return { how: 'unknown' };
  }
}
