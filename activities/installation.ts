/** What this installation is: who it is on yagna, by the owner that stands in every mark, and its settings. */
import { Context } from '@temporalio/activity';
import type { Installation } from '../model/job';
import { ALLOCATION_LIFE_SEC } from './allocation-life';
import type { ActivityEnvironment } from './environment';
import { areRegistered } from './registered-attributes';

export async function installationOf(env: ActivityEnvironment): Promise<Installation> {
  return {
    owner: await ownerOf(env),
    requestLifetimeMs: env.connections.requestLifetimeMs,
    allocationLifeSec: env.allocationLifeSec ?? ALLOCATION_LIFE_SEC,
    searchAttributes: (env.searchAttributes ?? (await areRegistered())) || undefined,
  };
}

/** The namespace's id: two installations with one yagna but different namespaces never touch each other's. */
async function ownerOf(env: ActivityEnvironment): Promise<string> {
  if (env.owner !== undefined) return env.owner;
  const { client } = Context.current();
  const { namespace } = client.options;
  const answer = await client.workflowService.describeNamespace({ namespace });
  return answer.namespaceInfo?.id || namespace;
}
