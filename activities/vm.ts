/** Creating a VM under an agreement, and sending scripts to it. */
import type { TaskCommand } from '../model/job';
import { attempt } from './attempt';
import type { CreatedVm, CreateVmInput, GolemActivities, ScriptCommand, SendingScript } from './contract';
import type { ActivityEnvironment } from './environment';
import { event, stateChanged } from './events';
import { isVain } from './patience';
import { endOfQuickScript } from './quick-script';
import { executed } from './watch-script';
import { Places } from './worker-files';
import {
  failure,
  isYagnaError,
  toFailure,
  unlessNotFound,
  type CaptureMode,
  type ExeScriptCommand,
  type Yagna,
  type YagnaError,
} from './yagna';
import type { FailureType } from '../model/failures';

/** How long a provider may take to create a VM. */
const CREATE_TIMEOUT_SEC = 60;
/** Of a script that says nothing of it. */
const USUAL_TIMEOUT_SEC = 3600;
/** An agreement under which yagna fails to create one so often, being well itself, is no use. */
const ENOUGH_ATTEMPTS = 10;

export function vmActivities(
  env: ActivityEnvironment,
): Pick<GolemActivities, 'golemCreateVm' | 'golemSendScript'> {
  return {
    /**
     * Creates the Golem activity of an agreement.
     *
     * Effect: one Golem activity.
     * Retry: one that yagna lists for the agreement is adopted. If none is listed and the provider says that one exists,
     * the agreement is no use: its end ends whatever was created.
     * @throws VmNotCreated - the provider can't, or has one that nobody knows; take another agreement (not retried)
     * @throws AgreementEnded - (not retried)
     * @throws YagnaUnavailable, YagnaUnauthorized - (retried with backoff until the agreement's end)
     */
    async golemCreateVm(input) {
      return await attempt(
        async ({ signal, retried, number }) => {
          const yagna = env.connections.get(input.job.connection);
          const activityId = await createOrAdopt(yagna, input, number, signal).catch((error: unknown) => {
            if (!isYagnaError(error) || Date.now() < input.validToMs) throw error;
            throw failure('AgreementEnded', `the agreement has expired; ${error.message}`);
          });
          const { agreementId, provider } = input;
          return {
            activityId,
            events: [
              event('ActivityCreated', { id: activityId, agreementId, provider }),
              stateChanged(activityId, agreementId, provider, 'Initialized'),
            ],
            retried,
          };
        },
        {
          names: { badRequest: 'AgreementEnded', notFound: 'AgreementEnded', gone: 'VmNotCreated' },
          awaitsKey: true,
        },
      );
    },

    /**
     * Sends a script to a VM. Never retried by Temporal.
     *
     * Effect: the script runs.
     * Its heartbeats tell the batch id (`SendingScript`), should its worker die before its answer.
     * @returns with the batch id, the results of a script that is over in a moment
     * @throws YagnaUnavailable, YagnaUnauthorized - it was certainly not sent; send it again
     * @throws ScriptUncertain - it may have been sent, the answer is lost (not retried)
     * @throws VmLost - the VM is not there (not retried)
     * @throws FilesNotServed - it transfers files of the worker, which serves none (not retried)
     */
    async golemSendScript(input) {
      const { job, agreementId, activityId, commands, timeoutSec = USUAL_TIMEOUT_SEC } = input;
      return await attempt(async ({ signal, tell }) => {
        const yagna = env.connections.get(job.connection);
        try {
          const places = new Places(env.files, timeoutSec, Date.now());
          const script = commands.map((command) => exeScriptCommand(command, places));
          const batchId = await yagna.exec(activityId, script, signal);
          const ids = { activityId, agreementId, batchId };
          const sent = { batchId, event: event('ScriptSent', ids) };
          const { outputLimitBytes } = input;
          if (outputLimitBytes === undefined) return sent;
          tell({ batchId } satisfies SendingScript);
          const limits = { commandCount: commands.length, outputLimitBytes };
          const quick = await endOfQuickScript(yagna, { ...ids, ...limits }, signal);
          return { ...sent, quick: quick && executed(quick, ids) };
        } catch (error) {
          if (!isYagnaError(error)) throw error;
          throw toFailure(error, { [error.kind]: failureOfSending(error) });
        }
      });
    },
  };
}

function failureOfSending({ kind, certainlyNoEffect }: YagnaError): FailureType {
  switch (kind) {
    case 'gone':
    case 'notFound':
      return 'VmLost';
    case 'badRequest':
    case 'incompatible':
      return 'YagnaIncompatible';
    case 'unauthorized':
      return 'YagnaUnauthorized';
    default:
      return certainlyNoEffect ? 'YagnaUnavailable' : 'ScriptUncertain';
  }
}

async function createOrAdopt(
  yagna: Yagna,
  { agreementId, ended }: CreateVmInput,
  attempts: number,
  signal: AbortSignal,
): Promise<CreatedVm['activityId']> {
  const adopt = await listed(yagna, agreementId, ended, signal);
  if (adopt) return adopt;
  try {
    return await yagna.createGolemActivity(agreementId, CREATE_TIMEOUT_SEC, signal);
  } catch (error) {
    if (!isYagnaError(error) || !['timeout', 'lost', 'server'].includes(error.kind)) throw error;
    const late = await listed(yagna, agreementId, ended, signal);
    if (late) return late;
    // The provider may have made one that nobody can address: only the agreement's end ends it.
    const isYagnas = error.kind === 'lost' || error.isAway;
    if (isYagnas && !isVain(yagna, attempts, ENOUGH_ATTEMPTS)) throw error;
    throw failure('VmNotCreated', error.message);
  }
}

/** The oldest Golem activity that yagna lists; were there more, of lost attempts, they are ended. */
async function listed(
  yagna: Yagna,
  agreementId: string,
  ended: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  // A yagna without that call shows none.
  const ids = (await unlessNotFound(yagna.golemActivities(agreementId, signal))) ?? [];
  const [kept, ...rest] = ids.filter((id) => !ended.includes(id));
  for (const extra of rest) await yagna.destroyGolemActivity(extra, signal);
  return kept;
}

/** Both outputs, whole: what is too long is cut when it is read. */
const AT_END: CaptureMode = { atEnd: { format: 'string' } };

function exeScriptCommand(command: ScriptCommand, places: Places): ExeScriptCommand {
  if ('deploy' in command) return { deploy: {} };
  if ('start' in command) return { start: { args: [] } };
  return taskCommand(command, places);
}

function taskCommand(command: TaskCommand, places: Places): ExeScriptCommand {
  if ('transfer' in command) {
    const { from, to } = command.transfer;
    return { transfer: { from: places.of(from, 'GET'), to: places.of(to, 'PUT') } };
  }
  const capture = { stdout: AT_END, stderr: AT_END };
  return command.args
    ? { run: { entry_point: command.run, args: command.args, capture } }
    : { run: { entry_point: '/bin/sh', args: ['-c', command.run], capture } };
}
