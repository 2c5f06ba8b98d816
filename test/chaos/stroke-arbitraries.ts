/** Random strokes: what dies or is cut off, and at which moment. Few, so that what they break can be understood. */
import * as fc from 'fast-check';
import type { EffectKind } from '../../devnet/effect-kinds';

/** The n-th effect of a kind on the network, and so many milliseconds later. */
export interface Moment {
  effect: EffectKind;
  nth: number;
  thenMs: number;
}

export type StrokeAction =
  /** One of the workers, by its number. */
  | { do: 'killWorker' | 'stopWorker'; worker: number; backAfterSec: number }
  | { do: 'killTemporal'; backAfterSec: number }
  /** yagna goes down and comes back: providers and VMs live on, demands are forgotten. */
  | { do: 'restartNode'; backAfterSec: number }
  /** The whole network goes down, VMs too, and comes back on its folder. */
  | { do: 'restartDevnet' }
  /** Nobody of the network reaches yagna, or one provider does not. */
  | { do: 'cut'; provider?: string; sec: number }
  /** Of a provider that is shut down, all agreements end; then it is back. */
  | { do: 'freeze' | 'crash' | 'shutDown'; provider: string; sec: number }
  | { do: 'killVms'; provider: string }
  | { do: 'cancelJob' | 'terminateJob' | 'terminateJobAndRentals' }
  /** What it would have done is left to `golemReconcile`. */
  | { do: 'terminateSettlement' | 'terminateAll' }
  | { do: 'cancelRental' | 'terminateRental'; rental: number };

export type Stroke = { at: Moment } & StrokeAction;

const MOMENTS: readonly EffectKind[] = [
  ...(['allocation-created', 'demand-created', 'proposals-collected', 'proposal-countered'] as const),
  ...(['agreement-created', 'agreement-confirmed', 'agreement-approved', 'agreement-terminated'] as const),
  ...(['activity-created', 'activity-destroyed', 'script-received', 'script-started'] as const),
  ...(['command-started', 'command-finished', 'script-finished', 'debit-note-issued'] as const),
  ...(['debit-note-accepted', 'invoice-issued', 'invoice-accepted', 'demand-removed'] as const),
];

const moment: fc.Arbitrary<Moment> = fc.record({
  effect: fc.constantFrom(...MOMENTS),
  nth: fc.constantFrom(1, 1, 1, 1, 2, 2, 3),
  thenMs: fc.constantFrom(0, 0, 0, 20, 100, 400, 1500),
});

const backAfterSec = fc.constantFrom(0, 0, 1, 3);
const sec = fc.constantFrom(1, 3, 6);

function action(providers: readonly string[], workers: number): fc.Arbitrary<StrokeAction> {
  const provider = fc.constantFrom(...providers);
  const worker = fc.integer({ min: 0, max: workers - 1 });
  const rental = fc.constantFrom(1, 1, 2);
  return fc.oneof(
    { weight: 8, arbitrary: fc.record({ do: fc.constant('killWorker' as const), worker, backAfterSec }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('stopWorker' as const), worker, backAfterSec }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('killTemporal' as const), backAfterSec }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('restartNode' as const), backAfterSec: sec }) },
    { weight: 2, arbitrary: fc.constant({ do: 'restartDevnet' as const }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('cut' as const),
        provider: fc.option(provider, { nil: undefined }),
        sec,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constantFrom('freeze' as const, 'crash' as const), provider, sec }),
    },
    {
      weight: 2,
      arbitrary: fc.oneof(
        fc.record({ do: fc.constant('killVms' as const), provider }),
        fc.record({ do: fc.constant('shutDown' as const), provider, sec }),
      ),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constantFrom('cancelJob' as const, 'terminateJob' as const, 'terminateJobAndRentals' as const),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom('terminateSettlement' as const, 'terminateAll' as const) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constantFrom('cancelRental' as const, 'terminateRental' as const),
        rental,
      }),
    },
  );
}

export function strokesArbitrary(providers: readonly string[], workers: number): fc.Arbitrary<Stroke[]> {
  return fc
    .array(fc.record({ at: moment, action: action(providers, workers) }), {
      minLength: 1,
      maxLength: 4,
      size: 'max',
    })
    .map((strokes) => strokes.map(({ at, action: stroke }) => ({ at, ...stroke })));
}
