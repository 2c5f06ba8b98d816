/**
 * Random providers. The first one is honest, so that a job can be done; the others are what their nature says, and often
 * cheaper, so that they are rented.
 */
import * as fc from 'fast-check';
import type { FaultInput } from '../../devnet/faults/faults';
import type { ProviderConfig } from '../../devnet/provider/config';
import type { Nature, PlannedProvider } from './plan';

const latency = fc.constantFrom(0, 0, 0.1, 0.5, 1.5);
const seed = fc.integer({ min: 0, max: 0xffff });
const times = fc.constantFrom(1, 1, 2, 3);

const pricing = fc.record({
  start: fc.constantFrom('0', '0', '0.0001', '0.001'),
  cpuPerHour: fc.constantFrom('0.1', '0.3'),
  envPerHour: fc.constantFrom('0.05', '0.2'),
});
/** Of those that cause trouble, for they are to be rented first. */
const cheapPricing = fc.record({
  start: fc.constantFrom('0', '0.0001'),
  cpuPerHour: fc.constantFrom('0.01', '0.02', '0.05'),
  envPerHour: fc.constantFrom('0.01', '0.02'),
});

const usual = fc.record({
  pricing,
  cheapPricing,
  agreementLimit: fc.constantFrom(1, 1, 2),
  payableNotes: fc.constantFrom(true, true, false),
});

const latencies = fc.record({
  ...{ offerDelaySec: latency, negotiateSec: latency, approveSec: latency, createSec: latency },
  ...{ deploySec: latency, startSec: latency, destroySec: latency, invoiceDelaySec: latency },
});

type Trait = Pick<PlannedProvider, 'faults'> & { config?: Partial<ProviderConfig> };
const faulty = (...faults: FaultInput[]): Trait => ({ faults });

/** One of the faults, as often as said. */
const oneOf = (...faults: FaultInput[]): fc.Arbitrary<Trait> =>
  fc
    .record({ fault: fc.constantFrom(...faults), times })
    .map(({ fault, times: some }) => faulty({ ...fault, times: some }));

const refusing = oneOf(
  { on: 'provider.offer', do: 'withhold' },
  { on: 'provider.negotiate', do: 'refuse', isFinal: true },
  { on: 'provider.negotiate', do: 'refuse', message: 'No capacity available. Reached Agreements limit: 1' },
  { on: 'provider.negotiate', do: 'withhold' },
  { on: 'provider.approve', do: 'refuse' },
  { on: 'provider.approve', do: 'delay', sec: 2 },
);

const broken: fc.Arbitrary<Trait> = fc.oneof(
  fc.constant<Trait>({ faults: [], config: { startFails: 'no hypervisor' } }),
  oneOf(
    { on: 'provider.deploy', do: 'fail', message: 'no space left' },
    { on: 'provider.start', do: 'fail' },
    { on: 'provider.createActivity', do: 'refuse' },
    { on: 'provider.createActivity', do: 'loseAnswer' },
    { on: 'provider.createActivity', do: 'delay', sec: 2 },
    { on: 'provider.destroyActivity', do: 'delay', sec: 2 },
  ),
);

const flaky: fc.Arbitrary<Trait> = fc.oneof(
  fc
    .record({
      fault: fc.constantFrom<FaultInput>(
        { on: 'provider.run', do: 'fail', exitCode: 9, message: 'bit rot' },
        { on: 'provider.run', do: 'die' },
        { on: 'provider.transfer', do: 'fail' },
      ),
      probability: fc.constantFrom(0.3, 0.6),
      seed,
    })
    .map(({ fault, ...chance }) => faulty({ ...fault, ...chance, times: 0 })),
  oneOf(
    { on: 'provider.run', do: 'die' },
    { on: 'exec', do: 'killVms' },
    { on: 'getExecBatchResults', do: 'killVms' },
  ),
);

const sec = fc.constantFrom(2, 4, 8);
const silent: fc.Arbitrary<Trait> = fc.oneof(
  oneOf({ on: 'provider.run', do: 'hang' }),
  fc
    .record({
      on: fc.constantFrom(
        ...([
          'createActivity',
          'exec',
          'getExecBatchResults',
          'destroyActivity',
          'terminateAgreement',
        ] as const),
      ),
      do: fc.constantFrom('freeze' as const, 'crash' as const, 'cut' as const),
      nth: fc.constantFrom(1, 2, 3),
      sec,
    })
    .map((fault) => faulty(fault as FaultInput)),
);

const factor = fc.constantFrom(1.5, 10, 300);
const dishonest: fc.Arbitrary<Trait> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({
        on: fc.constant('provider.debitNote' as const),
        do: fc.constantFrom('tooMuch' as const, 'impossibleUsage' as const, 'tooOften' as const),
        factor,
        times,
      })
      .map((fault) => faulty(fault as FaultInput)),
  },
  {
    weight: 3,
    arbitrary: oneOf(
      { on: 'provider.debitNote', do: 'withhold' },
      { on: 'provider.debitNote', do: 'twice' },
      { on: 'provider.debitNote', do: 'lessThanBefore', nth: 2 },
      { on: 'provider.debitNote', do: 'payable' },
    ),
  },
  {
    weight: 3,
    arbitrary: fc
      .record({
        fault: fc.constantFrom<FaultInput>(
          { on: 'provider.invoice', do: 'withhold' },
          { on: 'provider.invoice', do: 'twice' },
          { on: 'provider.invoice', do: 'tooMuch', factor: 1.5 },
          { on: 'provider.invoice', do: 'tooMuch', factor: 1000 },
          { on: 'provider.invoice', do: 'zero' },
          { on: 'provider.invoice', do: 'noteAfter' },
          { on: 'provider.invoice', do: 'delay', sec: 2 },
        ),
      })
      .map(({ fault }) => faulty({ ...fault, times: 0 })),
  },
);

type Natural = Trait & Pick<PlannedProvider, 'nature'>;

const of = (nature: Nature, trait: fc.Arbitrary<Trait>): fc.Arbitrary<Natural> =>
  trait.map((found) => ({ nature, ...found }));

const natural: fc.Arbitrary<Natural> = fc.oneof(
  { weight: 2, arbitrary: of('honest', fc.constant(faulty())) },
  {
    weight: 2,
    arbitrary: of(
      'slow',
      latencies.map((config) => ({ faults: [], config })),
    ),
  },
  { weight: 1, arbitrary: of('refusing', refusing) },
  { weight: 2, arbitrary: of('broken', broken) },
  { weight: 2, arbitrary: of('flaky', flaky) },
  { weight: 2, arbitrary: of('silent', silent) },
  { weight: 5, arbitrary: of('dishonest', dishonest) },
);

/** Nobody but the honest one has so many cores: `fastest` takes it last, too. */
const FEW_CORES = { cpuCores: 1, cpuThreads: 1, memGib: 2, storageGib: 10 };
const MANY_CORES = { cpuCores: 2, cpuThreads: 2, memGib: 4, storageGib: 20 };
const DEAR = { start: '0.001', cpuPerHour: '0.3', envPerHour: '0.2' };

export const providersArbitrary: fc.Arbitrary<PlannedProvider[]> = fc
  .record({
    honest: usual,
    others: fc.array(fc.record({ usual, trait: natural }), { minLength: 1, maxLength: 4, size: 'max' }),
  })
  .map(({ honest, others }) => {
    const first: PlannedProvider = {
      nature: 'honest',
      config: { ...settingsOf('p1', honest), pricing: DEAR, hardware: FEW_CORES },
      faults: [],
    };
    const rest = others.map(({ usual: settings, trait }, index): PlannedProvider => {
      const config = { ...settingsOf(`p${index + 2}`, settings), hardware: MANY_CORES, ...trait.config };
      if (trait.nature !== 'honest' && trait.nature !== 'slow') config.pricing = settings.cheapPricing;
      const faults = trait.faults.map((fault) => ({ ...fault, provider: config.name }) as FaultInput);
      return { nature: trait.nature, config, faults };
    });
    return [first, ...rest];
  });

type Usual = typeof usual extends fc.Arbitrary<infer T> ? T : never;

function settingsOf(name: string, { pricing: prices, agreementLimit, payableNotes }: Usual): ProviderConfig {
  return { name, pricing: prices, agreementLimit, payableNotes };
}
