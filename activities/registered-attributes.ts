/**
 * Whether the namespace has the search attributes of jobs: a workflow that sets one that it has not goes on no more. Asked of
 * Temporal now and then, not for each job.
 */
import { Context } from '@temporalio/activity';
import type { Client, OperatorService } from '@temporalio/client';
import { SearchAttributeType } from '@temporalio/common';
import { SEARCH_ATTRIBUTES } from '../model/search-attributes';

const ANSWER_LIMIT_MS = 5_000;
const GOOD_FOR_MS = 60_000;

/** Temporal's `IndexedValueType` on the wire. */
const WIRE_TYPES = {
  [SearchAttributeType.KEYWORD]: 2,
  [SearchAttributeType.DOUBLE]: 4,
  [SearchAttributeType.KEYWORD_LIST]: 7,
};

interface Answer {
  areThere: boolean;
  untilMs: number;
}

/** By connection and namespace: another Temporal may have one of the same name. */
const known = new WeakMap<object, Map<string, Answer>>();

/** False where nobody can tell, as with Temporal Cloud, which has no operator service. It never fails: jobs do without. */
export async function areRegistered(): Promise<boolean> {
  try {
    const { client } = Context.current();
    const { namespace } = client.options;
    const ofServer = known.get(client.connection) ?? new Map<string, Answer>();
    known.set(client.connection, ofServer);
    const kept = ofServer.get(namespace);
    if (kept && kept.untilMs > Date.now()) return kept.areThere;
    const areThere = await ask(client).catch(() => false);
    ofServer.set(namespace, { areThere, untilMs: Date.now() + GOOD_FOR_MS });
    return areThere;
  } catch {
    // The activity has no client.
    return false;
  }
}

async function ask(client: Client): Promise<boolean> {
  const { namespace } = client.options;
  const { operatorService } = client.connection as { operatorService?: OperatorService };
  const answer = await client.withDeadline(Date.now() + ANSWER_LIMIT_MS, async () => {
    return await operatorService?.listSearchAttributes({ namespace });
  });
  const types = answer?.customAttributes ?? {};
  return Object.entries(SEARCH_ATTRIBUTES).every(([name, type]) => types[name] === WIRE_TYPES[type]);
}
