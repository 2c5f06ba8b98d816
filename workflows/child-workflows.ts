/** Starting the workflows that outlive a job, and signals to workflows that may be over. */
import {
  ApplicationFailure,
  CancellationScope,
  ChildWorkflowCancellationType,
  ParentClosePolicy,
  isCancellation,
  startChild,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { rentalId, settlementId } from '../model/ids';
import { golemRental } from './golem-rental';
import { golemSettlement } from './golem-settlement';
import type { RentalInput, SettlementInput } from './protocol';

export type RentalHandle = ChildWorkflowHandle<typeof golemRental>;
export type SettlementHandle = ChildWorkflowHandle<typeof golemSettlement>;

/** A job that ends, or goes on as a new run, must not end them. */
const OUTLIVING = {
  parentClosePolicy: ParentClosePolicy.ABANDON,
  cancellationType: ChildWorkflowCancellationType.ABANDON,
} as const;

/** @throws JobIdInUse - the settlement of an earlier job with that id still runs */
export async function startSettlement(input: SettlementInput): Promise<SettlementHandle> {
  const { jobId, jobUuid } = input.job;
  return await surely(jobId, 'the settlement', () =>
    startChild(golemSettlement, {
      ...OUTLIVING,
      workflowId: settlementId(jobId),
      args: [input],
      memo: { golemJob: jobUuid },
    }),
  );
}

/** @throws JobIdInUse - a rental of an earlier job with that id still runs, which nobody looks after */
export async function startRental(input: RentalInput): Promise<RentalHandle> {
  const { job, n, proposal } = input;
  return await surely(job.jobId, 'a rental', () =>
    startChild(golemRental, {
      ...OUTLIVING,
      workflowId: rentalId(job.jobId, n),
      args: [input],
      memo: { golemJob: job.jobUuid },
      staticSummary: proposal.provider.name,
    }),
  );
}

/**
 * A cancellation must not end the wait for a child's start: it starts nevertheless, and nobody would close it.
 * @throws JobIdInUse - one with its id runs
 */
async function surely<T>(jobId: string, what: string, start: () => Promise<T>): Promise<T> {
  try {
    return await CancellationScope.nonCancellable(start);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'WorkflowExecutionAlreadyStartedError') throw error;
    const message = `${what} of an earlier job "${jobId}" still runs; choose another id or wait for it`;
    throw ApplicationFailure.nonRetryable(message, 'JobIdInUse');
  }
}

/** A signal to a workflow that is over is no failure of ours. */
export async function quietly(signal: Promise<void>): Promise<void> {
  try {
    await signal;
  } catch (error) {
    if (isCancellation(error)) throw error;
  }
}
