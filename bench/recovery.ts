/**
 * How long a job stands still when the worker that has it dies: from SIGKILL while a script runs to the job's next step under
 * another worker, which is up already. golem-js has no such step: what its process knew is gone with it.
 */
import { ChaosWorld } from '../test/chaos/chaos-world';
import { measureRecovery } from '../test/chaos/recovery';
import type { Row } from './row';
import type { Setting } from './setting';

export async function recovery({ temporal, quick, tell }: Setting): Promise<Row[]> {
  const world = await ChaosWorld.start({ temporalAddress: temporal.address });
  try {
    const { ms, steps } = await measureRecovery(world, quick ? 1 : 5);
    for (const [index, step] of steps.entries()) tell(`${((ms[index] ?? 0) / 1000).toFixed(2)} s  ${step}`);
    return [
      {
        ...{
          measure: 'kill -9 of the worker while a script runs, to the next step',
          latency: 'none',
          unit: 'ms',
        },
        ours: ms,
        toReach: { atMost: 15_000 },
        note: 'golem-js: never. Another worker is up already. Next is a workflow task that is done, or the script being watched again.',
      },
    ];
  } finally {
    await world.close();
  }
}
