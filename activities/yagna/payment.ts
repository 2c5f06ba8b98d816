/** yagna's payments: allocations, debit notes, invoices. Amounts are decimal strings throughout. */
import { PaymentApi } from 'ya-ts-client';
import { z } from 'zod';
import { addAmounts } from '../../model/amount';
import type { ContractDeposit } from '../../model/job';
import type { AllocationId, Amount, DebitNoteId, InvoiceId, Timestamp } from '../../model/ids';
import { isYagnaError, unlessGone, unlessNotFound } from './errors';
import {
  longPoll,
  notNegative,
  PAYMENT,
  requestClass,
  route,
  type SendOptions,
  type Transport,
} from './transport';
import {
  allocationSchema,
  debitNoteEventSchema,
  debitNoteSchema,
  decorationsSchema,
  expenditureSchema,
  fundsSchema,
  invoiceEventSchema,
  invoiceSchema,
  read,
  reading,
  type Allocation,
  type DebitNote,
  type DebitNoteEvent,
  type DemandDecorations,
  type Invoice,
  type InvoiceEvent,
} from './wire';

export interface NewAllocation {
  totalAmount: Amount;
  paymentPlatform: string;
  /** Ours on that platform. */
  address: string;
  /** When it lapses; comes back as sent, to the microsecond. */
  timeout: Timestamp;
  /** Of a contract, which pays instead of the account. */
  deposit?: ContractDeposit;
}

export interface DocumentEventsQuery {
  /** Exclusive. */
  afterTimestamp: Timestamp;
  timeoutSec: number;
  /** Default 100. */
  maxEvents?: number;
  /** As given at the agreement's confirmation. */
  appSessionId?: string;
  /** Default: all. */
  types?: readonly DocumentEventType[];
}

export interface RejectionBody {
  rejectionReason: 'UNSOLICITED_SERVICE' | 'BAD_SERVICE' | 'INCORRECT_AMOUNT';
  totalAmountAccepted: Amount;
  message: string;
}

export interface PaymentPort {
  /** All that are neither released nor lapsed. */
  allocations(signal?: AbortSignal): Promise<Allocation[]>;
  /** Not idempotent. @throws YagnaError `badRequest` - too little money, timeout in the past, unknown platform */
  createAllocation(allocation: NewAllocation, signal?: AbortSignal): Promise<Allocation>;
  /**
   * What an account holds, GLM. yagna tells it only to whoever asks for more than there is: more than there is of GLM at all is
   * reserved by nobody.
   */
  funds(
    paymentPlatform: string,
    address: string,
    signal?: AbortSignal,
  ): Promise<{ available?: Amount; reserved?: Amount }>;
  /** Undefined when released, lapsed or unknown. */
  allocation(allocationId: AllocationId, signal?: AbortSignal): Promise<Allocation | undefined>;
  /** @throws YagnaError `badRequest` - below what is spent, or more than the account holds */
  amendAllocation(
    allocationId: AllocationId,
    change: { totalAmount?: Amount; timeout?: Timestamp },
    signal?: AbortSignal,
  ): Promise<Allocation>;
  /**
   * What was ever taken from an allocation, be it live or not; undefined where yagna cannot tell.
   */
  spentFrom(allocationId: AllocationId, signal?: AbortSignal): Promise<Amount | undefined>;
  /** A released, lapsed or unknown one is a success. */
  releaseAllocation(allocationId: AllocationId, signal?: AbortSignal): Promise<void>;
  /** What a demand must carry to be paid from this allocation. @throws YagnaError `notFound` - allocation gone */
  demandDecorations(allocationId: AllocationId, signal?: AbortSignal): Promise<DemandDecorations>;

  /** Long poll; events of every type, unless asked for some. */
  debitNoteEvents(query: DocumentEventsQuery, signal?: AbortSignal): Promise<DebitNoteEvent[]>;
  /** Long poll; events of every type, unless asked for some. */
  invoiceEvents(query: DocumentEventsQuery, signal?: AbortSignal): Promise<InvoiceEvent[]>;
  debitNote(debitNoteId: DebitNoteId, signal?: AbortSignal): Promise<DebitNote | undefined>;
  invoice(invoiceId: InvoiceId, signal?: AbortSignal): Promise<Invoice | undefined>;
  /** All after a time (exclusive), oldest first. */
  debitNotes(query?: { afterTimestamp?: Timestamp }, signal?: AbortSignal): Promise<DebitNote[]>;
  /** All after a time (exclusive), oldest first. */
  invoices(query?: { afterTimestamp?: Timestamp }, signal?: AbortSignal): Promise<Invoice[]>;
  /** A repeat is a success. @throws YagnaError `badRequest` - wrong amount, allocation too small or gone */
  acceptDebitNote(
    debitNoteId: DebitNoteId,
    amount: Amount,
    allocationId: AllocationId,
    signal?: AbortSignal,
  ): Promise<void>;
  /** A repeat is a success. @throws YagnaError `badRequest` - wrong amount, allocation too small or gone */
  acceptInvoice(
    invoiceId: InvoiceId,
    amount: Amount,
    allocationId: AllocationId,
    signal?: AbortSignal,
  ): Promise<void>;
  /** @throws YagnaError `badRequest` - it is accepted */
  rejectInvoice(invoiceId: InvoiceId, rejection: RejectionBody, signal?: AbortSignal): Promise<void>;
}

/** There are a thousand million GLM. */
const MORE_THAN_ALL = '1000000000000';
const FUNDS_ASKED_MS = 60_000;

const EVENT_TYPES = ['RECEIVED', 'ACCEPTED', 'REJECTED', 'SETTLED', 'CANCELLED', 'FAILED'] as const;
export type DocumentEventType = (typeof EVENT_TYPES)[number];

/** Without it yagna tells a requestor of RECEIVED and CANCELLED only. */
const asking = (types: readonly DocumentEventType[] = EVENT_TYPES): Record<string, string> => ({
  'X-Requestor-Events': types.join(','),
});

export function paymentCalls(transport: Transport): PaymentPort {
  const payment = (options: SendOptions) =>
    new PaymentApi.RequestorService(requestClass(transport, PAYMENT, options));
  // ya-ts-client adds maxItems=10 to lists; without it yagna gives all.
  const list = (template: string, query: Record<string, unknown>, signal?: AbortSignal, ...ids: string[]) =>
    transport.send({ method: 'GET', ...route(PAYMENT + template, ...ids), query }, { signal });

  return {
    async allocations(signal) {
      return read(z.array(allocationSchema), await list('/allocations', {}, signal), 'GET /allocations');
    },

    async createAllocation(allocation, signal) {
      // ya-ts-client's type asks for the fields that yagna gives, and sends maxItems along.
      const body = { ...allocation, makeDeposit: false };
      const created = await transport.send(
        { method: 'POST', path: `${PAYMENT}/allocations`, body },
        { signal },
      );
      return read(allocationSchema, created, 'POST /allocations');
    },

    async funds(paymentPlatform, address, signal) {
      // Should it be granted all the same, and this process die, it lapses.
      const timeout = new Date(Date.now() + FUNDS_ASKED_MS).toISOString();
      const asked = { totalAmount: MORE_THAN_ALL, paymentPlatform, address, timeout };
      try {
        const { allocationId } = await this.createAllocation(asked, signal);
        await this.releaseAllocation(allocationId, signal);
        return {};
      } catch (error) {
        if (!isYagnaError(error, 'badRequest')) throw error;
        const { data } = fundsSchema.safeParse(error.problem);
        if (data?.availableFunds === undefined) throw error;
        return { available: data.availableFunds, reserved: data.reservedFunds };
      }
    },

    async allocation(allocationId, signal) {
      // One that was released is gone for some versions, and unknown to others.
      return await unlessGone(
        reading(allocationSchema, payment({ signal }).getAllocation(allocationId), 'GET /allocations/{id}'),
      );
    },

    async amendAllocation(allocationId, change, signal) {
      const at = route(`${PAYMENT}/allocations/{allocationId}`, allocationId);
      const amended = await transport.send({ method: 'PUT', ...at, body: change }, { signal });
      return read(allocationSchema, amended, 'PUT /allocations/{id}');
    },

    async spentFrom(allocationId, signal) {
      const asked = list('/allocations/{allocationId}/expenditures', {}, signal, allocationId);
      const taken = await unlessNotFound(
        reading(z.array(expenditureSchema), asked, 'GET /allocations/{id}/expenditures'),
      );
      return taken && addAmounts(taken.map(({ acceptedAmount }) => acceptedAmount));
    },

    async releaseAllocation(allocationId, signal) {
      await unlessGone(payment({ signal }).releaseAllocation(allocationId));
    },

    async demandDecorations(allocationId, signal) {
      const found = await payment({ signal }).getDemandDecorations([allocationId]);
      return read(decorationsSchema, found, 'GET /demandDecorations');
    },

    async debitNoteEvents({ timeoutSec, afterTimestamp, maxEvents = 100, appSessionId, types }, signal) {
      const events = await payment({
        ...longPoll(timeoutSec, signal),
        headers: asking(types),
      }).getDebitNoteEvents(notNegative(timeoutSec), afterTimestamp, maxEvents, appSessionId);
      return read(z.array(debitNoteEventSchema), events, 'GET /debitNoteEvents');
    },

    async invoiceEvents({ timeoutSec, afterTimestamp, maxEvents = 100, appSessionId, types }, signal) {
      const events = await payment({
        ...longPoll(timeoutSec, signal),
        headers: asking(types),
      }).getInvoiceEvents(notNegative(timeoutSec), afterTimestamp, maxEvents, appSessionId);
      return read(z.array(invoiceEventSchema), events, 'GET /invoiceEvents');
    },

    async debitNote(debitNoteId, signal) {
      return await unlessNotFound(
        reading(debitNoteSchema, payment({ signal }).getDebitNote(debitNoteId), 'GET /debitNotes/{id}'),
      );
    },

    async invoice(invoiceId, signal) {
      return await unlessNotFound(
        reading(invoiceSchema, payment({ signal }).getInvoice(invoiceId), 'GET /invoices/{id}'),
      );
    },

    async debitNotes(query = {}, signal) {
      const found = await list('/debitNotes', { afterTimestamp: query.afterTimestamp }, signal);
      return read(z.array(debitNoteSchema), found, 'GET /debitNotes');
    },

    async invoices(query = {}, signal) {
      const found = await list('/invoices', { afterTimestamp: query.afterTimestamp }, signal);
      return read(z.array(invoiceSchema), found, 'GET /invoices');
    },

    async acceptDebitNote(debitNoteId, amount, allocationId, signal) {
      await payment({ signal }).acceptDebitNote(debitNoteId, { totalAmountAccepted: amount, allocationId });
    },

    async acceptInvoice(invoiceId, amount, allocationId, signal) {
      await payment({ signal }).acceptInvoice(invoiceId, { totalAmountAccepted: amount, allocationId });
    },

    async rejectInvoice(invoiceId, rejection, signal) {
      await payment({ signal }).rejectInvoice(invoiceId, rejection);
    },
  };
}
