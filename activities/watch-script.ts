/** Watches a script until it is over: the end of each command is known the moment it ends. */
import { setTimeout as delay } from 'node:timers/promises';
import type { CommandResult } from '../model/result';
import { fitScriptResults } from '../model/result-size';
import { attempt } from './attempt';
import type { GolemActivities, WatchedScript, WatchScriptInput } from './contract';
import type { ActivityEnvironment } from './environment';
import { event } from './events';
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
/** A poll that failed while yagna says that the VM is there is repeated so often before it counts as lost. */
const PATIENCE = 5;
/** Polls in a row at which the provider must be silent, to yagna's question for the VM too, before it counts as lost. */
const SILENT_POLLS = 4;

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
      });
    },
  };
}

const TOO_LONG = 'the script ran longer than its time';

/** Errors that may be about the VM. */
const TROUBLES: readonly YagnaErrorKind[] = ['gone', 'notFound', 'server', 'timeout'];

async function watch(yagna: Yagna, input: WatchScriptInput, signal: AbortSignal): Promise<WatchedScript> {
  const { activityId, batchId, commandCount, deadlineMs } = input;
  let next = 0;
  let troubles = 0;
  let silent = 0;
  for (;;) {
    const leftSec = (deadlineMs - Date.now()) / 1000;
    let polled: BatchResult[] | 'timeout';
    try {
      polled = await yagna.batchResults(
        activityId,
        batchId,
        { timeoutSec: Math.max(0, Math.min(POLL_SEC, leftSec)), commandIndex: next },
        signal,
      );
      troubles = 0;
    } catch (error) {
      if (!isYagnaError(error) || !TROUBLES.includes(error.kind)) throw error;
      // yagna says so for a moment even of a VM that runs; its state tells.
      const { lost, unknown } = await lookAtVm(yagna, input, signal);
      if (lost) return await over(yagna, input, 'lost', lost, signal);
      if (unknown) {
        // Not the VM but yagna is in trouble: the script goes on, and its batch outlives a restart of yagna.
        if (Date.now() < deadlineMs) throw unknown;
        return await over(yagna, input, 'timedOut', TOO_LONG, signal);
      }
      troubles += 1;
      if (troubles > PATIENCE) return await over(yagna, input, 'lost', error.message, signal);
      await delay(1000, undefined, { signal });
      continue;
    }
    if (polled === 'timeout' || polled.length <= next) {
      if (Date.now() >= deadlineMs) {
        return await over(yagna, input, 'timedOut', TOO_LONG, signal);
      }
      // A silent provider answers 408 as well: make sure that the VM is still there.
      const { lost, unknown } = await lookAtVm(yagna, input, signal);
      silent = unknown ? silent + 1 : 0;
      const gone = silent >= SILENT_POLLS ? 'the provider does not answer' : lost;
      if (gone) return await over(yagna, input, 'lost', gone, signal);
      // An answer without news that came at once must not make us ask at once again.
      if (polled !== 'timeout') await delay(1000, undefined, { signal });
      continue;
    }
    const failed = polled.find((result) => result.result === 'Error');
    if (failed) {
      const { lost } = await lookAtVm(yagna, input, signal);
      if (lost) return await over(yagna, input, 'lost', lost, signal);
      return await over(yagna, input, 'failed', failed.message ?? `command ${failed.index} failed`, signal);
    }
    silent = 0;
    next = polled.length;
    if (next >= commandCount) return await over(yagna, input, 'done', undefined, signal);
  }
}

/** Neither while the VM lives. */
interface VmLook {
  /** Why the VM is gone. */
  lost?: string;
  /** Why yagna cannot tell. */
  unknown?: YagnaError;
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
    if (isYagnaError(error, 'gone')) return { lost: 'the VM is gone' };
    if (isYagnaError(error, 'timeout', 'server')) return { unknown: error };
    throw error;
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
