/** Decisions of a settlement, without Temporal: which document is next, and what the books say. */
import type { AgreementSoFar, Decision, DocumentRef } from '../activities/contract';
import {
  acceptedOf,
  agreementsOf,
  awaitingPayment,
  awaitsNotePayments,
  book,
  bookNotePayments,
  bookPayment,
  entryOf,
  giveUpInvoices,
  giveUpWaiting,
  ignoredNotes,
  isSettled,
  moneyOf,
  newLedger,
  soFar,
  type Ledger,
} from '../workflows/state/ledger';
import {
  addUndecided,
  awaited,
  awaitedIds,
  decided,
  dropNotes,
  failedToDecide,
  heardOf,
  isDeciding,
  nextDueMs,
  takeDue,
  type Undecided,
  type UndecidedDocument,
} from '../workflows/state/undecided';

const AT = '2026-01-01T00:00:00.000Z';

describe('documents that are not decided', () => {
  const LIFETIME_MS = 20_000;
  /** Such as `a n1` and `a i1`: a note and an invoice of agreement a; `?` is an agreement that nobody knows. */
  const the = (id: string): DocumentRef => {
    const [agreementId, kind] = id.split(' ');
    return {
      ...{ kind: kind?.startsWith('i') ? 'invoice' : 'debitNote', id, eventDate: AT },
      agreementId: agreementId === '?' ? undefined : agreementId,
    };
  };
  const queue = (...ids: string[]): Undecided => {
    const undecided: Undecided = [];
    for (const id of ids) addUndecided(undecided, the(id));
    return undecided;
  };
  const taken = (undecided: Undecided, nowMs = 0) =>
    takeDue(undecided, nowMs).map(({ document }) => document.id);
  const entry = (undecided: Undecided, id: string): UndecidedDocument => {
    const found = undecided.find(({ document }) => document.id === id);
    if (!found) throw new Error(`${id} is not there`);
    return found;
  };

  test('of different agreements are decided at the same time, those of one after each other', () => {
    const undecided = queue('a n1', 'a n2', 'b n1', 'c i1');
    expect(taken(undecided)).toEqual(['a n1', 'b n1', 'c i1']);
    expect(taken(undecided)).toEqual([]);
    expect(nextDueMs(undecided)).toBe(Infinity);
    decided(undecided, entry(undecided, 'a n1'));
    expect(taken(undecided)).toEqual(['a n2']);
  });

  test('are not decided where notes came too often, but for the invoice', () => {
    const undecided = queue('a n1', 'a n2', 'b n1', '? n1', 'a i1');
    undecided.splice(0, 1, { ...entry(undecided, 'a n1'), isBeingDecided: true });
    dropNotes(undecided, 'a');
    expect(undecided.map(({ document }) => document.id)).toEqual(['a n1', 'b n1', '? n1', 'a i1']);
  });

  test('are decided before others are tried again, later and later', () => {
    const undecided = queue('a n1');
    for (const waitSec of [10, 20, 40, 80, 160, 300, 300]) {
      expect(taken(undecided)).toEqual(['a n1']);
      failedToDecide(entry(undecided, 'a n1'), 0, LIFETIME_MS);
      expect(nextDueMs(undecided)).toBe(waitSec * 1000);
      entry(undecided, 'a n1').dueMs = 0;
    }
    addUndecided(undecided, the('a n2'));
    expect(taken(undecided)).toEqual(['a n2']);
  });

  test('that fail again and again leave those of their agreement a turn, however long a request lives', () => {
    const hourMs = 3_600_000;
    const undecided = queue('a n1');
    for (let tries = 0; tries < 8; tries++) failedToDecide(entry(undecided, 'a n1'), 0, hourMs);
    addUndecided(undecided, the('a i1'));
    expect(nextDueMs(undecided)).toBe(hourMs);
    expect(taken(undecided, hourMs)).toEqual(['a i1']);
  });

  test('that somebody else decides are looked at when there is news of them, and now and then without any', () => {
    const undecided = queue('a n1', 'b n1');
    taken(undecided);
    awaited(entry(undecided, 'a n1'), 0);
    expect(awaitedIds(undecided)).toEqual(['a n1']);
    expect(nextDueMs(undecided)).toBe(10_000);
    heardOf(undecided, ['a n1'], 1000);
    expect(taken(undecided, 1000)).toEqual(['a n1']);
    // News that comes while it is looked at is not lost.
    heardOf(undecided, ['a n1'], 2000);
    awaited(entry(undecided, 'a n1'), 3000);
    expect(taken(undecided, 3000)).toEqual(['a n1']);
    awaited(entry(undecided, 'a n1'), 4000);
    expect(nextDueMs(undecided)).toBe(44_000);
  });

  test.each([
    ['i1', 'i2', LIFETIME_MS],
    ['n1', 'i1', LIFETIME_MS],
    ['i1', 'n1', LIFETIME_MS],
    ['n1', 'n2', 0],
  ])('after a failed %s, %s waits until that can have no effect any more', (first, second, startsMs) => {
    const undecided = queue(`a ${first}`);
    takeDue(undecided, 0);
    failedToDecide(entry(undecided, `a ${first}`), 0, LIFETIME_MS);
    entry(undecided, `a ${first}`).dueMs = Infinity;
    addUndecided(undecided, the(`a ${second}`));
    addUndecided(undecided, the('b i1'));
    expect(taken(undecided)).toEqual(startsMs === 0 ? [`a ${second}`, 'b i1'] : ['b i1']);
    if (startsMs === 0) return;
    decided(undecided, entry(undecided, 'b i1'));
    expect(nextDueMs(undecided)).toBe(startsMs);
    expect(taken(undecided, startsMs)).toEqual([`a ${second}`]);
  });

  test('of an agreement that nobody knows are decided alone', () => {
    const undecided = queue('a n1', '? i1');
    expect(taken(undecided)).toEqual(['a n1']);
    decided(undecided, entry(undecided, 'a n1'));
    expect(taken(undecided)).toEqual(['? i1']);
    addUndecided(undecided, the('b n1'));
    expect(taken(undecided)).toEqual([]);
  });

  test('are decided like others once their agreement is told', () => {
    const undecided = queue('a n1', '? i1');
    addUndecided(undecided, { ...the('? i1'), agreementId: 'b' });
    expect(taken(undecided)).toEqual(['a n1', '? i1']);
  });

  test('are decided a few at a time, however many there are', () => {
    const undecided = queue(...Array.from({ length: 60 }, (_, n) => `a${n} n1`));
    expect(taken(undecided)).toHaveLength(50);
    expect(nextDueMs(undecided)).toBe(Infinity);
    expect(isDeciding(undecided)).toBe(true);
  });
});

describe('a ledger', () => {
  const provider = { id: '0x1', name: 'p' };
  const decision = (kind: 'debitNote' | 'invoice', id: string, more: Partial<Decision> = {}): Decision => ({
    ...{ document: { kind, id, eventDate: AT }, agreementId: 'a', provider, amount: '0', payable: false },
    ...{ decision: 'accepted', settled: false, events: [] },
    ...(kind === 'debitNote' ? { activityId: 'vm' } : {}),
    ...more,
  });
  const open = (...decisions: Decision[]): Ledger => {
    const ledger = newLedger('5', 'erc20-holesky-tglm');
    for (const each of decisions) book(ledger, each);
    return ledger;
  };

  test('counts debit notes by the newest of each activity, to the last digit', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.1' }),
      decision('debitNote', 'n2', { amount: '0.300000000000000001' }),
      decision('debitNote', 'n3', { activityId: 'vm2', amount: '0.200000000000000002' }),
      decision('debitNote', 'n4', { agreementId: 'b', activityId: 'vm3', amount: '0.4' }),
    );
    expect(moneyOf(ledger)).toEqual({
      ...{ budget: '5', reserved: '0', platform: 'erc20-holesky-tglm' },
      ...{ accepted: '0.900000000000000003', paid: '0' },
    });
    expect(agreementsOf(ledger)).toMatchObject([
      { agreementId: 'a', accepted: '0.500000000000000003', debitNotes: 3, state: 'open' },
      { agreementId: 'b', accepted: '0.4', debitNotes: 1 },
    ]);
  });

  test('books a document once, however often it is decided', () => {
    const note = decision('debitNote', 'n1', { amount: '0.1', lastUsage: [1, 2] });
    const ledger = open(note, note, { ...note, amount: '0.2' });
    expect(moneyOf(ledger).accepted).toBe('0.1');
    expect(soFar(ledger)).toEqual<Record<string, AgreementSoFar>>({
      a: {
        acceptedByActivity: { vm: '0.1' },
        notes: { vm: { all: 1, payable: 0 } },
        lastUsage: { vm: [1, 2] },
        lastNoteAt: { vm: AT },
        invoiceAccepted: false,
      },
    });
  });

  test('know whose notes came too often', () => {
    const ledger = open(
      decision('debitNote', 'n1', { decision: 'refused' }),
      decision('debitNote', 'n2', {
        ...{ agreementId: 'b', decision: 'refused', requestorCode: 'TooManyDebitNotes' },
      }),
    );
    expect(ignoredNotes(ledger)).toEqual(['b']);
  });

  test('tells decisions on notes that their invoice was rejected', () => {
    const ledger = open(decision('invoice', 'i1', { decision: 'refused', amount: '9' }));
    expect(soFar(ledger).a).toMatchObject({ invoiceAccepted: false, invoiceRejected: true });
  });

  test('is not changed by an invoice beside one that was accepted, though nobody has booked that yet', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.1' }),
      decision('invoice', 'i2', { decision: 'refused', secondInvoice: true, amount: '9' }),
    );
    expect(isSettled(ledger)).toBe(false);
    expect(agreementsOf(ledger)).toMatchObject([{ state: 'open', invoiceId: undefined }]);
    book(ledger, decision('invoice', 'i1', { amount: '0.1', settled: true }));
    expect(agreementsOf(ledger)).toMatchObject([{ state: 'settled', invoiceId: 'i1', paid: '0.1' }]);
  });

  test('tells a decision of its own agreement, and of all where that is not known', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.1' }),
      decision('debitNote', 'n2', { agreementId: 'b', amount: '0.2' }),
    );
    expect(Object.keys(soFar(ledger, 'b'))).toEqual(['b']);
    expect(soFar(ledger, 'c')).toEqual({});
    expect(Object.keys(soFar(ledger))).toEqual(['a', 'b']);
  });

  test('a note that comes late does not lower what was accepted', () => {
    const ledger = open(
      decision('debitNote', 'n2', { amount: '0.3' }),
      decision('debitNote', 'n1', { amount: '0.1' }),
    );
    expect(moneyOf(ledger).accepted).toBe('0.3');
  });

  test('writes an amount one way, however yagna does', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.100000000000000000' }),
      decision('invoice', 'i1', { agreementId: 'b', amount: '0.250000000000000000' }),
    );
    expect(agreementsOf(ledger)).toMatchObject([
      { accepted: '0.1' },
      { accepted: '0.25', invoiceAmount: '0.25' },
    ]);
  });

  test.each([true, false])(
    'a note (payable: %s) is paid when yagna says so, not when it is accepted',
    (payable) => {
      const ledger = open(decision('debitNote', 'n1', { amount: '0.1', payable }));
      expect(moneyOf(ledger)).toMatchObject({ accepted: '0.1', paid: '0' });
      bookNotePayments(ledger, ['n1']);
      expect(moneyOf(ledger)).toMatchObject({ accepted: '0.1', paid: '0.1' });
    },
  );

  test('what is paid for a note is paid for those before it of the same VM, and for no other', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.1' }),
      decision('debitNote', 'n2', { amount: '0.2' }),
      decision('debitNote', 'n3', { amount: '0.3' }),
      decision('debitNote', 'n4', { amount: '0.1', activityId: 'another' }),
    );
    bookNotePayments(ledger, ['n2']);
    expect(moneyOf(ledger)).toMatchObject({ paid: '0.2' });
    expect(Object.keys(ledger.entries[0]?.unpaidNotes ?? {})).toEqual(['n3', 'n4']);
  });

  test('a note that was paid before its acceptance was booked is paid all the same', () => {
    const ledger = open();
    bookNotePayments(ledger, ['n1']);
    book(ledger, decision('debitNote', 'n1', { amount: '0.1' }));
    expect(moneyOf(ledger)).toMatchObject({ paid: '0.1' });
    // Neither for one that adds nothing to it nor for one of nothing is any payment to come.
    book(ledger, decision('debitNote', 'n2', { amount: '0.1' }));
    book(ledger, decision('debitNote', 'n3', { amount: '0', activityId: 'free' }));
    book(ledger, decision('invoice', 'i1', { amount: '9', decision: 'refused', reason: 'too much' }));
    expect(awaitsNotePayments(ledger)).toBe(false);
  });

  test('the payment of accepted notes is waited for where the invoice is not paid', () => {
    const ledger = open(decision('debitNote', 'n1', { amount: '0.1' }));
    expect(awaitsNotePayments(ledger)).toBe(false);
    book(ledger, decision('invoice', 'i1', { amount: '9', decision: 'refused', reason: 'too much' }));
    expect(awaitsNotePayments(ledger)).toBe(true);
    bookNotePayments(ledger, ['n1']);
    expect(awaitsNotePayments(ledger)).toBe(false);
  });

  test('only what yagna has paid is paid before the invoice', () => {
    const ledger = open(
      decision('debitNote', 'n2', { amount: '0.3' }),
      decision('debitNote', 'n1', { amount: '0.1', payable: true, settled: true }),
    );
    expect(moneyOf(ledger)).toMatchObject({ accepted: '0.3', paid: '0.1' });
  });

  test('counts the final invoice in place of its notes, and once', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.3' }),
      decision('invoice', 'i1', { amount: '0.35' }),
      decision('invoice', 'i2', { amount: '9' }),
    );
    expect(moneyOf(ledger)).toMatchObject({ accepted: '0.35', paid: '0' });
    expect(awaitingPayment(ledger)).toEqual(['i1']);
    expect(isSettled(ledger)).toBe(false);
    bookPayment(ledger, 'a');
    expect(moneyOf(ledger)).toMatchObject({ accepted: '0.35', paid: '0.35' });
    expect(awaitingPayment(ledger)).toEqual([]);
    expect(isSettled(ledger)).toBe(true);
    expect(agreementsOf(ledger)).toMatchObject([
      { invoiceId: 'i1', invoiceAmount: '0.35', state: 'settled' },
    ]);
  });

  test('an invoice that is paid when it is accepted, such as one of zero, is settled at once', () => {
    const ledger = open(decision('invoice', 'i1', { settled: true }));
    expect(isSettled(ledger)).toBe(true);
    expect(moneyOf(ledger)).toMatchObject({ accepted: '0', paid: '0' });
  });

  test('a rejected invoice leaves what was accepted before, and says why', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.1', payable: true, settled: true }),
      decision('debitNote', 'n2', { amount: '0.2' }),
      decision('invoice', 'i1', { amount: '9', decision: 'refused', reason: 'too much' }),
    );
    expect(agreementsOf(ledger)).toMatchObject([{ state: 'rejected', accepted: '0.2', paid: '0.1' }]);
    expect(ledger.entries[0]?.refusal).toBe('too much');
    expect(isSettled(ledger)).toBe(true);
  });

  test('an invoice after a rejected one may still be right', () => {
    const ledger = open(
      decision('invoice', 'i1', { amount: '9', decision: 'refused', reason: 'too much' }),
      decision('invoice', 'i2', { amount: '0.2' }),
    );
    expect(agreementsOf(ledger)).toMatchObject([{ state: 'accepted', accepted: '0.2', invoiceId: 'i2' }]);
  });

  test('a refused note counts as seen, not as accepted; a superseded one changes no money', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.1' }),
      decision('debitNote', 'n2', { amount: '7', decision: 'refused', reason: 'impossible' }),
      decision('invoice', 'i1', { amount: '0.15' }),
      decision('debitNote', 'n3', { amount: '0.2', decision: 'superseded' }),
    );
    expect(moneyOf(ledger).accepted).toBe('0.15');
    expect(agreementsOf(ledger)).toMatchObject([{ debitNotes: 3, accepted: '0.15' }]);
  });

  test('a document of somebody else is not booked', () => {
    expect(agreementsOf(open(decision('invoice', 'i1', { decision: 'foreign', amount: '3' })))).toEqual([]);
  });

  test('when no invoice comes in time, what is open stays unpaid but for the notes that were paid', () => {
    const ledger = open(
      decision('debitNote', 'n1', { amount: '0.1', payable: true, settled: true }),
      decision('debitNote', 'n2', { amount: '0.25' }),
    );
    entryOf(ledger, 'b', provider);
    giveUpWaiting(ledger);
    expect(agreementsOf(ledger)).toMatchObject([
      { agreementId: 'a', state: 'unpaid', accepted: '0.25', paid: '0.1' },
      { agreementId: 'b', state: 'unpaid', accepted: '0', paid: '0' },
    ]);
    expect(isSettled(ledger)).toBe(true);
    expect(acceptedOf(entryOf(ledger, 'a', provider))).toBe('0.25');
  });

  test('an invoice that was given up counts when it comes after all', () => {
    const ledger = newLedger('1', 'p');
    entryOf(ledger, 'a', provider);
    entryOf(ledger, 'b', provider);
    giveUpInvoices(ledger, ['a']);
    expect(agreementsOf(ledger).map(({ state }) => state)).toEqual(['unpaid', 'open']);
    book(ledger, decision('invoice', 'i1', { amount: '0.25' }));
    expect(agreementsOf(ledger)[0]).toMatchObject({ state: 'accepted', accepted: '0.25' });
    giveUpInvoices(ledger, ['a']);
    expect(agreementsOf(ledger)[0]?.state).toBe('accepted');
  });

  test('a job without agreements has nothing to settle', () => {
    expect(isSettled(newLedger('1', 'p'))).toBe(true);
  });
});
