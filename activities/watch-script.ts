/** Watches a script until it is over: the end of each command is known the moment it ends. */
import type { CommandResult } from '../model/result';
import { fitScriptResults } from '../model/result-size';
import { attempt, RENTED } from './attempt';
import type { GolemActivities, WatchedScript, WatchScriptInput } from './contract';
import type { ActivityEnvironment } from './environment';
import { event } from './events';
import { waitFor } from './wait';
import {
  failure,
  isYagnaError,
  oneLine,
  type BatchResult,
  type Yagna,
  type YagnaError,
  type YagnaErrorKind,
} from './yagna';

/** yagna answers a poll the moment the command ends; this is how long one poll waits. */
const POLL_SEC = 30;
/** Between polls that were answered at once and brought nothing. */
const PAUSE_MS = 1000;
/** Longer, where yagna does not find the provider or its batch: after a restart it takes a while to. */
const TROUBLE_PAUSE_MS = 3000;
/**
 * How long, with yagna there to say so, a provider may be silent or a batch not be found before the VM counts as lost.
 * Whenever yagna itself is away the activity fails, and another attempt begins to count anew.
 */
const PATIENCE_MS = 90_000;
/** A batch that yagna does not know will not be known later. */
const FORGOTTEN_MS = 5_000;

export function scriptWatchActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemWatchScript'> {
  return {
    /**
     * Waits for a script to end and returns what its commands printed.
     *
     * Effect: none.
     * Retry: reads the same batch again.
     * @returns `lost` when the VM is gone, `timedOut` when the deadline has passed and the script still runs
     * @throws YagnaUnavailable - (retried with backoff)
     */
    async golemWatchScript(input) {
      return await attempt(async ({ signal }) => {
        const yagna = env.connections.get(input.job.connection);
        const watched = await watch(yagna, input, signal);
        const { activityId, agreementId, batchId } = input;
        const success = watched.state === 'done';
        return { ...watched, event: event('ScriptExecuted', { activityId, agreementId, batchId, success }) };
      }, RENTED);
    },
  };
}

const TOO_LONG = 'the script ran longer than its time';

/** Errors that may be about the VM. */
const TROUBLES: readonly YagnaErrorKind[] = ['gone', 'notFound', 'server', 'timeout'];

async function watch(yagna: Yagna, input: WatchScriptInput, signal: AbortSignal): Promise<WatchedScript> {
  const { activityId, batchId, commandCount, deadlineMs } = input;
  const pause = waitFor(signal);
  const silence = new Lasting();
  const trouble = new Lasting();
  let next = 0;
  for (;;) {
    const askedMs = Date.now();
    const leftSec = (deadlineMs - askedMs) / 1000;
    let polled: BatchResult[] | 'timeout' | YagnaError;
    try {
      polled = await yagna.batchResults(
        activityId,
        batchId,
        { timeoutSec: Math.max(0, Math.min(POLL_SEC, leftSec)), commandIndex: next },
        signal,
      );
      trouble.end();
    } catch (error) {
      if (!isYagnaError(error) || error.isAway || !TROUBLES.includes(error.kind)) throw error;
      polled = error;
    }
    const isNews = Array.isArray(polled) && polled.length > next;
    if (Array.isArray(polled) && isNews) {
      silence.end();
      const failed = polled.find((result) => result.result === 'Error');
      if (failed) {
        const { lost } = await lookAtVm(yagna, input, signal);
        if (lost) return await over(yagna, input, 'lost', lost, signal);
        const reason = failed.message ?? `command ${failed.index} failed`;
        return await over(yagna, input, 'failed', reason, signal);
      }
      next = polled.length;
      if (next >= commandCount) return await over(yagna, input, 'done', undefined, signal);
      continue;
    }
    // yagna says of a VM that runs that it finds nothing there, for a moment; and a silent provider looks like a busy one.
    const look = await lookAtVm(yagna, input, signal);
    if (look.lost) return await over(yagna, input, 'lost', look.lost, signal);
    if (Date.now() >= deadlineMs) return await over(yagna, input, 'timedOut', TOO_LONG, signal);
    if (look.silent === undefined) silence.end();
    else if (silence.lasts(PATIENCE_MS)) return await over(yagna, input, 'lost', look.silent, signal);
    if (polled instanceof Error) {
      const patience = polled.kind === 'notFound' ? FORGOTTEN_MS : PATIENCE_MS;
      // That nobody answers in time says no more than that the command has not ended.
      if (polled.kind !== 'timeout' && trouble.lasts(patience))
        return await over(yagna, input, 'lost', polled.message, signal);
      await pause.next(TROUBLE_PAUSE_MS);
    } else if (Date.now() - askedMs < PAUSE_MS) await pause.next(PAUSE_MS);
  }
}

/** Something that matters only when it lasts. */
class Lasting {
  private sinceMs: number | undefined;

  /** It is so now. True when it has been for longer than `ms`. */
  lasts(ms: number): boolean {
    this.sinceMs ??= Date.now();
    return Date.now() - this.sinceMs >= ms;
  }

  end(): void {
    this.sinceMs = undefined;
  }
}

/** Neither while the VM lives. */
interface VmLook {
  /** Why the VM is gone. */
  lost?: string;
  /** Why the provider cannot tell. */
  silent?: string;
}

async function lookAtVm(yagna: Yagna, input: WatchScriptInput, signal: AbortSignal): Promise<VmLook> {
  try {
    const found = await yagna.golemActivityState(input.activityId, signal);
    if (!found) return { lost: 'yagna does not know the Golem activity' };
    const [now] = found.state;
    if (now !== 'Terminated' && now !== 'Unresponsive') return {};
    const why = found.errorMessage ?? found.reason;
    return { lost: `the VM is ${now}${why ? `: ${why}` : ''}` };
  } catch (error) {
    if (!isYagnaError(error, 'gone', 'timeout', 'server') || error.isAway) throw error;
    // Where it has an answer to nothing, it is yagna that is in trouble: the batch outlives even its restart.
    if (error.kind === 'server') await yagna.agreement(input.agreementId, signal);
    return { silent: `the provider does not answer: ${error.message}` };
  }
}

/** One last read without waiting brings all commands' output at once. */
async function over(
  yagna: Yagna,
  input: WatchScriptInput,
  state: WatchedScript['state'],
  reason: string | undefined,
  signal: AbortSignal,
): Promise<WatchedScript> {
  let all: BatchResult[] = [];
  try {
    const read = await yagna.batchResults(input.activityId, input.batchId, {}, signal);
    if (read !== 'timeout') all = read;
  } catch (error) {
    if (state === 'done' || state === 'failed') {
      // The script is over, but its output went with the VM.
      if (isYagnaError(error, 'gone', 'notFound'))
        return { state: 'lost', results: [], reason: error.message };
      throw error;
    }
    if (!isYagnaError(error)) throw error;
  }
  if (state === 'done' && all.length < input.commandCount) {
    throw failure('YagnaUnavailable', `yagna returned ${all.length} of ${input.commandCount} results`);
  }
  const results = all.map((result): CommandResult => ({
    index: result.index,
    result: result.result,
    stdout: result.stdout,
    stderr: result.stderr,
    message: result.message === null ? null : oneLine(result.message),
    eventDate: result.eventDate,
  }));
  return {
    state,
    results: fitScriptResults(results, input.outputLimitBytes),
    reason: reason === undefined ? undefined : oneLine(reason),
  };
}
