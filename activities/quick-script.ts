/** Many scripts are over in a moment. What such a one came to goes to the workflow with its batch id, and nobody watches it. */
import type { WatchedScript, WatchScriptInput } from './contract';
import { ScriptResults } from './script-results';
import type { BatchResult, Yagna } from './yagna';

/** So long the sender of a script waits for its end: a start of a VM, or a short command, takes less. */
const QUICK_MS = 500;

type Sent = Required<Pick<WatchScriptInput, 'activityId' | 'batchId' | 'commandCount' | 'outputLimitBytes'>>;

/** @returns undefined when it is not over yet, or anything about it is not as usual: whoever watches it finds out what */
export async function endOfQuickScript(
  yagna: Yagna,
  { activityId, batchId, commandCount, outputLimitBytes }: Sent,
  signal: AbortSignal,
): Promise<WatchedScript | undefined> {
  const untilMs = Date.now() + QUICK_MS;
  const results = new ScriptResults(commandCount, outputLimitBytes);
  while (results.next < commandCount) {
    const asked = results.next;
    const leftMs = untilMs - Date.now();
    if (leftMs <= 0 || signal.aborted) return undefined;
    let polled: BatchResult[] | 'timeout';
    try {
      const query = { timeoutSec: leftMs / 1000, commandIndex: asked };
      polled = await yagna.batchResults(activityId, batchId, query, signal);
    } catch {
      // The script is sent: whatever goes wrong now must not take its batch id along.
      return undefined;
    }
    if (polled === 'timeout' || results.take(polled) !== undefined) return undefined;
    if (results.next === asked || results.last?.result === 'Error') return undefined;
  }
  return { state: 'done', results: results.all };
}
