/** Ends what is under way as soon as there is no use for it any more. */
import { CancellationScope, condition, sleep } from '@temporalio/workflow';
import type { Duration } from '@temporalio/common';

/**
 * @param isStopped - what ends it
 * @param grace - for so long it may still come to its end by itself. Default: not at all
 * @returns undefined when it was cancelled
 */
export async function unlessStopped<T>(
  isStopped: () => boolean,
  act: () => Promise<T>,
  grace?: Duration,
): Promise<T | undefined> {
  const scope = new CancellationScope();
  const waiting = new CancellationScope();
  const acting = scope.run(act);
  const stopped = waiting.run(async () => {
    await condition(isStopped);
    if (grace !== undefined) await sleep(grace);
  });
  acting.catch(() => undefined);
  stopped.catch(() => undefined);
  const done = await Promise.race([acting, stopped.then(() => undefined)]);
  // Whichever is left would be looked at for as long as the workflow lives.
  if (done === undefined) scope.cancel();
  else waiting.cancel();
  return done;
}
