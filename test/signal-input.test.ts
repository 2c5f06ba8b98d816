/** What a settlement tells its job is heard, whatever amounts others put into it. */
import { isReservationRequest, isSettlementUpdate } from '../workflows/signal-input';

const update = (accepted: string): object => ({
  ...{ jobUuid: 'uuid', seq: 1, phase: 'open', refusedProviders: [] },
  money: { budget: '1', reserved: '1', accepted, paid: '0', platform: 'p' },
  bills: { open: [{ agreementId: 'a', accepted }], invoiced: [] },
  reservations: [{ id: 'r', reserved: '1', budget: '1' }],
});

test.each(['0', '0.0000000000000000001', `${'9'.repeat(40)}.${'1'.repeat(40)}`])(
  '%s accepted is an amount',
  (accepted) => expect(isSettlementUpdate(update(accepted))).toBe(true),
);

test.each(['-1', '1e3', 'NaN', '', ' 1', '9'.repeat(400)])('%j accepted is none', (accepted) => {
  expect(isSettlementUpdate(update(accepted))).toBe(false);
});

test('what a job asks to reserve has no more decimals than can be paid', () => {
  const request = { id: 'x', kind: 'reserve' };
  expect(isReservationRequest({ ...request, amount: '0.000000000000000001' })).toBe(true);
  expect(isReservationRequest({ ...request, amount: '0.0000000000000000001' })).toBe(false);
  expect(isReservationRequest({ ...request, amount: '-1' })).toBe(false);
});
