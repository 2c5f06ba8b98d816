/**
 * The safety net under the settlements: finds what yagna still holds of jobs that no workflow looks after, and gives each
 * such job a settlement again, which closes it as the first one would have. It touches only what bears its owner's mark.
 */
import { setCurrentDetails } from '@temporalio/workflow';
import type { Revival } from '../activities/contract';
import { settlementId } from '../model/ids';
import type { ReconcileInput, ReconcileResult } from '../model/reconcile';
import { cleanUp, finding } from './activity-options';
import { startSettlement } from './child-workflows';
import { reconcileDetails } from './current-details';
import { namedFailure } from './failure-type';

/**
 * It returns when the settlements have begun; they go on alone. It needs no new run of itself: one deals with 200 jobs at
 * most, each of which gets a settlement (some 8 events) or a clean-up (some 6, however often it is tried), so that its
 * history stays under 2,000 events.
 */
export async function golemReconcile(input: ReconcileInput = {}): Promise<ReconcileResult> {
  const { orphans, more, revivals, cleanUps } = await finding.golemFindOrphans(input);
  const result: ReconcileResult = { orphans, more, settlements: [] };
  setCurrentDetails(reconcileDetails(result, input));
  if (input.dryRun) return result;
  for (const revival of revivals) {
    await revive(revival);
    result.settlements.push(settlementId(revival.job.jobId));
    setCurrentDetails(reconcileDetails(result, input));
  }
  // A provider that is silent here is asked again by the next run.
  await Promise.all(cleanUps.map((each) => cleanUp.golemCleanUp(each)));
  return result;
}

async function revive(revival: Revival): Promise<void> {
  try {
    await startSettlement(revival);
  } catch (error) {
    // Somebody else was faster: its settlement runs.
    if (namedFailure(error).type !== 'JobIdInUse') throw error;
  }
}
