/** Asks a worker, which alone holds yagna's key, what a job would find on the market, and how its yagna is. */
import { randomUUID } from 'node:crypto';
import { WorkflowFailedError, type Client } from '@temporalio/client';
import { DEFAULT_TASK_QUEUE } from '../model/ids';
import type { Estimate, EstimateInput, InspectInput, YagnaInput, YagnaReport } from '../model/inspect';
import { namedCause } from './errors';

export interface InspectTarget {
  client: Client;
  /** Of the worker whose yagna is meant. Default `golem`. */
  taskQueue?: string;
}

/** With nobody to do it, it must not be done much later. */
const LONGEST = '1 h';

/**
 * What a job would find on the market now, and cost. Nothing is rented, nor reserved.
 * @param spec a job spec, plain JSON
 * @throws ApplicationFailure by its type - `InvalidJobSpec`, `UnknownConnection`, `YagnaUnavailable`, `ImageNotFound`, …
 */
export async function estimate(
  target: InspectTarget,
  spec: unknown,
  options: Omit<EstimateInput, 'what' | 'spec'> = {},
): Promise<Estimate> {
  return await inspect<Estimate>(target, { what: 'estimate', spec, ...options });
}

/**
 * How a worker's yagna is; what is wrong with it is in the answer.
 * @throws ApplicationFailure by its type - `UnknownConnection`
 */
export async function inspectYagna(
  target: InspectTarget,
  options: Omit<YagnaInput, 'what'> = {},
): Promise<YagnaReport> {
  return await inspect<YagnaReport>(target, { what: 'yagna', ...options });
}

async function inspect<T>(
  { client, taskQueue = DEFAULT_TASK_QUEUE }: InspectTarget,
  input: InspectInput,
): Promise<T> {
  try {
    return (await client.workflow.execute('golemInspect', {
      ...{ workflowId: `golem-inspect-${randomUUID()}`, taskQueue, args: [input] },
      workflowExecutionTimeout: LONGEST,
    })) as T;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    throw namedCause(error) ?? error;
  }
}
