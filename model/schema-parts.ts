/** Pieces that the published schemas share: ids, amounts of GLM, times, failures. */
import { z } from 'zod';
import type * as results from './result';

export const text = (description: string) => z.string().describe(description);
/** An id that has a type of its own in TypeScript. */
export const id = <T extends string>(description: string) => text(description) as unknown as z.ZodType<T>;
export const time = (description: string) =>
  z.string().meta({ description: `${description} RFC 3339, UTC.`, format: 'date-time' });
export const count = (description: string) => z.number().int().min(0).describe(description);
export const seconds = (description: string) => z.number().describe(`${description} Seconds.`);
export const glm = (description: string) =>
  z.string().meta({ description: `${description} GLM, a decimal string.`, pattern: '^-?\\d+(\\.\\d+)?$' });

export const failure = z
  .object({
    type: text('Name of the failure: one of the schema `failures`.'),
    message: text('What happened, one line.'),
  })
  .meta({ id: 'Failure', description: 'A failure by its name.' });
export const lastFailure = failure
  .extend({ at: time('When.') })
  .meta({ id: 'LastFailure', description: 'What went wrong last.' });

export const provider = z
  .object({
    id: id<results.ProviderInfo['id']>('Node id, 0x and 40 hex digits.'),
    name: text('What it calls itself.'),
  })
  .meta({ id: 'Provider', description: 'A provider.' });
export const agreementId = id<results.AgreementMoney['agreementId']>('Agreement, 64 hex digits.');
export const activityId = id<NonNullable<results.TaskAttempt['activityId']>>(
  'Golem activity (VM), 32 hex digits.',
);
export const batchId = id<NonNullable<results.TaskAttempt['batchId']>>('Id of the script on yagna.');
