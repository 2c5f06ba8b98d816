/** Reserving a job's budget on yagna and giving it back. */
import { failure, isYagnaError, type Allocation, type Yagna } from './yagna';
import { attempt } from './attempt';
import type { GolemActivities, JobRef, ReserveInput, TooLongForDeposit } from './contract';
import type { ActivityEnvironment } from './environment';
import { addAmounts, exact, ExactDecimal, toAmount } from '../model/amount';
import type { Amount, Timestamp } from '../model/ids';
import { amounts, event } from './events';
import { allocationTimeout, sameTime } from './marks';
import { beginningOfGiven } from './ours';
import { checkPrepaid } from './payer';

/** What bears one of the job's marks, the oldest first. */
export async function allocationsAt(
  yagna: Yagna,
  timeouts: readonly Timestamp[],
  signal: AbortSignal,
): Promise<Allocation[]> {
  const all = await yagna.allocations(signal);
  return all
    .filter((allocation) => timeouts.some((timeout) => sameTime(allocation.timeout, timeout)))
    .sort((a, b) => (a.timestamp < b.timestamp ? -1 : a.timestamp > b.timestamp ? 1 : 0));
}

/** What was taken from allocations that are gone, by yagna's own books where it tells them. */
async function spentFrom(
  yagna: Yagna,
  { allocationIds, accepted }: NonNullable<ReserveInput['replaces']>,
  signal: AbortSignal,
): Promise<Amount> {
  const spent = await Promise.all(allocationIds.map((id) => yagna.spentFrom(id, signal)));
  const told = spent.filter((amount) => amount !== undefined);
  return told.length === spent.length ? addAmounts(told) : accepted;
}

/** Until when the deposit is valid, where it is not for as long as the allocation was to last. */
function depositEndMs(error: unknown): number | undefined {
  if (!isYagnaError(error)) return undefined;
  const endMs = Date.parse(String(error.problem['depositTimeout']));
  return Number.isNaN(endMs) ? undefined : endMs;
}

/** The least that can be reserved: where somebody else pays, an allocation only says on which platform. */
const LEAST = '0.000000000000000001';

/** yagna's words for a platform that it does not have are not about money. */
async function reserve(
  yagna: Yagna,
  request: Parameters<Yagna['createAllocation']>[0],
  signal: AbortSignal,
): Promise<Allocation> {
  try {
    return await yagna.createAllocation(request, signal);
  } catch (error) {
    const lastsUntilMs = depositEndMs(error);
    if (isYagnaError(error, 'badRequest') && request.deposit && lastsUntilMs !== undefined) {
      const shorter: TooLongForDeposit = { depositEndsAtSec: Math.floor(lastsUntilMs / 1000) - 1 };
      throw failure('BudgetNotReserved', error.message, [shorter]);
    }
    if (!isYagnaError(error, 'badRequest') || !/Payment platform doesn't parse/.test(error.detail))
      throw error;
    const message = `yagna has no payment platform ${request.paymentPlatform}: check budget.network, driver and token`;
    throw failure('InvalidJobSpec', message, [message]);
  }
}

export function allocationActivities(
  env: ActivityEnvironment,
): Pick<GolemActivities, 'golemReserveAllocation' | 'golemReleaseAllocation'> {
  const yagnaOf = (job: JobRef): Yagna => env.connections.get(job.connection);

  return {
    /**
     * Reserves the budget of a job, or what is left of it once an allocation of it has lapsed.
     *
     * Effect: one allocation, marked by its `timeout`.
     * Retry, and where one may exist: looks for it, creates it if there is none, looks again, keeps the oldest and
     * releases the rest.
     * @throws BudgetNotReserved - yagna refused it (too little on the account or the deposit), or the broker that pays has
     * no such deposit; `details[0]` is `TooLongForDeposit` where a shorter life would do
     * @throws InvalidJobSpec - yagna has no such payment platform (not retried)
     */
    async golemReserveAllocation(input) {
      const { job, amount, platform, endsAtSec, mayExist = false, replaces, payer, deposit } = input;
      return await attempt(
        async ({ signal, retried }) => {
          const yagna = yagnaOf(job);
          const timeout = allocationTimeout(job, endsAtSec);
          const spentBefore = replaces ? await spentFrom(yagna, replaces, signal) : '0';
          const left = ExactDecimal.max(0, exact(amount).minus(exact(spentBefore)));
          let found = retried || mayExist ? await allocationsAt(yagna, [timeout], signal) : [];
          if (found.length === 0) {
            const address = (await yagna.me(signal)).identity;
            // Later on, part of what was prepaid for the job is gone: to its providers.
            if (payer && !replaces && !mayExist)
              await checkPrepaid(payer, { requestor: address, platform, amount }, signal);
            const request = {
              totalAmount: payer ? LEAST : toAmount(left),
              ...{ paymentPlatform: platform, address, timeout, deposit },
            };
            const created = await reserve(yagna, request, signal);
            found = retried ? await allocationsAt(yagna, [timeout], signal) : [created];
            // Without its mark nobody would find it again, and each retry would reserve the budget once more.
            if (found.length === 0) await yagna.releaseAllocation(created.allocationId, signal);
          }
          const [kept, ...rest] = found;
          if (!kept) {
            throw failure('YagnaIncompatible', 'yagna does not list the allocation that it has just created');
          }
          for (const extra of rest) await yagna.releaseAllocation(extra.allocationId, signal);
          return {
            allocationId: kept.allocationId,
            total: payer ? amount : toAmount(exact(kept.totalAmount)),
            at: (await beginningOfGiven(yagna, job, signal)) ?? kept.timestamp,
            event: event('AllocationCreated', {
              id: kept.allocationId,
              platform,
              ...amounts(kept.totalAmount),
            }),
            retried,
            spentBefore,
          };
        },
        { names: { badRequest: 'BudgetNotReserved' } },
      );
    },

    /**
     * Releases whatever is left of a job's budget.
     *
     * Effect: none of the job's allocations is left.
     * Retry: releasing a released one is a success.
     */
    async golemReleaseAllocation({ job, endsAtSecs }) {
      return await attempt(async ({ signal }) => {
        const yagna = yagnaOf(job);
        const timeouts = endsAtSecs.map((endsAtSec) => allocationTimeout(job, endsAtSec));
        const found = await allocationsAt(yagna, timeouts, signal);
        for (const { allocationId } of found) await yagna.releaseAllocation(allocationId, signal);
        return {
          events: found.map(({ allocationId, spentAmount }) =>
            event('AllocationReleased', { id: allocationId, ...amounts(spentAmount) }),
          ),
          empty: found.length === 0,
        };
      });
    },
  };
}
