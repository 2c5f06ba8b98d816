/** What a settlement shows of itself, which no effect on the devnet tells. */
import { setTimeout as delay } from 'node:timers/promises';
import type { SettlementProgress } from '../../model/result';
import type { World } from './world';

/** A query costs the worker a task. */
const ASK_EVERY_MS = 100;

/** What it shows when that is so. */
export async function settlementShows(
  { client }: Pick<World, 'client'>,
  settlement: string,
  isSo: (shown: SettlementProgress) => boolean,
): Promise<SettlementProgress> {
  const handle = client.workflow.getHandle(settlement);
  for (;;) {
    const shown = await handle.query<SettlementProgress>('progress').catch(() => undefined);
    if (shown && isSo(shown)) return shown;
    await delay(ASK_EVERY_MS);
  }
}
