/**
 * What jobs, settlements and rentals return and answer, as zod schemas: the JSON Schemas that are published come from them.
 * The types of `result.ts` are what the code uses; the check at the end holds the two together. Not for workflows.
 * Readers take more fields than are named here: a minor version may add some.
 */
import { z } from 'zod';
import type * as results from './result';
import {
  activityId,
  agreementId,
  batchId,
  count,
  failure,
  glm,
  lastFailure,
  provider,
  seconds,
  text,
  time,
} from './schema-parts';
import type { ScriptOutcome } from './script';

const commandResult = z
  .object({
    index: count('Position among the commands, from 0.'),
    result: z.enum(['Ok', 'Error']),
    stdout: text('What it printed, cut at `outputLimitBytes`; null when there is nothing.').nullable(),
    stderr: text('The same of its standard error.').nullable(),
    message: text("yagna's message, such as `ExeScript command exited with code 3`.").nullable(),
    eventDate: time('When the command ended.').optional(),
  })
  .meta({ id: 'CommandResult', description: 'Outcome of one command.' });

const taskAttempt = z
  .object({
    attempt: count('Number of the attempt, from 1.'),
    provider,
    agreementId,
    activityId: activityId.optional(),
    batchId: batchId.optional(),
    earlierBatches: z
      .array(batchId)
      .describe('Of parts before, the newest, where the script was sent in parts.')
      .optional(),
    startedAt: time('When it was begun.'),
    finishedAt: time('When it was over.'),
    state: z
      .enum(['done', 'failed', 'lost', 'uncertain'])
      .describe('`lost`: its VM went. `uncertain`: nobody knows whether it was started.'),
    reason: text('Why it did not end well, one line.').optional(),
  })
  .meta({ id: 'TaskAttempt', description: 'One try of a task on one provider.' });

export const taskResultSchema = z
  .object({
    name: text('Name of the task.'),
    state: z.enum(['done', 'failed', 'cancelled']),
    results: z.array(commandResult).describe('Of the last attempt, one a command.'),
    provider: provider.optional(),
    attempts: z.array(taskAttempt),
    startedAt: time('When its first attempt began.').optional(),
    finishedAt: time('When it was over.').optional(),
    failure: failure.optional(),
  })
  .meta({ id: 'TaskResult', description: 'What became of a task.' });

const fileResults = z
  .object({
    parts: count('Parts written to `resultsTo`, numbered from 1, with a task result a line.'),
    to: text('URL that they were written to, with `{part}` for the number and without a query.').optional(),
    tasks: z.object({
      done: count('Done.'),
      failed: count('Failed for good.'),
      cancelled: count('Not run.'),
    }),
    firstFailed: z
      .array(taskResultSchema)
      .describe('The first 20 that failed; all of them are in the parts.'),
  })
  .meta({ id: 'FileResults', description: 'What became of tasks that were in a file.' });

export const jobResultSchema = z
  .object({
    jobId: text("The job's id, its workflow id."),
    jobUuid: text("Id of the first of the job's runs, which no other job has."),
    state: z
      .enum(['done', 'failed'])
      .describe('`done`: every task is done. `failed`: at least one failed for good, or was not run.'),
    tasks: z.array(taskResultSchema).describe('In the order of the spec; of tasks in a file see `results`.'),
    results: fileResults.optional(),
    failure: failure.optional(),
    startedAt: time('When the job began.'),
    finishedAt: time('When it was over.'),
    settlementId: text('Workflow id of the settlement, which pays what is owed after the job.'),
  })
  .describe('What the workflow `golemJob` returns.');

const money = z
  .object({
    budget: glm('The most that is ever reserved and accepted; the Update `topUp` raises it.'),
    reserved: glm('What is reserved on yagna, with what was accepted; "0" before it is.'),
    accepted: glm(
      'What was accepted: of each agreement its invoice, or else its newest accepted debit note.',
    ),
    paid: glm('What yagna says is paid.'),
    platform: text('Payment platform, such as `erc20-holesky-tglm`; empty before it is known.'),
    low: z.boolean().describe('Little is left for new work; absent otherwise.').optional(),
  })
  .meta({ id: 'Money', description: 'Money of a job.' });

const agreementMoney = z
  .object({
    agreementId,
    provider,
    accepted: glm('What was accepted of it.'),
    paid: glm('What is paid of it.'),
    invoiceId: text('Of its final invoice.').optional(),
    invoiceAmount: glm('Of its final invoice.').optional(),
    state: z
      .enum(['open', 'invoiced', 'accepted', 'rejected', 'settled', 'unpaid'])
      .describe('`open`: no invoice yet. `unpaid`: none came in time, or it was rejected.'),
    debitNotes: count('Debit notes that came.'),
  })
  .meta({ id: 'AgreementMoney', description: 'Money of an agreement.' });

const earlierAgreements = z
  .object({
    agreements: count('How many.'),
    accepted: glm('What was accepted of them.'),
    paid: glm('What is paid of them.'),
    debitNotes: count('Debit notes that came.'),
  })
  .meta({
    id: 'EarlierAgreements',
    description: 'The oldest of very many agreements, which are not listed any more.',
  });

export const settlementResultSchema = z
  .object({
    jobId: text("The job's id."),
    jobUuid: text("Id of the first of the job's runs."),
    state: z
      .enum(['settled', 'unpaid'])
      .describe('`settled`: all is decided and paid. `unpaid`: an invoice never came or was rejected.'),
    money,
    agreements: z.array(agreementMoney),
    earlier: earlierAgreements.optional(),
  })
  .describe('What the workflow `golemSettlement` returns.');

const terms = z
  .object({
    debitNotesAcceptanceTimeoutSec: seconds('Debit notes are accepted within that.').optional(),
    midAgreementDebitNoteIntervalSec: seconds('Least time between two debit notes.').optional(),
    midAgreementPaymentTimeoutSec: seconds('Payable debit notes are paid within that.').optional(),
  })
  .meta({
    id: 'AgreedTerms',
    description: 'What was agreed of debit notes and payments; absent is what was not.',
  });

export const rentalProgressSchema = z
  .object({
    n: count('Number of the rental in its job, from 1.'),
    workflowId: text("The rental's workflow id."),
    provider,
    agreementId: agreementId.optional(),
    activityId: activityId.optional(),
    state: z.enum([
      ...(['attaching', 'signing', 'creating', 'deploying', 'ready'] as const),
      ...(['busy', 'closing', 'closed', 'failed', 'detached'] as const),
    ]),
    currentTask: text('Task, or script, that runs.').optional(),
    currentBatch: batchId.optional(),
    vms: z
      .array(
        z.object({
          name: text('Name of the VM.'),
          activityId: activityId.optional(),
          currentTask: text('Script that runs in it.').optional(),
          currentBatch: batchId.optional(),
        }),
      )
      .describe('VMs beside the first, which scripts have asked for by name.')
      .optional(),
    siblings: z
      .array(activityId)
      .describe(
        'Of a rental that attached: other Golem activities under its agreement, which it does not look after.',
      )
      .optional(),
    tasksDone: count('Tasks, or scripts, that ended well.'),
    endsAt: time('When its agreement ends at the latest.').optional(),
    terms: terms.optional(),
    reason: text('Why it ended, when it ended badly.').optional(),
    note: text('What its user should know of a VM that was taken over.').optional(),
    settlementId: text(
      'Workflow that pays for a VM that was taken over; only where the rental itself is asked.',
    ).optional(),
  })
  .meta({ id: 'RentalProgress', description: 'Answer of the Query `progress` on a rental.' });

const cost = z
  .object({
    at: time('The moment that it is reckoned for.'),
    accrued: glm('Owed by then, beyond the debit notes that were accepted.'),
    perHour: glm('What it costs by the hour.'),
    budgetLastsSec: seconds(
      'How long the budget lasts at that pace; absent where nothing costs anything.',
    ).optional(),
  })
  .meta({ id: 'Cost', description: 'What a job costs at the moment.' });

export const jobProgressSchema = z
  .object({
    jobId: text("The job's id."),
    phase: z.enum([
      ...(['validating', 'reserving', 'negotiating', 'running', 'paused'] as const),
      ...(['closing', 'done', 'failed', 'cancelled'] as const),
    ]),
    tasks: z.object({
      total: count('All tasks.'),
      waiting: count('Not begun.'),
      running: count('Under way.'),
      done: count('Done.'),
      failed: count('Failed for good.'),
    }),
    rentals: z.array(rentalProgressSchema),
    money,
    waitingFor: text('What somebody has to do for the job to go on; only while it is `paused`.').optional(),
    cost,
    duration: terms
      .extend({ expirationSec: seconds('Life of the demand and of what is rented under it.') })
      .describe('How long rentals may last, and what they promise; absent before the spec is checked.')
      .optional(),
    lastFailure: lastFailure.optional(),
    startedAt: time('When the job began.'),
  })
  .describe('Answer of the Query `progress` on a job; what the signal of `notify` carries.');

export const settlementProgressSchema = z
  .object({
    jobId: text("The job's id."),
    phase: z
      .enum(['reserving', 'open', 'detached', 'closing', 'settling', 'settled', 'unpaid', 'failed'])
      .describe('`detached`: an agreement was left alive on purpose, and is paid for until it ends.'),
    allocationId: text("yagna's allocation that holds the budget.").optional(),
    money,
    agreements: z.array(agreementMoney),
    earlier: earlierAgreements.optional(),
    detached: z
      .array(z.object({ agreementId, activityId: activityId.optional(), validTo: time('When it ends.') }))
      .describe('Agreements that were left alive on purpose.')
      .optional(),
    lastFailure: lastFailure.optional(),
  })
  .describe('Answer of the Query `progress` on a settlement.');

export const scriptOutcomeSchema = z
  .object({
    scriptId: text("The script's id."),
    state: z
      .enum(['running', 'done', 'failed', 'lost', 'timedOut', 'uncertain', 'returned'])
      .describe(
        '`lost`: the VM went. `returned`: it never began. `uncertain`: nobody knows whether it was started.',
      ),
    results: z.array(commandResult).describe('One for each command that has ended; none while it runs.'),
    reason: text('Why it did not end well.').optional(),
    failure: failure.optional(),
  })
  .describe('Answer of the Update `scriptResult` on a rental.');

/** With every field there, so that one that may be absent is not overlooked. */
type Full<T> = T extends string | number | boolean | null
  ? T
  : T extends readonly (infer Each)[]
    ? Full<Each>[]
    : { [K in keyof T]-?: Full<Exclude<T[K], undefined>> };
/** Whether a schema and a type have the same fields, which take the same values. */
export type Same<S extends z.ZodType, T> = [Full<z.infer<S>>, z.infer<S>] extends [Full<T>, T]
  ? [Full<T>, T] extends [Full<z.infer<S>>, z.infer<S>]
    ? true
    : false
  : false;
export type Holds<T extends true> = T;
/** Does not compile where they do not. */
export type Checked =
  | Holds<Same<typeof jobResultSchema, results.JobResult>>
  | Holds<Same<typeof settlementResultSchema, results.SettlementResult>>
  | Holds<Same<typeof rentalProgressSchema, results.RentalProgress>>
  | Holds<Same<typeof jobProgressSchema, results.JobProgress>>
  | Holds<Same<typeof settlementProgressSchema, results.SettlementProgress>>
  | Holds<Same<typeof scriptOutcomeSchema, ScriptOutcome>>;
