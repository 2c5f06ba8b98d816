/** The Temporal activities of this package: every side effect on yagna, each safe to be retried. */
import type { GolemActivities } from './contract';
import { agreementActivities } from './agreement';
import { allocationActivities } from './allocation';
import { amendmentActivities } from './amend-allocation';
import { attachActivities } from './attach';
import { avoidActivities } from './avoid';
import { cleanUpActivities } from './clean-up';
import { decisionActivities } from './decide';
import type { ActivityEnvironment } from './environment';
import { marketScanActivities } from './inspect-market';
import { yagnaReportActivities } from './inspect-yagna';
import { negotiationActivities } from './negotiate';
import { orphanActivities } from './find-orphans';
import { prepareActivities } from './prepare';
import { rentalCallActivities } from './rental-calls';
import { rentalWatchActivities } from './watch-rental';
import { scriptWatchActivities } from './watch-script';
import { settlementWatchActivities } from './watch-settlement';
import { controlActivities } from './verify-control';
import { workflowWatchActivities } from './watch-workflows';
import { taskFileActivities } from './tasks-file';
import { vmActivities } from './vm';

export type { GolemActivities } from './contract';
export type { ActivityEnvironment } from './environment';
export { DEFAULT_CONNECTION } from '../model/ids';
export {
  Connections,
  DEFAULT_API_URL,
  type ConnectionChange,
  type RequestDone,
  type RequestOutcome,
} from './yagna';

/** All activities over one environment; register them on both task queues. */
export function createGolemActivities(env: ActivityEnvironment): GolemActivities {
  return {
    ...prepareActivities(env),
    ...allocationActivities(env),
    ...amendmentActivities(env),
    ...negotiationActivities(env),
    ...agreementActivities(env),
    ...vmActivities(env),
    ...scriptWatchActivities(env),
    ...rentalWatchActivities(env),
    ...settlementWatchActivities(env),
    ...decisionActivities(env),
    ...cleanUpActivities(env),
    ...orphanActivities(env),
    ...marketScanActivities(env),
    ...yagnaReportActivities(env),
    ...attachActivities(env),
    ...avoidActivities(env),
    ...controlActivities(),
    ...workflowWatchActivities,
    ...rentalCallActivities,
    ...taskFileActivities,
  };
}
