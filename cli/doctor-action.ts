/** What `golem-temporal doctor` does: asks one after the other what a job needs, and says what to do about what is wrong. */
import type { Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import Decimal from 'decimal.js';
import pc from 'picocolors';
import { inspectYagna, type YagnaReport } from '../client/index';
import { FAILURES } from '../model/failures';
import type { Funds } from '../model/inspect';
import { CliError, EXIT_INTERRUPTED } from './failure';
import { interruptible, WaitOver } from './interruptible';
import { noNamespace } from './job-failure';
import { unit } from './job-view';
import { packageJson } from './package-json';
import { withTemporal } from './temporal-client';
import { missingWorker } from './worker-there';

interface DoctorOptions {
  connection: string;
  network?: string;
  taskQueue: string;
  json?: boolean;
}

/** `bad`: a job cannot run so. `odd`: it can, and somebody should look at it. */
type Verdict = 'good' | 'odd' | 'bad';

interface Finding {
  what: string;
  verdict: Verdict;
  says: string;
  /** What to do. */
  action?: string;
}

/** Longest wait for a worker that polls and does not answer. */
const WORKER_SEC = 60;

export async function doctor(options: DoctorOptions): Promise<void> {
  const findings: Finding[] = [];
  let report: YagnaReport | undefined;
  const found = (what: string, verdict: Verdict, says: string, action?: string): void => {
    const finding = { what, verdict, says, ...(action === undefined ? {} : { action }) };
    findings.push(finding);
    if (!options.json) print(finding);
  };
  found('golem-temporal', 'good', `${packageJson().version} on Node ${process.versions.node}`);
  try {
    await withTemporal(async (client) => {
      if (!(await checkTemporal(client, found))) return;
      const missing = await missingWorker(client, options.taskQueue, { isPatient: true });
      if (missing) return found('worker', 'bad', `none polls the task queue ${options.taskQueue}`, missing);
      report = await askWorker(client, options, found);
      if (report) checkYagna(report, found);
    });
  } catch (error) {
    // Of Temporal.
    if (!(error instanceof CliError) || error.exitCode === EXIT_INTERRUPTED) throw error;
    found('Temporal', 'bad', error.message);
  }
  if (options.json) console.log(JSON.stringify({ findings, yagna: report }, null, 2));
  const bad = findings.filter(({ verdict }) => verdict === 'bad').map(({ what }) => what);
  if (bad.length > 0) throw new CliError(`not well: ${bad.join(', ')}`);
}

type Found = (what: string, verdict: Verdict, says: string, action?: string) => void;

function print({ what, verdict, says, action }: Finding): void {
  const mark = { good: pc.green('ok  '), odd: pc.yellow('look'), bad: pc.red('BAD ') }[verdict];
  console.log(`${mark}  ${what}: ${says}`);
  if (action !== undefined) console.log(`      ${action}`);
}

async function checkTemporal(client: Client, found: Found): Promise<boolean> {
  const { namespace } = client.options;
  const { serverVersion } = await client.workflowService.getSystemInfo({});
  try {
    await client.workflowService.describeNamespace({ namespace });
  } catch (error) {
    if ((error as { code?: number }).code !== 5) throw error;
    found('Temporal', 'bad', noNamespace(namespace));
    return false;
  }
  found('Temporal', 'good', `${serverVersion ?? 'answers'}, namespace ${namespace}`);
  return true;
}

async function askWorker(
  client: Client,
  { connection, network, taskQueue }: DoctorOptions,
  found: Found,
): Promise<YagnaReport | undefined> {
  try {
    const report = await interruptible(
      'the question is still asked',
      (signal) =>
        client.withAbortSignal(signal, () => inspectYagna({ client, taskQueue }, { connection, network })),
      WORKER_SEC,
    );
    found(
      'worker',
      'good',
      `answers on the task queue ${taskQueue}; connections: ${report.connections.join(', ')}`,
    );
    return report;
  } catch (error) {
    if (error instanceof WaitOver) {
      const again = 'look at its log, and start it again: golem-temporal worker';
      found(
        'worker',
        'bad',
        `polls the task queue ${taskQueue}, and has not answered for ${WORKER_SEC} s`,
        again,
      );
      return undefined;
    }
    if (!(error instanceof ApplicationFailure)) throw error;
    found('worker', 'bad', `${error.type}: ${error.message}`, actionOf(error.type ?? ''));
    return undefined;
  }
}

function checkYagna(report: YagnaReport, found: Found): void {
  const { connection, url, version, identity, problem, funds, allocations, leftOver } = report;
  const name = connection === 'default' ? 'yagna' : `yagna (${connection})`;
  if (version !== undefined) found(name, 'good', `${version} at ${url}`);
  if (identity !== undefined) found('app key', 'good', `taken, of the identity ${identity}`);
  if (problem) {
    const what = problem.type === 'YagnaUnauthorized' ? 'app key' : name;
    return found(what, 'bad', `${problem.type}: ${problem.message} (at ${url})`, actionOf(problem.type));
  }
  for (const each of funds) checkFunds(each, found);
  const left = leftOver && Object.entries(leftOver).filter(([, count]) => count > 0);
  if (left && left.length > 0) {
    const what = left.map(([kind, count]) => `${count} ${kind}`).join(', ');
    found(
      'left over',
      'odd',
      `${what} that nobody looks after`,
      'golem-temporal reconcile closes and pays them',
    );
  } else found('left over', 'good', 'nothing of ours that nobody looks after');
  const sum = allocations.length === 1 ? '1 allocation' : `${allocations.length} allocations`;
  const all = allocations.map(({ remaining, platform }) => `${short(remaining)} ${unit(platform)}`);
  found(
    'reserved',
    'good',
    all.length === 0 ? 'no allocations' : `${sum}, whoever made them: ${all.join(', ')}`,
  );
}

function checkFunds({ platform, available, reserved, problem }: Funds, found: Found): void {
  const what = `funds on ${platform}`;
  const isTest = platform.endsWith('-tglm');
  const fill = isTest
    ? '`yagna payment fund` gives test GLM'
    : "send GLM, and a little of the network's own coin for fees, to the identity above";
  if (available === undefined)
    return found(what, 'odd', problem ?? 'yagna does not tell', 'look at `yagna payment status`');
  const says = `${short(available)} ${unit(platform)} are free, ${short(reserved ?? '0')} reserved`;
  if (new Decimal(available).gt(0)) return found(what, 'good', says);
  // What is reserved may be all that is wanted.
  found(what, new Decimal(reserved ?? 0).gt(0) ? 'odd' : 'bad', says, fill);
}

const short = (amount: string): string => new Decimal(amount).toSignificantDigits(6).toFixed();

function actionOf(type: string): string | undefined {
  return Object.hasOwn(FAILURES, type) ? FAILURES[type as keyof typeof FAILURES].action : undefined;
}
