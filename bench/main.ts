/**
 * `npm run bench`: how fast jobs are, beside golem-js and beside Temporal alone. Each measure is a file of its own beside this
 * one. `-- --quick` takes fewer and smaller runs, `-- --long` larger ones; `-- --only NAME` one of the measures.
 */
import { Command } from 'commander';
import { stopAllChildren } from '../cli/child-process';
import { startTemporalServer } from '../cli/temporal-server';
import { besideFloor } from './beside-floor';
import { besideGolemJs } from './beside-golem-js';
import { Floor } from './floor';
import { idleRentals } from './idle-rentals';
import { largeJob } from './large-job';
import { manyJobs } from './many-jobs';
import { recovery } from './recovery';
import { counts } from './counts';
import { devnetItself } from './devnet';
import { market } from './market';
import { keep, keepPlot, notesOf, tableOf } from './report';
import type { Row } from './row';
import type { Setting } from './setting';

/** In the order in which they run, and stand in the table. */
const MEASURES: Readonly<Record<string, (setting: Setting) => Promise<Row[]>>> = {
  'beside-golem-js': besideGolemJs,
  floor: besideFloor,
  'many-jobs': manyJobs,
  market,
  counts,
  'large-job': largeJob,
  recovery,
  devnet: devnetItself,
  'idle-rentals': idleRentals,
};

/** They take long however little they do. */
const NOT_QUICK = ['large-job', 'recovery', 'idle-rentals'];

export async function main(argv: string[]): Promise<number> {
  const {
    quick = false,
    long = false,
    only,
  } = new Command('npm run bench --')
    .option('--quick', `fewer runs of each measure, without ${NOT_QUICK.join(', ')}`)
    .option('--long', 'those that take long as large as they are meant to be, which takes up to an hour')
    .option('--only <name>', `one of ${Object.keys(MEASURES).join(', ')}`)
    .parse(argv, { from: 'user' })
    .opts<{ quick?: boolean; long?: boolean; only?: string }>();
  const isLeftOut = (name: string): boolean => quick && NOT_QUICK.includes(name);
  const named = Object.entries(MEASURES).filter(([name]) =>
    only === undefined ? !isLeftOut(name) : name === only,
  );
  if (named.length === 0) {
    console.error(`--only ${only}: there are the measures ${Object.keys(MEASURES).join(', ')}`);
    return 2;
  }
  const tell = (line: string): void => console.error(line);
  const temporal = await startTemporalServer({ onProgress: tell });
  let floor: Promise<Floor> | undefined;
  const setting: Setting = {
    ...{ temporal: { address: temporal.address, pid: temporal.process.pid }, quick, long, tell },
    floor: () => (floor ??= Floor.start(temporal.address)),
  };
  const all: Row[] = [];
  try {
    for (const [name, measure] of named) {
      tell(`${name} …`);
      const began = performance.now();
      const rows = await measure(setting);
      tell(`${name}: ${Math.round((performance.now() - began) / 1000)} s`);
      if (rows.length > 0) keep(name, rows, quick ? 'quick' : long ? 'long' : 'usual');
      all.push(...rows);
    }
  } finally {
    await (await floor?.catch(() => undefined))?.close();
    await temporal.close();
    await stopAllChildren();
  }
  console.log([...tableOf(all), '', ...notesOf(all)].join('\n'));
  // One of a part of the measures would take the place of a whole one.
  if (only === undefined) tell(`plotted in ${keepPlot(all)}`);
  return 0;
}
