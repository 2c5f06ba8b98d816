/** A GolemClient that holds what it is told to the published schemas: no field that they do not name, none that is missing. */
import type { z } from 'zod';
import { GolemClient, type EventsPage, type JobEvent } from '../../client';
import { eventSchema } from '../../model/event-schema';
import {
  jobProgressSchema,
  jobResultSchema,
  rentalProgressSchema,
  scriptOutcomeSchema,
  settlementResultSchema,
} from '../../model/result-schema';

/** @throws what zod says; an error that names fields which the schema does not have */
export function requireSchema<T>(schema: z.ZodType, value: T): T {
  const read = schema.safeParse(value);
  if (!read.success)
    throw new Error(`not as its schema has it: ${read.error.message}\n${JSON.stringify(value)}`);
  // A schema drops what it does not know.
  const extra = unknownFields(value, read.data, '');
  if (extra.length > 0)
    throw new Error(`fields that the schema does not have: ${extra.join(', ')}\n${JSON.stringify(value)}`);
  return value;
}

function unknownFields(value: unknown, read: unknown, path: string): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const known = (read ?? {}) as Record<string, unknown>;
  return Object.entries(value).flatMap(([name, each]) =>
    name in known ? unknownFields(each, known[name], `${path}/${name}`) : [`${path}/${name}`],
  );
}

export class CheckedClient extends GolemClient {
  override async result(jobId: string) {
    return requireSchema(jobResultSchema, await super.result(jobId));
  }

  override async settled(jobId: string) {
    return requireSchema(settlementResultSchema, await super.settled(jobId));
  }

  override async progress(jobId: string) {
    return requireSchema(jobProgressSchema, await super.progress(jobId));
  }

  override async rentalProgress(rental: string) {
    return requireSchema(rentalProgressSchema, await super.rentalProgress(rental));
  }

  override async scriptResult(...args: Parameters<GolemClient['scriptResult']>) {
    return requireSchema(scriptOutcomeSchema, await super.scriptResult(...args));
  }

  override async events(...args: Parameters<GolemClient['events']>): Promise<EventsPage> {
    const page = await super.events(...args);
    for (const event of page.events) requireSchema(eventSchema, event);
    return page;
  }

  override async *followEvents(
    ...args: Parameters<GolemClient['followEvents']>
  ): AsyncGenerator<JobEvent, void> {
    for await (const event of super.followEvents(...args)) yield requireSchema(eventSchema, event);
  }
}
