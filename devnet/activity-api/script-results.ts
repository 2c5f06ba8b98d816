/** Results of a script: what they wait for, and how they are sent, however many and long they are. */
import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { failure } from '../server/errors';
import { send } from '../server/http';
import { Query, queryFailure } from '../server/input';
import { waitFor } from '../server/long-poll';
import { pause } from '../timers';
import { isSudden } from '../vm/ending';
import type { Host } from '../vm/host';
import type { ActivityRow, FinishedCommand, ResultJson, VmStore } from '../vm/vm-store';

/** How much longer than asked yagna waits for a provider. */
export const TIMEOUT_MARGIN_SEC = 1;

export interface ScriptPath {
  Params: { activityId: string; batchId: string };
}

type Result = ResultJson & { isBatchFinished: boolean };

/** With more output than this, results are read and sent one by one: all at once may be more than a text can hold. */
const LONGEST_AT_ONCE = 4 * 1024 * 1024;

/**
 * Waits for the script's **last** command (or for the asked one), also when an earlier one has failed and the last will
 * never run, as yagna does.
 * @throws unreachable when there is no exe-unit to ask
 */
export async function scriptResults(
  host: Host,
  row: ActivityRow,
  request: FastifyRequest<ScriptPath>,
  reply: FastifyReply,
  unreachable: Error,
): Promise<Iterable<Result>> {
  const { batchId } = request.params;
  const { store } = host;
  const query = new Query(request);
  const timeout = query.number('timeout', 0);
  const commandIndex = query.count('commandIndex');
  if (timeout < 0) throw queryFailure('timeout must not be negative');
  const activity = host.find(row.id);
  if (!activity?.reachable && row.results_kept === 0) throw unreachable;
  const length = store.scriptLength(batchId, row.id);
  if (length === undefined) throw failure(404, `Not found: batch_id = ${batchId}`);
  if (length === 0) return [];
  const awaited = commandIndex ?? length - 1;
  const judged = (result: ResultJson): Result => ({
    ...result,
    isBatchFinished: result.index === awaited || result.result === 'Error',
  });
  const read = (): Iterable<Result> => {
    const finished = store.finished(batchId);
    const bytes = finished.reduce((sum, command) => sum + command.bytes, 0);
    return commandIndex === undefined && bytes > LONGEST_AT_ONCE
      ? oneByOne(store, batchId, finished, judged)
      : store.results(batchId, commandIndex).map(judged);
  };
  if (!activity) {
    const last = store.finished(batchId).at(-1);
    if (last && (last.index >= awaited || last.result === 'Error')) return read();
    throw unreachable;
  }
  const script = activity.scripts.get(batchId);
  const done = await waitFor(activity.progress, reply, timeout, () => {
    if ((script?.finished ?? 0) > awaited) return read();
    if (activity.reachable || (isSudden(activity.ending) && !host.closing.signal.aborted)) return undefined;
    throw unreachable;
  });
  if (done) return done;
  // Of a VM that died nothing more is heard.
  if (timeout > 0 && isSudden(activity.ending)) await pause(TIMEOUT_MARGIN_SEC * 1000);
  if (commandIndex !== undefined || isSudden(activity.ending)) throw failure(408, 'Timeout');
  return read();
}

function* oneByOne(
  store: VmStore,
  batchId: string,
  finished: readonly FinishedCommand[],
  judged: (result: ResultJson) => Result,
): Generator<Result> {
  for (const { index } of finished) {
    const result = store.result(batchId, index);
    if (!result) throw new Error(`the results of script ${batchId} were dropped while they were sent`);
    yield judged(result);
  }
}

export function sendResults(reply: FastifyReply, results: Iterable<Result>): FastifyReply {
  if (Array.isArray(results)) return send(reply, 200, results);
  return reply
    .code(200)
    .header('content-type', 'application/json')
    .send(Readable.from(listOf(results)));
}

/** A JSON list, member by member: each is made when the one before was taken. */
function* listOf(members: Iterable<unknown>): Generator<Buffer> {
  let before = '[';
  for (const member of members) {
    yield Buffer.from(before + JSON.stringify(member));
    before = ',';
  }
  yield Buffer.from(before === '[' ? '[]' : ']');
}
