/** Watches a rental's agreement and VM while nothing else does. */
import { attempt } from './attempt';
import type { GolemActivities, RentalEnded, WatchRentalInput } from './contract';
import type { ActivityEnvironment } from './environment';
import { event } from './events';
import { waitFor } from './wait';
import { isYagnaError, oneLine, type EventStreams, type Yagna } from './yagna';

/** How often the VM's state is read: nothing tells of its end by itself. */
const LOOK_MS = 30_000;
/** Looks in a row at which the provider must be silent before the VM counts as lost. */
const SILENT_LOOKS = 4;

export function rentalWatchActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemWatchRental'> {
  return {
    /**
     * Waits until the agreement or its VM has ended.
     *
     * Effect: none.
     * Retry: looks again.
     * @throws YagnaUnavailable - (retried with backoff)
     */
    async golemWatchRental(input) {
      return await attempt(async ({ signal }) => {
        const { connections } = env;
        const yagna = connections.get(input.job.connection);
        return await watch(yagna, connections.streams(input.job.connection), input, signal);
      });
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
  const unsubscribe = streams.subscribe('agreement', ({ agreementId }) => {
    if (agreementId === input.agreementId) news.wake();
  });
  let silent = 0;
  try {
    for (;;) {
      const look = await lookAt(yagna, input, signal);
      if (look === 'silent') silent += 1;
      else if (look) return look;
      else silent = 0;
      if (silent >= SILENT_LOOKS) return vmEnded(input, 'Unresponsive', 'the provider does not answer');
      await news.next(LOOK_MS);
    }
  } finally {
    unsubscribe();
  }
}

async function lookAt(
  yagna: Yagna,
  input: WatchRentalInput,
  signal: AbortSignal,
): Promise<RentalEnded | 'silent' | undefined> {
  const { agreementId, activityId } = input;
  const agreement = await yagna.agreement(agreementId, signal);
  if (agreement?.state !== 'Approved' || Date.now() > input.validToMs) {
    const why = await yagna.terminationReason(agreementId, signal);
    const by = why?.terminator ? ` by ${why.terminator}` : '';
    const code = why?.reason?.['golem.provider.code'];
    const words = oneLine([code, why?.reason?.message].filter((part) => typeof part === 'string').join(': '));
    const reason = `agreement ${agreement?.state === 'Approved' ? 'Expired' : (agreement?.state ?? 'unknown')}${by}${words ? ` (${words})` : ''}`;
    const ended = event('AgreementTerminated', { id: agreementId, reason, terminator: why?.terminator });
    return { ended: 'agreement', reason, events: [ended] };
  }
  try {
    const found = await yagna.golemActivityState(activityId, signal);
    const state = found?.state[0] ?? 'Unknown';
    if (state !== 'Terminated' && state !== 'Unresponsive' && found) return undefined;
    return vmEnded(input, state, found?.errorMessage ?? found?.reason);
  } catch (error) {
    if (isYagnaError(error, 'timeout', 'server', 'gone')) return 'silent';
    throw error;
  }
}

function vmEnded(
  { activityId, agreementId }: WatchRentalInput,
  state: string,
  why: string | undefined,
): RentalEnded {
  const reason = oneLine(`the VM is ${state}${why ? `: ${why}` : ''}`);
  return {
    ended: 'vm',
    reason,
    events: [event('ActivityStateChanged', { id: activityId, agreementId, state })],
  };
}
