/**
 * `npm start`: a real job on a Golem network, and what makes it worth while: its worker is killed half way, and
 * the job goes on as if nothing had happened.
 */
import { randomUUID } from 'node:crypto';
import { relative, resolve } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import pc from 'picocolors';
import { asCliError } from '../cli/job-failure';
import { describeTasks, jobView } from '../cli/job-view';
import { watchJob } from '../cli/watch-job';
import { GolemClient } from '../client/index';
import type { JobProgress, JobResult } from '../model/result';
import { mandelbrotSpec, PICTURE_PIXELS, readTile } from './mandelbrot';
import { writePicture } from './picture';
import { costLines, isPaid, repeatedAfter } from './report';
import { scriptsStarted, withStage, type Stage } from './stage';

const PICTURE = resolve(__dirname, '..', '..', 'demo-output', 'mandelbrot.png');
/** So many tiles are done when the worker is killed. */
const KILL_AFTER_TILES = 6;

/** @returns the exit code. */
export async function runDemo(args: readonly string[]): Promise<number> {
  const stop = new AbortController();
  const leaving: Leaving = {};
  const onSignal = (): void => {
    const tidyUp = leaving.tidyUp;
    leaving.tidyUp = undefined;
    if (!tidyUp) return stop.abort(new Interrupted());
    tidyUp().then(
      () => stop.abort(new Interrupted()),
      (error: unknown) => stop.abort(error),
    );
  };
  // A terminal that is closed, and an output that nobody reads any more, end it as Ctrl-C does.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  let unread = false;
  const onUnread = (): void => {
    if (!unread) onSignal();
    unread = true;
  };
  process.stdout.on('error', onUnread);
  process.stderr.on('error', onUnread);
  try {
    const ok = await withStage(say, stop.signal, (stage) =>
      play(stage, args.includes('--keep'), leaving, stop.signal),
    );
    return ok ? 0 : 1;
  } catch (error) {
    if (error instanceof Interrupted) {
      say('stopped; every process that was started here has ended');
      return 130;
    }
    console.error(`npm start: ${asCliError(error).message}`);
    return 1;
  }
}

/** What the first Ctrl-C does before everything is ended; a second one ends everything at once. */
interface Leaving {
  tidyUp?: () => Promise<void>;
}

class Interrupted extends Error {}

function say(line: string): void {
  console.log(line);
}

async function play(stage: Stage, keep: boolean, leaving: Leaving, signal: AbortSignal): Promise<boolean> {
  let worker = await stage.startWorker();
  say(`worker      process ${worker.pid}`);
  const connection = await connect(stage);
  const client = new Client({ connection, namespace: loadClientConnectConfig().namespace });
  const golem = new GolemClient({ client });
  const { jobId } = await golem.startJob(mandelbrotSpec(), {
    jobId: `mandelbrot-${randomUUID().slice(0, 8)}`,
  });
  // Our own devnet ends with us; a yagna of the user's must not be left with a job's rentals and debts.
  if (!stage.golem.adminUrl) leaving.tidyUp = () => cancelAndSettle(golem, jobId);
  const ui =
    stage.temporal.uiUrl &&
    `${stage.temporal.uiUrl}/namespaces/${client.options.namespace}/workflows/${jobId}`;
  say(
    `job         ${jobId}: a ${PICTURE_PIXELS}×${PICTURE_PIXELS} Mandelbrot set in 16 tiles, each by one awk on one provider`,
  );
  if (ui) say(`watch it    ${ui}`);
  say('');

  const view = jobView();
  let killedAt: number | undefined;
  let restarted: Promise<void> | undefined;
  const onProgress = (progress: JobProgress): void => {
    if (killedAt !== undefined || progress.tasks.done < KILL_AFTER_TILES || progress.tasks.running === 0)
      return;
    killedAt = Date.now();
    restarted = (async () => {
      await worker.kill();
      view.print(pc.red(`✗ worker ${worker.pid} killed with SIGKILL (${describeTasks(progress)})`));
      worker = await stage.startWorker();
      view.print(pc.green(`✓ another worker, process ${worker.pid}: the job goes on`));
    })();
    // It is awaited below; a failure before that is no unhandled one.
    restarted.catch(() => {});
  };
  const result = await watchJob(golem, jobId, view, { onProgress, signal });
  await restarted;

  if (result.state === 'failed') {
    for (const { name, failure } of result.tasks) {
      if (failure) say(pc.red(`${name}: ${failure.type}: ${failure.message}`));
    }
    if (result.failure) say(pc.red(`${result.failure.type}: ${result.failure.message}`));
    return false;
  }
  await writePicture(result.tasks.map(readTile), PICTURE);
  say('');
  say(`${relative(process.cwd(), PICTURE)} is written`);
  const unharmed = await tellCrash(stage, result, killedAt);
  const paid = await tellCosts(golem, result);
  if (ui)
    say(
      `Temporal's UI ${keep ? 'is' : 'was'} at ${ui}${keep ? '' : ' (npm start -- --keep leaves it open)'}`,
    );
  if (keep) {
    say('Ctrl-C ends everything.');
    leaving.tidyUp = undefined;
    await new Promise(() => {});
  }
  // Not when interrupted: a call under way that is retried on a closed connection throws where nobody can catch it.
  await connection.close();
  return unharmed && paid;
}

async function cancelAndSettle(golem: GolemClient, jobId: string): Promise<void> {
  say('cancelling the job and paying what is owed; Ctrl-C again ends everything at once');
  await golem.cancel(jobId);
  await golem.settled(jobId).catch((error: unknown) => say(asCliError(error).message));
}

async function connect(stage: Stage): Promise<Connection> {
  return Connection.connect({
    ...loadClientConnectConfig().connectionOptions,
    address: stage.temporal.address,
  });
}

/** What the crash cost: nothing that was done. */
async function tellCrash(stage: Stage, result: JobResult, killedAt: number | undefined): Promise<boolean> {
  if (killedAt === undefined) {
    say('The job was over before its worker could be killed.');
    return true;
  }
  const { doneBefore, repeated } = repeatedAfter(result, killedAt);
  const verdict =
    repeated.length === 0 ? 'none of them was computed again' : `computed again: ${repeated.join(', ')}`;
  say(`${doneBefore} tiles were done when the worker was killed; ${verdict}`);
  if (stage.golem.adminUrl) {
    const started = await scriptsStarted(stage.golem.adminUrl);
    say(`the providers computed ${started} tiles for the ${result.tasks.length} of the picture`);
  }
  return repeated.length === 0;
}

async function tellCosts(golem: GolemClient, result: JobResult): Promise<boolean> {
  say('waiting for the invoices and their payment');
  const settlement = await golem.settled(result.jobId);
  say('');
  for (const line of costLines(result, settlement)) say(line);
  say('');
  if (settlement.state !== 'settled' || !isPaid(settlement)) say('Not everything is paid; see the table.');
  return settlement.state === 'settled' && isPaid(settlement);
}
