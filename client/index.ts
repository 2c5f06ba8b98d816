/** `golem-temporal/client`: start, follow and end Golem jobs from any Node program. */
export {
  GolemJobError,
  GolemRentalError,
  NoAnswerError,
  UnknownJobError,
  UnknownRentalError,
} from './errors';
export {
  GolemClient,
  type ConnectOptions,
  type EventsOptions,
  type FollowOptions,
  type GolemClientOptions,
  type StartJobOptions,
} from './golem-client';
export type { ExecOptions, FollowScriptOptions, RentOptions } from './rentals';
export type { ExecuteScript, ScriptEnd, ScriptOutcome } from '../model/script';
export { DEFAULT_TASK_QUEUE } from '../model/ids';
export type { EventsPage, JobEvent } from './job-events';
export { reconcile, scheduleReconcile, unscheduleReconcile, type ReconcileTarget } from './reconcile';
export type { Orphan, OrphanKind, ReconcileInput, ReconcileResult } from '../model/reconcile';
