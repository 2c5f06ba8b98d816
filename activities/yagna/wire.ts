/**
 * What yagna answers, as zod schemas: the fields used here, unknown ones dropped, missing ones named. Written from
 * recorded answers of yagna 0.17; where the OpenAPI files say otherwise, the recordings are right.
 */
import { z } from 'zod';
import { plainDecimal } from '../../model/amount';
import { YagnaError } from './errors';

/** Amounts arrive as decimal strings, sometimes with an exponent; from here on they have none. */
const amount = z
  .string()
  .regex(/^-?\d+(\.\d+)?([eE][+-]?\d+)?$/, 'is no decimal number')
  .transform(plainDecimal);
const timestamp = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'is no timestamp');
/** Ids of yagna have at most 130 characters. They go into histories. */
export const idSchema = z.string().min(1).max(256, 'is no id');
const properties = z.record(z.string(), z.unknown());
/** yagna writes null, or nothing, for what is not there. */
const optional = <T extends z.ZodType>(schema: T) =>
  schema
    .nullish()
    .transform((value) => value ?? undefined)
    .optional();

export const versionSchema = z.object({ current: z.object({ version: z.string() }) });
export const identitySchema = z.object({ identity: idSchema, name: z.string() });

export const allocationSchema = z.object({
  allocationId: idSchema,
  address: z.string(),
  paymentPlatform: z.string(),
  totalAmount: amount,
  spentAmount: amount,
  remainingAmount: amount,
  /** When yagna took it. */
  timestamp,
  /** When it lapses, as it was asked for, to the microsecond. */
  timeout: timestamp,
});
export type Allocation = z.infer<typeof allocationSchema>;

/** Of an answer that refuses an allocation. */
export const fundsSchema = z.object({ availableFunds: amount, reservedFunds: amount.optional() });

/** What was taken from an allocation for one agreement, or one activity of it. */
export const expenditureSchema = z.object({ acceptedAmount: amount });

export const decorationsSchema = z.object({
  properties: z.array(z.object({ key: z.string(), value: z.string() })),
  constraints: z.array(z.string()),
});
export type DemandDecorations = z.infer<typeof decorationsSchema>;

export const DOCUMENT_STATUSES = [
  'ISSUED',
  'RECEIVED',
  'ACCEPTED',
  'REJECTED',
  'FAILED',
  'SETTLED',
  'CANCELLED',
] as const;
const documentFields = {
  issuerId: idSchema,
  recipientId: idSchema,
  payeeAddr: z.string(),
  payerAddr: z.string(),
  paymentPlatform: z.string(),
  timestamp,
  agreementId: idSchema,
  status: z.enum(DOCUMENT_STATUSES),
};

export const debitNoteSchema = z.object({
  ...documentFields,
  debitNoteId: idSchema,
  activityId: z.string(),
  /** Cumulative: of the Golem activity so far. */
  totalAmountDue: amount,
  /** Counters in the order of the offer's `golem.com.usage.vector`, if the provider is honest: yagna checks nothing. */
  usageCounterVector: z.unknown(),
  previousDebitNoteId: optional(z.string()),
  /** There when the note is payable before the invoice. */
  paymentDueDate: optional(timestamp),
});
export type DebitNote = z.infer<typeof debitNoteSchema>;

export const invoiceSchema = z.object({
  ...documentFields,
  invoiceId: idSchema,
  activityIds: z.array(z.string()),
  amount,
  paymentDueDate: timestamp,
});
export type Invoice = z.infer<typeof invoiceSchema>;

export const debitNoteEventSchema = z.object({
  debitNoteId: idSchema,
  eventDate: timestamp,
  eventType: z.string(),
});
export type DebitNoteEvent = z.infer<typeof debitNoteEventSchema>;

export const invoiceEventSchema = z.object({
  invoiceId: idSchema,
  eventDate: timestamp,
  eventType: z.string(),
});
export type InvoiceEvent = z.infer<typeof invoiceEventSchema>;

export const demandSchema = z.object({
  demandId: idSchema,
  requestorId: idSchema,
  properties,
  constraints: z.string(),
  timestamp,
});
export type Demand = z.infer<typeof demandSchema>;

export const proposalSchema = z.object({
  proposalId: idSchema,
  issuerId: idSchema,
  /** `Initial`: an offer nobody has countered. `Draft`: a provider's answer, which an agreement can be made of. */
  state: z.enum(['Initial', 'Draft', 'Rejected', 'Accepted', 'Expired']),
  prevProposalId: optional(z.string()),
  properties,
  constraints: z.string(),
  timestamp,
});
export type Proposal = z.infer<typeof proposalSchema>;

const reasonSchema = z.looseObject({ message: z.string() });
/** Why somebody rejected or ended something; extra keys such as `golem.provider.code` are kept. */
export type Reason = z.infer<typeof reasonSchema>;

export const proposalEventSchema = z.object({
  eventType: z.literal('ProposalEvent'),
  eventDate: timestamp,
  proposal: proposalSchema,
});
export const proposalRejectedEventSchema = z.object({
  eventType: z.literal('ProposalRejectedEvent'),
  eventDate: timestamp,
  /** Our own counter-proposal that was rejected. */
  proposalId: idSchema,
  reason: optional(reasonSchema),
});
export const demandEventSchema = z.discriminatedUnion('eventType', [
  proposalEventSchema,
  proposalRejectedEventSchema,
]);
export type DemandEvent = z.infer<typeof demandEventSchema>;
export type ProposalEvent = z.infer<typeof proposalEventSchema>;
export type ProposalRejectedEvent = z.infer<typeof proposalRejectedEventSchema>;

export const AGREEMENT_STATES = [
  'Proposal',
  'Pending',
  'Cancelled',
  'Rejected',
  'Approved',
  'Expired',
  'Terminated',
] as const;
const agreementState = z.enum(AGREEMENT_STATES);
export type AgreementState = z.infer<typeof agreementState>;

export const agreementSchema = z.object({
  agreementId: idSchema,
  state: agreementState,
  validTo: timestamp,
  timestamp,
  approvedDate: optional(timestamp),
  /** Known from confirm on. */
  appSessionId: optional(z.string()),
  demand: demandSchema,
  offer: z.object({
    offerId: idSchema,
    providerId: idSchema,
    properties,
    constraints: z.string(),
    timestamp,
  }),
});
export type Agreement = z.infer<typeof agreementSchema>;

export const agreementEntrySchema = z.object({
  id: idSchema,
  timestamp: optional(timestamp),
  approvedDate: optional(timestamp),
  role: z.enum(['Requestor', 'Provider']),
});
export type AgreementEntry = z.infer<typeof agreementEntrySchema>;

export const agreementEventSchema = z.object({
  agreementId: idSchema,
  eventDate: timestamp,
  /** `AgreementApprovedEvent`, `AgreementRejectedEvent`, `AgreementCancelledEvent`, `AgreementTerminatedEvent`. */
  eventType: z.string(),
  terminator: optional(z.enum(['Requestor', 'Provider'])),
  reason: optional(reasonSchema),
});
export type AgreementEvent = z.infer<typeof agreementEventSchema>;

export const golemActivityStateSchema = z.object({
  /** Now, and where it is going: `["Ready", null]` idle, `["Ready", "Ready"]` running a script. */
  state: z.tuple([z.string(), z.string().nullable()]),
  reason: optional(z.string()),
  errorMessage: optional(z.string()),
});
export type GolemActivityState = z.infer<typeof golemActivityStateSchema>;

export const golemActivityUsageSchema = z.object({
  /** Counters in the order of the offer's `golem.com.usage.vector`; absent before the VM has run. */
  currentUsage: optional(z.array(z.number())),
  /** Seconds since 1970. */
  timestamp: z.number(),
});
export type GolemActivityUsage = z.infer<typeof golemActivityUsageSchema>;

const utf8 = new TextDecoder('utf-8', { fatal: false });
/** Output comes as text, or as bytes where it was asked for in binary or is no UTF-8. */
const output = z
  .union([z.string(), z.array(z.number().int().min(0).max(255))])
  .nullish()
  .transform((value) => (Array.isArray(value) ? utf8.decode(Uint8Array.from(value)) : (value ?? null)));

export const batchResultSchema = z.object({
  index: z.number().int(),
  eventDate: timestamp,
  result: z.enum(['Ok', 'Error']),
  stdout: output,
  stderr: output,
  message: z
    .string()
    .nullish()
    .transform((value) => value ?? null),
  /** Not to be believed where a `commandIndex` was asked for: then it marks that command. */
  isBatchFinished: z
    .boolean()
    .nullish()
    .transform((value) => value ?? false),
});
export type BatchResult = z.infer<typeof batchResultSchema>;

/** Reads an answer; throws YagnaError `incompatible` that names what is missing or wrong. */
export function read<T extends z.ZodType>(schema: T, value: unknown, call: string): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.slice(0, 3).map((issue) => {
    const path = issue.path.map(String).join('.') || 'answer';
    return isMissing(value, issue.path) ? `${path} is missing` : `${path}: ${issue.message}`;
  });
  throw new YagnaError({ kind: 'incompatible', call, detail: `unreadable answer: ${problems.join('; ')}` });
}

/** Reads an answer when it is there: an empty one is unreadable, and does not say that there is no such thing. */
export async function reading<T extends z.ZodType>(
  schema: T,
  answer: PromiseLike<unknown>,
  call: string,
): Promise<z.infer<T>> {
  return read(schema, await answer, call);
}

/** Reads a list, leaving out events of kinds not listed in `kinds`. */
export function readEvents<T extends z.ZodType>(
  schema: T,
  value: unknown,
  kinds: readonly string[],
  call: string,
): z.infer<T>[] {
  const events = read(z.array(z.looseObject({ eventType: z.string() })), value, call);
  return read(
    z.array(schema),
    events.filter((event) => kinds.includes(event.eventType)),
    call,
  );
}

function isMissing(value: unknown, path: readonly PropertyKey[]): boolean {
  let at: unknown = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return true;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at === undefined;
}
