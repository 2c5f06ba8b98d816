/** What `golem-temporal rent | exec | terminate` do: thin over GolemClient. */
import { randomUUID } from 'node:crypto';
import { GolemClient, type ExecuteScript, type ScriptOutcome } from '../client/index';
import { detachedRental } from '../client/ended-rental';
import { given } from '../model/given';
import type { JobPhase, JobProgress } from '../model/result';
import { requireSound } from './check-spec';
import { durationText } from './duration';
import {
  CliError,
  EXIT_FAILED,
  EXIT_GONE,
  EXIT_NOT_NOW,
  EXIT_TIMED_OUT,
  EXIT_UNCERTAIN,
  usageError,
} from './failure';
import { interruptible, WaitOver } from './interruptible';
import { jobView } from './job-view';
import { signerOf } from './key-file';
import { shellWord } from './names';
import { resultPrinter } from './script-output';
import { readSpecFile, type SpecFile } from './spec-file';
import { tellSilence } from './tell-silence';
import { withTemporal } from './temporal-client';
import { missingWorker } from './worker-there';

/** An image may take half an hour to come up. */
const DEFAULT_WAIT_SEC = 45 * 60;

/** What a VM that is not up may wait for, where nothing went wrong. */
const WAITS_FOR: Partial<Record<JobPhase, string>> = {
  validating: 'its spec is being checked',
  reserving: 'its budget is being reserved',
  negotiating:
    'no provider has agreed yet; golem-temporal estimate tells who suits such a spec, and why others do not',
  running: 'a provider is making the VM',
};

interface RentOptions {
  image?: string;
  budget?: string;
  id?: string;
  taskQueue: string;
  wait?: number;
  owner?: string;
  json?: boolean;
}

export async function rent(file: string | undefined, options: RentOptions): Promise<void> {
  const { value, placeOf } = await rentalSpec(file, options);
  requireNoTasks(value, file);
  const spec = closedFor(value, options.owner);
  requireSound({ tasks: [], ...spec, interactive: true }, placeOf);
  const { wait: waitSec = DEFAULT_WAIT_SEC } = options;
  await withTemporal(async (client) => {
    const golem = new GolemClient({ client, taskQueue: options.taskQueue });
    const jobId = options.id ?? `golem-${randomUUID()}`;
    // Standard output has the id and nothing else, for scripts.
    const view = jobView(process.stderr);
    const missing = await missingWorker(client, options.taskQueue, { isPatient: true });
    if (missing) throw new CliError(`nothing is rented: ${missing}`, EXIT_NOT_NOW);
    const key = 'control' in spec ? ' --key FILE' : '';
    const message = `job ${jobId} goes on: golem-temporal watch ${jobId} shows it, golem-temporal terminate ${jobId}${key} ends it`;
    let why = ' (no worker has told why)';
    const onProgress = (progress: JobProgress): void => {
      const { lastFailure, phase } = progress;
      why = lastFailure
        ? ` (${lastFailure.type}: ${lastFailure.message})`
        : ` (${WAITS_FOR[phase] ?? phase})`;
      view.update(progress);
    };
    let isOurs = false;
    const onStarted = (): void => void (isOurs = true);
    const rented = (signal: AbortSignal) => golem.rent(spec, { jobId, signal, onStarted, onProgress });
    const { rentalId } = await interruptible(message, rented, waitSec)
      .catch(async (error: unknown) => {
        if (!(error instanceof WaitOver)) throw error;
        const time = durationText(waitSec).replace(/^(?!\d)/, '1 ');
        if (!isOurs)
          throw new CliError(
            `Temporal took no job within ${time}; if it still does: ${message}`,
            EXIT_NOT_NOW,
          );
        await golem.cancel(jobId);
        const late = `no VM was up within ${time}${why}: job ${jobId} is cancelled`;
        throw new CliError(late, EXIT_NOT_NOW);
      })
      .finally(() => view.stop());
    console.log(options.json ? JSON.stringify({ jobId, rentalId }) : rentalId);
    console.error(
      `golem-temporal exec ${rentalId}${key} -- uname -a    # golem-temporal terminate ${jobId}${key} ends it`,
    );
  });
}

async function rentalSpec(
  file: string | undefined,
  { image, budget }: { image?: string; budget?: string },
): Promise<Pick<SpecFile, 'value'> & Partial<SpecFile>> {
  if (file === undefined) {
    if (image !== undefined && budget !== undefined) return { value: { image, budget } };
    throw usageError('give a spec file, or both --image and --budget');
  }
  if (image === undefined && budget === undefined) return await readSpecFile(file);
  throw usageError('give a spec file, or --image and --budget, not both');
}

/** A job's file is easily taken for a rental's. */
function requireNoTasks(spec: object, file = ''): void {
  const { tasks, interactive } = spec as { tasks?: unknown; interactive?: unknown };
  const hasTasks = Array.isArray(tasks) ? tasks.length > 0 : tasks !== undefined && tasks !== null;
  if (!hasTasks || interactive === true) return;
  const name = file === '-' ? 'standard input' : file;
  throw usageError(
    `${name} has tasks, and a rental has none: golem-temporal start ${shellWord(file)} runs them; leave them out to rent a VM`,
  );
}

function closedFor(spec: object, owner: string | undefined): object {
  if (owner === undefined) return spec;
  if ('control' in spec) throw usageError('give the owner in the spec, or as --owner, not both');
  return { ...spec, control: { owner } };
}

interface ScriptOptions {
  key?: string;
  shell?: string;
  file?: string;
  timeout?: number;
  vm?: string;
  fresh?: boolean;
  onUncertain?: ExecuteScript['onUncertain'];
  result?: string;
  json?: boolean;
}

export async function exec(rental: string, program: string[], options: ScriptOptions): Promise<void> {
  const script = await scriptOf(program, options);
  const signer = await signerOf(options);
  await withTemporal(async (client) => {
    const golem = new GolemClient({ client, signer });
    const rentalId = await rentalThatAnswers(golem, rental, script !== undefined);
    const scriptId = script?.scriptId ?? options.result ?? '';
    const key = options.key === undefined ? '' : ` --key ${shellWord(options.key)}`;
    const again = `exec ${shellWord(rentalId)}${key} --result ${shellWord(scriptId)}`;
    const printer = resultPrinter();
    const outcome = await interruptible(`the script goes on: golem-temporal ${again}`, (signal) => {
      const follow = { signal, onResult: options.json ? undefined : printer.print };
      return tellSilence(client, rentalId, () =>
        script
          ? golem.exec(rentalId, script.commands, { ...script, ...follow })
          : golem.followScript(rentalId, scriptId, follow),
      );
    });
    if (options.json) console.log(JSON.stringify(outcome, null, 2));
    printer.end();
    requireDone(outcome, script);
  });
}

/** Undefined where the result of an earlier one is asked for. */
async function scriptOf(program: string[], options: ScriptOptions): Promise<ExecuteScript | undefined> {
  const { shell, file, result, timeout: timeoutSec, onUncertain, vm, fresh } = options;
  const [first = '', ...args] = program;
  const asked = [program.length > 0, shell !== undefined, file !== undefined, result !== undefined];
  if (asked.filter(Boolean).length !== 1)
    throw usageError('give one of: -- and a program, --shell LINE, --file FILE, --result SCRIPT');
  if (result !== undefined) return undefined;
  if (file !== undefined) {
    const script = (await readSpecFile(file, 'script')).value as ExecuteScript;
    return { scriptId: randomUUID(), ...script, ...given({ timeoutSec, onUncertain, vm, fresh }) };
  }
  if (shell === '' || (shell === undefined && first === '')) throw usageError('the command is empty');
  const commands = [shell ?? programCommand(first, args)];
  return { scriptId: randomUUID(), commands, timeoutSec, onUncertain, vm, fresh };
}

/** The VM takes a program by its path; one by its name is found by the shell, which hands on all arguments as they are. */
function programCommand(program: string, args: string[]): ExecuteScript['commands'][number] {
  if (program.includes('/')) return { run: program, args };
  return { run: '/bin/sh', args: ['-c', 'exec "$0" "$@"', program, ...args] };
}

/** Before anything is sent: what would wait for long is told in place of waiting. */
async function rentalThatAnswers(golem: GolemClient, rental: string, isForScript: boolean): Promise<string> {
  const { workflowId, state, reason, activityId = '' } = await golem.rentalProgress(rental);
  if (!isForScript) return workflowId;
  switch (state) {
    case 'detached':
      throw detachedRental(workflowId, activityId, golem.signer !== undefined);
    case 'closing':
    case 'closed':
    case 'failed': {
      const why = reason === undefined ? '' : ` (${reason})`;
      throw new CliError(`rental ${workflowId} has ended${why}: rent another one`, EXIT_GONE);
    }
    case 'signing':
    case 'creating':
    case 'deploying':
      throw new CliError(
        `the VM of ${workflowId} is not up yet (${state}): try again in a moment`,
        EXIT_NOT_NOW,
      );
    default:
      return workflowId;
  }
}

const EXIT_CODES: Partial<Record<ScriptOutcome['state'], number>> = {
  lost: EXIT_GONE,
  returned: EXIT_GONE,
  uncertain: EXIT_UNCERTAIN,
};

/** @param script - undefined where only its outcome was asked for */
function requireDone(
  { state, reason, scriptId, results, failure }: ScriptOutcome,
  script: ExecuteScript | undefined,
): void {
  if (state === 'done') return;
  if (state === 'timedOut') {
    const first = script
      ? 'its VM and the rental end with it'
      : 'its VM ends with it, and the rental with the first VM';
    const ends = script?.vm === undefined ? first : `VM ${script.vm} ends with it`;
    throw new CliError(`script ${scriptId} took longer than its time: ${ends}`, EXIT_TIMED_OUT);
  }
  // Its rental lives, and has no room for its VM.
  if (state === 'returned' && failure?.type === 'VmNotCreated')
    throw new CliError(`script ${scriptId} was not run: ${whyNoVm(failure.message)}`, EXIT_FAILED);
  const failed = results.find(({ result }) => result === 'Error');
  const where = failed && failed.index > 0 ? `command ${failed.index + 1} of ` : '';
  throw new CliError(`${where}script ${scriptId}: ${state}${reason ? `: ${reason}` : ''}`, EXIT_CODES[state]);
}

/** Providers refuse a second VM under an agreement in words of their own, from deep inside. */
function whyNoVm(message: string): string {
  if (!/Only single Activity allowed|simultaneous Activities/.test(message)) return message;
  return 'its provider has room for one VM an agreement, as most have: run it in the first VM, without --vm, or rent another one';
}

export async function terminate(id: string, options: { reason: string; key?: string }): Promise<void> {
  const { reason } = options;
  const signer = await signerOf(options);
  await withTemporal(async (client) => {
    const ended = await new GolemClient({ client, signer }).terminate(id, reason);
    console.log(ended ? `terminating ${id}` : `${id} is over already: there is nothing to terminate`);
  });
}
