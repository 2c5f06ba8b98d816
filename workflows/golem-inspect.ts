/** Answers questions that take a worker, because only it holds yagna's key. It rents nothing, and leaves nothing on yagna. */
import { ApplicationFailure, CancellationScope, sleep, workflowInfo } from '@temporalio/workflow';
import type { JobRef } from '../activities/contract';
import { estimatedSpec } from '../model/estimate';
import type { Estimate, EstimateInput, InspectInput, YagnaInput, YagnaReport } from '../model/inspect';
import { cleanUp, finding, previewing, scanning } from './activity-options';

export async function golemInspect(input: InspectInput): Promise<Estimate | YagnaReport> {
  // Anybody may start it, in any language.
  const { what } = Object(input) as Partial<InspectInput>;
  if (what === 'estimate') return await estimate(input as EstimateInput);
  if (what === 'yagna') return await report(input as YagnaInput);
  const problem = 'expected { what: "estimate", spec, taskSec?, scanSec? } or { what: "yagna", connection? }';
  throw ApplicationFailure.nonRetryable(problem, 'InvalidJobSpec', [problem]);
}

async function estimate({ spec: given, taskSec, scanSec }: EstimateInput): Promise<Estimate> {
  const { workflowId: jobId, firstExecutionRunId: jobUuid } = workflowInfo();
  const { spec, installation } = await previewing.golemPrepareJob({ spec: given });
  const job: JobRef = { connection: spec.connection, jobId, jobUuid, owner: installation.owner };
  const { image, pricing } = spec;
  const asked = { job, spec: { ...estimatedSpec(spec), image, pricing }, taskSec, scanSec };
  let isClean = false;
  try {
    const scanned = await scanning.golemScanMarket(asked);
    isClean = scanned.isClean;
    return scanned.estimate;
  } finally {
    // A demand that a lost request makes comes up only now.
    if (!isClean)
      await CancellationScope.nonCancellable(async () => {
        await sleep(installation.requestLifetimeMs);
        await cleanUp.golemCleanUp({ job, since: workflowInfo().startTime.toISOString() });
      });
  }
}

async function report({ connection, network }: YagnaInput): Promise<YagnaReport> {
  const found = await scanning.golemInspectYagna({ connection, network });
  if (found.problem) return found;
  const { orphans } = await finding.golemFindOrphans({ connection });
  const count = (kind: string): number => orphans.filter((orphan) => orphan.kind === kind).length;
  return {
    ...found,
    leftOver: {
      ...{ demands: count('demand'), agreements: count('agreement'), invoices: count('invoice') },
      ...{ golemActivities: count('golemActivity'), allocations: count('allocation') },
    },
  };
}
