/** What `golem-temporal rent | exec | terminate` do: thin over GolemClient. */
import { randomUUID } from 'node:crypto';
import { GolemClient, type ExecuteScript, type ScriptOutcome } from '../client/index';
import { given } from '../model/given';
import { CliError, EXIT_GONE, EXIT_NOT_NOW, EXIT_TIMED_OUT, EXIT_UNCERTAIN, usageError } from './failure';
import { warnWithoutWorker } from './job-actions';
import { jobView } from './job-view';
import { signerOf } from './key-file';
import { resultPrinter } from './script-output';
import { readJsonFile, readSpecFile } from './spec-file';
import { withTemporal } from './temporal-client';

const EXIT_INTERRUPTED = 130;

interface RentOptions {
  image?: string;
  budget?: string;
  id?: string;
  taskQueue: string;
  owner?: string;
  json?: boolean;
}

export async function rent(file: string | undefined, options: RentOptions): Promise<void> {
  const spec = closedFor(await rentalSpec(file, options), options.owner);
  await withTemporal(async (client) => {
    const golem = new GolemClient({ client, taskQueue: options.taskQueue });
    const jobId = options.id ?? `golem-${randomUUID()}`;
    // Standard output has the id and nothing else, for scripts.
    const view = jobView(process.stderr);
    await warnWithoutWorker(client, options.taskQueue);
    const message = `the job goes on: golem-temporal watch ${jobId}, or golem-temporal terminate ${jobId}`;
    const { rentalId } = await interruptible(message, (signal) =>
      golem.rent(spec, { jobId, signal, onProgress: (progress) => view.update(progress) }),
    ).finally(() => view.stop());
    console.log(options.json ? JSON.stringify({ jobId, rentalId }) : rentalId);
    const key = 'control' in spec ? ' --key FILE' : '';
    console.error(
      `golem-temporal exec ${rentalId}${key} -- uname -a    # golem-temporal terminate ${jobId}${key} ends it`,
    );
  });
}

async function rentalSpec(
  file: string | undefined,
  { image, budget }: { image?: string; budget?: string },
): Promise<object> {
  if (file === undefined) {
    if (image !== undefined && budget !== undefined) return { image, budget };
    throw usageError('give a spec file, or both --image and --budget');
  }
  if (image === undefined && budget === undefined) return await readSpecFile(file);
  throw usageError('give a spec file, or --image and --budget, not both');
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
    const key = options.key === undefined ? '' : ` --key ${options.key}`;
    const message = `the script goes on: golem-temporal exec ${rentalId}${key} --result ${scriptId}`;
    const outcome = await interruptible(message, (signal) => {
      const follow = { signal, onResult: options.json ? undefined : resultPrinter() };
      if (!script) return golem.followScript(rentalId, scriptId, follow);
      return golem.exec(rentalId, script.commands, { ...script, ...follow });
    });
    if (options.json) console.log(JSON.stringify(outcome, null, 2));
    requireDone(outcome);
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
    const script = (await readJsonFile(file, 'script')) as ExecuteScript;
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
  const { workflowId, state, reason } = await golem.rentalProgress(rental);
  if (!isForScript) return workflowId;
  switch (state) {
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
  timedOut: EXIT_TIMED_OUT,
};

function requireDone({ state, reason, scriptId, results }: ScriptOutcome): void {
  if (state === 'done') return;
  const failed = results.find(({ result }) => result === 'Error');
  const where = failed && failed.index > 0 ? `command ${failed.index + 1} of ` : '';
  throw new CliError(`${where}script ${scriptId}: ${state}${reason ? `: ${reason}` : ''}`, EXIT_CODES[state]);
}

export async function terminate(id: string, options: { reason: string; key?: string }): Promise<void> {
  const { reason } = options;
  const signer = await signerOf(options);
  await withTemporal(async (client) => {
    const ended = await new GolemClient({ client, signer }).terminate(id, reason);
    console.log(ended ? `terminating ${id}` : `${id} is over already: there is nothing to terminate`);
  });
}

/** Ctrl-C ends the waiting alone. */
async function interruptible<T>(message: string, wait: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort(new CliError(message, EXIT_INTERRUPTED));
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  try {
    return await wait(stop.signal);
  } finally {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}
