/** golem-temporal: Golem Network jobs as durable Temporal workflows. What most programs need, from one door. */
export * from './client/index';
export {
  GolemEventNotice,
  GolemPlugin,
  runWorker,
  type GolemEventDetail,
  type GolemPluginOptions,
  type RunWorkerOptions,
} from './worker/index';
export { EVENT_NAMES, type EventName, type GolemEvent } from './model/events';
export { FAILURES, type FailureKind, type FailureType } from './model/failures';
export type { WrittenSpec as JobSpec } from './model/spec-schema';
export type {
  AgreementMoney,
  CommandResult,
  JobPhase,
  JobProgress,
  JobResult,
  LastFailure,
  Money,
  ProviderInfo,
  RentalProgress,
  SettlementProgress,
  SettlementResult,
  TaskAttempt,
  TaskResult,
} from './model/result';
