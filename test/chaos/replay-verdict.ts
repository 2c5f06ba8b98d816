/**
 * Every run of every workflow goes the same way when it is read again: a new worker does that after each crash, and one
 * that cannot stands still for good.
 */
import { join } from 'node:path';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import type { History } from './job-control';

const BUNDLE = join(__dirname, '..', '..', 'dist', 'workflow-bundle.js');

export interface RecordedRun {
  workflowId: string;
  history: History;
}

let isQuiet = false;
let before: Promise<unknown> = Promise.resolve();

/**
 * One after the other, for the SDK stops its native part when the last worker of the process has ended.
 *
 * @returns what went another way, in plain words
 */
export async function judgeReplays(runs: readonly RecordedRun[]): Promise<string[]> {
  const judging = before.then(() => replay(runs));
  before = judging.catch(() => undefined);
  return await judging;
}

async function replay(runs: readonly RecordedRun[]): Promise<string[]> {
  if (!isQuiet) Runtime.install({ logger: new DefaultLogger('ERROR') });
  isQuiet = true;
  const broken: string[] = [];
  const results = Worker.runReplayHistories({ workflowBundle: { codePath: BUNDLE } }, runs);
  for await (const { workflowId, error } of results)
    if (error) broken.push(`the history of ${workflowId} cannot be replayed: ${error.message}`);
  return broken;
}
