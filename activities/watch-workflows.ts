/** Watches workflows that a job has begun and, being a new run, is no longer told the end of by Temporal. */
import { Context } from '@temporalio/activity';
import { anyEnded } from './any-ended';
import { attempt } from './attempt';
import { closingOf } from './closing-event';
import type { ClosedWorkflow, GolemActivities, StartedWorkflow } from './contract';

export const workflowWatchActivities: Pick<GolemActivities, 'golemWatchWorkflows'> = {
  /**
   * Waits until any of the workflows has closed.
   *
   * Effect: none.
   * Retry: looks again.
   * @returns those that have closed by then, and how
   */
  async golemWatchWorkflows({ workflows }) {
    return await attempt(async ({ signal }) => ({ closed: await watch(workflows, signal) }));
  },
};

async function watch(workflows: readonly StartedWorkflow[], signal: AbortSignal): Promise<ClosedWorkflow[]> {
  const { client } = Context.current();
  return await anyEnded(workflows, signal, async (workflow, both) => ({
    workflowId: workflow.workflowId,
    ...(await closingOf(client, workflow, both)),
  }));
}
