/** How often debit notes may come, whatever a provider writes into its half of an agreement. */
import { isTooOften, notePace, payablePace } from '../model/note-pace';
import { PROP } from '../model/properties';

const halves = (property: string, asked: unknown, offered: unknown) => ({
  demand: { properties: asked === undefined ? {} : { [property]: asked } },
  offer: { properties: offered === undefined ? {} : { [property]: offered } },
});

describe('debit notes', () => {
  test.each([
    ['as agreed', 120, 120, 120],
    ['as agreed, however short', 1, 1, 1],
    ['as asked for, where the draft leaves it out', 120, undefined, 120],
    ['as asked for, where the draft has less', 120, 0.001, 120],
    ['as asked for, where the draft has nonsense', 120, 'often', 120],
    ['as the draft promises, where that is longer', 1, 60, 60],
    ['as the draft promises, where nothing is asked for', undefined, 60, 60],
  ])('come %s, and two are spare', (_what, asked, offered, intervalSec) => {
    const pace = notePace(halves(PROP.debitNoteInterval, asked, offered));
    expect(pace).toEqual({ intervalSec, spare: 2, agreed: true });
    expect(isTooOften(pace, 2, 0)).toBe(false);
    expect(isTooOften(pace, 3, intervalSec - 0.01)).toBe(true);
    expect(isTooOften(pace, 3, intervalSec)).toBe(false);
    expect(isTooOften(pace, 102, 100 * intervalSec)).toBe(false);
    expect(isTooOften(pace, 103, 100 * intervalSec)).toBe(true);
  });

  test.each([[undefined], [0], [-1], [0.001], [9.9], ['often'], [null]])(
    'come each 10 s at most where nothing is asked for and the draft has %j; ten are spare',
    (offered) => {
      const pace = notePace(halves(PROP.debitNoteInterval, undefined, offered));
      expect(isTooOften(pace, 10, 0)).toBe(false);
      expect(isTooOften(pace, 11, 9.9)).toBe(true);
      expect(isTooOften(pace, 11, 10)).toBe(false);
      // An hour of a provider that does as ya-provider does, and of one that does not.
      expect(isTooOften(pace, 31, 3600)).toBe(false);
      expect(isTooOften(pace, 3600, 3600)).toBe(true);
    },
  );
});

test.each([
  ['as agreed', 600, 600, 600],
  ['as asked for, where the draft leaves it out', 600, undefined, 600],
  ['as asked for, where the draft has less', 600, 1, 600],
  ['as the draft promises, where that is longer', 10, 60, 60],
])('payable ones come %s', (_what, asked, offered, intervalSec) => {
  expect(payablePace(halves(PROP.paymentTimeout, asked, offered))).toMatchObject({ intervalSec, spare: 2 });
});

test('payable ones do not come where no payment was promised', () => {
  expect(payablePace(halves(PROP.paymentTimeout, undefined, 60))).toBeUndefined();
});
