/** yagna's Golem activities (VMs on providers) and the scripts they run. */
import { ActivityApi } from 'ya-ts-client';
import { z } from 'zod';
import type { AgreementId, BatchId, GolemActivityId } from '../../model/ids';
import { isYagnaError, unlessGone, unlessNotFound } from './errors';
import {
  ACTIVITY,
  longPoll,
  notNegative,
  requestClass,
  route,
  type SendOptions,
  type Transport,
} from './transport';
import {
  batchResultSchema,
  golemActivityStateSchema,
  golemActivityUsageSchema,
  idSchema,
  read,
  reading,
  type BatchResult,
  type GolemActivityState,
  type GolemActivityUsage,
} from './wire';

export interface CaptureMode {
  atEnd?: { format?: 'string' | 'binary' };
  stream?: { limit?: number; format?: 'string' | 'binary' };
}

/** A command as the exe-unit reads it. Without `capture` a run's output is not kept. */
export type ExeScriptCommand =
  | { deploy: { net?: unknown[]; hosts?: Record<string, string>; progress?: Record<string, unknown> } }
  | { start: { args?: string[] } }
  | {
      run: { entry_point: string; args?: string[]; capture?: { stdout?: CaptureMode; stderr?: CaptureMode } };
    }
  | { transfer: { from: string; to: string; format?: string; progress?: Record<string, unknown> } }
  | { terminate: Record<string, never> };

export interface ExeUnitPort {
  /**
   * Ids of the Golem activities that this yagna knows under an agreement; one created while yagna timed out is not
   * among them. Empty for an unknown agreement.
   * @throws YagnaError `notFound` - this yagna does not have the call
   */
  golemActivities(agreementId: AgreementId, signal?: AbortSignal): Promise<GolemActivityId[]>;
  /**
   * @throws YagnaError `badRequest` - the agreement is not approved; `timeout` - the provider was silent, the activity
   * may exist; `server` - among others "Only single Activity allowed"
   */
  createGolemActivity(
    agreementId: AgreementId,
    timeoutSec: number,
    signal?: AbortSignal,
  ): Promise<GolemActivityId>;
  /** Undefined when yagna does not know it. @throws YagnaError `timeout` - the provider is silent */
  golemActivityState(
    activityId: GolemActivityId,
    signal?: AbortSignal,
  ): Promise<GolemActivityState | undefined>;
  golemActivityUsage(
    activityId: GolemActivityId,
    signal?: AbortSignal,
  ): Promise<GolemActivityUsage | undefined>;
  activityAgreement(activityId: GolemActivityId, signal?: AbortSignal): Promise<AgreementId | undefined>;
  /** @throws YagnaError `gone` - the VM is not there, the script was not started */
  exec(
    activityId: GolemActivityId,
    commands: readonly ExeScriptCommand[],
    signal?: AbortSignal,
  ): Promise<BatchId>;
  /**
   * Results so far. Without `timeoutSec` it answers at once. With `timeoutSec` it waits for the last command; with
   * `commandIndex` too, for that command, and only that one's output is in the answer.
   * @returns `timeout` when yagna says so: the command has not ended, or the provider is silent
   * @throws YagnaError `gone` - the VM is not there; `notFound` - unknown activity or batch
   */
  batchResults(
    activityId: GolemActivityId,
    batchId: BatchId,
    query?: { timeoutSec?: number; commandIndex?: number },
    signal?: AbortSignal,
  ): Promise<BatchResult[] | 'timeout'>;
  /** A destroyed, unknown or unreachable one is a success. @throws YagnaError `timeout` - the provider is silent */
  destroyGolemActivity(activityId: GolemActivityId, signal?: AbortSignal): Promise<void>;
}

const createdSchema = z.union([z.object({ activityId: idSchema }), idSchema]);

export function exeUnitCalls(transport: Transport): ExeUnitPort {
  const control = (options: SendOptions) =>
    new ActivityApi.RequestorControlService(requestClass(transport, ACTIVITY, options));
  const state = (options: SendOptions) =>
    new ActivityApi.RequestorStateService(requestClass(transport, ACTIVITY, options));

  return {
    async golemActivities(agreementId, signal) {
      // In no OpenAPI file, so not in ya-ts-client.
      const request = { method: 'GET', path: `${ACTIVITY}/activity`, query: { agreementId } };
      try {
        return read(z.array(idSchema), await transport.send(request, { signal }), 'GET /activity');
      } catch (error) {
        // A yagna without this call answers an empty 404.
        if (isYagnaError(error, 'notFound') && error.detail.startsWith('Not found')) return [];
        throw error;
      }
    },

    async createGolemActivity(agreementId, timeoutSec, signal) {
      const created = read(
        createdSchema,
        await control(longPoll(timeoutSec, signal)).createActivity({ agreementId }, notNegative(timeoutSec)),
        'POST /activity',
      );
      return typeof created === 'string' ? created : created.activityId;
    },

    async golemActivityState(activityId, signal) {
      const asked = state({ signal }).getActivityState(activityId);
      return await unlessNotFound(reading(golemActivityStateSchema, asked, 'GET /activity/{id}/state'));
    },

    async golemActivityUsage(activityId, signal) {
      const asked = state({ signal }).getActivityUsage(activityId);
      return await unlessNotFound(reading(golemActivityUsageSchema, asked, 'GET /activity/{id}/usage'));
    },

    async activityAgreement(activityId, signal) {
      const asked = state({ signal }).getActivityAgreement(activityId);
      return await unlessNotFound(reading(idSchema, asked, 'GET /activity/{id}/agreement'));
    },

    async exec(activityId, commands, signal) {
      const batchId = await control({ signal }).exec(activityId, { text: JSON.stringify(commands) });
      return read(idSchema, batchId, 'POST /activity/{id}/exec');
    },

    async batchResults(activityId, batchId, { timeoutSec, commandIndex } = {}, signal) {
      // ya-ts-client sends a timeout always; without one yagna answers at once.
      const at = route(`${ACTIVITY}/activity/{activityId}/exec/{batchId}`, activityId, batchId);
      const query = { timeout: timeoutSec === undefined ? undefined : notNegative(timeoutSec), commandIndex };
      try {
        const results = await transport.send(
          { method: 'GET', ...at, query },
          longPoll(timeoutSec ?? 5, signal),
        );
        return read(z.array(batchResultSchema), results, 'GET /activity/{id}/exec/{id}');
      } catch (error) {
        if (isYagnaError(error, 'timeout') && error.status === 408) return 'timeout';
        throw error;
      }
    },

    async destroyGolemActivity(activityId, signal) {
      await unlessGone(control({ signal }).destroyActivity(activityId));
    },
  };
}
