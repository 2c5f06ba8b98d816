/** A slip of the pen in a fault does not compile; what no compiler has seen is refused when it runs. */
import type { FaultInput } from '../devnet';
import { faultSchema } from '../devnet/faults/faults';

const accepts = (fault: FaultInput): boolean => faultSchema.safeParse(fault).success;

describe('the type of a fault', () => {
  it('allows what can be armed', () => {
    expect(accepts({ on: 'createAgreement', do: 'dropAfter' })).toBe(true);
    expect(accepts({ on: '*', do: 'delay', sec: 1, node: 'requestor' })).toBe(true);
    expect(accepts({ on: '/registry/*', do: 'answer', status: 500, body: 'no' })).toBe(true);
    expect(accepts({ on: 'DELETE /payment-api/v1/*', do: 'crash', provider: 'one', sec: 3 })).toBe(true);
    expect(accepts({ on: 'provider.debitNote', do: 'tooOften', factor: 2 })).toBe(true);
  });

  it('allows nothing else', () => {
    // @ts-expect-error - no such call
    expect(accepts({ on: 'createAgrement', do: 'delay' })).toBe(false);
    // @ts-expect-error - no such step
    expect(accepts({ on: 'provider.pay', do: 'delay' })).toBe(false);
    // @ts-expect-error - no such action
    expect(accepts({ on: 'createAgreement', do: 'dropafter' })).toBe(false);
    // @ts-expect-error - an action of invoices, not of debit notes
    expect(accepts({ on: 'provider.debitNote', do: 'zero' })).toBe(false);
    // @ts-expect-error - an action of calls, not of a provider's steps
    expect(accepts({ on: 'provider.run', do: 'crash' })).toBe(false);
    // @ts-expect-error - an action of steps, not of requests
    expect(accepts({ on: '/registry/*', do: 'withhold' })).toBe(false);
    // @ts-expect-error - neither a path nor a call
    expect(accepts({ on: 'registry/*', do: 'delay' })).toBe(false);
    // @ts-expect-error - no method
    expect(accepts({ on: 'get /me', do: 'delay' })).toBe(false);
    // @ts-expect-error - no such setting
    expect(accepts({ on: 'getVersion', do: 'delay', seconds: 3 })).toBe(false);
    // @ts-expect-error - a number it must be
    expect(accepts({ on: 'getVersion', do: 'delay', sec: '3' })).toBe(false);
    // Which no type can tell.
    expect(accepts({ on: 'provider.invoice', do: 'tooMuch', factor: 1e308 })).toBe(false);
  });
});
