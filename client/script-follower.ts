/**
 * Results of a script's commands as they come. Until the script is over only the activity that watches it knows them: its
 * heartbeats say so, a few seconds late, and can be read of the rental's description, which costs the workflow nothing.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Payload } from '@temporalio/common';
import type { CommandResult } from '../model/result';
import { SCRIPT_WATCH, type ScriptSoFar } from '../model/script';

const LOOK_EVERY_MS = 1_000;

/** Hands on each command's result once, in order. */
export class ResultDelivery {
  private next = 0;

  constructor(private readonly onResult: (result: CommandResult) => void) {}

  /** Those of a running script may begin later than what was delivered ends: its outcome has what is missing. */
  take(results: readonly CommandResult[]): void {
    for (const result of results) {
      if (result.index !== this.next) continue;
      this.next += 1;
      this.onResult(result);
    }
  }
}

/** Looks until `over`; what it cannot see the script's outcome will tell. */
export async function followRunning(
  client: Client,
  rentalId: string,
  scriptId: string,
  delivery: ResultDelivery,
  over: AbortSignal,
): Promise<void> {
  while (!over.aborted) {
    const soFar = await lookAt(client, rentalId, scriptId).catch(() => undefined);
    if (!over.aborted && soFar) delivery.take(soFar.results);
    await delay(LOOK_EVERY_MS, undefined, { signal: over }).catch(() => undefined);
  }
}

async function lookAt(client: Client, rentalId: string, scriptId: string): Promise<ScriptSoFar | undefined> {
  const { raw } = await client.workflow.getHandle(rentalId).describe();
  for (const { activityType, heartbeatDetails } of raw.pendingActivities ?? []) {
    if (activityType?.name !== SCRIPT_WATCH || !heartbeatDetails?.payloads) continue;
    const soFar = await decoded(client, heartbeatDetails.payloads);
    if (isOf(soFar, scriptId)) return soFar;
  }
  return undefined;
}

/** As Temporal's SDK reads what activities return; the last codec to encode is the first to decode. */
async function decoded(client: Client, encoded: Payload[]): Promise<unknown> {
  const { payloadConverter, payloadCodecs } = client.options.loadedDataConverter;
  let payloads = encoded;
  for (const codec of [...payloadCodecs].reverse()) payloads = await codec.decode(payloads);
  const [payload] = payloads;
  return payload && payloadConverter.fromPayload(payload);
}

function isOf(soFar: unknown, scriptId: string): soFar is ScriptSoFar {
  return typeof soFar === 'object' && soFar !== null && 'scriptId' in soFar && soFar.scriptId === scriptId;
}
