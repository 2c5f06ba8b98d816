/** `npm run chaos:matrix`: runs the crash matrix and prints it. */
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { stopAllChildren } from '../../cli/child-process';
import { startTemporalServer } from '../../cli/temporal-server';
import { describeRow, isCounted, runMatrix } from './matrix';

interface Options {
  only?: string;
  parallel: string;
  patience: string;
  json?: string;
}

export async function main(argv: string[]): Promise<number> {
  const { only, parallel, patience, json } = new Command('npm run chaos:matrix --')
    .description('Breaks a job at every crash point, and checks by the devnet that its promises are kept.')
    .option('--only <text>', 'only crash points whose label contains it, or one of several with | between')
    .option('--parallel <n>', 'crash points at the same time', '4')
    .option('--patience <sec>', 'how long a worker waits for an answer; more on a busy machine', '3')
    .option('--json <file>', 'write all results there')
    .parse(argv, { from: 'user' })
    .opts<Options>();
  const began = Date.now();
  const server = await startTemporalServer({ onProgress: (line) => console.error(line) });
  try {
    const { rows, missing, broken } = await runMatrix({
      ...{ temporalAddress: server.address, parallel: Number(parallel) },
      requestTimeoutSec: Number(patience),
      ...(only !== undefined && { only: (label) => only.split('|').some((text) => label.includes(text)) }),
      onRow: (row) => console.log(describeRow(row)),
      log: (line) => console.log(line),
    });
    for (const line of broken) console.log(`BROKEN  ${line}`);
    for (const activity of missing)
      console.log(`BROKEN  ${activity} · not reached by any of the reference jobs`);
    const counted = rows.filter(isCounted);
    const bad = counted.filter((row) => row.broken.length > 0).length + missing.length + broken.length;
    const again = counted.reduce((sum, { counts }) => sum + (counts?.scriptsRunAgain ?? 0), 0);
    const uncertain = counted.filter(({ counts }) => (counts?.uncertain ?? 0) > 0).length;
    const seconds = Math.round((Date.now() - began) / 1000);
    console.log(
      `${rows.length - counted.length} workflow tasks beyond the last of their run; ${uncertain} crash points with an uncertain attempt; ` +
        `${again} scripts run again; ${seconds} s, ${parallel} at a time`,
    );
    console.log(
      `${counted.length + missing.length} crash points, ${counted.length + missing.length - bad} kept, ${bad} broken`,
    );
    if (json !== undefined)
      writeFileSync(json, JSON.stringify({ rows, missing, broken, seconds }, undefined, 1));
    return bad > 0 ? 1 : 0;
  } finally {
    await server.close();
    await stopAllChildren();
  }
}
