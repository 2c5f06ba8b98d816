/**
 * The ids that travel through the system, typed so that one is not passed for another.
 * They are plain strings on every wire; brands exist at compile time only.
 */
type Brand<T, B extends string> = T & { readonly __brand?: B };

/** yagna's agreement id: 64 hex digits, no `R-` prefix. */
export type AgreementId = Brand<string, 'AgreementId'>;
/** yagna's `activityId`, the id of a Golem activity (a VM on a provider): 32 hex digits. */
export type GolemActivityId = Brand<string, 'GolemActivityId'>;
/** Id of a script in yagna (ExeScript batch). */
export type BatchId = Brand<string, 'BatchId'>;
export type AllocationId = Brand<string, 'AllocationId'>;
/** Subscription id of a demand. */
export type DemandId = Brand<string, 'DemandId'>;
export type ProposalId = Brand<string, 'ProposalId'>;
/** Node id (address) of a provider, `0x` and 40 hex digits. */
export type ProviderId = Brand<string, 'ProviderId'>;
export type DebitNoteId = Brand<string, 'DebitNoteId'>;
export type InvoiceId = Brand<string, 'InvoiceId'>;
/** An amount of GLM as a decimal string, such as `"0.0137052575826"`. Never a JS number. */
export type Amount = Brand<string, 'Amount'>;
/** A point in time as an RFC 3339 string. */
export type Timestamp = string;

/** Task queue of jobs, and of the workers that carry them out, unless another one is named. */
export const DEFAULT_TASK_QUEUE = 'golem';

/** Queue of the long polls that belong to a task queue, so that they take no slot from short activities. */
export const watchQueueOf = (taskQueue: string): string => `${taskQueue}-watch`;

/** The yagna that a spec means when it names none. */
export const DEFAULT_CONNECTION = 'default';

/** Workflow id of a job's settlement. */
export const settlementId = (jobId: string): string => `${jobId}/settlement`;
/** Workflow id of a job's n-th rental, from 1. */
export const rentalId = (jobId: string, n: number): string => `${jobId}/rental/${n}`;
/** Id of the job that a rental's workflow id tells; undefined of one that attached, whose id tells none. */
export const jobOfRental = (rental: string): string | undefined => /^(.+)\/rental\/\d+$/.exec(rental)?.[1];
/** The greatest n among the rentals of a job in a list of workflow ids; 0 when there is none. */
export function greatestRental(jobId: string, workflowIds: readonly string[]): number {
  const prefix = rentalId(jobId, 0).slice(0, -1);
  const rentals = workflowIds.filter((id) => id.startsWith(prefix));
  return Math.max(0, ...rentals.map((id) => Number(id.slice(prefix.length))));
}
