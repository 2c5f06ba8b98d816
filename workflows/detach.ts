/** The end of a rental that leaves its VM alive: whoever asked for it is told what becomes of that. */
import { ApplicationFailure, condition, setHandler } from '@temporalio/workflow';
import { attachCommand, type Detached, type DetachedVm } from '../model/attach';
import type { NewEvent } from '../model/events';
import { settlementId } from '../model/ids';
import { detaching } from './activity-options';
import { detachUpdate } from './protocol';
import type { Rental } from './rental';
import type { Signed } from './rental-vm';

export function listenForDetach(rental: Rental): void {
  setHandler(detachUpdate, (request?: object) => detach(rental, request), {
    validator: (_request?: object) => checkDetachable(rental),
  });
}

async function detach(rental: Rental, request: unknown): Promise<Detached> {
  await rental.control.guard('detach', request);
  if (rental.over) throw rental.ended();
  // It took a while to find out who asks.
  checkDetachable(rental);
  rental.isDetached = true;
  await condition(() => rental.detached !== undefined || rental.over);
  if (!rental.detached) throw rental.ended();
  return rental.detached;
}

/** @throws NotDetachable */
function checkDetachable(rental: Rental): void {
  const { state, activityId } = rental.record.progress;
  if ((state === 'ready' || state === 'busy') && activityId !== undefined && !rental.isStopped()) return;
  const message = `the rental has no VM that could be left alive: it is ${state}`;
  throw ApplicationFailure.nonRetryable(message, 'NotDetachable');
}

function vmsBeside({ record }: Rental): DetachedVm[] | undefined {
  const vms = record.named.flatMap(({ name, activityId, running, gone }) =>
    activityId === undefined || gone !== undefined ? [] : [{ name, activityId, batchId: running?.batchId }],
  );
  return vms.length > 0 ? vms : undefined;
}

/** What will happen if nobody comes back. That it cannot be asked keeps nobody. */
export async function describeDetach(rental: Rental, { agreementId, validToMs }: Signed): Promise<Detached> {
  const { terms, progress } = rental.record;
  const { job } = terms;
  const { activityId = '', currentBatch: batchId } = progress;
  const base = { agreementId, activityId, batchId, vms: vmsBeside(rental) };
  const validTo = new Date(validToMs).toISOString();
  let says: string[];
  try {
    ({ says } = await detaching.golemDescribeDetach({ job, ...base }));
  } catch {
    says = [
      `The VM goes on until ${validTo}, and is paid for until then; yagna could not be asked for more.`,
    ];
  }
  return { ...base, validTo, settlementId: settlementId(job.jobId), says };
}

/** For whoever has lost the answer: it tells how to come back. */
export function detachedEvent({ record }: Rental, { agreementId, activityId, validTo }: Detached): NewEvent {
  const { provider } = record.progress;
  const attach = attachCommand(activityId, record.grants !== undefined);
  const details = { id: activityId, agreementId, provider, state: 'Detached', validTo, attach };
  return { name: 'ActivityStateChanged', at: new Date().toISOString(), details };
}
