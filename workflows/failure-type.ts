/** Reads the name of a failure out of whatever a failed activity or child throws in a workflow. */
import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/workflow';

export interface NamedFailure {
  type: string;
  message: string;
  details?: unknown[] | null;
}

export function namedFailure(error: unknown): NamedFailure {
  const cause =
    error instanceof ActivityFailure || error instanceof ChildWorkflowFailure ? error.cause : error;
  if (cause instanceof ApplicationFailure) {
    return { type: cause.type ?? 'Error', message: cause.message, details: cause.details };
  }
  if (cause instanceof TimeoutFailure) return { type: 'Timeout', message: cause.message };
  return { type: 'Error', message: cause instanceof Error ? cause.message : String(cause) };
}

/** Why a settlement ended before its job. */
export function settlementFailureOf(error: unknown): NamedFailure {
  if (!(error instanceof ChildWorkflowFailure) || !(error.cause instanceof TerminatedFailure))
    return namedFailure(error);
  return { type: 'SettlementEnded', message: 'the settlement of the job was terminated' };
}
