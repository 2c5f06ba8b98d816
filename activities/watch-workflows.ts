/** Watches workflows that a job has begun and, being a new run, is no longer told the end of by Temporal. */
import { setMaxListeners } from 'node:events';
import { Context } from '@temporalio/activity';
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
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  // Each poll listens to it, and Node warns of more than ten.
  setMaxListeners(0, both);
  const closed: ClosedWorkflow[] = [];
  const ends = workflows.map(async (workflow) => {
    const closing = await closingOf(client, workflow, both);
    closed.push({ workflowId: workflow.workflowId, ...closing });
  });
  for (const end of ends) end.catch(() => undefined);
  try {
    await Promise.race(ends);
    return [...closed];
  } finally {
    stop.abort();
  }
}
