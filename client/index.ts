/** `golem-temporal/client`: start, follow and end Golem jobs from any Node program. */
export { attach, type AttachedRental, type AttachOptions, type AttachTarget } from './attach';
export { ControlSigner, type SignedFor, type SigningOptions } from './control-signer';
export { signedFor } from './signed-for';
export { detach } from './detach';
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
export type { AttachSpec, Detached } from '../model/attach';
export {
  PERMISSIONS,
  REFUSALS,
  type ControlKey,
  type ControlSpec,
  type Permission,
  type Refusal,
} from '../model/control';
export type { ExecOptions, FollowScriptOptions, RentOptions } from './rentals';
export type { ExecuteScript, ScriptEnd, ScriptOutcome } from '../model/script';
export { DEFAULT_TASK_QUEUE } from '../model/ids';
export type { EventsPage, JobEvent } from './job-events';
export { estimate, inspectYagna, type InspectTarget } from './inspect';
export type { Estimate, YagnaReport } from '../model/inspect';
export type { Costs } from './costs';
export type { JobsOptions, JobsPage, JobStatus, ListedJob } from './job-list';
export { reconcile, scheduleReconcile, unscheduleReconcile, type ReconcileTarget } from './reconcile';
export type { Orphan, OrphanKind, ReconcileInput, ReconcileResult } from '../model/reconcile';
