/** Every kind of fault acts, and a requestor sees that it did; and everything is shown that can go wrong on a network. */
import { operations } from '../devnet';
import { withDevnet } from './support/devnet-requestor';
import { BILL_CASES } from './support/faults/bill-cases';
import { CALL_CASES } from './support/faults/call-cases';
import { CHECKLIST } from './support/faults/checklist';
import { kindOf, type FaultCase, type PlainCase } from './support/faults/fault-case';
import { PLAIN_CASES } from './support/faults/plain-cases';
import { STEP_CASES } from './support/faults/step-cases';
import { STREAM_CASES } from './support/faults/stream-cases';

const BY_DEFAULT = { providers: [{ name: 'one' }], paymentCycleSec: 0.1 };
const CASES = [...CALL_CASES, ...STREAM_CASES, ...STEP_CASES, ...BILL_CASES];

const acted = new Set<string>();
const shown = new Set<string>();

const rows = <Case extends FaultCase | PlainCase>(
  cases: readonly Case[],
  name: (each: Case) => string,
): [string, Case][] => cases.map((each) => [name(each), each]);

describe('a fault', () => {
  it.each(rows(CASES, ({ fault, what }) => `${fault.do} on ${fault.on}: ${what}`))(
    '%s',
    async (_name, { fault, options, play, shows = [] }) => {
      await withDevnet({ ...BY_DEFAULT, ...options }, async (requestor, devnet) => {
        const armed: ReturnType<typeof devnet.faults.arm>[] = [];
        const arm = (settings = {}): (typeof armed)[number] => {
          const each = devnet.faults.arm({ ...fault, ...settings });
          armed.push(each);
          return each;
        };
        await play({ requestor, devnet, arm });
        expect(armed.map(({ hits }) => hits > 0)).toEqual([true]);
        acted.add(kindOf(fault));
        for (const line of shows) shown.add(line);
      });
    },
  );
});

describe('without a fault', () => {
  it.each(rows(PLAIN_CASES, ({ what }) => what))('%s', async (_name, { options, play, shows = [] }) => {
    await withDevnet({ ...BY_DEFAULT, ...options }, async (requestor, devnet) => {
      await play({ requestor, devnet });
      for (const line of shows) shown.add(line);
    });
  });
});

describe('the cases above', () => {
  it('have shown every kind of fault that can be armed', () => {
    const kinds = operations().flatMap(({ on, actions }) =>
      actions.map((action) => kindOf({ on, do: action })),
    );
    expect([...acted].sort()).toEqual([...new Set(kinds)].sort());
  });

  it('have shown every line of the checklist', () => {
    expect(CHECKLIST.filter((line) => !shown.has(line))).toEqual([]);
  });
});
