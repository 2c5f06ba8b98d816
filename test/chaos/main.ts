/** `npm run chaos`: plans by number, run side by side, each judged; at the end what they came to. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { eachAtOnce } from '../../activities/at-once';
import { stopAllChildren } from '../../cli/child-process';
import { startTemporalServer } from '../../cli/temporal-server';
import { planOf, type Plan } from './plan';
import { explain, runSeed, type SeedReport } from './run-seed';
import { Tally } from './tally';

interface Options {
  seeds?: number;
  seed?: number;
  from: number;
  parallel: number;
  plan: boolean;
  verbose: boolean;
}

const LOGS = join(tmpdir(), 'golem-temporal-chaos');
const number = (text: string): number => Number(text);

export async function main(argv: string[]): Promise<number> {
  const options = new Command('chaos')
    .option('--seeds <n>', 'run so many', number)
    .option('--seed <n>', 'run this one', number)
    .option('--from <n>', 'the first of them', number, 1)
    .option('--parallel <n>', 'so many side by side', number, 4)
    .option('--plan', 'print the plan of --seed, and run nothing', false)
    .option('--verbose', 'print what the worker of --seed writes', false)
    .parse(argv, { from: 'user' })
    .opts<Options>();
  const { seed, from, seeds = 20 } = options;
  const numbers = seed === undefined ? Array.from({ length: seeds }, (_, index) => from + index) : [seed];
  if (options.plan) {
    for (const each of numbers) console.log(JSON.stringify(planOf(each), null, 2));
    return 0;
  }
  return await runAll(numbers, options);
}

async function runAll(numbers: readonly number[], { parallel, verbose }: Options): Promise<number> {
  const began = Date.now();
  const server = await startTemporalServer();
  const tally = new Tally();
  const run = async (seed: number): Promise<void> => {
    const report = await runSafely(planOf(seed), server.address);
    tally.add(report);
    tell(report, verbose);
  };
  try {
    await eachAtOnce(numbers, run, parallel);
  } finally {
    await server.close();
    await stopAllChildren();
  }
  console.log(['', ...tally.lines()].join('\n'));
  console.log(`${((Date.now() - began) / 1000).toFixed(0)} s, ${parallel} side by side`);
  return tally.brokenSeeds.length > 0 ? 1 : 0;
}

/** A run that breaks is a result, too. */
async function runSafely(plan: Plan, temporalAddress: string): Promise<SeedReport> {
  try {
    return await runSeed(plan, { temporalAddress });
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return {
      plan,
      broken: [`the run broke: ${why}`],
      outcome: 'broke',
      acts: [],
      seconds: 0,
      output: [],
      effects: [],
      endings: [],
    };
  }
}

function tell(report: SeedReport, verbose: boolean): void {
  const { plan, broken, outcome, acts, seconds, output, effects, endings, counts } = report;
  const { seed } = plan;
  const acted = acts.filter((act) => act.acted).map(({ kind }) => kind);
  const again = counts?.scriptsRunAgain ? `, ${counts.scriptsRunAgain} scripts run again` : '';
  console.log(
    `seed ${seed}: ${broken.length === 0 ? 'kept' : 'BROKEN'}, ${outcome}, ${seconds.toFixed(1)} s${again} [${acted.join(', ')}]`,
  );
  if (verbose) for (const line of output) console.log(`  ${line}`);
  if (broken.length === 0) return;
  mkdirSync(LOGS, { recursive: true });
  const log = join(LOGS, `seed-${seed}`);
  writeFileSync(`${log}.log`, output.join('\n'));
  writeFileSync(`${log}.effects`, effects.join('\n'));
  writeFileSync(`${log}.endings`, JSON.stringify(endings, null, 2));
  console.log(`  the worker's log, what happened on the network, what was returned: ${log}.*`);
  for (const line of explain(report)) console.log(`  ${line}`);
}
