/** What of the checklist needs no armed fault: limits and deadlines of providers, of money, and restarts. */
import { acceptInvoice, invoicedRental, invoiceOf } from '../devnet-rental';
import { Requestor } from '../devnet-requestor';
import { ACTIVITY, agreementState, finish, notes, offered, PAYMENT, rentVm } from '../devnet-vm';
import type { PlainCase } from './fault-case';

const ACCEPT_TIMEOUT = 'golem.com.payment.debit-notes.accept-timeout?';
const PAYMENT_TIMEOUT = 'golem.com.scheme.payu.payment-timeout-sec?';

/** How often debit notes come. */
const OFTEN = { minDebitNoteIntervalSec: 0.1, debitNoteIntervalSec: 0.1 };

const endedWith = async (requestor: Requestor, code: string): Promise<void> =>
  expect(await requestor.effect('agreement-terminated')).toMatchObject({
    terminator: 'Provider',
    reason: { 'golem.provider.code': code },
  });

export const PLAIN_CASES: readonly PlainCase[] = [
  {
    what: 'a provider ends an agreement without an activity',
    shows: ['NoActivity idle end'],
    options: { providers: [{ name: 'one', idleLimitSec: 0.2 }] },
    async play({ requestor }) {
      await requestor.rent();
      await endedWith(requestor, 'NoActivity');
    },
  },
  {
    what: 'a provider ends an agreement whose notes are not accepted',
    shows: ['DebitNotesDeadline'],
    options: { providers: [{ name: 'one', minAcceptTimeoutSec: 0, ...OFTEN }] },
    async play({ requestor }) {
      await rentVm(requestor, 's', { [ACCEPT_TIMEOUT]: 0.2 });
      await endedWith(requestor, 'DebitNotesDeadline');
    },
  },
  {
    what: 'a provider ends an agreement whose payable notes are not paid',
    shows: ['DebitNoteNotPaid'],
    options: {
      providers: [{ name: 'one', minPaymentTimeoutSec: 0, ...OFTEN }],
      paymentCycleSec: 600,
    },
    async play({ requestor }) {
      await rentVm(requestor, 's', { [PAYMENT_TIMEOUT]: 0.2 });
      await endedWith(requestor, 'DebitNoteNotPaid');
    },
  },
  {
    what: 'a provider gives up on a requestor that it cannot reach',
    shows: ['requestor unreachable'],
    options: { providers: [{ name: 'one', minAcceptTimeoutSec: 0, debitNoteIntervalSec: 1 }] },
    async play({ requestor, devnet: { links, effects } }) {
      const agreementId = await requestor.rent('s', { [ACCEPT_TIMEOUT]: 0.4 });
      void effects.next('activity-created').then(() => links.cut({ provider: 'one' }));
      await requestor.createActivity(agreementId);
      await requestor.effect('activity-destroyed');
      links.restore();
      await endedWith(requestor, 'RequestorUnreachable');
    },
  },
  {
    what: 'a busy provider refuses, and takes it up when it is free',
    shows: ['proposal rejected for want of capacity, and renegotiated later'],
    async play({ requestor }) {
      const { demandId, proposalId } = await offered(requestor);
      const rented = await rentVm(requestor);
      expect((await requestor.negotiate(demandId, proposalId)).reason).toEqual({
        message: 'No capacity available. Reached Agreements limit: 1',
        'golem.proposal.rejection.is-final': false,
      });
      await finish(requestor, rented);
      const [{ proposal }] = await requestor.events(demandId);
      expect(proposal.state).toBe('Draft');
    },
  },
  {
    what: 'an allocation expires, or is released, before it was used',
    shows: ['allocation expires', 'allocation is released early'],
    async play({ requestor }) {
      const invoice = await invoicedRental(requestor, 's');
      const expired = await requestor.allocateFor(300);
      await requestor.effect('allocation-released');
      const early = await requestor.allocate();
      await requestor.delete(`${PAYMENT}/allocations/${early}`);
      for (const gone of [expired, early]) {
        expect(await acceptInvoice(requestor, invoice, gone)).toMatchObject({
          status: 400,
          json: { message: expect.stringContaining(`Allocation ${gone} not found`) },
        });
      }
    },
  },
  {
    what: 'an invoice is accepted in vain, and then twice',
    shows: [
      'accept: 504',
      'accept: 410 allocation gone',
      'accept: 400 "Not enough funds"',
      'accept: a repeat (200)',
    ],
    async play({ requestor, devnet }) {
      const invoice = await invoicedRental(requestor, 's');
      const accept = async (allocationId: string): Promise<number> =>
        (await acceptInvoice(requestor, invoice, allocationId)).status;
      const enough = await requestor.allocate();
      // A real yagna says 400 for an allocation that is gone (above); other versions may not.
      for (const status of [504, 410]) {
        devnet.faults.arm({ on: 'acceptInvoice', do: 'answer', status });
        expect(await accept(enough)).toBe(status);
      }
      const little = await requestor.allocate('0.000000000000000001');
      expect((await acceptInvoice(requestor, invoice, little)).json.message).toMatch(/^Not enough funds\. /);
      expect([await accept(enough), await accept(enough)]).toEqual([200, 200]);
      expect((await invoiceOf(requestor, invoice.invoiceId)).status).toMatch(/ACCEPTED|SETTLED/);
    },
  },
  {
    what: 'a daemon comes back on another address, and what it keeps is there',
    shows: ['daemon restart on another address'],
    async play({ requestor, devnet }) {
      const { agreementId, activityId } = await rentVm(requestor);
      const node = devnet.node('requestor');
      await node.restart({ port: 0 });
      expect(node.url).not.toBe(requestor.url);
      const moved = new Requestor(node.url, node.appKey, devnet.adminUrl);
      expect(await agreementState(moved, agreementId)).toBe('Approved');
      expect((await moved.get(`${ACTIVITY}/${activityId}/state`)).json.state).toEqual(['Ready', null]);
      expect(await notes(moved)).toEqual([]);
    },
  },
];
