/** Reads the name of a failure out of whatever a failed activity or child throws in a workflow. */
import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  TerminatedFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { ClosedWorkflow } from '../activities/contract';

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
  return SETTLEMENT_TERMINATED;
}

const SETTLEMENT_TERMINATED = {
  type: 'SettlementEnded',
  message: 'the settlement of the job was terminated',
};

/** The same, of one that an earlier run of the job has begun. */
export function settlementFailureOfClosed({ how, failure }: ClosedWorkflow): NamedFailure {
  if (how === 'failed' && failure) return failure;
  return how === 'timedOut'
    ? { type: 'Timeout', message: 'the settlement timed out' }
    : SETTLEMENT_TERMINATED;
}

/** Why a workflow that an earlier run has begun did not come to its own end; undefined where it did. */
export function failureOfClosed({ how, failure }: ClosedWorkflow): string | undefined {
  if (how === 'completed') return undefined;
  return failure?.message ?? `the rental workflow was ${CLOSED[how]}`;
}

const CLOSED = {
  failed: 'failed',
  canceled: 'cancelled',
  terminated: 'terminated',
  timedOut: 'timed out',
  unknown: 'deleted',
} as const satisfies Record<Exclude<ClosedWorkflow['how'], 'completed'>, string>;
