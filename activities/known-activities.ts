/** Which VMs of an agreement a bill may be for. */
import type { AgreementId, GolemActivityId } from '../model/ids';
import { MOST_VMS } from '../model/rental-limits';
import type { AgreementSoFar } from './contract';
import { unlessNotFound, type Yagna } from './yagna';

/**
 * The VMs that yagna lists under an agreement. A yagna without that call can't tell which are the job's: then those are
 * taken that accepted notes were for, and those that the bill names, as many as a rental can have made. Each may cost a
 * start price.
 *
 * @param billed - VMs that the bill is for
 */
export async function knownActivities(
  yagna: Yagna,
  agreementId: AgreementId,
  soFar: AgreementSoFar,
  billed: readonly GolemActivityId[],
  signal: AbortSignal,
): Promise<GolemActivityId[]> {
  const listed = await unlessNotFound(yagna.golemActivities(agreementId, signal));
  return listed ?? [...new Set([...Object.keys(soFar.acceptedByActivity), ...billed])].slice(0, MOST_VMS);
}
