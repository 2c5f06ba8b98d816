import { Decimal } from 'decimal.js';
import { acceptInvoice, expectBalanced, invoicedRental, settled } from './support/devnet-rental';
import { type Answer, PLATFORM, type Requestor, withDevnet } from './support/devnet-requestor';

const PAYMENT = '/payment-api/v1';
const ONE_PROVIDER = [{ name: 'one', pricing: { start: '0.001', cpuPerHour: '0.1', envPerHour: '0.05' } }];

describe('paying for a rental', () => {
  it('a whole rental is invoiced, accepted, settled and leaves nothing open', async () => {
    await withDevnet({ providers: ONE_PROVIDER, paymentCycleSec: 0.05 }, async (requestor) => {
      const allocationId = await requestor.allocate('5');
      const decorations = await requestor.get(`${PAYMENT}/demandDecorations?allocationIds=${allocationId}`);
      expect(decorations.json.constraints).toEqual([
        `(golem.com.payment.platform.${PLATFORM}.address=*)`,
        '(golem.com.payment.protocol.version>1)',
      ]);

      const agreementId = await requestor.rent('session-1');
      const activityId = await requestor.createActivity(agreementId);
      await requestor.delete(`/activity-api/v1/activity/${activityId}`);
      expect((await requestor.terminate(agreementId)).status).toBe(200);

      const note = await requestor.firstEvent('debitNote', 'session-1');
      expect(note.eventType).toBe('DebitNoteReceivedEvent');
      const received = await requestor.firstEvent('invoice', 'session-1');
      const { json: invoice } = await requestor.get(`${PAYMENT}/invoices/${received.invoiceId}`);
      expect(invoice).toMatchObject({ agreementId, activityIds: [activityId], status: 'RECEIVED' });

      const acceptance = { totalAmountAccepted: invoice.amount, allocationId };
      const path = `${PAYMENT}/invoices/${invoice.invoiceId}`;
      expect((await requestor.post(`${path}/accept`, acceptance)).status).toBe(200);
      expect((await requestor.firstEvent('invoice', 'session-1', 'SETTLED')).eventType).toBe(
        'InvoiceSettledEvent',
      );
      expect((await requestor.get(path)).json.status).toBe('SETTLED');
      const { json: payments } = await requestor.get(`${path}/payments`);
      expect(payments).toHaveLength(1);
      expect(payments[0]).toMatchObject({ amount: invoice.amount, agreementPayments: [{ agreementId }] });

      expect((await requestor.delete(`${PAYMENT}/allocations/${allocationId}`)).text).toBe('null');
      const open = await requestor.admin('/open');
      expect(open.counts).toEqual({ allocations: 0, demands: 0, agreements: 0, activities: 0 });
    });
  });
});

describe('the payment cycle', () => {
  const times = async (requestor: Requestor): Promise<{ last: number; next: number }> => {
    const [cycle] = (await requestor.get(`${PAYMENT}/batchCycles`)).json;
    return { last: Date.parse(cycle.lastProcess), next: Date.parse(cycle.nextProcess) };
  };

  it('says when what is due will be paid', async () => {
    const before = Date.now();
    await withDevnet({ providers: ONE_PROVIDER, paymentCycleSec: 1000 }, async (requestor) => {
      const started = Date.now();
      const { last, next } = await times(requestor);
      expect([last, next - 1_000_000].filter((ms) => ms < before || ms > started)).toEqual([]);
      // An acceptance joins the payments that wait.
      await acceptInvoice(requestor, await invoicedRental(requestor, 's'), await requestor.allocate());
      expect(await times(requestor)).toEqual({ last, next });
    });
  });

  it('says when payments were made last, and when what is accepted now will be paid', async () => {
    await withDevnet({ providers: ONE_PROVIDER, paymentCycleSec: 0.2 }, async (requestor) => {
      const invoice = await invoicedRental(requestor, 's');
      await acceptInvoice(requestor, invoice, await requestor.allocate());
      const paid = Date.parse((await requestor.effect('paid')).at);
      const [asked, { last, next }, answered] = [Date.now(), await times(requestor), Date.now()];
      expect(last).toBeLessThanOrEqual(paid);
      expect([next - 200].filter((ms) => ms < asked || ms > answered)).toEqual([]);
    });
  });
});

describe('an allocation of another platform', () => {
  it('bears the amount as in yagna, and the wallet of the document pays', async () => {
    await withDevnet({ providers: ONE_PROVIDER, paymentCycleSec: 0 }, async (requestor, devnet) => {
      await requestor.allocate('1');
      const polygon = { totalAmount: '2', paymentPlatform: 'erc20-polygon-glm' };
      const { allocationId } = (await requestor.post(`${PAYMENT}/allocations`, polygon)).json;
      const invoice = await invoicedRental(requestor, 's');
      expect((await acceptInvoice(requestor, invoice, allocationId)).status).toBe(200);
      await settled(requestor, invoice.invoiceId);
      const { json: allocation } = await requestor.get(`${PAYMENT}/allocations/${allocationId}`);
      expect(allocation.spentAmount).toBe(invoice.amount);
      const [payment] = (await requestor.get(`${PAYMENT}/invoices/${invoice.invoiceId}/payments`)).json;
      expect(payment).toMatchObject({ paymentPlatform: PLATFORM, amount: invoice.amount });
      const owner = (await requestor.get('/me')).json.identity;
      expect(devnet.wallets.balance(owner, 'erc20-polygon-glm').toFixed()).toBe('1000');
      expect(devnet.wallets.balance(owner, PLATFORM).plus(invoice.amount).toFixed()).toBe('1000');
      expectBalanced(devnet);
    });
  });
});

describe('amounts', () => {
  it('are the start price and the usage times the very coefficients of the offer, never more', async () => {
    await withDevnet({ providers: ONE_PROVIDER }, async (requestor) => {
      const invoice = await invoicedRental(requestor, 's');
      const { json: agreement } = await requestor.get(`/market-api/v1/agreements/${invoice.agreementId}`);
      const coefficients: number[] = agreement.offer.properties['golem.com.pricing.model.linear.coeffs'];
      const { debitNoteId } = await requestor.firstEvent('debitNote', 's');
      const { json: note } = await requestor.get(`${PAYMENT}/debitNotes/${debitNoteId}`);
      const usage: number[] = note.usageCounterVector;
      const exact = usage.reduce(
        (cost, used, i) => cost.plus(new Decimal(coefficients[i] ?? 0).times(used)),
        new Decimal(0.001),
      );
      expect(note.totalAmountDue).toBe(exact.toFixed(18, Decimal.ROUND_DOWN));
      expect(invoice.amount).toBe(note.totalAmountDue);
    });
  });
});

describe('accepting', () => {
  it('wants the exact amount and an allocation that holds it, and may be repeated', async () => {
    await withDevnet({ providers: ONE_PROVIDER, paymentCycleSec: 1000 }, async (requestor) => {
      const invoice = await invoicedRental(requestor, 's');
      const amount = invoice.amount;
      const path = `${PAYMENT}/invoices/${invoice.invoiceId}`;
      const accept = async (
        totalAmountAccepted: string,
        allocationId: string,
      ): Promise<[number, string | undefined]> => {
        const answer = await requestor.post(`${path}/accept`, { totalAmountAccepted, allocationId });
        return [answer.status, answer.json?.message];
      };
      const [tiny, released, large] = [
        await requestor.allocate('0.0000001'),
        await requestor.allocate(),
        await requestor.allocate('5'),
      ];
      await requestor.delete(`${PAYMENT}/allocations/${released}`);
      expect(await accept('0.5', large)).toEqual([400, 'Invalid amount accepted']);
      expect(await accept(amount, tiny)).toEqual([
        400,
        `Not enough funds. Allocated: 0.0000001 Needed: ${amount}`,
      ]);
      expect(await accept(amount, released)).toEqual([400, `Allocation ${released} not found`]);
      expect(await accept(amount, 'nope')).toEqual([400, 'Allocation nope not found']);

      await requestor.call('PUT', `${PAYMENT}/allocations/${tiny}`, { totalAmount: '1' });
      expect(await accept(amount, tiny)).toEqual([200, undefined]);
      expect(await accept(`${amount}00`, tiny)).toEqual([200, undefined]);
      const { json: spent } = await requestor.get(`${PAYMENT}/allocations/${tiny}`);
      expect(spent).toMatchObject({ totalAmount: '1.000000000000000000', spentAmount: amount });
      expect(new Decimal(spent.remainingAmount).plus(amount).toFixed(18)).toBe(spent.totalAmount);

      const reject = await requestor.post(`${path}/reject`, {
        rejectionReason: 'BAD_SERVICE',
        totalAmountAccepted: '0',
      });
      expect(reject).toMatchObject({ status: 400, json: { message: 'Invoice accepted' } });
    });
  });

  it('a rejected invoice can still be accepted, and all of it is told to who asks for it', async () => {
    await withDevnet({ providers: ONE_PROVIDER, paymentCycleSec: 1000 }, async (requestor) => {
      const invoice = await invoicedRental(requestor, 's');
      const allocationId = await requestor.allocate();
      const path = `${PAYMENT}/invoices/${invoice.invoiceId}`;
      const rejection = { rejectionReason: 'INCORRECT_AMOUNT', totalAmountAccepted: '0', message: 'no' };
      expect(
        (await requestor.post(`${path}/reject`, { ...rejection, rejectionReason: 'NOPE' })).text,
      ).toMatch(/^Json deserialize error: unknown variant `NOPE`, expected one of `UNSOLICITED_SERVICE`/);
      expect((await requestor.post(`${path}/reject`, rejection)).status).toBe(200);
      expect((await requestor.post(`${path}/reject`, rejection)).status).toBe(200);
      const acceptance = { totalAmountAccepted: invoice.amount, allocationId };
      expect((await requestor.post(`${path}/accept`, acceptance)).status).toBe(200);

      const events = async (headers?: Record<string, string>): Promise<Record<string, unknown>[]> =>
        (await requestor.get(`${PAYMENT}/invoiceEvents?timeout=0`, headers)).json;
      expect(await events()).toMatchObject([{ eventType: 'InvoiceReceivedEvent' }]);
      expect(
        await events({ 'X-Requestor-Events': 'RECEIVED,ACCEPTED,REJECTED,SETTLED,CANCELLED,FAILED' }),
      ).toMatchObject([
        { eventType: 'InvoiceReceivedEvent' },
        { eventType: 'InvoiceRejectedEvent', rejection },
        { eventType: 'InvoiceAcceptedEvent' },
      ]);
    });
  });

  it('is never paid for twice: not by a second invoice, nor by a note after the invoice', async () => {
    await withDevnet({ providers: ONE_PROVIDER, paymentCycleSec: 0 }, async (requestor, devnet) => {
      const allocationId = await requestor.allocate();
      devnet.faults.arm({ on: 'provider.invoice', do: 'twice' });
      const first = await invoicedRental(requestor, 'twice');
      expect((await acceptInvoice(requestor, first, allocationId)).status).toBe(200);
      await settled(requestor, first.invoiceId);
      const { json: invoices } = await requestor.get(`${PAYMENT}/invoices`);
      expect(await acceptInvoice(requestor, invoices[1], allocationId)).toMatchObject({
        status: 400,
        json: { message: expect.stringContaining('smaller than agreement.total_amount_accepted') },
      });

      devnet.faults.arm({ on: 'provider.invoice', do: 'noteAfter' });
      const second = await invoicedRental(requestor, 'noteAfter');
      expect((await acceptInvoice(requestor, second, allocationId)).status).toBe(200);
      await settled(requestor, second.invoiceId);
      const { json: notes } = await requestor.get(`${PAYMENT}/debitNotes`);
      const late = notes.at(-1);
      const acceptance = { totalAmountAccepted: late.totalAmountDue, allocationId };
      const path = `${PAYMENT}/debitNotes/${late.debitNoteId}`;
      expect((await requestor.post(`${path}/accept`, acceptance)).status).toBe(200);
      expect((await requestor.get(path)).json.status).toBe('RECEIVED');

      const { json: allocation } = await requestor.get(`${PAYMENT}/allocations/${allocationId}`);
      expect(allocation.spentAmount).toBe(Decimal.sum(first.amount, second.amount).toFixed(18));
      const paid = devnet.ledger.after().flatMap((entry) => entry.for ?? []);
      expect(paid.map(({ amount }) => amount)).toEqual([first.amount, second.amount]);
      expectBalanced(devnet);
    });
  });

  it('a zero invoice is settled at once', async () => {
    await withDevnet({ providers: ONE_PROVIDER, paymentCycleSec: 1000 }, async (requestor) => {
      await requestor.terminate(await requestor.rent('s'));
      const { invoiceId } = await requestor.firstEvent('invoice', 's');
      const allocationId = await requestor.allocate();
      const path = `${PAYMENT}/invoices/${invoiceId}`;
      await requestor.post(`${path}/accept`, { totalAmountAccepted: '0', allocationId });
      expect((await requestor.get(path)).json.status).toBe('SETTLED');
    });
  });
});

describe('debit notes while an activity lives', () => {
  it('are cumulative and linked, payable from the agreed time on, and settled by a later payment', async () => {
    await withDevnet({ providers: ONE_PROVIDER, paymentCycleSec: 0 }, async (requestor) => {
      const agreementId = await requestor.rent('s', {
        'golem.com.scheme.payu.debit-note.interval-sec?': 1,
        'golem.com.scheme.payu.payment-timeout-sec?': 4,
      });
      const activityId = await requestor.createActivity(agreementId);
      const notes: Answer['json'][] = [];
      for (let after: number | undefined; notes.at(-1)?.paymentDueDate === undefined;) {
        const { seq, debitNoteId } = await requestor.effect('debit-note-issued', after);
        after = seq as number;
        notes.push((await requestor.get(`${PAYMENT}/debitNotes/${debitNoteId}`)).json);
      }
      const [early] = notes;
      const [before, payable] = notes.slice(-2);
      expect(early).toMatchObject({ agreementId, activityId, status: 'RECEIVED' });
      expect(early).not.toHaveProperty('paymentDueDate');
      expect(early).not.toHaveProperty('previousDebitNoteId');
      expect(payable).toMatchObject({
        previousDebitNoteId: before.debitNoteId,
        paymentDueDate: expect.any(String),
      });
      expect(new Decimal(payable.totalAmountDue).gte(early.totalAmountDue)).toBe(true);

      const allocationId = await requestor.allocate();
      const accept = `${PAYMENT}/debitNotes/${payable.debitNoteId}/accept`;
      await requestor.post(accept, { totalAmountAccepted: payable.totalAmountDue, allocationId });
      await requestor.firstEvent('debitNote', 's', 'SETTLED');
      const { json: payments } = await requestor.get(`${PAYMENT}/payments?timeout=10`);
      expect(payments).toMatchObject([
        { amount: payable.totalAmountDue, activityPayments: [{ activityId }] },
      ]);
      expect((await requestor.get(`${PAYMENT}/debitNotes/${early.debitNoteId}`)).json.status).toBe('SETTLED');

      await requestor.terminate(agreementId);
      const { invoiceId } = await requestor.firstEvent('invoice', 's');
      const { json: invoice } = await requestor.get(`${PAYMENT}/invoices/${invoiceId}`);
      await requestor.post(`${PAYMENT}/invoices/${invoiceId}/accept`, {
        totalAmountAccepted: invoice.amount,
        allocationId,
      });
      const { json: allocation } = await requestor.get(`${PAYMENT}/allocations/${allocationId}`);
      expect(allocation.spentAmount).toBe(invoice.amount);
    });
  });

  it('cannot be rejected, nor asked for their payments', async () => {
    await withDevnet({ providers: ONE_PROVIDER }, async (requestor) => {
      await invoicedRental(requestor, 's');
      const { debitNoteId } = await requestor.firstEvent('debitNote', 's');
      const path = `${PAYMENT}/debitNotes/${debitNoteId}`;
      const rejection = { rejectionReason: 'BAD_SERVICE', totalAmountAccepted: '0' };
      expect(await requestor.post(`${path}/reject`, rejection)).toMatchObject({
        status: 501,
        text: '{"message":null}',
      });
      expect((await requestor.get(`${path}/payments`)).status).toBe(501);
    });
  });
});

describe('allocations', () => {
  it('keep amount and timeout as they were sent', async () => {
    await withDevnet({ providers: ONE_PROVIDER }, async (requestor) => {
      const timeout = new Date(Date.now() + 3_600_000).toISOString().replace('Z', '123Z');
      const wanted = { totalAmount: '0.123456789012345678', timeout, makeDeposit: false };
      const { status, json } = await requestor.post(`${PAYMENT}/allocations`, wanted);
      expect(status).toBe(201);
      expect(json).toMatchObject({
        ...wanted,
        spentAmount: '0',
        remainingAmount: wanted.totalAmount,
        paymentPlatform: PLATFORM,
      });
    });
  });

  it('are refused when they are too late, too much or on no known platform', async () => {
    await withDevnet({ providers: ONE_PROVIDER }, async (requestor) => {
      const refusal = async (fields: object): Promise<string> => {
        const answer = await requestor.post(`${PAYMENT}/allocations`, { totalAmount: '1', ...fields });
        expect(answer).toMatchObject({ status: 400, contentType: 'application/problem+json' });
        return (answer.json.instance ?? answer.json.parseError) as string;
      };
      expect(await refusal({ totalAmount: '100000' })).toMatch(/insufficient-account-funds$/);
      expect(await refusal({ timeout: '2020-01-01T00:00:00Z' })).toMatch(/timeout-passed$/);
      expect(await refusal({ paymentPlatform: 'erc20-nonet-glm' })).toBe(
        'Validate network failed (2): Invalid network name: nonet',
      );
      const text = await requestor.post(`${PAYMENT}/allocations`, { makeDeposit: false });
      expect(text.text).toMatch(/^Json deserialize error: missing field `totalAmount`/);
    });
  });

  it('end by themselves when their time is over, and are gone like released ones', async () => {
    await withDevnet({ providers: ONE_PROVIDER }, async (requestor) => {
      const allocationId = await requestor.allocateFor(200);
      expect(await requestor.effect('allocation-released')).toMatchObject({ allocationId, by: 'timeout' });
      const path = `${PAYMENT}/allocations/${allocationId}`;
      expect(await requestor.get(path)).toMatchObject({ status: 404, text: '{"message":null}' });
      expect(await requestor.delete(path)).toMatchObject({
        status: 410,
        json: { message: `Allocation ${allocationId} has been already released` },
      });
      expect((await requestor.get(`${PAYMENT}/demandDecorations?allocationIds=${allocationId}`)).status).toBe(
        404,
      );
    });
  });
});
