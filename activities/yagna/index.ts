/** The one door to yagna: the port the Temporal activities call, its errors, its event streams. */
export * from './connection';
export {
  again,
  failure,
  isYagnaError,
  oneLine,
  toFailure,
  unlessNotFound,
  untold,
  YagnaError,
  type YagnaErrorFields,
  type YagnaErrorKind,
} from './errors';
export { Documents, type DocumentKind, type DocumentOrigin } from './documents';
export type { CaptureMode, ExeScriptCommand, ExeUnitPort } from './exe-unit';
export type { Approval, DemandBody, MarketPort, ReasonBody } from './market';
export type { ConnectionChange } from './reachability';
export type { RequestDone, RequestOutcome } from './request-span';
export { MIN_YAGNA, supportedVersion } from './version';
export type { DocumentEventsQuery, NewAllocation, PaymentPort, RejectionBody } from './payment';
export { EventStreams, STREAM_POLL_SEC, type StreamEvents, type StreamKind } from './streams';
export type {
  Agreement,
  AgreementEntry,
  AgreementEvent,
  AgreementState,
  Allocation,
  BatchResult,
  DebitNote,
  DebitNoteEvent,
  Demand,
  DemandDecorations,
  DemandEvent,
  GolemActivityState,
  GolemActivityUsage,
  Invoice,
  InvoiceEvent,
  Proposal,
  ProposalEvent,
  ProposalRejectedEvent,
  Reason,
} from './wire';
