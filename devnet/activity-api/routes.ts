/** yagna's activity API for requestors, over the activities of a VM host. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hexId } from '../clock';
import { failure, type HttpError, textFailure } from '../server/errors';
import { send, yagnaScope } from '../server/http';
import { Body, Query, queryFailure } from '../server/input';
import { Stream, waitFor } from '../server/long-poll';
import { pause } from '../timers';
import { parseScript, ScriptSyntaxError } from '../vm/exe-script';
import type { GolemActivity } from '../vm/golem-activity';
import {
  ActivityExists,
  ActivityRefused,
  AgreementNotApproved,
  AgreementNotFound,
  type Host,
} from '../vm/host';
import type { ActivityRow } from '../vm/vm-store';
import { streamActivities, streamScript } from './event-stream';
import { scriptResults, sendResults, TIMEOUT_MARGIN_SEC, type ScriptPath } from './script-results';

const DEFAULT_TIMEOUT_SEC = 5;
const BASE = '/activity-api/v1';

interface ActivityPath {
  Params: { activityId: string };
}

export function registerActivityRoutes(app: FastifyInstance, host: Host): void {
  yagnaScope(app, (scope) => {
    scope.post(`${BASE}/activity`, async (request, reply) =>
      send(reply, 200, await create(host, request, reply)),
    );

    scope.get(`${BASE}/activity`, (request, reply) => {
      const agreementId = new Query(request).required('agreementId');
      const terms = host.terms(agreementId);
      if (!terms || terms.requestorId !== request.requestorId)
        throw failure(404, `Not found: ${agreementId}`);
      const listed = host.store.activitiesOf(agreementId).filter((row) => row.listed === 1);
      return send(
        reply,
        200,
        listed.map((row) => row.id),
      );
    });

    scope.get(`${BASE}/_monitor`, (request, reply) => streamActivities(host, request, reply));

    scope.delete<ActivityPath>(`${BASE}/activity/:activityId`, async (request, reply) => {
      const row = activityOf(host, request);
      const { id } = row;
      await answered(host, row.agreement_id, reply, `activity/DestroyActivity`, row.ended !== 1);
      await withinTimeout(host.destroy(id), timeoutSec(request));
      return send(reply, 200, null);
    });

    scope.get<ActivityPath>(`${BASE}/activity/:activityId/state`, async (request, reply) => {
      const row = activityOf(host, request);
      await answered(host, row.agreement_id, reply, `activity/GetState`);
      return send(reply, 200, host.find(row.id)?.state ?? endedState(row));
    });

    scope.get<ActivityPath>(`${BASE}/activity/:activityId/usage`, async (request, reply) => {
      const row = activityOf(host, request);
      await answered(host, row.agreement_id, reply, `activity/GetUsage`);
      return send(reply, 200, usage(host, row));
    });

    scope.get<ActivityPath>(`${BASE}/activity/:activityId/agreement`, (request, reply) =>
      send(reply, 200, activityOf(host, request).agreement_id),
    );

    scope.get<ActivityPath>(`${BASE}/activity/:activityId/command`, (request) => {
      const row = activityOf(host, request);
      throw unreachable(`/net/${providerOf(host, row)}/activity/GetRunningCommand`);
    });

    scope.post<ActivityPath>(`${BASE}/activity/:activityId/exec`, async (request, reply) => {
      const text = Body.of('payment', request).string('text');
      const row = activityOf(host, request);
      const commands = script(text);
      await answered(host, row.agreement_id, reply, `exeunit/${row.id}/Exec`);
      const activity = reachableActivity(host, row, 'Exec');
      // It still answers polls, and takes nothing more.
      if (activity.ending) throw exeUnitUnreachable(host, row, 'Exec');
      const batchId = hexId(16);
      activity.execute(batchId, commands);
      return send(reply, 200, batchId);
    });

    // Only an exe-unit in an enclave listens to encrypted scripts, and no provider of the devnet has one.
    scope.post<ActivityPath>(`${BASE}/activity/:activityId/encrypted`, async (request, reply) => {
      const row = activityOf(host, request);
      await answered(host, row.agreement_id, reply, `exeunit/${row.id}/CallEncryptedService`);
      throw exeUnitUnreachable(host, row, 'CallEncryptedService');
    });

    scope.get<ScriptPath>(`${BASE}/activity/:activityId/exec/:batchId`, async (request, reply) => {
      const row = activityOf(host, request);
      await answered(host, row.agreement_id, reply, `exeunit/${row.id}/GetExecBatchResults`);
      if (request.headers.accept === 'text/event-stream') {
        const activity = reachableActivity(host, row, 'StreamExecBatchResults');
        return streamScript(host, activity, request.params.batchId, request, reply);
      }
      const unreachable = exeUnitUnreachable(host, row, 'GetExecBatchResults');
      return sendResults(reply, await scriptResults(host, row, request, reply, unreachable));
    });
  });
}

async function create(host: Host, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
  const { json } = Body.of('payment', request);
  const bare = typeof json === 'string';
  const agreementId = bare ? json : (json as { agreementId?: unknown } | null)?.agreementId;
  if (typeof agreementId !== 'string') {
    throw textFailure(
      400,
      'Json deserialize error: data did not match any variant of untagged enum CreateActivityJson',
    );
  }
  if (!/^[0-9a-fA-F]+$/.test(agreementId)) {
    throw failure(500, `Service error: Id [${agreementId}] contains non hexadecimal characters.`);
  }
  const terms = host.terms(agreementId);
  if (terms && terms.requestorId !== request.requestorId) throw failure(404, `Not found: ${agreementId}`);
  if (terms) await answered(host, agreementId, reply, 'activity/CreateActivity', true);
  let awaited = true;
  try {
    const activityId = await withinTimeout(
      host.create(agreementId, () => awaited),
      timeoutSec(request),
      () => (awaited = false),
    );
    return bare ? activityId : { activityId };
  } catch (error) {
    if (error instanceof AgreementNotFound) throw failure(404, `Not found: ${agreementId}`);
    if (error instanceof AgreementNotApproved) {
      throw failure(
        400,
        `Bad request: Agreement ${agreementId} is not Approved. Current state: ${error.state}`,
      );
    }
    if (error instanceof ActivityRefused) throw failure(500, `Service error: ${error.message}`);
    if (error instanceof ActivityExists) {
      const refused = `Activity ${error.refusedId} was abruptly terminated.`;
      const reason = "Reason: Only single Activity allowed, message: Can't create 2 simultaneous Activities.";
      throw failure(500, `Service error: ${refused} ${reason}`);
    }
    throw error;
  }
}

/** The row of the activity in the path, if it is the requestor's. */
function activityOf(host: Host, request: FastifyRequest<ActivityPath>): ActivityRow {
  const { activityId } = request.params;
  const row = host.store.activity(activityId);
  const terms = row && host.terms(row.agreement_id);
  if (!terms || row.listed === 0) {
    throw failure(500, `DAO error: Not found: agreement id for activity: ${activityId}`);
  }
  if (terms.requestorId !== request.requestorId) {
    throw failure(403, `Forbidden: activity ${activityId} belongs to another requestor`);
  }
  return row;
}

function reachableActivity(host: Host, row: ActivityRow, call: string): GolemActivity {
  const activity = host.find(row.id);
  if (activity?.reachable) return activity;
  throw exeUnitUnreachable(host, row, call);
}

function exeUnitUnreachable(host: Host, row: ActivityRow, call: string): HttpError {
  return unreachable(`/net/${providerOf(host, row)}/exeunit/${row.id}/${call}`);
}

function unreachable(address: string): HttpError {
  const cause = 'GSB failure: Bad request: endpoint address not found';
  return failure(500, `GSB error: Remote service at \`${address}\` error: ${cause}`);
}

function providerOf(host: Host, row: ActivityRow): string {
  return host.terms(row.agreement_id)?.providerId ?? '';
}

function endedState(row: ActivityRow): object {
  return {
    state: [row.ended === 2 ? 'Unresponsive' : 'Terminated', null],
    ...(row.reason !== null && { reason: row.reason }),
    ...(row.error_message !== null && { errorMessage: row.error_message }),
  };
}

function usage(host: Host, row: ActivityRow): object {
  const { measured, cpuSec, durationSec } = host.currentUsage(row.id);
  const timestamp = Math.floor((row.ended ? row.updated_ms : Date.now()) / 1000);
  if (!measured) return { timestamp };
  const counters: Record<string, number> = {
    'golem.usage.cpu_sec': cpuSec,
    'golem.usage.duration_sec': durationSec,
  };
  const vector = host.terms(row.agreement_id)?.usageVector ?? Object.keys(counters);
  return { currentUsage: vector.map((counter) => Number((counters[counter] ?? 0).toFixed(6))), timestamp };
}

function script(text: string): ReturnType<typeof parseScript> {
  try {
    return parseScript(text);
  } catch (error) {
    if (error instanceof ScriptSyntaxError) throw failure(400, `Bad request: ${error.message}`);
    throw error;
  }
}

function timeoutSec(request: FastifyRequest): number {
  const timeout = new Query(request).number('timeout', DEFAULT_TIMEOUT_SEC);
  if (timeout < 0) throw queryFailure('timeout must not be negative');
  return timeout;
}

/** Wakes nobody. */
const SILENCE = new Stream();

/**
 * Passes on when the provider answers; else there is no answer in time, or the word that nobody is there.
 * @param asksAgent whether the answer is the provider agent's, not its yagna's or exe-unit's
 */
async function answered(
  host: Host,
  agreementId: string,
  reply: FastifyReply,
  endpoint: string,
  asksAgent = false,
): Promise<void> {
  const terms = host.terms(agreementId);
  if (!terms) return;
  const reach = asksAgent && terms.isForgotten && terms.reach === 'up' ? 'silent' : terms.reach;
  if (reach === 'up') return;
  if (reach === 'gone') throw unreachable(`/net/${terms.providerId}/${endpoint}`);
  await waitFor(SILENCE, reply, timeoutSec(reply.request) + TIMEOUT_MARGIN_SEC, () => undefined);
  throw failure(408, 'Timeout');
}

/** 408 when the provider needs longer; its work goes on. */
async function withinTimeout<T>(work: Promise<T>, timeout: number, onTimeout?: () => void): Promise<T> {
  const timer = new AbortController();
  const late = pause((timeout + TIMEOUT_MARGIN_SEC) * 1000, timer.signal).then((passed) => {
    if (passed) onTimeout?.();
    return undefined;
  });
  const done = work.then((value) => ({ value }));
  const answer = await Promise.race([done, late]).finally(() => timer.abort());
  if (answer) return answer.value;
  done.catch(() => undefined);
  throw failure(408, 'Timeout');
}
