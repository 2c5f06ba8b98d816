/** Updates as any language sends them, and scripts by them: what GolemClient does beyond that is not for these tests. */
import type { Client } from '@temporalio/client';
import type { ScriptOutcome } from '../../workflows/protocol';

/** Whoever talks to workflows: a world, or a client of another Temporal. */
export interface Talker {
  client: Client;
}

export function sendUpdate<T>(
  to: Talker,
  workflowId: string,
  name: string,
  argument: unknown = {},
): Promise<T> {
  return to.client.workflow.getHandle(workflowId).executeUpdate<T, [unknown]>(name, { args: [argument] });
}

/** Asks again for as long as the script runs. */
export async function outcomeOf(to: Talker, rental: string, scriptId: string): Promise<ScriptOutcome> {
  for (;;) {
    const outcome = await sendUpdate<ScriptOutcome>(to, rental, 'scriptResult', { scriptId });
    if (outcome.state !== 'running') return outcome;
  }
}
