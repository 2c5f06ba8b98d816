/** Raising what is reserved for a job, and making it last: one allocation, changed in place. */
import { exact, toAmount } from '../model/amount';
import { allocationsAt } from './allocation';
import { attempt } from './attempt';
import type { Amended, GolemActivities } from './contract';
import type { ActivityEnvironment } from './environment';
import { allocationTimeout } from './marks';
import { failure, isYagnaError, unlessNotFound } from './yagna';

/** yagna looks for what has lapsed every second or two. */
const LAPSE_MS = 2_000;

export function amendmentActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemAmendAllocation'> {
  return {
    /**
     * Sets how much an allocation of the job holds and until when.
     *
     * Effect: it holds at least `total` until at least `endsAtSec`, and is the only one of the job.
     * Retry: reads it first; what an earlier attempt did is done. yagna takes absolute values, so a request that lands
     * late does no harm as long as nothing else is asked for until it cannot land any more: see `retried`.
     * @returns `lapsed` or `released` when it is gone; nothing was changed then
     * @throws BudgetNotReserved - the account holds too little; `details[0]` is true when an earlier attempt may still
     * succeed (not retried)
     */
    async golemAmendAllocation(input) {
      const { job, allocationId, total, payer, endsAtSec, lastsUntilSec, endsAtSecs } = input;
      return await attempt(async ({ signal, retried }) => {
        const yagna = env.connections.get(job.connection);
        const timeouts = endsAtSecs.map((second) => allocationTimeout(job, second));
        for (const other of await allocationsAt(yagna, timeouts, signal))
          if (other.allocationId !== allocationId) await yagna.releaseAllocation(other.allocationId, signal);
        const gone = (): Amended => {
          const state = yagna.now() >= lastsUntilSec * 1000 - LAPSE_MS ? 'lapsed' : 'released';
          return { state, total: '0', retried };
        };
        const now = await yagna.allocation(allocationId, signal);
        if (!now) return gone();
        const timeout = allocationTimeout(job, endsAtSec);
        const change = {
          ...(!payer && exact(now.totalAmount).lt(exact(total)) ? { totalAmount: total } : {}),
          ...(Date.parse(now.timeout) < Date.parse(timeout) ? { timeout } : {}),
        };
        if (Object.keys(change).length === 0)
          return { state: 'live', total: payer ? total : toAmount(exact(now.totalAmount)), retried };
        try {
          const amended = await unlessNotFound(yagna.amendAllocation(allocationId, change, signal));
          if (!amended) return gone();
          return { state: 'live', total: toAmount(exact(amended.totalAmount)), retried };
        } catch (error) {
          if (!isYagnaError(error, 'badRequest') || change.totalAmount === undefined) throw error;
          throw failure('BudgetNotReserved', error.message, [retried]);
        }
      });
    },
  };
}
