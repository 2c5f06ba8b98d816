/** Watches a rental's agreement and VM while nothing else does. */
import { providerOf } from '../model/offer';
import type { ProviderInfo } from '../model/result';
import { endOfAgreement, isOver } from './agreement-end';
import { attempt } from './attempt';
import type { GolemActivities, RentalEnded, WatchRentalInput } from './contract';
import type { ActivityEnvironment } from './environment';
import { stateChanged } from './events';
import { beginWatch, lookEveryMs } from './look-pace';
import { patienceMs } from './patience';
import { waitFor } from './wait';
import { isYagnaError, oneLine, type EventStreams, type Yagna } from './yagna';

/** How often the VM's state is read, at the most: nothing tells of its end by itself. */
const LOOK_MS = 30_000;
/**
 * So long must the provider be silent, look after look, before the VM counts as lost; longer where the agreement says so
 * (`patienceMs`).
 */
const SILENT_MS = 4 * LOOK_MS;

export function rentalWatchActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemWatchRental'> {
  return {
    /**
     * Waits until the agreement or its VM has ended.
     *
     * Effect: none.
     * Retry: looks again.
     * @throws YagnaUnavailable - (retried with backoff)
     * @throws YagnaUnauthorized - (retried with backoff until the agreement's end)
     */
    async golemWatchRental(input) {
      return await attempt(
        async ({ signal }) => {
          const { connections } = env;
          const yagna = connections.get(input.job.connection);
          return await watch(yagna, connections.streams(input.job.connection), input, signal);
        },
        { awaitsKey: Date.now() < input.validToMs },
      );
    },
  };
}

async function watch(
  yagna: Yagna,
  streams: EventStreams,
  input: WatchRentalInput,
  signal: AbortSignal,
): Promise<RentalEnded> {
  const news = waitFor(signal);
  /** Something may have happened to the agreement since it was read. */
  let isToRead = true;
  const unsubscribe = streams.subscribe('agreement', ({ agreementId }) => {
    if (agreementId !== input.agreementId) return;
    isToRead = true;
    news.wake();
  });
  const endWatch = beginWatch();
  /** Looks in a row at which the provider was silent. */
  let silent = 0;
  try {
    for (;;) {
      const isDue = isToRead || silent > 0 || yagna.now() >= input.validToMs;
      isToRead = false;
      const isWell = !isDue && (await vmIsWell(yagna, input, signal));
      const look = isWell ? undefined : await lookAt(yagna, input, signal);
      silent = look?.isSilence ? silent + 1 : 0;
      if (look && (!look.isSilence || silent * LOOK_MS >= look.patienceMs)) return look.ended;
      await news.next(silent > 0 ? LOOK_MS : lookEveryMs(LOOK_MS));
    }
  } finally {
    endWatch();
    unsubscribe();
  }
}

interface Look {
  ended: RentalEnded;
  /** The provider did not answer: only several such looks in a row say that the VM has ended. */
  isSilence: boolean;
  patienceMs: number;
}

/** Of the end of the agreement an event tells: as long as the VM is well, its state is enough. */
async function vmIsWell(
  yagna: Yagna,
  { activityId }: WatchRentalInput,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const found = await yagna.golemActivityState(activityId, signal);
    return found !== undefined && isAlive(found.state[0]);
  } catch (error) {
    if (!isYagnaError(error) || error.isAway) throw error;
    return false;
  }
}

const isAlive = (state: string): boolean => state !== 'Terminated' && state !== 'Unresponsive';

/** Undefined while all is well. */
async function lookAt(yagna: Yagna, input: WatchRentalInput, signal: AbortSignal): Promise<Look | undefined> {
  const { agreementId, activityId } = input;
  const agreement = await yagna.agreement(agreementId, signal);
  if (!agreement || isOver(yagna, agreement)) {
    const ended = await endOfAgreement(yagna, agreementId, agreement, signal);
    return { ended, isSilence: false, patienceMs: 0 };
  }
  const provider = providerOf(agreement.offer);
  const patience = { patienceMs: patienceMs(SILENT_MS, agreement) };
  try {
    const found = await yagna.golemActivityState(activityId, signal);
    const state = found?.state[0] ?? 'Unknown';
    if (isAlive(state) && found) return undefined;
    const why = found?.errorMessage ?? found?.reason;
    // One that its provider has not heard of may be heard of again.
    return { ended: vmEnded(input, provider, state, why), isSilence: state === 'Unresponsive', ...patience };
  } catch (error) {
    // A yagna that is away says nothing about the provider.
    if (!isYagnaError(error, 'timeout', 'server', 'gone') || error.isAway) throw error;
    const ended = vmEnded(input, provider, 'Unresponsive', 'the provider does not answer');
    return { ended: { ...ended, ended: 'silent' }, isSilence: true, ...patience };
  }
}

function vmEnded(
  { activityId, agreementId }: WatchRentalInput,
  provider: ProviderInfo,
  state: string,
  why: string | undefined,
): RentalEnded {
  const reason = oneLine(`the VM is ${state}${why ? `: ${why}` : ''}`);
  return { ended: 'vm', reason, events: [stateChanged(activityId, agreementId, provider, state)] };
}
