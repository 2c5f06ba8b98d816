/**
 * Ready-made latencies. `recorded` has those of a real yagna 0.17.6 with a real ya-provider on one machine (loopback):
 * the medians of its recorded calls, where a call of the devnet itself takes next to nothing.
 */
import type { ProviderConfig } from './config';

export const PROFILES = {
  /** Everything happens at once. */
  instant: { provider: {}, rebroadcastSec: 240 },
  recorded: {
    provider: {
      // First offers came 5 to 6 ms after the demand.
      offerDelaySec: 0.005,
      // Proposals were answered within 30 to 100 ms, most of them after 65.
      negotiateSec: 0.065,
      // `wait` took 82 ms after a confirmation of 21 ms; agreements were approved within 50 to 110 ms.
      approveSec: 0.08,
      // POST and DELETE of an activity: 769 and 765 ms.
      createSec: 0.77,
      destroySec: 0.765,
      // `deploy` and `start` in one script: 105 to 146 ms until both results were there.
      deploySec: 0.08,
      startSec: 0.03,
      invoiceDelaySec: 1,
    },
    // The recorded network's; a real one has 240.
    rebroadcastSec: 15,
  },
} satisfies Record<string, { provider: Partial<ProviderConfig>; rebroadcastSec: number }>;

export type Profile = keyof typeof PROFILES;

export const PROFILE_NAMES = Object.keys(PROFILES) as [Profile, ...Profile[]];
