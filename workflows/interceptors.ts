/** Lets our workflows go the same way however they are read. Loaded by the worker as a module of workflow interceptors. */
import { workflowInfo, type WorkflowInterceptors } from '@temporalio/workflow';
import { queryGuard } from './query-guard';
import { updatesLast } from './updates-last';

/** In a user's own worker: what theirs do is theirs. */
export const interceptors = (): WorkflowInterceptors =>
  workflowInfo().workflowType.startsWith('golem')
    ? { inbound: [updatesLast], internals: [queryGuard()] }
    : {};
