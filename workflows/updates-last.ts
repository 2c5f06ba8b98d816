/**
 * Updates are handled when all has come to rest that came before them. A workflow task with nothing but an Update may follow
 * one in which nothing was to be done. A worker that reads both at once shows the workflow the signals of the first together
 * with the Update, a later replay one after the other. Without order between them the workflow would go two ways, and be
 * stuck for good.
 */
import { condition, type WorkflowInboundCallsInterceptor } from '@temporalio/workflow';

export const updatesLast: WorkflowInboundCallsInterceptor = {
  async handleUpdate(input, next) {
    await restOfOthers();
    return await next(input);
  },
};

/** Conditions are looked at again when nothing else is left to run. */
async function restOfOthers(): Promise<void> {
  // The first look of all is at once, and another one before what signals have woken has run.
  await Promise.resolve();
  let isLookedAt = false;
  await condition(() => {
    const was = isLookedAt;
    isLookedAt = true;
    return was;
  });
}
