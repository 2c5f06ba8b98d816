/** Whom a settlement looks after, without Temporal; and what it takes along when it continues as new. */
import type { Decision } from '../activities/contract';
import { emptyEventLog } from '../model/events';
import { fitSettlement, type CarriedSettlement } from '../workflows/state/carried-settlement';
import { addUndecided, compactUndecided, type Undecided } from '../workflows/state/undecided';
import {
  agreementsOf,
  book,
  bookPayment,
  compactLedger,
  earlierOf,
  entryOf,
  isSettled,
  know,
  moneyOf,
  newLedger,
} from '../workflows/state/ledger';
import {
  detachedEnded,
  keptAlive,
  newOwners,
  ownerAttached,
  ownerClosed,
  ownersSeen,
  type Owners,
} from '../workflows/state/owners';

const JOB = 'job';
const RENTAL = 'job/rental/3';
const calm = { liveRentals: [], abrupt: false };

const detachedBy = (workflowId: string, ...detached: string[]) => ({ workflowId, clean: true, detached });

/** Job and rental are gone, and have left agreement a alive. */
function detached(): Owners {
  const owners = newOwners();
  ownerClosed(owners, JOB, detachedBy(RENTAL, 'a'));
  ownerClosed(owners, JOB, { workflowId: JOB, clean: true });
  ownersSeen(owners, calm, []);
  return owners;
}

describe('the end', () => {
  test('of the job is waited for first, then that of rentals that live', () => {
    const owners = newOwners();
    expect(owners.watch).toBe('job');
    ownersSeen(owners, { liveRentals: [RENTAL], abrupt: true }, []);
    expect(owners).toMatchObject({ watch: 'rentals', abrupt: true, jobClosed: false });
    ownerClosed(owners, JOB, { workflowId: RENTAL, clean: false });
    ownersSeen(owners, calm, []);
    expect(owners).toMatchObject({ watch: 'none', abrupt: true, clean: false, lastRental: 3 });
  });

  test('of who attached is waited for where there is no job', () => {
    const owners = newOwners([{ workflowId: 'w', agreementId: 'a' }]);
    expect(owners).toMatchObject({ watch: 'attached', jobClosed: true });
    ownersSeen(owners, calm, owners.attached);
    expect(owners).toMatchObject({ watch: 'none', attached: [] });
  });
});

describe('an agreement that was left alive', () => {
  test('is kept until it ends', () => {
    const owners = detached();
    expect(owners).toMatchObject({ watch: 'none', detached: ['a'] });
    expect(keptAlive(owners)).toEqual(['a']);
    detachedEnded(owners, ['a']);
    expect(keptAlive(owners)).toEqual([]);
  });

  test('is whose who attaches to it, and what was said before changes that no more', () => {
    const owners = detached();
    expect(ownerAttached(owners, { workflowId: 'w', agreementId: 'a' })).toBe(true);
    expect(ownerAttached(owners, { workflowId: 'w', agreementId: 'a' })).toBe(false);
    ownerClosed(owners, JOB, detachedBy(RENTAL, 'a'));
    expect(owners).toMatchObject({ watch: 'attached', detached: [] });
    expect(keptAlive(owners)).toEqual(['a']);
    ownersSeen(owners, calm, owners.attached);
    expect(keptAlive(owners)).toEqual([]);
  });

  test('can be left once more, and attached to by a workflow of the same id', () => {
    const owners = detached();
    ownerAttached(owners, { workflowId: 'w', agreementId: 'a' });
    const watched = owners.attached;
    ownerClosed(owners, JOB, detachedBy('w', 'a'));
    expect(ownerAttached(owners, { workflowId: 'w', agreementId: 'a' })).toBe(true);
    // The watch that waited for the first of that id says nothing of the second.
    ownersSeen(owners, calm, watched);
    expect(owners).toMatchObject({ watch: 'attached', attached: [{ workflowId: 'w', n: 2 }] });
    ownerClosed(owners, JOB, detachedBy('w', 'a'));
    ownersSeen(owners, calm, owners.attached);
    expect(owners).toMatchObject({ watch: 'none', attached: [], detached: ['a'] });
  });

  test('is kept for those of several who attached that have not closed', () => {
    const owners = detached();
    ownerAttached(owners, { workflowId: 'v', agreementId: 'a' });
    ownerAttached(owners, { workflowId: 'w', agreementId: 'b' });
    ownersSeen(owners, { liveRentals: [], abrupt: true, closed: ['w'] }, owners.attached);
    expect(owners).toMatchObject({ watch: 'attached', attached: [{ workflowId: 'v' }], abrupt: true });
    expect(keptAlive(owners)).toEqual(['a']);
  });

  test('is one that others may have, too: each is kept for its own', () => {
    const owners = detached();
    ownerClosed(owners, JOB, detachedBy('job/rental/1', 'b'));
    ownerAttached(owners, { workflowId: 'w', agreementId: 'b' });
    expect(keptAlive(owners).sort()).toEqual(['a', 'b']);
    ownersSeen(owners, calm, owners.attached);
    expect(keptAlive(owners)).toEqual(['a']);
  });
});

describe('into the next run', () => {
  const decision = (id: string, amount: string, more: Partial<Decision> = {}): Decision => ({
    document: { kind: 'debitNote', id, eventDate: '2026-01-01T00:00:00Z' },
    ...{ agreementId: 'a', activityId: 'vm', provider: { id: '0x1', name: 'one' }, amount, payable: false },
    ...{ decision: 'accepted', settled: false, lastUsage: [1, 2], events: [], ...more },
  });

  test('go of an agreement that is paid its sums and counts alone', () => {
    const ledger = newLedger('1', 'p');
    for (const agreementId of ['a', 'b']) {
      for (const n of [1, 2]) book(ledger, decision(`${agreementId}${n}`, `0.${n}`, { agreementId }));
    }
    const document = { kind: 'invoice' as const, id: 'i', eventDate: '2026-01-01T00:00:00Z' };
    book(ledger, decision('i', '0.3', { document, payable: true }));
    bookPayment(ledger, 'a');
    const carried = compactLedger(ledger);
    expect(carried.entries[0]).toMatchObject({ notes: {}, unpaidNotes: {}, lastUsage: {}, notesBefore: 2 });
    expect(carried.entries[1]).toEqual(ledger.entries[1]);
    expect(moneyOf(carried)).toEqual(moneyOf(ledger));
    expect(agreementsOf(carried)).toEqual(agreementsOf(ledger));
    expect(agreementsOf(compactLedger(carried))).toEqual(agreementsOf(ledger));
  });

  test('goes what fits into it, however many agreements there were and notes that wait for their payment', () => {
    const ledger = newLedger('1', 'p');
    const invoice = (agreementId: string): void => {
      const document = {
        kind: 'invoice' as const,
        id: `invoice-of-${agreementId}`,
        eventDate: '2026-01-01T00:00:00Z',
      };
      book(ledger, decision(document.id, '0.000000000000000001', { agreementId, document, payable: true }));
    };
    const agreement = (kind: string, n: number): string =>
      `${n}${kind}`.padStart(64, '0').split('').reverse().join('');
    const paid = Array.from({ length: 1400 }, (_, n) => agreement('p', n));
    for (const agreementId of paid) {
      book(ledger, decision(`note-of-${agreementId}`, '0.000000000000000001', { agreementId }));
      invoice(agreementId);
      bookPayment(ledger, agreementId);
    }
    for (let n = 0; n < 500; n++) invoice(agreement('a', n));
    for (let n = 0; n < 100; n++) {
      const more = { agreementId: agreement('o', n), activityId: agreement('v', n) };
      book(ledger, decision(agreement('n', n), '0.5', more));
      const note = { activityId: more.activityId, amount: '0.000000000000000001' };
      const ids = Array.from({ length: 200 }, (_, i) => `${agreement('n', n).slice(0, 32)}-${i}`);
      entryOf(ledger, more.agreementId, { id: '0x1', name: 'one' }).unpaidNotes = Object.fromEntries(
        ids.map((id) => [id, note]),
      );
    }
    const carried = compactLedger(ledger);
    expect(JSON.stringify(carried).length).toBeLessThan(1_200_000);
    expect(moneyOf(carried)).toEqual(moneyOf(ledger));
    expect(earlierOf(carried).earlier).toEqual({
      ...{ agreements: 400, debitNotes: 400 },
      ...{ accepted: '0.0000000000000004', paid: '0.0000000000000004' },
    });
    expect(agreementsOf(carried)).toEqual(agreementsOf(ledger).slice(400));
    expect(earlierOf(compactLedger(carried))).toEqual(earlierOf(carried));

    // Of one that is paid and forgotten nothing is waited for again.
    const again = compactLedger(carried);
    book(again, decision('late', '5', { agreementId: paid[0] }));
    const second = { kind: 'invoice' as const, id: 'second', eventDate: '2026-01-02T00:00:00Z' };
    book(
      again,
      decision('second', '5', {
        agreementId: paid[1],
        document: second,
        payable: true,
        secondInvoice: true,
        decision: 'refused',
      }),
    );
    know(
      again,
      paid.map((agreementId) => ({ agreementId, provider: { id: '0x1', name: 'one' } })),
    );
    expect(again.entries).toEqual(carried.entries);
    expect(isSettled({ ...again, entries: again.entries.filter(({ state }) => state === 'settled') })).toBe(
      true,
    );
  });

  test('go all invoices that are not decided, and of very many notes the newest', () => {
    const undecided: Undecided = [];
    for (let n = 0; n < 2000; n++) {
      const kind = n === 7 ? 'invoice' : 'debitNote';
      addUndecided(undecided, { kind, id: `${n}`, eventDate: '', agreementId: 'a' });
    }
    const ids = compactUndecided(undecided).map(({ document }) => document.id);
    expect(ids).toHaveLength(1000);
    expect(ids[0]).toBe('7');
    expect(ids.at(-1)).toBe('1999');
    expect(compactUndecided(undecided.slice(0, 20))).toHaveLength(20);
    const carried = { undecided, log: emptyEventLog() } as Partial<CarriedSettlement>;
    expect(fitSettlement(carried as CarriedSettlement).undecided).toEqual(undecided);
  });

  test('go of notes that wait for their payment the newest: it counts for those before', () => {
    const ledger = newLedger('1', 'p');
    for (let n = 1; n <= 300; n++) book(ledger, decision(`n${n}`, `0.00${n}`.slice(0, 6)));
    const [entry] = ledger.entries;
    expect(Object.keys(entry?.unpaidNotes ?? {})).toHaveLength(200);
    expect(entry?.notes.vm).toEqual({ all: 300, payable: 0 });
  });
});
