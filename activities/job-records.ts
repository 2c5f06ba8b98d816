/**
 * What Temporal knows of the job that a mark names, and whether it is looked after. Lists of workflows only serve to
 * find a name, for they may lag behind; whether something runs is asked of the workflow itself.
 */
import {
  decodeFromPayloadsAtIndex,
  extstoreInboundOptions,
  visit,
  walkGetWorkflowExecutionHistoryResponse,
} from '@temporalio/common/lib/internal-non-workflow';
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { settlementId } from '../model/ids';
import type { SettlementResult } from '../model/result';
import type { Revival, SettlementTerms } from './contract';
import { describe, firstRunOf, isNotFound } from './known-workflow';

/** A settlement's input; with `adopt` where it had taken over what another had left. */
type FormerTerms = SettlementTerms & Partial<Pick<Revival, 'adopt' | 'job'>>;

export interface JobRecord {
  jobUuid: string;
  /** Undefined when Temporal knows the job no more. */
  jobId?: string;
  /** The job or its settlement runs: whatever it has is looked after. */
  isAlive: boolean;
  /** Job id under which a settlement of it runs; undefined where none does. */
  settledAs?: string;
  /** Job id under which a settlement of it can be started now. */
  freeJobId: string;
  /** Its newest settlement, as far as Temporal still has it. */
  settlement?: { terms: FormerTerms; result?: SettlementResult };
}

export class JobRecords {
  /** jobId by jobUuid, of all settlements Temporal lists. */
  private settlements?: Promise<Map<string, string>>;

  constructor(private readonly client: Client) {}

  async find(jobUuid: string): Promise<JobRecord> {
    const jobId = (await this.jobIdOfRun(jobUuid)) ?? (await this.listedSettlements()).get(jobUuid);
    // One that was revived when the job's own id was not known, or in use.
    const stray = ofJob(jobUuid, await describe(this.client, settlementId(jobUuid)));
    if (jobId === undefined) {
      const isAlive = isRunning(stray);
      const known = isAlive ? { settledAs: jobUuid } : await this.read(stray);
      return { jobUuid, isAlive, freeJobId: jobUuid, ...known };
    }
    const latest = await describe(this.client, jobId);
    const isOurs = latest !== undefined && firstRunOf(latest) === jobUuid;
    const named = await describe(this.client, settlementId(jobId));
    const own = ofJob(jobUuid, named);
    // The id of a job may be used again, and then its settlement's id is that of a later job.
    const isTaken = (isRunning(named) && own === undefined) || (isRunning(latest) && !isOurs);
    const isAlive = (isOurs && isRunning(latest)) || isRunning(own) || isRunning(stray);
    const terms = isAlive ? {} : await this.read(newer(own, stray));
    const settledAs = isRunning(own) ? jobId : isRunning(stray) ? jobUuid : undefined;
    return { jobUuid, jobId, isAlive, settledAs, freeJobId: isTaken ? jobUuid : jobId, ...terms };
  }

  /** Jobs whose settlement Temporal lists as running. */
  async beingSettled(): Promise<string[]> {
    return await this.jobsOf(`WorkflowType = 'golemSettlement' AND ExecutionStatus = 'Running'`);
  }

  /** Jobs whose settlement is over and ran at that time, give or take `slackMs`. */
  async settledAround(ms: number, slackMs: number): Promise<string[]> {
    const [from, to] = [ms - slackMs, ms + slackMs].map((each) => new Date(each).toISOString());
    const query =
      `WorkflowType = 'golemSettlement' AND ExecutionStatus != 'Running' AND ` +
      `StartTime <= '${to}' AND CloseTime >= '${from}'`;
    return await this.jobsOf(query);
  }

  private async jobsOf(query: string): Promise<string[]> {
    const found = new Set<string>();
    for await (const { memo } of this.client.workflow.list({ query }))
      if (typeof memo?.golemJob === 'string') found.add(memo.golemJob);
    return [...found];
  }

  /** A job's first run has the id that its marks name; so has a look at the market, which makes a demand. */
  private async jobIdOfRun(jobUuid: string): Promise<string | undefined> {
    const query = `WorkflowType IN ('golemJob', 'golemInspect') AND RunId = '${jobUuid}'`;
    for await (const { workflowId } of this.client.workflow.list({ query })) return workflowId;
    return undefined;
  }

  /** A settlement may outlive what Temporal keeps of its job. */
  private listedSettlements(): Promise<Map<string, string>> {
    this.settlements ??= (async () => {
      const jobs = new Map<string, string>();
      const suffix = settlementId('');
      for await (const each of this.client.workflow.list({ query: `WorkflowType = 'golemSettlement'` })) {
        const jobUuid = each.memo?.golemJob;
        if (typeof jobUuid === 'string' && each.workflowId.endsWith(suffix))
          jobs.set(jobUuid, each.workflowId.slice(0, -suffix.length));
      }
      return jobs;
    })();
    return this.settlements;
  }

  /** What a settlement was given, and what it returned if it came to its end. */
  private async read(
    settlement: WorkflowExecutionDescription | undefined,
  ): Promise<Pick<JobRecord, 'settlement'>> {
    if (!settlement) return {};
    const { namespace, loadedDataConverter } = this.client.options;
    const { workflowId, runId, status } = settlement;
    try {
      const answer = await this.client.workflowService.getWorkflowExecutionHistory({
        ...{ namespace, execution: { workflowId, runId }, maximumPageSize: 1 },
      });
      const { externalStorage } = loadedDataConverter;
      await visit(answer, walkGetWorkflowExecutionHistoryResponse, extstoreInboundOptions(externalStorage));
      const started = answer.history?.events?.[0]?.workflowExecutionStartedEventAttributes;
      const payloads = started?.input?.payloads;
      const terms = await decodeFromPayloadsAtIndex<FormerTerms>(loadedDataConverter, 0, payloads);
      const handle = this.client.workflow.getHandle(workflowId, runId);
      const result = status.name === 'COMPLETED' ? ((await handle.result()) as SettlementResult) : undefined;
      return { settlement: { terms, result } };
    } catch (error) {
      // Its history went meanwhile.
      if (isNotFound(error)) return {};
      throw error;
    }
  }
}

/** A settlement, if it is that job's. */
const ofJob = (
  jobUuid: string,
  found: WorkflowExecutionDescription | undefined,
): WorkflowExecutionDescription | undefined => (found?.memo?.golemJob === jobUuid ? found : undefined);

const isRunning = (workflow: WorkflowExecutionDescription | undefined): boolean =>
  workflow?.status.name === 'RUNNING';

function newer(
  a: WorkflowExecutionDescription | undefined,
  b: WorkflowExecutionDescription | undefined,
): WorkflowExecutionDescription | undefined {
  if (!a || !b) return a ?? b;
  return a.startTime.getTime() >= b.startTime.getTime() ? a : b;
}
