/** /payment-api/v1: debit notes, invoices, their events, and payments. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { failure } from '../server/errors';
import { send } from '../server/http';
import { Body, Query, queryFailure } from '../server/input';
import { waitFor } from '../server/long-poll';
import type { Acceptance } from './acceptance';
import { DEFAULT_EVENT_TYPES, eventStream, type DocumentKind } from './document-events';
import type { DebitNoteRow, Documents, InvoiceRow } from './documents';
import type { Payments } from './payments';

const BASE = '/payment-api/v1';
const DEFAULT_TIMEOUT_SEC = 5;
const NO_LIMIT = 1_000_000;
const REJECTION_REASONS = ['UNSOLICITED_SERVICE', 'BAD_SERVICE', 'INCORRECT_AMOUNT'] as const;

export interface DocumentParts {
  documents: Documents;
  acceptance: Acceptance;
  payments: Payments;
}

export function documentRoutes(
  scope: FastifyInstance,
  { documents, acceptance: decisions, payments }: DocumentParts,
): void {
  scope.get(`${BASE}/debitNotes`, (request, reply) => {
    const { afterMs, max } = listQuery(request);
    return send(reply, 200, documents.notes(request.requestorId, afterMs, max).map(debitNoteView));
  });

  scope.get(`${BASE}/debitNotes/:id`, (request, reply) =>
    send(reply, 200, debitNoteView(documents.note(request.requestorId, idOf(request)))),
  );

  scope.post(`${BASE}/debitNotes/:id/accept`, (request, reply) => {
    const { amount, allocationId } = acceptance(request);
    decisions.acceptNote(request.requestorId, idOf(request), amount, allocationId);
    return send(reply, 200, null);
  });

  scope.post(`${BASE}/debitNotes/:id/reject`, (request) => {
    rejection(request);
    throw failure(501, null);
  });

  scope.get(`${BASE}/debitNotes/:id/payments`, () => {
    throw failure(501, null);
  });

  scope.get(`${BASE}/invoices`, (request, reply) => {
    const { afterMs, max } = listQuery(request);
    return send(reply, 200, documents.invoices(request.requestorId, afterMs, max).map(invoiceView));
  });

  scope.get(`${BASE}/invoices/:id`, (request, reply) =>
    send(reply, 200, invoiceView(documents.invoice(request.requestorId, idOf(request)))),
  );

  scope.post(`${BASE}/invoices/:id/accept`, (request, reply) => {
    const { amount, allocationId } = acceptance(request);
    decisions.acceptInvoice(request.requestorId, idOf(request), amount, allocationId);
    return send(reply, 200, null);
  });

  scope.post(`${BASE}/invoices/:id/reject`, (request, reply) => {
    decisions.rejectInvoice(request.requestorId, idOf(request), rejection(request));
    return send(reply, 200, null);
  });

  scope.get(`${BASE}/invoices/:id/payments`, (request, reply) => {
    const invoice = documents.invoice(request.requestorId, idOf(request));
    return send(reply, 200, payments.ofAgreement(invoice.agreement_id));
  });

  eventRoute(`${BASE}/debitNoteEvents`, 'DebitNote');
  eventRoute(`${BASE}/invoiceEvents`, 'Invoice');

  scope.get(`${BASE}/payments`, async (request, reply) => {
    const { timeoutSec, afterMicros, session, max } = eventQuery(request);
    const { requestorId } = request;
    const found = await waitFor(payments.streams.get(requestorId), reply, timeoutSec, () =>
      payments.list(requestorId, afterMicros, session, max),
    );
    return send(reply, 200, found ?? []);
  });

  scope.get(`${BASE}/payments/:id`, (request, reply) => {
    const payment = payments.get(request.requestorId, idOf(request));
    if (payment === undefined) throw failure(404, null);
    return send(reply, 200, payment);
  });

  function eventRoute(path: string, kind: DocumentKind): void {
    scope.get(path, async (request, reply) => {
      const { timeoutSec, afterMicros, session, max } = eventQuery(request);
      const header = request.headers['x-requestor-events'];
      const types =
        typeof header === 'string'
          ? header.split(',').map((type) => type.trim().toUpperCase())
          : DEFAULT_EVENT_TYPES;
      const { requestorId } = request;
      const stream = documents.events.streams.get(eventStream(kind, requestorId, session));
      const events = await waitFor(stream, reply, max === 0 ? 0 : timeoutSec, () =>
        documents.events.read(kind, requestorId, afterMicros, session, types, max),
      );
      return send(reply, 200, events ?? []);
    });
  }
}

interface EventQuery {
  timeoutSec: number;
  afterMicros: number;
  session: string | undefined;
  max: number;
}

function eventQuery(request: FastifyRequest): EventQuery {
  const query = new Query(request);
  const timeoutSec = query.number('timeout', DEFAULT_TIMEOUT_SEC);
  const afterMicros = Number((query.time('afterTimestamp') ?? 0n) / 1000n);
  const max = query.count('maxEvents') ?? query.count('maxItems') ?? NO_LIMIT;
  // It crashes the handler of the real one, which drops the connection: a client that does it should hear why.
  if (timeoutSec < 0) throw queryFailure('timeout must not be negative');
  return { timeoutSec, afterMicros, session: query.text('appSessionId'), max };
}

function listQuery(request: FastifyRequest): { afterMs: number; max: number } {
  const query = new Query(request);
  const after = query.time('afterTimestamp');
  return {
    afterMs: after === undefined ? 0 : Number(after / 1_000_000n),
    max: query.count('maxItems') ?? NO_LIMIT,
  };
}

function acceptance(request: FastifyRequest): { amount: string; allocationId: string } {
  const body = Body.of('payment', request);
  return { amount: body.amount('totalAmountAccepted'), allocationId: body.string('allocationId') };
}

function rejection(request: FastifyRequest): object {
  const body = Body.of('payment', request);
  const rejectionReason = body.oneOf('rejectionReason', REJECTION_REASONS);
  const totalAmountAccepted = body.amount('totalAmountAccepted');
  const message = body.object()['message'];
  return { rejectionReason, totalAmountAccepted, ...(typeof message === 'string' ? { message } : {}) };
}

function idOf(request: FastifyRequest): string {
  return (request.params as { id: string }).id;
}

function debitNoteView(note: DebitNoteRow): object {
  return {
    debitNoteId: note.id,
    issuerId: note.provider,
    recipientId: note.requestor,
    payeeAddr: note.provider,
    payerAddr: note.requestor,
    paymentPlatform: note.platform,
    ...(note.previous === null ? {} : { previousDebitNoteId: note.previous }),
    timestamp: note.created,
    agreementId: note.agreement_id,
    activityId: note.activity_id,
    totalAmountDue: note.due,
    usageCounterVector: JSON.parse(note.usage) as unknown,
    ...(note.payment_due === null ? {} : { paymentDueDate: note.payment_due }),
    status: note.status,
  };
}

function invoiceView(invoice: InvoiceRow): object {
  return {
    invoiceId: invoice.id,
    issuerId: invoice.provider,
    recipientId: invoice.requestor,
    payeeAddr: invoice.provider,
    payerAddr: invoice.requestor,
    paymentPlatform: invoice.platform,
    timestamp: invoice.created,
    agreementId: invoice.agreement_id,
    activityIds: JSON.parse(invoice.activities) as unknown,
    amount: invoice.amount,
    paymentDueDate: invoice.payment_due,
    status: invoice.status,
  };
}
