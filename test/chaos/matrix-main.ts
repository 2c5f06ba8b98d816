/** `npm run chaos:matrix`: runs the crash matrix and prints it. */
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { stopAllChildren } from '../../cli/child-process';
import { startTemporalServer } from '../../cli/temporal-server';
import { describeRow, runMatrix, summarize } from './matrix';

interface Options {
  only?: string;
  jobs?: string;
  parallel: string;
  patience: string;
  json?: string;
}

export async function main(argv: string[]): Promise<number> {
  const { only, jobs, parallel, patience, json } = new Command('npm run chaos:matrix --')
    .description('Breaks a job at every crash point, and checks by the devnet that its promises are kept.')
    .option('--only <text>', 'only crash points whose label contains it, or one of several with | between')
    .option('--jobs <names>', 'only these of the jobs, with | between, and only what they are there for')
    .option('--parallel <n>', 'crash points at the same time', '4')
    .option('--patience <sec>', 'how long a worker waits for an answer; more on a busy machine', '3')
    .option('--json <file>', 'write all results there')
    .parse(argv, { from: 'user' })
    .opts<Options>();
  const began = Date.now();
  const server = await startTemporalServer({ onProgress: (line) => console.error(line) });
  try {
    const result = await runMatrix({
      ...{ temporalAddress: server.address, parallel: Number(parallel) },
      requestTimeoutSec: Number(patience),
      ...(only !== undefined && { only: (label) => only.split('|').some((text) => label.includes(text)) }),
      jobs: jobs?.split('|'),
      onRow: (row) => console.log(describeRow(row)),
      log: (line) => console.log(line),
    });
    const seconds = Math.round((Date.now() - began) / 1000);
    console.log(`${seconds} s, ${parallel} at a time`);
    const { lines, broken } = summarize(result);
    console.log(lines.join('\n'));
    if (json !== undefined) writeFileSync(json, JSON.stringify({ ...result, seconds }, undefined, 1));
    return broken > 0 ? 1 : 0;
  } finally {
    await server.close();
    await stopAllChildren();
  }
}
