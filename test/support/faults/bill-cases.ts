/** Dishonest debit notes and invoices, as their requestor gets them. */
import type { DevnetOptions } from '../../../devnet';
import type { Answer, Requestor } from '../devnet-requestor';
import { ACTIVITY, finish, invoices, notes, rentVm } from '../devnet-vm';
import type { FaultCase } from './fault-case';

const INTERVAL = 'golem.com.scheme.payu.debit-note.interval-sec?';
/** Notes come every so many seconds, since the demand names no interval. */
const notesEvery = (sec: number): DevnetOptions => ({
  providers: [{ name: 'one', agreementLimit: 2, minDebitNoteIntervalSec: 0.1, debitNoteIntervalSec: sec }],
});
type Note = Answer['json'];

/** What the usage of a note costs. */
const honest = ({ usageCounterVector }: Note): number => {
  const [cpuSec, durationSec] = usageCounterVector as [number, number];
  return (cpuSec * 0.1 + durationSec * 0.05) / 3600;
};
const due = (note: Note): number => Number(note.totalAmountDue);

async function billedOnce(requestor: Requestor): Promise<Note> {
  await finish(requestor, await rentVm(requestor));
  await requestor.firstEvent('debitNote', 's');
  return (await notes(requestor)).at(-1);
}

export const BILL_CASES: readonly FaultCase[] = [
  {
    fault: { on: 'provider.debitNote', do: 'withhold' },
    what: 'sends no note, and bills its amount in the end',
    async play({ requestor, arm }) {
      arm();
      await finish(requestor, await rentVm(requestor));
      await requestor.firstEvent('invoice', 's');
      expect(await notes(requestor)).toEqual([]);
      expect(Number((await invoices(requestor))[0].amount)).toBeGreaterThan(0);
    },
  },
  {
    fault: { on: 'provider.debitNote', do: 'twice' },
    what: 'sends a note twice',
    shows: ['duplicate note'],
    async play({ requestor, arm }) {
      arm();
      const { totalAmountDue } = await billedOnce(requestor);
      expect((await notes(requestor)).map((note) => note.totalAmountDue)).toEqual([
        ...[totalAmountDue, totalAmountDue],
      ]);
    },
  },
  {
    fault: { on: 'provider.debitNote', do: 'tooMuch', factor: 7 },
    what: 'asks for more than the usage costs',
    shows: ['wrong amount'],
    async play({ requestor, arm }) {
      arm();
      const note = await billedOnce(requestor);
      expect(due(note)).toBeCloseTo(7 * honest(note), 12);
    },
  },
  {
    fault: { on: 'provider.debitNote', do: 'impossibleUsage', factor: 1000 },
    what: 'claims a usage that cannot be',
    async play({ requestor, arm }) {
      const begin = Date.now();
      arm();
      const note = await billedOnce(requestor);
      expect(note.usageCounterVector[1]).toBeGreaterThan((2 * (Date.now() - begin)) / 1000);
      expect(due(note)).toBeCloseTo(honest(note), 12);
    },
  },
  {
    fault: { on: 'provider.debitNote', do: 'lessThanBefore' },
    what: 'asks for less than the note before, which there must be',
    options: notesEvery(0.1),
    async play({ requestor, arm }) {
      const armed = arm();
      await rentVm(requestor);
      await armed.hit();
      const amounts = (await notes(requestor)).map(due);
      const fallen = amounts.filter((amount, n) => n > 0 && amount < (amounts[n - 1] ?? 0));
      expect(amounts.indexOf(fallen[0] ?? -1)).toBe(1);
      expect(fallen).toEqual([expect.closeTo((amounts[0] ?? 0) / 2, 15)]);
    },
  },
  {
    fault: { on: 'provider.debitNote', do: 'payable', times: 0 },
    what: 'wants notes paid, one after the other, though no payments were agreed',
    shows: ['payable without negotiation', 'too many payable notes'],
    options: notesEvery(0.1),
    async play({ requestor, arm }) {
      const armed = arm();
      await rentVm(requestor);
      await armed.hit(3);
      const all = await notes(requestor);
      expect(all.length).toBeGreaterThanOrEqual(3);
      expect(all.filter((note) => note.paymentDueDate === undefined)).toEqual([]);
    },
  },
  {
    fault: { on: 'provider.debitNote', do: 'tooOften', factor: 10 },
    what: 'sends the next note before the agreed interval is over',
    shows: ['too many notes'],
    async play({ requestor, arm }) {
      const armed = arm();
      await rentVm(requestor, 's', { [INTERVAL]: 1 });
      await armed.hit();
      const { seq } = await requestor.effect('debit-note-issued');
      await requestor.effect('debit-note-issued', seq as number);
      const [first, second] = (await notes(requestor)).map((note) => Date.parse(note.timestamp as string));
      expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(90);
      expect((second ?? 0) - (first ?? 0)).toBeLessThan(900);
    },
  },
  {
    fault: { on: 'provider.debitNote', do: 'otherAgreement' },
    what: "bills another of the requestor's agreements",
    options: notesEvery(120),
    async play({ requestor, arm }) {
      const other = await requestor.rent();
      arm();
      const { activityId } = await rentVm(requestor);
      await requestor.delete(`${ACTIVITY}/${activityId}`);
      expect(await notes(requestor)).toMatchObject([{ agreementId: other, activityId }]);
    },
  },
  {
    fault: { on: 'provider.invoice', do: 'withhold' },
    what: 'sends no invoice',
    async play({ requestor, devnet, arm }) {
      const armed = arm();
      await finish(requestor, await rentVm(requestor));
      await armed.hit();
      // Its capacity is free again, so it has done with the agreement.
      await finish(requestor, await rentVm(requestor));
      await requestor.firstEvent('invoice', 's');
      expect(devnet.effects.all(0, ['agreement-terminated'])).toHaveLength(2);
      expect(await invoices(requestor)).toHaveLength(1);
    },
  },
  {
    fault: { on: 'provider.invoice', do: 'twice' },
    what: 'sends a second, different invoice',
    shows: ['second different invoice'],
    async play({ requestor, arm }) {
      arm();
      const note = await billedOnce(requestor);
      const [first, second] = await invoices(requestor);
      expect(first.amount).toBe(note.totalAmountDue);
      expect(Number(second.amount)).toBeLessThan(Number(first.amount));
      expect(second.agreementId).toBe(first.agreementId);
    },
  },
  {
    fault: { on: 'provider.invoice', do: 'tooMuch', factor: 3 },
    what: 'invoices more than its notes have asked for',
    async play({ requestor, arm }) {
      arm();
      const note = await billedOnce(requestor);
      expect(Number((await invoices(requestor))[0].amount)).toBeCloseTo(3 * due(note), 12);
    },
  },
  {
    fault: { on: 'provider.invoice', do: 'zero' },
    what: 'invoices nothing',
    shows: ['zero-amount invoice'],
    async play({ requestor, arm }) {
      arm();
      expect(due(await billedOnce(requestor))).toBeGreaterThan(0);
      expect((await invoices(requestor))[0].amount).toBe('0');
    },
  },
  {
    fault: { on: 'provider.invoice', do: 'noteAfter' },
    what: 'sends a note after the invoice',
    shows: ['note after invoice'],
    async play({ requestor, devnet, arm }) {
      arm();
      await billedOnce(requestor);
      expect(devnet.effects.all(0, ['debit-note-issued', 'invoice-issued']).map(({ kind }) => kind)).toEqual([
        ...['debit-note-issued', 'invoice-issued', 'debit-note-issued'],
      ]);
    },
  },
  {
    fault: { on: 'provider.invoice', do: 'delay', sec: 0.3 },
    what: 'sends the invoice late',
    async play({ requestor, devnet, arm }) {
      arm();
      await finish(requestor, await rentVm(requestor));
      await requestor.firstEvent('invoice', 's');
      const [ended, billed] = devnet.effects
        .all(0, ['agreement-terminated', 'invoice-issued'])
        .map(({ at }) => Date.parse(at));
      expect((billed ?? 0) - (ended ?? 0)).toBeGreaterThan(250);
    },
  },
];
