/** The worker's store of providers that broke faith: whatever goes wrong with it costs a line in the log, and no job. */
import { log } from '@temporalio/activity';
import { avoided, type AvoidedProvider } from '../model/avoid';
import { attempt } from './attempt';
import type { GolemActivities } from './contract';
import type { ActivityEnvironment } from './environment';
import { event } from './events';

export function avoidActivities(
  env: Pick<ActivityEnvironment, 'avoid'>,
): Pick<GolemActivities, 'golemAvoidProvider'> {
  return {
    /**
     * Remembers a provider that broke faith, where the worker has a store, and tells of it.
     *
     * Effect: one entry in the store.
     * Retry: told again, the store is as it was.
     */
    async golemAvoidProvider({ provider, breach, reason }) {
      return await attempt(async () => {
        const entry = avoided({ ...provider, breach, reason }, Date.now());
        const until = (await remember(env, entry)) ? entry.until : undefined;
        return { events: [event('ProviderAvoided', { provider, breach, reason, until })] };
      });
    },
  };
}

async function remember(
  { avoid }: Pick<ActivityEnvironment, 'avoid'>,
  entry: AvoidedProvider,
): Promise<boolean> {
  if (!avoid) return false;
  try {
    await avoid.add(entry);
    return true;
  } catch (error) {
    log.warn(`provider ${entry.id} is not remembered as one to avoid: ${message(error)}`);
    return false;
  }
}

/** Those to be avoided now, by id. */
export async function avoidedNow({
  avoid,
}: Pick<ActivityEnvironment, 'avoid'>): Promise<Map<string, AvoidedProvider>> {
  if (!avoid) return new Map();
  try {
    const now = Date.now();
    const entries = (await avoid.list()).filter(({ until }) => Date.parse(until) > now);
    return new Map(entries.map((entry) => [entry.id.toLowerCase(), entry]));
  } catch (error) {
    log.warn(`the list of providers to avoid cannot be read: ${message(error)}`);
    return new Map();
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
