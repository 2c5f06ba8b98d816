/**
 * How a rental takes over a Golem activity that runs already: finds it, and has its settlement know who looks after it now,
 * before anything is done in it.
 */
import { getExternalWorkflowHandle, setHandler, workflowInfo } from '@temporalio/workflow';
import type { ResolvedAttach } from '../activities/contract';
import { emptyEventLog, readEvents } from '../model/events';
import { settlementId } from '../model/ids';
import { inspect } from './activity-options';
import { startSettlement, type SettlementHandle } from './child-workflows';
import { namedFailure } from './failure-type';
import {
  attachedSignal,
  eventsQuery,
  rentalProgressQuery,
  type AttachInput,
  type OwnerAttached,
} from './protocol';
import { attachedRecord, type RentalRecord } from './state/rental-record';

/** So often what was found may change between the look and the word to its settlement. */
const TRIES = 5;

export interface Attached {
  record: RentalRecord;
  /** One that was started for it. */
  settlement?: SettlementHandle;
}

/** @throws as `golemResolveAttach` does */
export async function attachTo({ attach, connection, control }: AttachInput): Promise<Attached> {
  const { workflowId } = workflowInfo();
  const provider = { id: '', name: '' };
  setHandler(rentalProgressQuery, () => ({ n: 0, workflowId, provider, state: 'attaching', tasksDone: 0 }));
  setHandler(eventsQuery, (query) => readEvents(emptyEventLog(), query));
  for (let tries = 1; ; tries++) {
    const found = await inspect.golemResolveAttach({ attach, connection, control });
    try {
      const settlement = await takeUp(found, { workflowId, agreementId: found.agreementId });
      return { record: attachedRecord({ attach, control }, found, workflowId), settlement };
    } catch (error) {
      // Its settlement has ended meanwhile, or somebody else has started one.
      const isChanged = !found.settlement || namedFailure(error).type === 'JobIdInUse';
      if (!isChanged || tries >= TRIES) throw error;
    }
  }
}

async function takeUp(
  { job, settlement }: ResolvedAttach,
  attached: OwnerAttached,
): Promise<SettlementHandle | undefined> {
  if (settlement) return await startSettlement({ ...settlement, attached: [attached] });
  await getExternalWorkflowHandle(settlementId(job.jobId)).signal(attachedSignal, attached);
  return undefined;
}
