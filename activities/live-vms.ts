/** Which Golem activities under agreements still run, as far as their providers say. */
import type { AgreementId, GolemActivityId } from '../model/ids';
import { eachAtOnce } from './at-once';
import { isYagnaError, unlessNotFound, type Agreement, type Yagna } from './yagna';

/** By agreement. */
export type LiveVms = ReadonlyMap<AgreementId, GolemActivityId[]>;

/** A question waits for a provider that is silent, and burdens yagna little: many can wait at the same time. */
const PROVIDERS_AT_ONCE = 20;

/** A provider that has been silent once is asked no more: after an outage each question would take all its time. */
export async function liveVms(
  yagna: Pick<Yagna, 'golemActivities' | 'golemActivityState'>,
  agreements: readonly Agreement[],
  signal: AbortSignal,
): Promise<LiveVms> {
  const live = new Map<AgreementId, GolemActivityId[]>();
  const byProvider = new Map<string, Agreement[]>();
  for (const agreement of agreements) {
    if (agreement.state !== 'Approved') continue;
    const { providerId } = agreement.offer;
    byProvider.set(providerId, [...(byProvider.get(providerId) ?? []), agreement]);
  }
  const ask = async (ofProvider: Agreement[]): Promise<void> => {
    let isSilent = false;
    for (const { agreementId } of ofProvider) {
      const ids = (await unlessNotFound(yagna.golemActivities(agreementId, signal))) ?? [];
      const running: GolemActivityId[] = [];
      for (const id of ids) {
        try {
          const found = isSilent || (await yagna.golemActivityState(id, signal));
          if (found === true || (found && found.state[0] !== 'Terminated')) running.push(id);
        } catch (error) {
          // Nobody can say that it has ended.
          if (!isYagnaError(error)) throw error;
          isSilent = true;
          running.push(id);
        }
      }
      live.set(agreementId, running);
    }
  };
  await eachAtOnce([...byProvider.values()], ask, PROVIDERS_AT_ONCE);
  return live;
}
