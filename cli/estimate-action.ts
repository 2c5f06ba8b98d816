/** What `golem-temporal estimate` does: asks a worker, and shows its answer. */
import Decimal from 'decimal.js';
import { estimate } from '../client/index';
import type { Estimate } from '../model/inspect';
import { requireSound } from './check-spec';
import { CliError, EXIT_NOT_NOW } from './failure';
import { interruptible } from './interruptible';
import { named } from './named-failure';
import { timeText, unit } from './job-view';
import { readSpecFile } from './spec-file';
import { tableLines } from './table';
import { withTemporal } from './temporal-client';
import { missingWorker } from './worker-there';

interface EstimateOptions {
  taskTime?: number;
  scanTime?: number;
  taskQueue: string;
  json?: boolean;
}

export async function estimateFile(file: string, options: EstimateOptions): Promise<void> {
  const { value: spec, placeOf } = await readSpecFile(file);
  requireSound(spec, placeOf);
  const { taskTime: taskSec, scanTime: scanSec, taskQueue } = options;
  await withTemporal(async (client) => {
    const missing = await missingWorker(client, taskQueue, { isPatient: true });
    if (missing) throw new CliError(missing, EXIT_NOT_NOW);
    const found = await interruptible('the look at the market ends by itself', (signal) =>
      client.withAbortSignal(signal, () =>
        named(estimate({ client, taskQueue }, spec, { taskSec, scanSec })),
      ),
    );
    if (options.json) console.log(JSON.stringify(found, null, 2));
    else for (const line of estimateLines(found)) console.log(line);
  });
}

const short = (amount: string): string => new Decimal(amount).toSignificantDigits(4).toFixed();

function estimateLines(found: Estimate): string[] {
  const { platform, providers, offers, suitable, prices, best, expected, unsuitable } = found;
  const glm = unit(platform);
  const lines = [
    `${suitable} of ${counted(providers, 'provider')} suit (${counted(offers, 'offer')}), paid on ${platform}`,
  ];
  if (prices) {
    const range = ({ least, median, most }: NonNullable<typeof prices>['startPrice']): string =>
      `${short(least)} to ${short(most)}, half of them up to ${short(median)}`;
    lines.push(`an hour of a VM with all threads busy: ${range(prices.busyPerHour)} ${glm}`);
    lines.push(`the start of a VM: ${range(prices.startPrice)} ${glm}`, '');
    lines.push(...tableLines(COLUMNS, best.map(offerCells)), '');
  }
  if (expected) {
    const { vms, tasks, taskSec, lastsSec, atLeast, atMost, ceiling, budget } = expected;
    const work =
      tasks === 0
        ? `kept for ${timeText(taskSec)}`
        : `${counted(tasks, 'task')} of ${timeText(taskSec)} each`;
    const cost =
      atLeast === atMost ? short(atMost) : `${short(atLeast)} (idle) to ${short(atMost)} (all threads busy)`;
    lines.push(`expected: ${counted(vms, 'VM')}, ${work}, some ${timeText(lastsSec)} in all: ${cost} ${glm}`);
    lines.push(`at most, if every VM lives until its agreement ends: ${short(ceiling)} ${glm}`);
    lines.push(
      expected.fitsBudget
        ? `the budget of ${short(budget)} ${glm} is enough`
        : `the budget of ${short(budget)} ${glm} may not be enough: raise it, or give --task-time`,
    );
  }
  if (unsuitable.length > 0) lines.push('', 'why others do not suit:');
  for (const { reason, providers: count } of unsuitable)
    lines.push(`  ${counted(count, 'provider')}: ${reason}`);
  if (providers === 0)
    lines.push('nobody offers: check demand.subnetTag, and that yagna is connected (`yagna net status`)');
  return lines;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

const COLUMNS = [
  { head: 'PROVIDER' },
  ...['THREADS', 'GIB', 'START', 'IDLE/H', 'BUSY/H'].map((head) => ({ head, isNumber: true })),
];

function offerCells(offer: Estimate['best'][number]): string[] {
  const { provider, cpuThreads, memGib, startPrice, idlePerHour, busyPerHour } = offer;
  const size = new Decimal(memGib).toSignificantDigits(3).toFixed();
  return [provider.name, String(cpuThreads), size, short(startPrice), short(idlePerHour), short(busyPerHour)];
}
