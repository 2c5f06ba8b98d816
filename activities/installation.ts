/** Who this installation is on yagna: the owner that stands in every mark. */
import { Context } from '@temporalio/activity';
import type { ActivityEnvironment } from './environment';

/** The namespace's id: two installations with one yagna but different namespaces never touch each other's. */
export async function ownerOf(env: ActivityEnvironment): Promise<string> {
  if (env.owner !== undefined) return env.owner;
  const { client } = Context.current();
  const { namespace } = client.options;
  const answer = await client.workflowService.describeNamespace({ namespace });
  return answer.namespaceInfo?.id || namespace;
}
