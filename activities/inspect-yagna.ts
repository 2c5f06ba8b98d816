/** How the yagna of a connection is, for whoever asks without its app key: whatever is wrong is told, and nothing thrown. */
import { ApplicationFailure } from '@temporalio/common';
import type { Funds, YagnaReport } from '../model/inspect';
import { paymentPlatform } from '../model/job';
import { completePlatform } from '../model/spec';
import { DEFAULT_CONNECTION } from '../model/ids';
import { attempt } from './attempt';
import type { GolemActivities } from './contract';
import type { ActivityEnvironment } from './environment';
import { isYagnaError, supportedVersion, toFailure, type Yagna } from './yagna';

export function yagnaReportActivities(env: ActivityEnvironment): Pick<GolemActivities, 'golemInspectYagna'> {
  return {
    /**
     * Asks a yagna for its version, its identity, its funds and its allocations.
     *
     * Effect: none.
     * @throws UnknownConnection - (not retried)
     */
    async golemInspectYagna({ connection = DEFAULT_CONNECTION, network }) {
      return await attempt(async ({ signal }) => {
        const yagna = env.connections.get(connection);
        const report: YagnaReport = {
          ...{ connection, connections: env.connections.names(), url: env.connections.urlOf(connection) },
          ...{ funds: [], allocations: [] },
        };
        try {
          report.version = await supportedVersion(yagna, signal);
          report.identity = (await yagna.me(signal)).identity;
          const allocations = await yagna.allocations(signal);
          report.allocations = allocations.map((allocation) => ({
            allocationId: allocation.allocationId,
            platform: allocation.paymentPlatform,
            total: allocation.totalAmount,
            remaining: allocation.remainingAmount,
            madeAt: allocation.timestamp,
            endsAt: allocation.timeout,
          }));
          const usual = paymentPlatform(completePlatform({ network }, env.specSettings));
          const platforms = new Set([usual, ...report.allocations.map(({ platform }) => platform)]);
          for (const platform of platforms)
            report.funds.push(await fundsOf(yagna, platform, report.identity, signal));
        } catch (error) {
          signal.throwIfAborted();
          const failed = toFailure(error);
          if (!(failed instanceof ApplicationFailure)) throw failed;
          report.problem = { type: failed.type ?? 'Error', message: failed.message };
        }
        return report;
      });
    },
  };
}

async function fundsOf(yagna: Yagna, platform: string, address: string, signal: AbortSignal): Promise<Funds> {
  try {
    return { platform, ...(await yagna.funds(platform, address, signal)) };
  } catch (error) {
    if (!isYagnaError(error) || error.isAway || error.status === 401) throw error;
    return { platform, problem: error.message };
  }
}
