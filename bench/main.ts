/**
 * `npm run bench`: how fast jobs are, beside golem-js and beside Temporal alone. Each measure is a file of its own beside this
 * one. `-- --quick` takes fewer runs; `-- --only NAME` one of the measures.
 */
import { Command } from 'commander';
import { stopAllChildren } from '../cli/child-process';
import { startTemporalServer } from '../cli/temporal-server';
import { BenchWorld, type Latency } from './bench-world';
import { besideGolemJs } from './beside-golem-js';
import { keep, tableOf } from './report';
import type { Row } from './row';

export interface Setting {
  temporalAddress: string;
  quick: boolean;
  /** What is going on, for whoever waits. */
  tell(line: string): void;
}

const LATENCIES: readonly Latency[] = ['none', 'recorded'];

/** In the order in which they run, and stand in the table. */
const MEASURES: Readonly<Record<string, (setting: Setting) => Promise<Row[]>>> = {
  'beside-golem-js': async ({ temporalAddress, quick }) => {
    const rows: Row[] = [];
    for (const latency of LATENCIES) {
      const world = await BenchWorld.start({ temporalAddress, latency, providers: 4 });
      try {
        rows.push(...(await besideGolemJs(world, latency, quick ? 2 : 7)));
      } finally {
        await world.close();
      }
    }
    return rows;
  },
};

export async function main(argv: string[]): Promise<number> {
  const { quick = false, only } = new Command('npm run bench --')
    .option('--quick', 'fewer runs of each measure')
    .option('--only <name>', `one of ${Object.keys(MEASURES).join(', ')}`)
    .parse(argv, { from: 'user' })
    .opts<{ quick?: boolean; only?: string }>();
  const named = Object.entries(MEASURES).filter(([name]) => only === undefined || name === only);
  if (named.length === 0) {
    console.error(`--only ${only}: there are the measures ${Object.keys(MEASURES).join(', ')}`);
    return 2;
  }
  const tell = (line: string): void => console.error(line);
  const temporal = await startTemporalServer({ onProgress: tell });
  const all: Row[] = [];
  try {
    for (const [name, measure] of named) {
      tell(`${name} …`);
      const rows = await measure({ temporalAddress: temporal.address, quick, tell });
      keep(name, rows);
      all.push(...rows);
    }
  } finally {
    await temporal.close();
    await stopAllChildren();
  }
  console.log(tableOf(all).join('\n'));
  return 0;
}
