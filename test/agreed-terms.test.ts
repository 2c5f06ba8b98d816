/** Which counters to the demanded terms are taken, and what of an agreement is agreed. */
import { agreedTerms, counterReason } from '../model/agreed-terms';
import { DURATION_CLASSES } from '../model/duration-classes';
import { payablePace } from '../model/note-pace';
import { PROP } from '../model/properties';
import { readDurationClasses } from '../activities/duration-settings';

const LONG = {
  expirationSec: 43_200,
  debitNotesAcceptanceTimeoutSec: 240,
  midAgreementDebitNoteIntervalSec: 120,
  midAgreementPaymentTimeoutSec: 3600,
};
const offer = (accept?: unknown, interval?: unknown, payment?: unknown) => ({
  ...(accept === undefined ? {} : { [PROP.acceptTimeout]: accept }),
  ...(interval === undefined ? {} : { [PROP.debitNoteInterval]: interval }),
  ...(payment === undefined ? {} : { [PROP.paymentTimeout]: payment }),
});

test.each([
  ['as demanded', LONG, offer(240, 120, 3600), undefined],
  ['longer in everything', LONG, offer(300, 240, 7200), undefined],
  ['no less time to accept than 30 s', LONG, offer(30, 120, 3600), undefined],
  ['less time than that', LONG, offer(29, 120, 3600), /debitNotesAcceptanceTimeoutSec with 29 s/],
  ['debit notes more often', LONG, offer(240, 60, 3600), /midAgreementDebitNoteIntervalSec with 60 s/],
  ['less time to pay', LONG, offer(240, 120, 1800), /midAgreementPaymentTimeoutSec with 1800 s/],
  [
    'no promise to wait for acceptance',
    LONG,
    offer(undefined, 120, 3600),
    /no debitNotesAcceptanceTimeoutSec/,
  ],
  ['no payments meanwhile', LONG, offer(240, 120), /no midAgreementPaymentTimeoutSec/],
  ['no interval, which nothing needs', LONG, offer(240, undefined, 3600), undefined],
  ['nonsense', LONG, offer('soon', true, []), /no debitNotesAcceptanceTimeoutSec/],
  ['nothing, where nothing is needed', { ...LONG, expirationSec: 1800 }, offer(), undefined],
  ['what nobody asked for', { expirationSec: 1800 }, offer(1, 1, 1), undefined],
])('a counter with %s', (_what, demand, properties, reason) => {
  const said = counterReason(demand, properties, DURATION_CLASSES);
  if (reason === undefined) expect(said).toBeUndefined();
  else expect(said).toMatch(reason);
});

test('a spec may allow less, or ask for more', () => {
  const least = { debitNotesAcceptanceTimeoutSec: 200, midAgreementPaymentTimeoutSec: 1800 };
  const demand = { ...LONG, least };
  expect(counterReason(demand, offer(200, 120, 1800), DURATION_CLASSES)).toBeUndefined();
  expect(counterReason(demand, offer(199, 120, 1800), DURATION_CLASSES)).toMatch(/with 199 s/);
  expect(counterReason(demand, offer(200, 120, 1799), DURATION_CLASSES)).toMatch(/with 1799 s/);
});

test('the terms of an agreement are what both sides name, as the provider has it', () => {
  const demand = { properties: offer(240, 120, 3600) };
  expect(agreedTerms({ demand, offer: { properties: offer(200, undefined, 7200) } })).toEqual({
    debitNotesAcceptanceTimeoutSec: 200,
    midAgreementPaymentTimeoutSec: 7200,
  });
});

test('payable notes may come as often as a counter that the spec allows says', () => {
  const halves = {
    demand: { properties: offer(240, 120, 3600) },
    offer: { properties: offer(240, 120, 1800) },
  };
  expect(payablePace(halves)?.intervalSec).toBe(3600);
  expect(payablePace(halves, 1000)?.intervalSec).toBe(1800);
  expect(payablePace(halves, 2000)?.intervalSec).toBe(2000);
});

test('a worker sets thresholds of its own, and is told what is wrong with them', () => {
  const read = (text: string) => readDurationClasses({ GOLEM_DURATION_CLASSES: text });
  expect(readDurationClasses({})).toEqual({});
  expect(read('{"minExpirationSec":1,"paymentsOverSec":100}')).toEqual({
    minExpirationSec: 1,
    paymentsOverSec: 100,
  });
  expect(() => read('{')).toThrow(/GOLEM_DURATION_CLASSES: is no JSON/);
  expect(() => read('[]')).toThrow(/must be an object/);
  expect(() => read('{"paymentOverSec":1}')).toThrow(/knows no paymentOverSec; is paymentsOverSec meant/);
  expect(() => read('{"paymentsOverSec":"1"}')).toThrow(/paymentsOverSec must be a number/);
  expect(() => read('{"paymentsOverSec":0}')).toThrow(/above 0/);
});
