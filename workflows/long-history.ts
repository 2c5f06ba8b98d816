/** When a workflow is to go on as a new run. */
import { workflowInfo } from '@temporalio/workflow';

/**
 * Temporal suggests it after 4,096 events. A worker that has to read a history again has ten seconds for it, and on a busy
 * machine that many events take longer: the workflow would never get on.
 */
const LONG_EVENTS = 2000;

export function isLong(): boolean {
  const { continueAsNewSuggested, historyLength } = workflowInfo();
  return continueAsNewSuggested || historyLength >= LONG_EVENTS;
}
