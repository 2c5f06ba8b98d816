/** What a run of the bench gives each of its measures. */
import { BenchWorld, type Latency, type WorldOptions } from './bench-world';
import type { Floor } from './floor';
import type { Row } from './row';

export interface Setting {
  temporal: { address: string; pid: number };
  /** Fewer runs, and smaller ones. */
  quick: boolean;
  /** Longer ones, as large as the measure is meant to be. */
  long: boolean;
  /** Temporal's floor, begun where it is first asked for: it takes some seconds. */
  floor(): Promise<Floor>;
  /** What is going on, for whoever waits. */
  tell(line: string): void;
}

/** The same measure in a world of its own for each of the latencies; a quick one without any. */
export async function inEachLatency(
  setting: Setting,
  options: Omit<WorldOptions, 'temporalAddress' | 'latency'>,
  measure: (world: BenchWorld, latency: Latency) => Promise<Row[]>,
): Promise<Row[]> {
  const rows: Row[] = [];
  const latencies: readonly Latency[] = setting.quick ? ['none'] : ['none', 'recorded'];
  for (const latency of latencies)
    rows.push(...(await inWorld(setting, { ...options, latency }, (world) => measure(world, latency))));
  return rows;
}

/** A world that is closed when the measure is over. */
export async function inWorld<T>(
  { temporal }: Pick<Setting, 'temporal'>,
  options: Omit<WorldOptions, 'temporalAddress'>,
  measure: (world: BenchWorld) => Promise<T>,
): Promise<T> {
  const world = await BenchWorld.start({ ...options, temporalAddress: temporal.address });
  try {
    return await measure(world);
  } finally {
    await world.close();
  }
}
