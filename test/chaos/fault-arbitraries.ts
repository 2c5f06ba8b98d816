/**
 * Random faults of the network between worker and yagna. All of them pass: each acts a few times and no more, since a
 * worker waits longer after each, and none delays a call for longer than the worker thinks possible.
 */
import * as fc from 'fast-check';
import type { FaultInput } from '../../devnet/faults/faults';

/** Calls that have an effect. */
const WRITES = [
  ...(['createAllocation', 'releaseAllocation', 'subscribeDemand', 'unsubscribeDemand'] as const),
  ...(['counterProposalDemand', 'createAgreement', 'confirmAgreement', 'terminateAgreement'] as const),
  ...([
    'createActivity',
    'destroyActivity',
    'exec',
    'acceptDebitNote',
    'acceptInvoice',
    'rejectInvoice',
  ] as const),
];
const READS = [
  ...([
    'getIdentity',
    'getDemandDecorations',
    'getAllocations',
    'getAllocation',
    'getDemands',
    'collectOffers',
  ] as const),
  ...([
    'getProposalOffer',
    'listAgreements',
    'getAgreement',
    'waitForApproval',
    'collectAgreementEvents',
  ] as const),
  ...(['getActivities', 'getActivityState', 'getExecBatchResults', 'getDebitNotes', 'getDebitNote'] as const),
  ...([
    'getDebitNoteEvents',
    'getInvoices',
    'getInvoice',
    'getInvoiceEvents',
    'getTerminateAgreementReason',
  ] as const),
];
export type FaultyCall = (typeof WRITES)[number] | (typeof READS)[number];

/** The worker gives a call 3 s, and counts on it taking effect within 4. */
export const LONGEST_DELAY_SEC = 3.7;

const status = fc.constantFrom(500, 503, 504, 408);
const delaySec = fc.constantFrom(0.5, 2, 3.3, LONGEST_DELAY_SEC);

const nth = fc.constantFrom(1, 1, 1, 2, 3);
const times = fc.constantFrom(1, 1, 2, 4);

type Acting =
  | { do: 'answer' | 'answerAfter'; status: number }
  | { do: 'delay' | 'delayAfter'; sec: number }
  | { do: 'dropBefore' | 'dropAfter' };

const before: fc.Arbitrary<Acting> = fc.oneof(
  fc.record({ do: fc.constant('answer' as const), status }),
  fc.constant({ do: 'dropBefore' as const }),
  fc.record({ do: fc.constant('delay' as const), sec: delaySec }),
);
const after: fc.Arbitrary<Acting> = fc.oneof(
  fc.record({ do: fc.constant('answerAfter' as const), status }),
  fc.constant({ do: 'dropAfter' as const }),
  fc.record({ do: fc.constant('delayAfter' as const), sec: delaySec }),
);

const networkFault: fc.Arbitrary<FaultInput> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({ on: fc.constantFrom(...WRITES), acting: fc.oneof(before, after, after), nth, times })
      .map(({ acting, ...fault }) => ({ ...fault, ...acting })),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ on: fc.constantFrom(...READS), acting: before, nth, times })
      .map(({ acting, ...fault }) => ({ ...fault, ...acting })),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({
        acting: fc.oneof(before, after),
        probability: fc.constantFrom(0.03, 0.1, 0.2),
        seed: fc.integer({ min: 0, max: 0xffff }),
        times: fc.constantFrom(3, 6),
      })
      .map(({ acting, ...chance }) => ({ on: '*' as const, ...acting, ...chance })),
  },
);

export const networkFaults: fc.Arbitrary<FaultInput[]> = fc.array(networkFault, {
  minLength: 0,
  maxLength: 3,
  size: 'max',
});
