import { PLATFORM, withDevnet } from './support/devnet-requestor';

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
      const { json: open } = await requestor.get('/admin/open');
      expect(open.counts).toEqual({ allocations: 0, demands: 0, agreements: 0, activities: 0 });
    });
  });
});
