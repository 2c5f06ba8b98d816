/** Watches a script until it is over: the end of each command is known the moment it ends. */
import { setTimeout as delay } from 'node:timers/promises';
import { attempt } from './attempt';
import type { GolemActivities, WatchedScript, WatchScriptInput } from './contract';
import type { ActivityEnvironment } from './environment';
import { event } from './events';
import { ScriptResults } from './script-results';
import {
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
     * @returns `lost` when the VM is gone or its provider tells nothing that can be believed, `timedOut` when the deadline
     * has passed and the script still runs
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

const TOO_SLOW = 'the script ran longer than its time';

/** Errors that may be about the VM. */
const TROUBLES: readonly YagnaErrorKind[] = ['gone', 'notFound', 'server', 'timeout'];

type Ending = Pick<WatchedScript, 'state' | 'reason' | 'vm'>;

const lost = (reason: string, vm: WatchedScript['vm'] = 'dead'): Ending => ({ state: 'lost', reason, vm });
const tooSlow: Ending = { state: 'timedOut', reason: TOO_SLOW, vm: 'busy' };

async function watch(yagna: Yagna, input: WatchScriptInput, signal: AbortSignal): Promise<WatchedScript> {
  const results = new ScriptResults(input.commandCount, input.outputLimitBytes);
  const { state, reason, vm } = await watchToEnd(yagna, input, results, signal);
  return { state, results: results.all, reason: reason === undefined ? undefined : oneLine(reason), vm };
}

async function watchToEnd(
  yagna: Yagna,
  input: WatchScriptInput,
  results: ScriptResults,
  signal: AbortSignal,
): Promise<Ending> {
  const { activityId, batchId, commandCount, deadlineMs } = input;
  let troubles = 0;
  let silent = 0;
  for (;;) {
    const leftSec = (deadlineMs - Date.now()) / 1000;
    const asked = results.next;
    let polled: BatchResult[] | 'timeout';
    try {
      polled = await yagna.batchResults(
        activityId,
        batchId,
        { timeoutSec: Math.max(0, Math.min(POLL_SEC, leftSec)), commandIndex: asked },
        signal,
      );
      troubles = 0;
    } catch (error) {
      if (!isYagnaError(error)) throw error;
      if (error.kind === 'incompatible')
        return lost(`its results cannot be read: ${error.detail}`, 'unreadable');
      // Whether later commands go on is not known: nothing else is to run there.
      if (error.kind === 'tooLong') {
        return { state: 'failed', reason: `command ${asked} printed too much: ${error.detail}`, vm: 'busy' };
      }
      if (!TROUBLES.includes(error.kind)) throw error;
      // yagna says so for a moment even of a VM that runs; its state tells.
      const look = await lookAtVm(yagna, input, signal);
      if (look.lost) return lost(look.lost);
      if (look.unknown) {
        // Not the VM but yagna is in trouble: the script goes on, and its batch outlives a restart of yagna.
        if (Date.now() < deadlineMs) throw look.unknown;
        return tooSlow;
      }
      troubles += 1;
      if (troubles > PATIENCE) return lost(error.message);
      await delay(1000, undefined, { signal });
      continue;
    }
    if (polled !== 'timeout') {
      const untrue = results.take(polled);
      if (untrue !== undefined)
        return lost(`the provider's results are not the script's: ${untrue}`, 'untrue');
    }
    if (results.next === asked) {
      if (Date.now() >= deadlineMs) return tooSlow;
      // A silent provider answers 408 as well: make sure that the VM is still there.
      const look = await lookAtVm(yagna, input, signal);
      if (look.lost) return lost(look.lost);
      silent = look.unknown || look.unheard ? silent + 1 : 0;
      if (silent >= SILENT_POLLS) {
        return look.unheard ? lost(look.unheard) : lost('the provider does not answer', 'silent');
      }
      // An answer without news that came at once must not make us ask at once again.
      if (polled !== 'timeout') await delay(1000, undefined, { signal });
      continue;
    }
    if (results.last?.result === 'Error') {
      const look = await lookAtVm(yagna, input, signal);
      if (look.lost) return lost(look.lost);
      return { state: 'failed', reason: results.last.message ?? `command ${asked} failed` };
    }
    silent = 0;
    if (results.next >= commandCount) return { state: 'done' };
  }
}

/** None of it while the VM lives. */
interface VmLook {
  /** Why the VM is gone. */
  lost?: string;
  /** The provider has not heard of it, and may hear of it again. */
  unheard?: string;
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
    const reason = `the VM is ${now}${why ? `: ${why}` : ''}`;
    return now === 'Terminated' ? { lost: reason } : { unheard: reason };
  } catch (error) {
    if (isYagnaError(error, 'gone')) return { lost: 'the VM is gone' };
    if (isYagnaError(error, 'timeout', 'server')) return { unknown: error };
    throw error;
  }
}
