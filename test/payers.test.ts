/** Payers and payment terms in a spec: what may be written, what the demand says of it, and what providers are taken. */
import { buildDemand } from '../model/demand';
import { payablePace } from '../model/note-pace';
import {
  billableSec,
  impatience,
  paymentTermsReason,
  readOfferedPayment,
  upfrontSecOf,
} from '../model/payment-terms';
import { namedBroker } from '../model/payer';
import { PROP, type Properties } from '../model/properties';
import { parseJobSpec, type ParsedSpec } from '../model/spec';
import { affords, commitment, isLow, paidInAdvance } from '../workflows/state/budget';

const SMALL = { image: 'golem/alpine:latest', budget: '1', tasks: ['true'] };
const CONTRACT = `0x${'C0'.repeat(20)}`;
const BROKER = { broker: 'http://127.0.0.1:7470/', deposit: 'd-1' };

const problems = (part: object): string[] => {
  const read = parseJobSpec({ ...SMALL, ...part });
  return read.ok ? [] : read.problems;
};
const parsed = (part: object): ParsedSpec => {
  const read = parseJobSpec({ ...SMALL, ...part });
  if (!read.ok) throw new Error(read.problems.join('\n'));
  return read.spec;
};
const budget = (part: object): object => ({ budget: { amount: '1', ...part } });

describe('a spec', () => {
  test('names a broker and a deposit with it, or a contract and a deposit in it', () => {
    expect(parsed(budget({ payer: BROKER })).budget.payer).toEqual({
      url: 'http://127.0.0.1:7470',
      deposit: 'd-1',
    });
    const deposit = { id: '0x2A', contract: CONTRACT };
    expect(parsed(budget({ deposit })).budget.deposit).toEqual({
      id: '0x2A',
      contract: CONTRACT.toLowerCase(),
    });
    expect(parsed({}).budget).not.toHaveProperty('payer');
  });

  test('may ask for time in advance, which the agreement then lasts for', () => {
    expect(parsed({ demand: { upfrontSec: 600 } }).demand).toMatchObject({
      upfrontSec: 600,
      expirationSec: 1800,
    });
    expect(parsed({ demand: { upfrontSec: 7200 } }).demand).toMatchObject({
      ...{ upfrontSec: 7200, expirationSec: 7500, debitNotesAcceptanceTimeoutSec: 240 },
    });
  });

  test.each([
    [budget({ deposit: { contract: CONTRACT } }), /^budget\.deposit\.id: is missing/],
    [budget({ deposit: { id: 'x', contract: CONTRACT } }), /^budget\.deposit\.id: must be a number/],
    [budget({ deposit: { id: '0x1', contract: '0x1' } }), /^budget\.deposit\.contract: must be an address/],
    [budget({ payer: 'http://b' }), /^budget\.payer: must be an object with broker and deposit/],
    [budget({ payer: { broker: 'b', deposit: 'd' } }), /^budget\.payer\.broker: must be the http/],
    [budget({ payer: { broker: 'http://b' } }), /^budget\.payer\.deposit: is missing/],
    [budget({ payer: { ...BROKER, deposit: 'a b' } }), /^budget\.payer\.deposit: must be the id/],
    [budget({ payer: BROKER, onLow: 'pause' }), /^budget\.onLow: cannot be "pause" with budget\.payer/],
    [budget({ payer: BROKER, onLow: 'topUp', max: '2' }), /^budget\.onLow: cannot be "topUp" with/],
    [
      budget({ payer: BROKER, deposit: { id: '0x1', contract: CONTRACT } }),
      /^budget\.deposit: names a second/,
    ],
    [{ demand: { upfrontSec: 0 } }, /^demand\.upfrontSec: must be a whole number of seconds from 1/],
    [{ demand: { upfrontSec: 900, expirationSec: 900 } }, /^demand\.upfrontSec: 900 s are to be paid in/],
  ])('%j is refused', (part, line) => {
    expect(problems(part)).toEqual([expect.stringMatching(line)]);
  });
});

test('a demand names the broker, and matches only offers of providers that take their bills there', () => {
  const spec = parsed({ demand: { upfrontSec: 600 } });
  const payer = { url: 'http://b', address: '0xb', deposit: 'd' };
  const image = { taskPackage: '', label: '' };
  const at = { mark: 'm', nowMs: 0 };
  const { properties, constraints } = buildDemand({ ...spec, image }, { ...at, payer });
  expect(namedBroker(properties)).toEqual(payer);
  expect(properties['golem.com.payment.upfront.duration-sec?']).toBe(600);
  expect(constraints).toContain('(golem.com.payment.broker.version>=1)');
  const usual = buildDemand({ ...spec, image }, at);
  expect(namedBroker(usual.properties)).toBeUndefined();
  expect(usual.constraints).not.toContain('broker');
});

test.each([
  [{ [PROP.brokerUrl]: 'u', [PROP.brokerAddress]: 'a' }],
  [{ [PROP.brokerUrl]: 'u', [PROP.brokerAddress]: 'a', [PROP.brokerDeposit]: 7 }],
  [{ [PROP.brokerUrl]: '', [PROP.brokerAddress]: 'a', [PROP.brokerDeposit]: 'd' }],
])('%j names no broker', (properties) => {
  expect(namedBroker(properties)).toBeUndefined();
});

describe('payment terms', () => {
  const halves = (asked: unknown, sold: unknown) => ({
    demand: { properties: { [PROP.upfront]: asked } as Properties },
    offer: { properties: { [PROP.upfront]: sold } as Properties },
  });

  test('hold for time in advance only where both sides have them, and for no more than was asked for', () => {
    expect(upfrontSecOf(halves(60, 60))).toBe(60);
    expect(upfrontSecOf(halves(60, 600))).toBe(60);
    for (const [asked, sold] of [
      [undefined, 60],
      [60, undefined],
      [60, 'x'],
      [60, 0],
      [null, 60],
    ])
      expect(upfrontSecOf(halves(asked, sold))).toBeUndefined();
    expect(billableSec(halves(60, 60), 1)).toBe(60);
    expect(billableSec(halves(60, 60), 90)).toBe(90);
    expect(billableSec(halves(undefined, 60), 1)).toBe(1);
  });

  test('let one payable note come in advance, where no payments were agreed', () => {
    expect(payablePace(halves(60, 60))).toMatchObject({ intervalSec: 60, agreed: true });
    expect(payablePace(halves(undefined, 60))).toBeUndefined();
  });

  test('say why a provider is not taken', () => {
    const nothing = readOfferedPayment({});
    const all = readOfferedPayment({
      [PROP.upfront]: 60,
      [PROP.acceptTimeout]: 240,
      [PROP.brokerVersion]: 1,
    });
    expect(paymentTermsReason({}, true, nothing)).toMatch(/no broker/);
    expect(paymentTermsReason({ upfrontSec: 60 }, false, nothing)).toMatch(/sells no time/);
    expect(paymentTermsReason({ upfrontSec: 61 }, false, all)).toMatch(/sells 60 s in advance at most/);
    expect(paymentTermsReason({ upfrontSec: 60 }, true, all)).toBeUndefined();
    expect(impatience({ debitNotesAcceptanceTimeoutSec: 241 }, all)).toMatch(/240 s at most/);
    expect(impatience({ debitNotesAcceptanceTimeoutSec: 240 }, all)).toBeUndefined();
    expect(impatience({ debitNotesAcceptanceTimeoutSec: 900 }, nothing)).toBeUndefined();
    expect(impatience({}, all)).toBeUndefined();
  });
});

test('time in advance is all of it at the beginning: it must fit the budget, and nothing accrues afterwards', () => {
  const prices = paidInAdvance({ startPrice: '0.1', pricePerHour: '3.7' }, 1800);
  expect(prices).toEqual({ startPrice: '1.9', pricePerHour: '1.9' });
  const rented = commitment(1, prices, 0, 3_600_000);
  const money = { budget: '2', reserved: '2', accepted: '0' };
  expect(affords(money, [], rented, 120, 0)).toBe(true);
  expect(affords({ ...money, budget: '1.8' }, [], rented, 120, 0)).toBe(false);
  rented.bill = { amount: '1.9', atMs: 1000 };
  expect(isLow({ ...money, accepted: '1.9' }, [rented], 120, 1_800_000)).toBe(false);
});
