/** Watches a script until it is over: the end of each command is known the moment it ends. */
import type { ScriptSoFar } from '../model/script';
import { attempt, RENTED } from './attempt';
import type { GolemActivities, WatchedScript, WatchScriptInput } from './contract';
import { countScript } from './counted';
import type { ActivityEnvironment } from './environment';
import { event } from './events';
import { patienceMs } from './patience';
import { ScriptResults } from './script-results';
import { waitFor } from './wait';
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
/** Between polls that were answered at once and brought nothing. */
const PAUSE_MS = 1000;
/** Longer, where yagna does not find the provider or its batch: after a restart it takes a while to. */
const TROUBLE_PAUSE_MS = 3000;
/**
 * How long, with yagna there to say so, a provider may be silent or a batch not be found before the VM counts as lost;
 * longer where the agreement says so (`patienceMs`). Whenever yagna itself is away the activity fails, and another attempt
 * begins to count anew.
 */
const PATIENCE_MS = 90_000;
/** A batch that yagna does not know will not be known later. */
const FORGOTTEN_MS = 5_000;

export function scriptWatchActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemWatchScript'> {
  return {
    /**
     * Waits for a script to end and returns what its commands printed.
     *
     * Effect: none. Its heartbeats tell the results so far (`ScriptSoFar`).
     * Retry: reads the same batch again.
     * @returns `lost` when the VM is gone or its provider tells nothing that can be believed, `timedOut` when the deadline
     * has passed and the script still runs
     * @throws YagnaUnavailable - (retried with backoff)
     */
    async golemWatchScript(input) {
      return await attempt(async ({ signal, tell }) => {
        const yagna = env.connections.get(input.job.connection);
        return executed(await watch(yagna, input, signal, tell), input);
      }, RENTED);
    },
  };
}

/** Counts a script that is over, and tells of it. */
export function executed(
  watched: WatchedScript,
  { activityId, agreementId, batchId }: Pick<WatchScriptInput, 'activityId' | 'agreementId' | 'batchId'>,
): WatchedScript {
  countScript(watched);
  const success = watched.state === 'done';
  return { ...watched, event: event('ScriptExecuted', { activityId, agreementId, batchId, success }) };
}

const TOO_SLOW = 'the script ran longer than its time';

/** Errors that may be about the VM. */
const TROUBLES: readonly YagnaErrorKind[] = ['gone', 'notFound', 'server', 'timeout'];

type Ending = Pick<WatchedScript, 'state' | 'reason' | 'vm'>;

const lost = (reason: string, vm: WatchedScript['vm'] = 'dead'): Ending => ({ state: 'lost', reason, vm });
const tooSlow: Ending = { state: 'timedOut', reason: TOO_SLOW, vm: 'busy' };

async function watch(
  yagna: Yagna,
  input: WatchScriptInput,
  signal: AbortSignal,
  tell: (soFar: ScriptSoFar) => void,
): Promise<WatchedScript> {
  const { scriptId, offset } = input;
  const results = new ScriptResults(input.commandCount ?? Infinity, input.outputLimitBytes);
  const onResult = (): void => {
    if (scriptId === undefined) return;
    const good = results.newest.filter(({ result }) => offset === undefined || result === 'Ok');
    tell({ scriptId, results: good.map((each) => ({ ...each, index: each.index + (offset ?? 0) })) });
  };
  const { state, reason, vm } = await watchToEnd(yagna, input, results, onResult, signal);
  return { state, results: results.all, reason: reason === undefined ? undefined : oneLine(reason), vm };
}

async function watchToEnd(
  yagna: Yagna,
  input: WatchScriptInput,
  results: ScriptResults,
  onResult: () => void,
  signal: AbortSignal,
): Promise<Ending> {
  const { activityId, batchId, commandCount, deadlineMs } = input;
  // One whose commands nobody counts any more is read whole: what is over already, at once.
  const isWhole = commandCount === undefined;
  let isFirst = true;
  const pause = waitFor(signal);
  const silence = new Lasting();
  const trouble = new Lasting();
  let knownMs: number | undefined;
  const patience = async (): Promise<number> => {
    if (knownMs !== undefined) return knownMs;
    const agreement = await yagna.agreement(input.agreementId, signal);
    return (knownMs = agreement ? patienceMs(PATIENCE_MS, agreement) : PATIENCE_MS);
  };
  for (;;) {
    const askedMs = Date.now();
    const leftSec = (deadlineMs - askedMs) / 1000;
    const asked = results.next;
    let polled: BatchResult[] | 'timeout' | YagnaError;
    try {
      polled = await yagna.batchResults(
        activityId,
        batchId,
        isWhole && isFirst
          ? {}
          : {
              timeoutSec: Math.max(0, Math.min(POLL_SEC, leftSec)),
              commandIndex: isWhole ? undefined : asked,
            },
        signal,
      );
      isFirst = false;
      trouble.end();
    } catch (error) {
      if (!isYagnaError(error)) throw error;
      if (error.kind === 'incompatible')
        return lost(`its results cannot be read: ${error.detail}`, 'unreadable');
      // Whether later commands go on is not known: nothing else is to run there.
      if (error.kind === 'tooLong') {
        return { state: 'failed', reason: `command ${asked} printed too much: ${error.detail}`, vm: 'busy' };
      }
      if (error.isAway || !TROUBLES.includes(error.kind)) throw error;
      polled = error;
    }
    if (Array.isArray(polled)) {
      const untrue = isWhole ? results.takeAll(polled) : results.take(polled);
      if (untrue !== undefined)
        return lost(`the provider's results are not the script's: ${untrue}`, 'untrue');
    }
    const isFinished = isWhole && Array.isArray(polled) && polled.some((each) => each.isBatchFinished);
    if (results.next === asked && !isFinished) {
      // yagna says of a VM that runs that it finds nothing there, for a moment; and a silent provider looks like a busy one.
      const look = await lookAtVm(yagna, input, signal);
      if (look.lost) return lost(look.lost);
      if (Date.now() >= deadlineMs) return tooSlow;
      const unheard = look.unheard ?? look.silent;
      if (unheard === undefined) silence.end();
      else if (silence.lasts(PATIENCE_MS) && silence.lasts(await patience()))
        return look.unheard ? lost(look.unheard) : lost(unheard, 'silent');
      if (polled instanceof Error) {
        // That nobody answers in time says no more than that the command has not ended.
        const isEnough =
          polled.kind === 'notFound'
            ? trouble.lasts(FORGOTTEN_MS)
            : polled.kind !== 'timeout' && trouble.lasts(PATIENCE_MS) && trouble.lasts(await patience());
        if (isEnough) return lost(polled.message);
        await pause.next(TROUBLE_PAUSE_MS);
      } else if (Date.now() - askedMs < PAUSE_MS) await pause.next(PAUSE_MS);
      continue;
    }
    // What has ended altogether its own outcome tells.
    if (isWhole ? !isFinished : results.next < commandCount) onResult();
    if (results.last?.result === 'Error') {
      const look = await lookAtVm(yagna, input, signal);
      if (look.lost) return lost(look.lost);
      return { state: 'failed', reason: results.last.message ?? `command ${asked} failed` };
    }
    silence.end();
    if (isWhole ? isFinished : results.next >= commandCount) return { state: 'done' };
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

/** None of it while the VM lives. */
interface VmLook {
  /** Why the VM is gone. */
  lost?: string;
  /** The provider has not heard of it, and may hear of it again. */
  unheard?: string;
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
    const reason = `the VM is ${now}${why ? `: ${why}` : ''}`;
    return now === 'Terminated' ? { lost: reason } : { unheard: reason };
  } catch (error) {
    if (!isYagnaError(error, 'gone', 'timeout', 'server') || error.isAway) throw error;
    // Where it has an answer to nothing, it is yagna that is in trouble: the batch outlives even its restart.
    if (error.kind === 'server') await yagna.agreement(input.agreementId, signal);
    return { silent: `the provider does not answer: ${error.message}` };
  }
}
