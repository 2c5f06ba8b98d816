/**
 * The events of jobs by name, with what their `details` hold, as a zod schema: the JSON Schema that is published comes
 * from it. Fields are those of Golem's guide to requestor–provider interaction. Not for workflows.
 * Readers take more fields than are named here, and pass over names that they do not know: a minor version may add some.
 */
import { z } from 'zod';
import { BREACHES } from './avoid';
import { REFUSALS } from './control';
import type { EventName, GolemEvent } from './events';
import type { Holds } from './result-schema';
import { activityId, agreementId, batchId, glm, provider, text, time } from './schema-parts';

const keysOf = <K extends string>(record: Record<K, unknown>): [K, ...K[]] =>
  Object.keys(record) as [K, ...K[]];

const what = z.union([z.string(), z.number(), z.boolean()]);
const property = (description: string) => what.describe(description).optional();
const list = (description: string) => z.array(z.string()).describe(description);
const amounts = {
  amount: glm('Its amount, with the digits that it needs.'),
  amountPrecise: glm('The same with all 18 digits after the point.'),
};
const reason = text('Why, one line.');
const by = provider.optional();
const proposalId = text('Proposal.');

const bill = { id: text('Debit note or invoice.'), agreementId, provider, ...amounts };
const note = { ...bill, id: text('Debit note.'), activityId };
const invoice = { ...bill, id: text('Invoice.') };
const vm = { id: activityId, agreementId, provider: by };

/** Per name: what it means, and its details. */
const DETAILS = {
  AllocationCreated: {
    means: 'The budget is reserved on yagna.',
    details: z.object({ id: text('Allocation.'), platform: text('Payment platform.'), ...amounts }),
  },
  DemandSubscribed: {
    means: 'A demand is on the market.',
    details: z.object({
      id: text('Demand.'),
      mark: text('By which it is known to be ours.'),
      expiration: time('When it ends.'),
    }),
  },
  ProposalReceived: {
    means: 'An offer, or a counter-proposal to ours.',
    details: z.object({
      id: proposalId,
      parentId: text('Of the proposal that it answers.').optional(),
      provider,
      details: z
        .object({
          transferProtocol: list('Protocols of transfers.'),
          cpuBrand: property('Name of the CPU.'),
          cpuCapabilities: list('Features of the CPU.'),
          cpuCores: property('Cores.'),
          cpuThreads: property('Threads.'),
          memory: property('GiB.'),
          storage: property('GiB.'),
          publicNet: property('Whether it has a public address.'),
          runtimeCapabilities: list('What its runtime can do.'),
          runtimeName: property('Such as `vm`.'),
          state: text('`Initial`, or `Draft` of a counter-proposal.'),
        })
        .describe('What the provider offers.'),
    }),
  },
  ProposalResponded: {
    means: 'We have countered an offer.',
    details: z.object({ id: proposalId, counteringProposalId: text('Of the offer.'), provider }),
  },
  ProposalRejected: {
    means: 'A provider has withdrawn from negotiating.',
    details: z.object({ id: proposalId, provider, reason: reason.optional() }),
  },
  AgreementCreated: {
    means: 'An agreement was proposed.',
    details: z.object({
      id: agreementId,
      proposalId,
      provider,
      validTo: time('When it ends at the latest.'),
    }),
  },
  AgreementConfirmed: {
    means: 'The provider has approved it.',
    details: z.object({
      ...{ id: agreementId, provider, approvedDate: time('When.') },
      pricing: z
        .object({
          startPrice: glm('For the start of a VM.'),
          cpuPerSec: glm('For a second of one CPU thread at work.'),
          envPerSec: glm("For a second of a VM's life."),
        })
        .describe('The agreed prices; absent where they cannot be read.')
        .optional(),
    }),
  },
  AgreementRejected: {
    means: 'There will be no agreement.',
    details: z.object({ id: agreementId.optional(), proposalId, provider, reason }),
  },
  ActivityCreated: { means: 'A VM (Golem activity) was created.', details: z.object(vm) },
  ActivityStateChanged: {
    means: 'The state of a VM has changed.',
    details: z.object({
      ...vm,
      state: text('`Initialized`, `Ready`, `Terminated`, …; `Detached`: it lives on, without us.'),
      validTo: time('Of one that was detached: until when it is paid for.').optional(),
      attach: text('Of one that was detached: the command that takes it over.').optional(),
    }),
  },
  ScriptSent: {
    means: 'A script was sent.',
    details: z.object({
      ...{ activityId, agreementId, batchId },
      task: text('Task, or script of its user, that it is of; absent where a VM is brought up.').optional(),
    }),
  },
  ScriptExecuted: {
    means: 'A script has ended.',
    details: z.object({
      ...{ activityId, agreementId, batchId },
      success: z.boolean().describe('All its commands ended well.'),
    }),
  },
  DebitNoteReceived: { means: 'A debit note came.', details: z.object(note) },
  DebitNoteAccepted: { means: 'It was accepted.', details: z.object(note) },
  InvoiceReceived: { means: 'An invoice came.', details: z.object(invoice) },
  InvoiceRejected: { means: 'It was rejected.', details: z.object({ ...invoice, reason }) },
  PaymentAccepted: { means: 'An invoice was accepted.', details: z.object(invoice) },
  PaymentFailed: {
    means: 'A debit note or an invoice was not accepted.',
    details: z.object({ ...bill, activityId: activityId.optional(), reason }),
  },
  PaymentConfirmed: {
    means: 'An invoice is paid; or, with `activityId`, a debit note.',
    details: z.object({ ...bill, activityId: activityId.optional() }),
  },
  ActivityDestroyed: { means: 'We have ended a VM.', details: z.object(vm) },
  AgreementTerminated: {
    means: 'An agreement has ended.',
    details: z.object({
      id: agreementId,
      provider: by,
      reason,
      terminator: text('`Requestor` or `Provider`, where it was terminated.').optional(),
    }),
  },
  DemandUnsubscribed: { means: 'A demand is off the market.', details: z.object({ id: text('Demand.') }) },
  AllocationReleased: {
    means: 'What was left of the budget is given back.',
    details: z.object({
      id: text('Allocation.'),
      amount: glm('What was spent of it, with the digits that it needs.'),
      amountPrecise: glm('The same with all 18 digits after the point.'),
    }),
  },
  ControlRefused: {
    means: 'Somebody asked a job or rental that has an owner for what he may not.',
    details: z.object({
      workflowId: text('What was asked.'),
      operation: text('For what.'),
      refusal: z.enum(keysOf(REFUSALS)).or(z.string()).describe('Why, as one word.'),
      reason,
      key: text('Public key that was used, if any.').optional(),
    }),
  },
  ProviderAvoided: {
    means: 'A provider broke faith, and gets no more work of the job.',
    details: z.object({
      provider,
      breach: z.enum(keysOf(BREACHES)).describe('What it did.'),
      reason,
      until: time('Until when the worker avoids it in other jobs, too, if it remembers.').optional(),
    }),
  },
} as const satisfies Record<EventName, { means: string; details: z.ZodObject }>;

function eventOf(name: EventName) {
  const { means, details } = DETAILS[name];
  return z
    .object({
      seq: z.number().int().min(1).describe("Position among its workflow's events, from 1."),
      name: z.literal(name),
      at: time('When.'),
      details,
      workflowId: text('Workflow that tells it; where the events of a whole job are told.').optional(),
    })
    .describe(means);
}

type Kind = ReturnType<typeof eventOf>;

/** One event, by its name. */
export const eventSchema = z.discriminatedUnion('name', keysOf(DETAILS).map(eventOf) as [Kind, ...Kind[]]);

/** Does not compile where it is none. */
export type Checked = Holds<[z.infer<typeof eventSchema>] extends [GolemEvent] ? true : false>;
